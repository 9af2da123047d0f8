"""What Salesforce tells beside records: who owns, what was done, how it ended, what is gone; over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from connectors.crm import HISTORY_SCHEMA, RECORD_ID
from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.salesforce.campaigns import CAMPAIGN_SCHEMA, MEMBER_SCHEMA
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.deals import DEAL_SCHEMA
from connectors.salesforce.removed import REMOVED_SCHEMA, Removed
from connectors.salesforce.touches import SPAN_SCHEMA, TOUCH_SCHEMA, first_and_last
from connectors.sandbox.salesforce import seed

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
LEAD = {"LastName": "Ada", "Company": "Engines"}


def one_frame(frames: Iterator[pl.DataFrame], schema: Mapping[str, Any]) -> pl.DataFrame:
    """All that came, each frame having the declared columns."""
    found = list(frames)
    assert all(dict(frame.schema) == dict(schema) for frame in found)
    return pl.concat([pl.DataFrame(schema=dict(schema)), *found])


def lead(org: Any, **more: Any) -> str:
    return str(org.act("create", fields={**LEAD, **more}))


def make(org: Any, name: str, **fields: Any) -> str:
    made = org.control("people", action="create", object=name, fields=fields)
    return str(made["id"])


def past(org: Any, crm: SalesforceCrm, fields: list[str], *ids: str) -> list[tuple[Any, ...]]:
    found = one_frame(crm.history("Lead", fields, list(ids) or None), HISTORY_SCHEMA)
    return found.select("property", "value", "source").rows()


def test_each_change_of_a_tracked_field_has_its_time(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", history={"Lead": ["Status", "AnnualRevenue", "DoNotCall"]})
    ada = lead(org, AnnualRevenue=5)
    org.control("clock", now=(NOON + timedelta(hours=1)).isoformat())
    org.act(
        "edit", id=ada, fields={"AnnualRevenue": None, "DoNotCall": True, "Status": "Working - Contacted"}
    )
    found = one_frame(
        crm.history("Lead", ["Status", "AnnualRevenue", "DoNotCall", "Rating"], [ada]), HISTORY_SCHEMA
    )
    assert set(found[RECORD_ID]) == {ada}
    assert set(found["user"]) == {seed.FIRST_SELLER}
    told = {row["property"]: (row["at"], row["value"]) for row in found.iter_rows(named=True)}
    later = NOON + timedelta(hours=1)
    assert told == {
        "Status": (later, "Working - Contacted"),
        "AnnualRevenue": (later, None),
        "DoNotCall": (later, "true"),
    }


def test_the_newest_change_comes_first_and_owners_are_told_by_id(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", history={"Lead": ["OwnerId", "Title"]})
    ada = lead(org, OwnerId=seed.QUEUE)
    for number, owner in enumerate((seed.FIRST_SELLER, seed.INTEGRATION_USER)):
        org.control("clock", now=(NOON + timedelta(hours=number)).isoformat())
        org.act("edit", id=ada, fields={"OwnerId": owner, "Title": f"T{number}"})
    assert past(org, crm, ["OwnerId"], ada) == [
        ("OwnerId", seed.INTEGRATION_USER, "recorded"),
        ("OwnerId", seed.FIRST_SELLER, "recorded"),
    ]
    assert [row[1] for row in past(org, crm, ["Title"])] == ["T1", "T0"]


def test_a_long_text_is_told_to_have_changed_but_not_to_what(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", history={"Lead": ["Description"]})
    ada = lead(org)
    org.act("edit", id=ada, fields={"Description": "much"})
    assert past(org, crm, ["Description"], ada) == [("Description", None, "changed")]


def test_a_conversion_has_a_time(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", history={"Lead": ["Status"]})
    ada = lead(org)
    org.act("convert", id=ada)
    assert ("IsConverted", "true", "recorded") in past(org, crm, ["Status", "IsConverted"], ada)


def test_without_history_there_is_nothing_to_tell(org: Any, crm: SalesforceCrm) -> None:
    ada = lead(org)
    org.act("edit", id=ada, fields={"Title": "CTO"})
    assert past(org, crm, ["Title"], ada) == []
    assert list(crm.history("Campaign", ["Name"], [ada])) == []
    assert list(crm.history("Contact", ["LastName"])) == []
    assert past(org, crm, ["NoSuchField"], ada) == []


def test_owners_are_people_and_queues(org: Any, crm: SalesforceCrm) -> None:
    owners = crm.owners()
    by_id = {each.id: each for each in owners}
    sana = by_id[seed.FIRST_SELLER]
    assert (sana.first_name, sana.last_name, sana.archived) == ("Sana", "Okafor", False)
    assert (sana.teams, sana.user_id, sana.queue) == (("New Leads",), seed.FIRST_SELLER, False)
    queue = by_id[seed.QUEUE]
    assert (queue.last_name, queue.queue, queue.user_id, queue.archived) == ("New Leads", True, None, False)
    assert [each.last_name for each in owners if each.archived] == ["Former"]
    assert owners[-1] == queue
    assert "okafor" not in repr(owners).lower()


def test_a_queue_that_serves_another_object_owns_no_leads(crm: SalesforceCrm) -> None:
    assert [each.id for each in crm.owners("Opportunity") if each.queue] == []


def test_the_steps_of_leads_and_deals_are_read_from_the_organisation(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", default_status="Working - Contacted")
    steps = crm.lead_steps()
    assert [each.value for each in steps] == [name for name, _, _ in seed.STATUSES]
    assert [each.value for each in steps if each.converted] == ["Closed - Converted"]
    assert [each.value for each in steps if each.default] == ["Working - Contacted"]
    stages = crm.deal_stages()
    assert [each.value for each in stages if each.won] == ["Closed Won"]
    assert [each.value for each in stages if each.closed] == ["Closed Won", "Closed Lost"]
    assert stages[0].probability == Decimal(10)


def test_a_campaign_tells_what_it_cost_to_the_cent(org: Any, crm: SalesforceCrm) -> None:
    parent = make(org, "Campaign", Name="Fairs")
    make(org, "Campaign", Name="Fair", Type="Conference", ParentId=parent, StartDate="2026-10-01",
         ActualCost=1234567, BudgetedCost=1000)  # fmt: skip
    found = crm.campaigns()
    assert dict(found.schema) == dict(CAMPAIGN_SCHEMA)
    fair = found.filter(pl.col("name") == "Fair").row(0, named=True)
    assert (fair["spent"], fair["planned"]) == (Decimal(1234567), Decimal(1000))
    assert (fair["parent_id"], fair["starts"], fair["ends"]) == (parent, date(2026, 10, 1), None)


def test_what_somebody_took_part_in_survives_the_conversion(org: Any, crm: SalesforceCrm) -> None:
    fair, web = make(org, "Campaign", Name="Fair"), make(org, "Campaign", Name="Webinar")
    ada, bob = lead(org), lead(org, LastName="Bob")
    make(org, "CampaignMember", CampaignId=fair, LeadId=ada, Status="Responded")
    make(org, "CampaignMember", CampaignId=web, LeadId=bob)
    org.act("convert", id=ada)
    contact = org.leads()[ada]["ConvertedContactId"]
    for name, ids in (("Lead", [ada[:15], bob]), ("Contact", [contact])):
        found = one_frame(crm.members(name, ids), MEMBER_SCHEMA)
        told = {row[0]: row[1:5] for row in found.rows()}
        assert told[contact if name == "Contact" else ada] == (fair, "Responded", True, date(2026, 11, 22))
        assert len(told) == len(ids)
    assert told == {contact: (fair, "Responded", True, date(2026, 11, 22))}
    with pytest.raises(OurBug):
        list(crm.members("Account", [ada]))


def test_the_first_and_the_last_touch_of_each_person(org: Any, crm: SalesforceCrm) -> None:
    ada, bob = lead(org), lead(org, LastName="Bob")
    rows = [
        {
            "WhoId": ada,
            "Status": "Completed",
            "TaskSubtype": "Email",
            "CompletedDateTime": "2026-11-02T08:00:00Z",
        },
        {
            "WhoId": ada,
            "Status": "Completed",
            "TaskSubtype": "Call",
            "CompletedDateTime": "2026-11-20T08:00:00Z",
        },
        {"WhoId": ada, "ActivityDate": "2026-12-01"},
        {"WhoId": bob, "ActivityDate": "2026-11-01"},
    ]
    org.load(rows, "Task")
    make(
        org, "Event", WhoId=ada, Subject="Demo", ActivityDateTime="2026-11-21T09:00:00Z", DurationInMinutes=30
    )
    make(
        org, "Event", WhoId=ada, Subject="Next", ActivityDateTime="2026-11-29T09:00:00Z", DurationInMinutes=30
    )
    touches = one_frame(crm.touches([ada, bob]), TOUCH_SCHEMA)
    assert len(touches) == 6
    planned = touches.filter(~pl.col("done")).sort("at")
    assert planned["kind"].to_list() == ["Task", "Event", "Task"]
    assert planned["at"].dt.date().to_list() == [date(2026, 11, 1), date(2026, 11, 29), date(2026, 12, 1)]
    spans = first_and_last(touches)
    assert dict(spans.schema) == dict(SPAN_SCHEMA)
    (row,) = spans.iter_rows(named=True)
    assert (row[RECORD_ID], row["first_kind"], row["last_kind"], row["touches"]) == (ada, "Email", "Event", 3)
    assert row["last"] == datetime(2026, 11, 21, 9, tzinfo=UTC)


def test_a_deleted_activity_is_no_touch(org: Any, crm: SalesforceCrm) -> None:
    ada = lead(org)
    task = make(org, "Task", WhoId=ada, Status="Completed")
    org.control("people", action="delete", object="Task", id=task)
    assert one_frame(crm.touches([ada]), TOUCH_SCHEMA).is_empty()


def test_how_it_ended_for_a_contact_and_an_account(org: Any, crm: SalesforceCrm) -> None:
    account = make(org, "Account", Name="Engines")
    ada, bob = (make(org, "Contact", LastName=name, AccountId=account) for name in ("Ada", "Bob"))
    deal = {"StageName": "Prospecting", "CloseDate": "2026-12-31", "AccountId": account}
    won = make(org, "Opportunity", Name="Won", **{**deal, "StageName": "Closed Won", "Amount": "1234567.89"})
    lost = make(org, "Opportunity", Name="Lost", **{**deal, "StageName": "Closed Lost"})
    make(org, "Opportunity", Name="Open", **deal)
    make(
        org, "OpportunityContactRole", OpportunityId=won, ContactId=ada, Role="Decision Maker", IsPrimary=True
    )
    make(org, "OpportunityContactRole", OpportunityId=lost, ContactId=ada)
    make(org, "OpportunityContactRole", OpportunityId=won, ContactId=bob)
    of_account = one_frame(crm.deals("Account", [account]), DEAL_SCHEMA)
    assert sorted(of_account["outcome"]) == ["lost", "open", "won"]
    assert set(of_account["role"]) == {None}
    found = one_frame(crm.deals("Contact", [ada, bob]), DEAL_SCHEMA)
    mine = {
        row["opportunity_id"]: row for row in found.filter(pl.col(RECORD_ID) == ada).iter_rows(named=True)
    }
    assert set(mine) == {won, lost}
    told = mine[won]
    assert (told["outcome"], told["role"], told["primary"]) == ("won", "Decision Maker", True)
    assert (told["amount"], told["closes"]) == (Decimal("1234567.89"), date(2026, 12, 31))
    assert mine[lost]["outcome"] == "lost"
    org.control("people", action="delete", object="Opportunity", id=won)
    left = one_frame(crm.deals("Contact", [ada, bob]), DEAL_SCHEMA)
    assert left["opportunity_id"].to_list() == [lost]
    with pytest.raises(OurBug):
        list(crm.deals("Lead", [ada]))


def test_the_field_that_says_why_a_deal_was_lost_is_read_where_it_is_there(
    org: Any, crm: SalesforceCrm
) -> None:
    account = make(org, "Account", Name="Engines")
    deal = {"StageName": "Closed Lost", "CloseDate": "2026-12-31", "AccountId": account}
    make(org, "Opportunity", Name="Lost", NextStep="Went to a competitor", **deal)
    for field, said in (
        ("", None),
        ("NextStep", "Went to a competitor"),
        ("Loss_Reason__c", None),
        # Read anyhow, for another end
        ("StageName", "Closed Lost"),
        ("Name", "Lost"),
        # No words
        ("Amount", None),
        ("Probability", None),
        ("IsWon", None),
        ("CloseDate", None),
        ("AccountId", None),
        ("Id", None),
    ):
        (row,) = one_frame(crm.deals("Account", [account], field), DEAL_SCHEMA).iter_rows(named=True)
        assert (row["outcome"], row["loss_reason"]) == ("lost", said)


def test_a_merged_record_leads_to_the_one_it_is_part_of(org: Any, crm: SalesforceCrm) -> None:
    first, second, third, gone, kept = (lead(org, LastName=f"L{n}") for n in range(5))
    org.act("merge", id=second, other=first)
    org.act("merge", id=third, other=second)
    org.act("delete", id=gone)
    removed = crm.removed("Lead", NOON)
    assert dict(removed.frame.schema) == dict(REMOVED_SCHEMA)
    into = dict(removed.frame.select(RECORD_ID, "merged_into").iter_rows())
    assert into == {first: second, second: third, gone: None}
    assert removed.survivors() == {first: third, second: third}
    assert removed.complete
    assert kept not in into
    assert set(removed.frame["at"]) == {NOON}


def test_a_winner_that_is_gone_itself_is_no_survivor() -> None:
    rows = {RECORD_ID: ["a", "b", "c"], "at": [NOON] * 3, "merged_into": ["b", None, "d"]}
    assert Removed(pl.DataFrame(rows, schema=dict(REMOVED_SCHEMA)), True).survivors() == {"c": "d"}


def test_what_left_the_bin_is_not_told_and_that_is_said(org: Any, crm: SalesforceCrm) -> None:
    gone, purged = lead(org), lead(org)
    for each in (gone, purged):
        org.act("delete", id=each)
    org.control("people", action="empty_bin", object="Lead", id=purged)
    assert crm.removed("Lead", NOON).frame[RECORD_ID].to_list() == [gone]
    assert not crm.removed("Lead", NOON - timedelta(days=16)).complete


@pytest.mark.parametrize("keeps", [True, False])
def test_what_was_taken_out_of_the_bin_is_gone_too_where_the_log_still_names_it(
    org: Any, crm: SalesforceCrm, keeps: bool
) -> None:
    org.control("limits", deleted_keeps_purged=keeps)
    gone, purged = lead(org), lead(org)
    for each in (gone, purged):
        org.act("delete", id=each)
    org.control("people", action="empty_bin", object="Lead", id=purged)
    org.control("clock", advance_seconds=120)
    removed = crm.removed("Lead", NOON - timedelta(days=1))
    into = dict(removed.frame.select(RECORD_ID, "merged_into").iter_rows())
    assert into == {gone: None, **({purged: None} if keeps else {})}
    assert set(removed.frame["at"]) == {NOON}
    assert removed.complete


def test_a_log_of_deletions_that_does_not_reach_back_is_said(org: Any, crm: SalesforceCrm) -> None:
    body = '[{"errorCode":"INVALID_REPLICATION_DATE","message":"no"}]'
    org.control("faults", match="/deleted", status=400, body=body, times=-1)
    assert not crm.removed("Lead", NOON - timedelta(days=1)).complete


def test_a_field_that_we_may_not_see_is_left_out_or_named(org: Any) -> None:
    campaign = make(org, "Campaign", Name="Fair", ActualCost=5)
    hidden = {"Campaign": ["ActualCost"], "CampaignMember": ["LeadId"]}
    org.control("limits", hidden_fields=hidden)
    crm = org.connect()
    assert crm.campaigns().row(0, named=True)["spent"] is None
    with pytest.raises(NeedsPerson, match="LeadId"):
        list(crm.members("Lead", [campaign]))
    crm.close()


@pytest.mark.parametrize("ids", [[], ["not an id"], ["00Q000000000000"]])
def test_ids_that_lead_nowhere_have_nothing(crm: SalesforceCrm, ids: list[str]) -> None:
    assert one_frame(crm.members("Lead", ids), MEMBER_SCHEMA).is_empty()
    assert one_frame(crm.touches(ids), TOUCH_SCHEMA).is_empty()
    assert one_frame(crm.deals("Contact", ids), DEAL_SCHEMA).is_empty()


def test_more_than_one_page_comes_whole_even_if_a_place_is_lost(org: Any, crm: SalesforceCrm) -> None:
    org.load([{"Name": f"C{n:04}"} for n in range(2_500)], "Campaign")
    lost = [{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}]
    org.control("faults", match={"path": "/query/01g"}, status=400, body=lost)
    assert crm.campaigns()[RECORD_ID].n_unique() == 2_500
    assert len(crm.campaigns()) == 2_500


def test_a_result_of_one_persons_activities_that_is_lost_is_begun_again_a_few_times(
    org: Any, crm: SalesforceCrm
) -> None:
    ada = lead(org)
    org.load([{"WhoId": ada, "Status": "Completed"} for _ in range(2_100)], "Task")
    lost = [{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}]
    org.control("faults", match={"path": "/query/01g"}, status=400, body=lost)
    assert one_frame(crm.touches([ada]), TOUCH_SCHEMA)["activity_id"].n_unique() == 2_100
    org.control("faults", match={"path": "/query/01g"}, status=400, body=lost, times=-1)
    with pytest.raises(RetryLater):
        list(crm.touches([ada]))


def test_amounts_say_their_currency_where_there_are_several(org: Any) -> None:
    org.control("limits", currencies={"EUR": 1, "USD": 1.25})
    account = make(org, "Account", Name="Engines")
    deal = {"StageName": "Closed Won", "CloseDate": "2026-12-31", "AccountId": account, "Amount": 10}
    make(org, "Opportunity", Name="Deal", CurrencyIsoCode="USD", **deal)
    make(org, "Campaign", Name="Fair", ActualCost=5)
    crm = org.connect()
    assert crm.account().currency == "EUR"
    (won,) = one_frame(crm.deals("Account", [account]), DEAL_SCHEMA).iter_rows(named=True)
    assert (won["amount"], won["currency"]) == (Decimal(10), "USD")
    (fair,) = crm.campaigns().iter_rows(named=True)
    assert (fair["spent"], fair["currency"]) == (Decimal(5), "EUR")
    crm.close()


def test_a_persons_wishes_are_read_with_the_lead(org: Any) -> None:
    org.control("limits", data_privacy=True)
    wish = make(org, "Individual", LastName="Ada", HasOptedOutProcessing=True)
    ada, bob = lead(org, IndividualId=wish), lead(org)
    crm = org.connect()
    fields = ["Individual.HasOptedOutProcessing", "Individual.ShouldForget"]
    found = org.joined(crm.fetch("Lead", fields, [ada, bob])).sort(RECORD_ID)
    assert found.select(fields).rows() == [("true", "false"), (None, None)]
    crm.close()


def test_queues_that_we_may_not_see_leave_the_people(org: Any) -> None:
    org.control("limits", hidden_objects=["QueueSobject"])
    crm = org.connect()
    assert not [each for each in crm.owners() if each.queue or each.teams]
    assert seed.FIRST_SELLER in {each.id for each in crm.owners()}
    crm.close()


@pytest.mark.parametrize("ask", ["history", "owners"])
def test_a_login_that_fails_is_never_taken_for_something_hidden(org: Any, ask: str) -> None:
    crm = org.connect(client_secret="wrong")
    with pytest.raises(NeedsPerson):
        list(crm.history("Lead", ["Status"])) if ask == "history" else crm.owners()
    crm.close()


def test_history_that_we_may_not_see_tells_nothing(org: Any) -> None:
    org.control("limits", history={"Lead": ["Title"]}, hidden_objects=["LeadHistory"])
    ada = lead(org)
    org.act("edit", id=ada, fields={"Title": "CTO"})
    crm = org.connect()
    assert list(crm.history("Lead", ["Title"], [ada])) == []
    crm.close()


@pytest.mark.parametrize(
    ("name", "fields", "changed"),
    [
        ("Contact", {"LastName": "Ada"}, {"Title": "CTO"}),
        ("Account", {"Name": "Engines"}, {"Industry": "Energy"}),
        ("Opportunity", {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-31"}, {"Amount": 5}),
    ],
)
def test_other_objects_have_a_history_too(
    org: Any, crm: SalesforceCrm, name: str, fields: dict[str, Any], changed: dict[str, Any]
) -> None:
    ((field, value),) = changed.items()
    org.control("limits", history={name: [field]})
    record = make(org, name, **fields)
    org.control("people", action="edit", object=name, id=record, fields=changed)
    (row,) = one_frame(crm.history(name, [field], [record]), HISTORY_SCHEMA).iter_rows(named=True)
    assert (row[RECORD_ID], row["property"], row["value"], row["at"]) == (record, field, str(value), NOON)
