"""What the org's own rules do to a write: validation rules, record types, history, roll-ups, the recycle bin."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from connectors.sandbox.salesforce import seed
from connectors.sandbox.side import ControlRefused

LEAD = {"LastName": "Ada", "Company": "Engines"}
PHONE_ONCE_WORKED = {
    "object": "Lead",
    "when": {"Status": "Working - Contacted", "Phone": None},
    "message": "Who works a lead needs a phone number.",
    "field": "Phone",
}


def said(answer: Any) -> tuple[int, str, str, list[str]]:
    """Status, code, text and fields of a refusal."""
    error = json.loads(answer.body)[0]
    return answer.status, error["errorCode"], error["message"], error.get("fields")


def test_a_validation_rule_refuses_with_the_admins_own_text(api: Any) -> None:
    api.side.limits({"validation_rules": [PHONE_ONCE_WORKED]})
    lead = api.create(LEAD)
    wrong = api.call("PATCH", f"sobjects/Lead/{lead}", {"Status": "Working - Contacted"})
    text = "Who works a lead needs a phone number."
    assert said(wrong) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", text, ["Phone"])
    right = {"Status": "Working - Contacted", "Phone": "1"}
    assert api.call("PATCH", f"sobjects/Lead/{lead}", right).status == 204
    assert said(api.call("PATCH", f"sobjects/Lead/{lead}", {"Phone": None}))[0] == 400


def test_a_validation_rule_may_point_at_no_field_and_binds_people_too(api: Any) -> None:
    rule = {"object": "Lead", "when": {"DoNotCall": True, "Rating": "Hot"}, "message": "No."}
    api.side.limits({"validation_rules": [rule]})
    wrong = api.call("POST", "sobjects/Lead", {**LEAD, "DoNotCall": True, "Rating": "Hot"})
    assert said(wrong) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "No.", [])
    api.create({**LEAD, "DoNotCall": False, "Rating": "Hot"})
    fields = {**LEAD, "DoNotCall": True, "Rating": "Hot"}
    with pytest.raises(ControlRefused, match="FIELD_CUSTOM_VALIDATION_EXCEPTION"):
        api.side.people({"action": "create", "object": "Lead", "fields": fields})


def test_a_rule_refuses_one_record_of_many(api: Any) -> None:
    api.side.limits({"validation_rules": [PHONE_ONCE_WORKED]})
    records = [
        {"attributes": {"type": "Lead"}, **LEAD, **more}
        for more in ({}, {"Status": "Working - Contacted"}, {"Phone": "2"})
    ]
    results = api.json("POST", "composite/sobjects", {"records": records})
    assert [each["success"] for each in results] == [True, False, True]
    assert results[1]["errors"][0]["statusCode"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"


TYPES = {
    "Lead": [
        {"name": "Partner", "values": {"Rating": ["Hot"], "Status": ["Open - Not Contacted"]}},
        {"name": "Direct Sale", "default": True},
    ]
}


def test_without_record_types_there_is_no_field_for_them(api: Any) -> None:
    assert "RecordTypeId" not in api.described()
    (master,) = api.json("GET", "sobjects/Lead/describe")["recordTypeInfos"]
    assert (master["name"], master["master"], master["defaultRecordTypeMapping"]) == ("Master", True, True)


def test_a_value_may_exist_but_not_for_the_records_type(api: Any) -> None:
    api.side.limits({"record_types": TYPES})
    infos = {each["name"]: each for each in api.json("GET", "sobjects/Lead/describe")["recordTypeInfos"]}
    partner, direct = infos["Partner"]["recordTypeId"], infos["Direct Sale"]["recordTypeId"]
    assert infos["Direct Sale"]["defaultRecordTypeMapping"]
    lead = api.create({**LEAD, "Rating": "Cold"})
    assert api.get(lead)["RecordTypeId"] == direct
    text = "Rating: bad value for restricted picklist field: Cold"
    wrong = api.call("POST", "sobjects/Lead", {**LEAD, "Rating": "Cold", "RecordTypeId": partner})
    assert said(wrong) == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, ["Rating"])
    api.create({**LEAD, "Rating": "Hot", "RecordTypeId": partner})
    (found,) = api.query(
        "SELECT LastName, RecordType.DeveloperName FROM Lead WHERE RecordType.Name = 'Partner'"
    )
    assert found["RecordType"]["DeveloperName"] == "Partner"


def test_record_types_outlive_a_restart_and_can_be_taken_away(api: Any, tmp_path: Any) -> None:
    api.side.limits({"record_types": TYPES})
    before = api.query("SELECT Id, Name FROM RecordType ORDER BY Id")
    api.restart(tmp_path)
    assert "RecordTypeId" in api.described()
    api.side.limits({"record_types": {}})
    assert "RecordTypeId" not in api.described()
    api.side.limits({"record_types": TYPES})
    assert api.query("SELECT Id, Name FROM RecordType ORDER BY Id") == before


@pytest.mark.parametrize(
    "wanted",
    [
        {"validation_rules": [{"object": "Lead", "when": {}, "message": "x"}]},
        {"validation_rules": [{"object": "Lead", "when": {"Foo": 1}, "message": "x"}]},
        {"validation_rules": [{"object": "Cat", "when": {"Foo": 1}, "message": "x"}]},
        {"validation_rules": [{"object": "Lead", "when": {"Phone": None}}]},
        {"validation_rules": "x"},
        {"record_types": {"Cat": []}},
        {"record_types": {"Lead": [{"name": "x", "values": {"Email": ["a"]}}]}},
        {"record_types": {"Lead": [{"values": {}}]}},
        {"history": {"Campaign": ["Name"]}},
        {"history": {"Lead": ["Foo"]}},
        {"history": {"Lead": ["Status"] * 21}},
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_name(api: Any, wanted: dict[str, Any]) -> None:
    with pytest.raises(ControlRefused):
        api.side.limits(wanted)


def entries(api: Any) -> list[tuple[str, Any, Any]]:
    rows = api.query("SELECT Field, OldValue, NewValue FROM LeadHistory ORDER BY CreatedDate, Id")
    return [(each["Field"], each["OldValue"], each["NewValue"]) for each in rows]


def test_history_is_kept_of_the_fields_that_are_tracked(api: Any) -> None:
    untracked = api.create({**LEAD, "Rating": "Cold"})
    api.call("PATCH", f"sobjects/Lead/{untracked}", {"Rating": "Hot"})
    assert entries(api) == []
    api.side.limits({"history": {"Lead": ["Status", "DoNotCall", "AnnualRevenue", "Description"]}})
    lead = api.create({**LEAD, "AnnualRevenue": 5})
    changes = {"Status": "Working - Contacted", "DoNotCall": True, "AnnualRevenue": 7, "Title": "CTO"}
    api.call("PATCH", f"sobjects/Lead/{lead}", {**changes, "Description": "long"})
    assert entries(api) == [
        ("created", None, None),
        ("Status", "Open - Not Contacted", "Working - Contacted"),
        ("DoNotCall", False, True),
        ("AnnualRevenue", 5.0, 7.0),
        ("Description", None, None),
    ]
    (row,) = api.query("SELECT LeadId, DataType, CreatedById FROM LeadHistory WHERE Field = 'Status'")
    assert (row["LeadId"], row["CreatedById"]) == (lead, seed.INTEGRATION_USER)


def test_a_lookup_has_a_row_with_names_and_one_with_ids(api: Any) -> None:
    api.side.limits({"history": {"Lead": ["OwnerId"]}})
    lead = api.create({**LEAD, "OwnerId": seed.QUEUE})
    api.side.people(
        {"action": "edit", "object": "Lead", "id": lead, "fields": {"OwnerId": seed.FIRST_SELLER}}
    )
    assert entries(api) == [
        ("created", None, None),
        ("ownerAccepted", None, None),
        ("Owner", "New Leads", "Sana Okafor"),
        ("Owner", seed.QUEUE, seed.FIRST_SELLER),
    ]


def test_a_conversion_is_in_the_history_and_a_deleted_lead_takes_its_history_along(api: Any) -> None:
    api.side.limits({"history": {"Lead": ["Status"]}})
    lead = api.create({**LEAD, "OwnerId": seed.FIRST_SELLER})
    api.side.people({"action": "convert", "id": lead})
    assert [each[0] for each in entries(api)] == ["created", "leadConverted", "Status"]
    api.side.people({"action": "delete", "object": "Lead", "id": lead})
    assert entries(api) == []


def test_history_cannot_be_written(api: Any) -> None:
    answer = api.call("POST", "sobjects/LeadHistory", {"Field": "Status"})
    assert answer.status == 400
    described = api.json("GET", "sobjects/LeadHistory/describe")
    assert (described["createable"], described["deletable"], described["undeletable"]) == (
        False,
        False,
        False,
    )


def test_an_opportunity_keeps_its_stages_by_itself(api: Any) -> None:
    values = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": 100}
    deal = api.create(values, "Opportunity")
    api.call("PATCH", f"sobjects/Opportunity/{deal}", {"NextStep": "call"})
    api.call("PATCH", f"sobjects/Opportunity/{deal}", {"StageName": "Closed Won"})
    rows = api.query("SELECT StageName, Amount, Probability FROM OpportunityHistory ORDER BY Id")
    found = [(each["StageName"], each["Amount"], each["Probability"]) for each in rows]
    assert found == [("Prospecting", 100.0, 10.0), ("Closed Won", 100.0, 100.0)]
    stages = api.query("SELECT ApiName FROM OpportunityStage WHERE IsWon = true")
    assert [each["ApiName"] for each in stages] == ["Closed Won"]


def test_an_opportunity_made_for_a_contact_has_them_as_primary_role(api: Any) -> None:
    contact = api.create({"LastName": "Ada"}, "Contact")
    values = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "ContactId": contact}
    deal = api.create(values, "Opportunity")
    (role,) = api.query("SELECT OpportunityId, ContactId, IsPrimary FROM OpportunityContactRole")
    assert (role["OpportunityId"], role["ContactId"], role["IsPrimary"]) == (deal, contact, True)


def test_a_campaign_counts_its_members_and_deals_without_being_changed(api: Any) -> None:
    campaign = api.create({"Name": "Fair"}, "Campaign")
    before = api.get(campaign, "Campaign")
    api.clock.moment += timedelta(minutes=5)
    ada, bob = api.create({**LEAD, "OwnerId": seed.FIRST_SELLER}), api.create(LEAD)
    api.create({"CampaignId": campaign, "LeadId": ada, "Status": "Responded"}, "CampaignMember")
    api.create({"CampaignId": campaign, "LeadId": bob}, "CampaignMember")
    deal = {"Name": "D", "StageName": "Closed Won", "CloseDate": "2026-12-31", "Amount": 50}
    api.create({**deal, "CampaignId": campaign}, "Opportunity")
    api.side.people({"action": "convert", "id": ada})
    now = api.get(campaign, "Campaign")
    names = ("NumberOfLeads", "NumberOfConvertedLeads", "NumberOfContacts", "NumberOfResponses")
    assert [now[name] for name in names] == [2, 1, 1, 1]
    assert (now["NumberOfWonOpportunities"], now["AmountWonOpportunities"]) == (1, 50.0)
    assert now["SystemModstamp"] == before["SystemModstamp"]
    api.call("DELETE", f"sobjects/Lead/{bob}")
    assert api.get(campaign, "Campaign")["NumberOfLeads"] == 1


def test_a_deleted_record_leaves_the_bin_after_fifteen_days(api: Any) -> None:
    lead = api.create(LEAD)
    api.call("DELETE", f"sobjects/Lead/{lead}")
    api.clock.moment += timedelta(days=14)
    api.log_in()
    assert len(api.query("SELECT Id FROM Lead", "queryAll")) == 1
    api.clock.moment += timedelta(days=1, hours=1)
    api.log_in()
    assert api.query("SELECT Id FROM Lead", "queryAll") == []
    with pytest.raises(ControlRefused, match="UNDELETE_FAILED"):
        api.side.people({"action": "undelete", "object": "Lead", "id": lead})


def test_an_emptied_bin_leaves_no_trace(api: Any) -> None:
    ids = [api.create(LEAD) for _ in range(2)]
    for lead in ids:
        api.call("DELETE", f"sobjects/Lead/{lead}")
    assert api.side.people({"action": "empty_bin", "object": "Lead", "id": ids[0]}) == {"removed": 1}
    assert [each["Id"] for each in api.query("SELECT Id FROM Lead", "queryAll")] == ids[1:]
    span = "start=2026-11-18T10:00:00Z&end=2026-11-18T11:00:00Z"
    gone = api.json("GET", f"sobjects/Lead/deleted?{span}")["deletedRecords"]
    assert [each["id"] for each in gone] == ids[1:]


def test_only_an_account_has_an_etag(api: Any) -> None:
    account = api.create({"Name": "Engines"}, "Account")
    tag = api.call("GET", f"sobjects/Account/{account}").headers["ETag"]
    assert api.call("GET", f"sobjects/Account/{account}", if_none_match=tag).status == 304
    assert api.call("PATCH", f"sobjects/Account/{account}", {"Name": "B"}, if_match=tag).status == 204
    api.clock.moment += timedelta(seconds=1)
    assert api.call("PATCH", f"sobjects/Account/{account}", {"Name": "C"}).status == 204
    assert api.call("PATCH", f"sobjects/Account/{account}", {"Name": "D"}, if_match=tag).status == 412
    lead = api.create(LEAD)
    assert "ETag" not in api.call("GET", f"sobjects/Lead/{lead}").headers
    assert api.call("PATCH", f"sobjects/Lead/{lead}", {"Title": "x"}, if_match='"other"').status == 204


def test_an_event_knows_its_end_by_its_length(api: Any) -> None:
    lead = api.create(LEAD)
    start = {"ActivityDateTime": "2026-11-20T09:00:00Z", "DurationInMinutes": 45, "WhoId": lead}
    event = api.get(api.create({**start, "Subject": "Demo"}, "Event"), "Event")
    assert event["EndDateTime"] == "2026-11-20T09:45:00.000+0000"
    assert event["ActivityDate"] == "2026-11-20"
    assert said(api.call("POST", "sobjects/Event", {"Subject": "x"}))[1] == "REQUIRED_FIELD_MISSING"


def test_a_queue_has_people_and_objects(api: Any) -> None:
    (queue,) = api.query(
        "SELECT Name, (SELECT UserOrGroupId FROM GroupMembers), (SELECT SobjectType FROM QueueSobjects) "
        "FROM Group WHERE Type = 'Queue'"
    )
    assert seed.FIRST_SELLER in [each["UserOrGroupId"] for each in queue["GroupMembers"]["records"]]
    assert [each["SobjectType"] for each in queue["QueueSobjects"]["records"]] == ["Lead"]
    member = {"GroupId": seed.QUEUE, "UserOrGroupId": seed.INTEGRATION_USER}
    made = api.create(member, "GroupMember")
    assert api.call("DELETE", f"sobjects/GroupMember/{made}").status == 204


def test_the_assignment_rule_says_whether_it_is_on(api: Any) -> None:
    assert api.query("SELECT Active FROM AssignmentRule WHERE SobjectType = 'Lead'")[0]["Active"] is False
    api.side.limits({"assignment_rule": True})
    assert api.query("SELECT Active FROM AssignmentRule")[0]["Active"] is True


def test_what_hangs_on_a_record_goes_and_comes_back_with_it(api: Any) -> None:
    campaign = api.create({"Name": "Fair"}, "Campaign")
    lead, task = api.create(LEAD), "SELECT Id FROM Task"
    member = api.create({"CampaignId": campaign, "LeadId": lead}, "CampaignMember")
    api.create({"WhoId": lead}, "Task")
    api.clock.moment += timedelta(minutes=1)
    api.call("DELETE", f"sobjects/Lead/{lead}")
    assert (api.query("SELECT Id FROM CampaignMember"), len(api.query(task))) == ([], 1)
    api.clock.moment += timedelta(minutes=1)
    api.side.people({"action": "undelete", "object": "Lead", "id": lead})
    assert [each["Id"] for each in api.query("SELECT Id FROM CampaignMember")] == [member]


def test_a_member_that_was_removed_before_does_not_come_back_with_its_lead(api: Any) -> None:
    campaign, lead = api.create({"Name": "Fair"}, "Campaign"), api.create(LEAD)
    member = api.create({"CampaignId": campaign, "LeadId": lead}, "CampaignMember")
    api.call("DELETE", f"sobjects/CampaignMember/{member}")
    api.clock.moment += timedelta(minutes=1)
    api.call("DELETE", f"sobjects/Lead/{lead}")
    api.side.people({"action": "undelete", "object": "Lead", "id": lead})
    assert api.query("SELECT Id FROM CampaignMember") == []


@pytest.mark.parametrize(
    "code", ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "ENTITY_IS_LOCKED"]
)
def test_a_trigger_a_flow_or_an_approval_refuses_with_its_own_code(api: Any, code: str) -> None:
    rule = {"object": "Lead", "when": {"Rating": "Hot"}, "message": "Trigger.A: execution of", "code": code}
    api.side.limits({"validation_rules": [rule]})
    assert said(api.call("POST", "sobjects/Lead", {**LEAD, "Rating": "Hot"}))[1] == code


def test_a_field_that_may_only_be_read_is_refused_by_name(api: Any) -> None:
    api.side.limits({"read_only_fields": {"Lead": ["Rating"]}})
    assert api.described()["Rating"]["updateable"] is False
    answer = said(api.call("POST", "sobjects/Lead", {**LEAD, "Rating": "Hot"}))
    assert (answer[1], answer[3]) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Rating"])
    assert "Unable to create/update fields: Rating." in answer[2]


def test_an_object_that_may_not_be_seen_is_not_there(api: Any) -> None:
    lead = api.create(LEAD)
    api.side.limits({"hidden_objects": ["Lead", "LeadStatus"]})
    assert api.call("GET", "sobjects/Lead/describe").status == 404
    assert api.call("GET", f"sobjects/Lead/{lead}").status == 404
    assert said(api.call("GET", "query?q=SELECT+Id+FROM+LeadStatus"))[1] == "INVALID_TYPE"
    (result,) = api.json(
        "PATCH", "composite/sobjects", {"records": [{"attributes": {"type": "Lead"}, "id": lead}]}
    )
    assert result["errors"][0]["statusCode"] == "INVALID_TYPE"
    with pytest.raises(ControlRefused):
        api.side.limits({"hidden_objects": ["Cat"]})


def test_who_may_edit_converted_leads_can(api: Any) -> None:
    lead = api.create({**LEAD, "OwnerId": seed.FIRST_SELLER})
    api.side.people({"action": "convert", "id": lead})
    assert (
        said(api.call("PATCH", f"sobjects/Lead/{lead}", {"Title": "x"}))[1] == "CANNOT_UPDATE_CONVERTED_LEAD"
    )
    api.side.limits({"edit_converted": True})
    assert api.call("PATCH", f"sobjects/Lead/{lead}", {"Title": "x"}).status == 204


def test_history_reads_the_same_in_bulk(api: Any) -> None:
    api.side.limits({"history": {"Lead": ["Title", "DoNotCall", "AnnualRevenue"]}, "bulk_polls": 0})
    lead = api.create(LEAD)
    changes = {"Title": 'a "word"', "DoNotCall": True, "AnnualRevenue": 7}
    api.call("PATCH", f"sobjects/Lead/{lead}", changes)
    soql = "SELECT Field, NewValue FROM LeadHistory WHERE Field != 'created' ORDER BY Id"
    job = api.json("POST", "jobs/query", {"operation": "query", "query": soql})["id"]
    api.call("GET", f"jobs/query/{job}")
    text = api.call("GET", f"jobs/query/{job}/results").body.decode()
    assert list(csv.reader(io.StringIO(text)))[1:] == [
        ["Title", 'a "word"'],
        ["DoNotCall", "true"],
        ["AnnualRevenue", "7.0"],
    ]


def test_a_duplicate_rule_may_have_the_admins_text_and_tell_more_of_the_match(api: Any) -> None:
    first = api.create({**LEAD, "Email": "a@b.example", "Phone": "1"})
    api.side.limits({"duplicate_rule": "block", "duplicate_message": "Ask Sana first."})
    header = {"sforce_duplicate_rule_header": "includeRecordDetails=true"}
    twin = {**LEAD, "Email": "a@b.example"}
    for more, shown in (({}, {"Id": first}), (header, {"Id": first, "Name": "Ada", "Phone": "1"})):
        error = json.loads(api.call("POST", "sobjects/Lead", twin, **more).body)[0]
        assert (error["message"], error["duplicateResult"]["errorMessage"]) == ("Ask Sana first.",) * 2
        record = error["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]
        assert {name: record.get(name) for name in ("Id", "Name", "Phone") if name in record} == shown
