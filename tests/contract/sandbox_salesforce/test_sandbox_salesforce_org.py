"""The pretend Salesforce as an org: its rules, the people in it, bulk rows, and what survives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.salesforce import seed
from connectors.sandbox.side import Ask, ControlRefused

ADA = {"LastName": "Lovelace", "Company": "Engines", "Email": "ada@engines.example"}

# Rules


def test_the_assignment_rule_takes_the_owner_unless_it_is_told_not_to(api: Any) -> None:
    record_id = api.create(ADA)
    api.side.limits({"assignment_rule": True})
    mine = {"OwnerId": seed.INTEGRATION_USER}
    owners = []
    for headers in (
        {"sforce_auto_assign": "FALSE"},
        {},
        {"sforce_auto_assign": "false"},
        {"sforce_auto_assign": "TRUE"},
    ):
        assert api.call("PATCH", f"sobjects/Lead/{record_id}", mine, **headers).status == 204
        owners.append(api.query("SELECT OwnerId FROM Lead")[0]["OwnerId"])
    assert owners == [seed.INTEGRATION_USER, seed.QUEUE, seed.INTEGRATION_USER, seed.QUEUE]


@pytest.mark.parametrize(
    ("rule", "header", "status", "may_save"),
    [
        ("alert", "", 400, True),
        ("alert", "allowSave=true", 201, None),
        ("block", "allowSave=true", 400, False),
        ("off", "", 201, None),
    ],
)
def test_the_duplicate_rule_stops_or_warns(
    api: Any, rule: str, header: str, status: int, may_save: bool | None
) -> None:
    first = api.create(ADA)
    api.side.limits({"duplicate_rule": rule})
    answer = api.call("POST", "sobjects/Lead", ADA, sforce_duplicate_rule_header=header)
    assert answer.status == status
    if may_save is not None:
        error = json.loads(answer.body)[0]
        result = error["duplicateResult"]
        assert (error["errorCode"], error["message"]) == ("DUPLICATES_DETECTED", "Use one of these records?")
        assert result["allowSave"] is may_save
        assert result["matchResults"][0]["matchRecords"][0]["record"]["Id"] == first


def test_a_locked_row_fails_once_and_then_lets_go(api: Any) -> None:
    record_id = api.create(ADA)
    api.side.limits({"row_locks": 1})
    answers = [api.call("PATCH", f"sobjects/Lead/{record_id}", {"City": "Paris"}) for _ in range(2)]
    assert [each.status for each in answers] == [400, 204]
    assert json.loads(answers[0].body)[0]["errorCode"] == "UNABLE_TO_LOCK_ROW"


def test_the_default_status_can_be_another(api: Any) -> None:
    api.side.limits({"default_status": "Working - Contacted"})
    api.create(ADA)
    assert api.query("SELECT Status FROM Lead")[0]["Status"] == "Working - Contacted"
    assert (
        api.query("SELECT ApiName FROM LeadStatus WHERE IsDefault = true")[0]["ApiName"]
        == "Working - Contacted"
    )


@pytest.mark.parametrize(
    "wanted",
    [
        {"dayly": 3},
        {"daily": "many"},
        {"row_locks": -1},
        {"duplicate_rule": "maybe"},
        {"hidden_fields": {"Lead": ["Nope"]}},
        {"default_status": "Nope"},
        {"hidden_fields": {"Foo": []}},
        {"late_commit_ms": True},
    ],
)
def test_an_unknown_switch_is_refused_by_name(api: Any, wanted: dict[str, Any]) -> None:
    before = dict(api.side.limits({}))
    with pytest.raises(ControlRefused):
        api.side.limits(wanted)
    assert api.side.limits({}) == before


# People


def test_a_person_converts_a_lead_and_it_can_no_longer_be_written(api: Any) -> None:
    record_id = api.create({**ADA, "FirstName": "Ada", "City": "Paris", "OwnerId": seed.FIRST_SELLER})
    campaign = api.create({"Name": "Fair"}, "Campaign")
    api.create({"CampaignId": campaign, "LeadId": record_id}, "CampaignMember")
    made = api.side.people({"action": "convert", "id": record_id, "opportunity_name": "Big one"})
    lead = api.query(
        "SELECT Status, IsConverted, ConvertedDate, ConvertedAccount.Name, ConvertedContact.Email, "
        "ConvertedContact.MailingCity, ConvertedOpportunity.Name, LastModifiedById FROM Lead"
    )[0]
    assert (lead["Status"], lead["IsConverted"], lead["ConvertedDate"]) == (
        "Closed - Converted",
        True,
        "2026-11-18",
    )
    assert (lead["ConvertedAccount"]["Name"], lead["ConvertedOpportunity"]["Name"]) == ("Engines", "Big one")
    assert (lead["ConvertedContact"]["Email"], lead["ConvertedContact"]["MailingCity"]) == (
        ADA["Email"],
        "Paris",
    )
    assert lead["LastModifiedById"] == seed.FIRST_SELLER
    assert api.query("SELECT ContactId FROM CampaignMember")[0]["ContactId"] == made["contact_id"]
    error = api.json("PATCH", f"sobjects/Lead/{record_id}", {"City": "Rome"})[0]
    assert (error["errorCode"], error["message"]) == (
        "CANNOT_UPDATE_CONVERTED_LEAD",
        "cannot reference converted lead",
    )
    with pytest.raises(ControlRefused):
        api.side.people({"action": "convert", "id": record_id})


def test_a_person_merges_two_leads_and_the_loser_names_the_winner(api: Any) -> None:
    winner, loser = api.create(ADA), api.create({**ADA, "City": "Paris", "Company": "Other"})
    api.side.people({"action": "merge", "object": "Lead", "id": winner, "losers": [loser]})
    kept = api.query("SELECT Id, City, Company FROM Lead")
    gone = api.query(
        "SELECT Id, MasterRecordId FROM Lead WHERE IsDeleted = true AND MasterRecordId != null", "queryAll"
    )
    assert [(each["Id"], each["City"], each["Company"]) for each in kept] == [(winner, "Paris", "Engines")]
    assert [(each["Id"], each["MasterRecordId"]) for each in gone] == [(loser, winner)]


def test_what_pointed_at_a_merged_lead_points_at_the_winner(api: Any) -> None:
    winner, loser = api.create(ADA), api.create(ADA)
    first, second = (api.create({"Name": name}, "Campaign") for name in ("One", "Two"))
    for campaign, lead in ((first, winner), (first, loser), (second, loser)):
        api.create({"CampaignId": campaign, "LeadId": lead}, "CampaignMember")
    api.side.people({"action": "merge", "object": "Lead", "id": winner, "losers": [loser]})
    members = api.query("SELECT CampaignId, LeadId FROM CampaignMember ORDER BY CampaignId")
    assert [(each["CampaignId"], each["LeadId"]) for each in members] == [(first, winner), (second, winner)]


def test_loaded_opportunities_follow_their_stage(api: Any) -> None:
    stages = ("Closed Won", "Closed Lost", "Prospecting")
    day = "2026-08-01"
    api.side.load("Opportunity", [{"Name": each, "StageName": each, "CloseDate": day} for each in stages])
    found = api.query("SELECT IsWon, IsClosed, Probability, FiscalQuarter FROM Opportunity ORDER BY Id")
    assert [
        (each["IsWon"], each["IsClosed"], each["Probability"], each["FiscalQuarter"]) for each in found
    ] == [
        (True, True, 100.0, 3),
        (False, True, 0.0, 3),
        (False, False, 10.0, 3),
    ]


def test_a_campaign_member_responds_and_is_a_member_once(api: Any) -> None:
    lead, campaign = api.create(ADA), api.create({"Name": "Fair"}, "Campaign")
    pair = {"CampaignId": campaign, "LeadId": lead}
    member = api.create(pair, "CampaignMember")
    error = api.json("POST", "sobjects/CampaignMember", pair)[0]
    assert (error["errorCode"], error["message"]) == ("DUPLICATE_VALUE", "Already a campaign member.")
    assert api.call("PATCH", f"sobjects/CampaignMember/{member}", {"Status": "Responded"}).status == 204
    found = api.get(member, "CampaignMember")
    assert (found["HasResponded"], found["FirstRespondedDate"], found["Email"]) == (
        True,
        "2026-11-18",
        ADA["Email"],
    )


def test_a_person_edits_deletes_and_brings_back_under_their_own_name(api: Any) -> None:
    record_id = api.create(ADA)
    who = {"object": "Lead", "id": record_id, "user": "mlind"}
    api.side.people({"action": "edit", **who, "fields": {"City": "Paris"}})
    assert api.query("SELECT LastModifiedBy.Alias FROM Lead")[0]["LastModifiedBy"]["Alias"] == "mlind"
    api.side.people({"action": "unsubscribe", **who})
    assert api.query("SELECT HasOptedOutOfEmail FROM Lead")[0]["HasOptedOutOfEmail"] is True
    api.side.people({"action": "delete", **who})
    assert api.query("SELECT Id FROM Lead") == []
    api.side.people({"action": "undelete", **who})
    assert [each["Id"] for each in api.query("SELECT Id FROM Lead")] == [record_id]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"action": "fly"},
        {"action": "edit", "object": "Lead"},
        {"action": "edit", "object": "Foo", "id": "x"},
        {"action": "create", "object": "Lead", "fields": {"Nope": 1}},
        {"action": "create", "object": "Lead", "fields": {}},
        {"action": "create", "object": "Lead", "fields": ADA, "user": "nobody"},
        {"action": "delete", "object": "Lead", "id": "x", "why": "no reason"},
    ],
)
def test_what_a_person_cannot_do_is_refused(api: Any, wanted: dict[str, Any]) -> None:
    with pytest.raises(ControlRefused):
        api.side.people(wanted)


# Bulk rows, state, restart


def test_loaded_rows_keep_their_times_and_unknown_fields_are_named(api: Any) -> None:
    then = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    ids = api.side.load("Lead", [{**ADA, "_created": then, "_modified": then + timedelta(days=1)}, ADA])
    found = api.query("SELECT Id, CreatedDate, SystemModstamp FROM Lead ORDER BY Id")
    assert [each["Id"] for each in found] == ids
    assert (found[0]["CreatedDate"], found[0]["SystemModstamp"]) == (
        *("2025-01-02T03:04:05.000+0000", "2025-01-03T03:04:05.000+0000"),
    )
    assert found[1]["CreatedDate"] == "2026-11-18T10:30:40.000+0000"
    for name, row in (("Lead", {**ADA, "Nope": 1}), ("Foo", ADA), ("Lead", {**ADA, "City": "x" * 41})):
        with pytest.raises(ControlRefused):
            api.side.load(name, [ADA, row])
    assert len(api.query("SELECT Id FROM Lead")) == 2


def test_state_pages_through_everything_the_org_holds(api: Any) -> None:
    ids = [api.create({**ADA, "LastName": f"L{n}"}) for n in range(3)]
    first = api.side.state({"object": "Lead", "limit": "2"})
    rest = api.side.state({"object": "Lead", "limit": "2", "after": first["records"][-1]["Id"]})
    assert [each["Id"] for each in first["records"] + rest["records"]] == ids
    assert api.side.state({"object": "Lead", "id": ids[1][:15]})["records"][0]["LastName"] == "L1"
    assert api.side.state({})["objects"]["Lead"] == 3
    with pytest.raises(ControlRefused):
        api.side.state({"object": "Foo"})


def test_everything_survives_a_restart_and_a_reset_forgets_it(keyed: Any, tmp_path: Path) -> None:
    keyed.side.limits({"daily": 50})
    record_id = keyed.create({**ADA, "Key__c": "k-1"})
    keyed.restart(tmp_path)
    assert keyed.json("GET", "sobjects/Lead/Key__c/k-1")["Id"] == record_id
    assert keyed.side.limits({})["daily"] == 50
    keyed.side.reset(7)
    keyed.log_in()
    assert (keyed.query("SELECT Id FROM Lead"), "Key__c" in keyed.described()) == ([], False)
    assert keyed.create(ADA) == record_id


@pytest.mark.parametrize(
    ("method", "path", "writes"),
    [
        ("POST", "sobjects/Lead", True), ("PATCH", "sobjects/Lead/1", True), ("GET", "query", False),
        ("POST", "composite/sobjects", True), ("POST", "composite/sobjects/Lead", False),
        ("DELETE", "composite/sobjects", True), ("POST", "metadata/deployRequest", True),
    ],
)  # fmt: skip
def test_writes_are_told_from_reads(api: Any, method: str, path: str, writes: bool) -> None:
    assert api.side.is_write(Ask(method, f"/services/data/v66.0/{path}", (), {}, b"")) is writes
    assert api.side.is_write(Ask("POST", "/services/oauth2/token", (), {}, b"")) is False
