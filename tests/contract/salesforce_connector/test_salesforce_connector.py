"""The Salesforce connector against the pretend Salesforce, over real HTTP."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.crm import ABSENT, ARCHIVED, MODIFIED_AT, RECORD_ID, Cursor, FieldSpec
from connectors.errors import NeedsPerson
from connectors.salesforce.crm import SalesforceCrm

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
FIELDS = ["LastName", "Company", "Email", "AnnualRevenue", "DoNotCall", "Status"]


def follow(
    org: Any, crm: SalesforceCrm, cursor: Cursor | None, held: dict[str, tuple[str | None, bool]]
) -> Cursor:
    """Bring what is held up to date, as a sync would."""
    frame, cursor = org.changed(crm, cursor, ["City"])
    rows = frame.sort(MODIFIED_AT).to_dicts() if len(frame) else []
    held.update({row[RECORD_ID]: (row["City"], row[ARCHIVED]) for row in rows})
    return cursor


def a_lead(number: int, **more: Any) -> dict[str, Any]:
    return {"LastName": f"Nr {number}", "Company": "ACME", **more}


def test_the_account_is_the_organisation(crm: SalesforceCrm) -> None:
    account = crm.account()
    assert account.crm == "salesforce"
    assert len(account.account_id) == 18
    assert account.account_id.startswith("00D")
    assert account.name == "Leadpact Sandbox"
    assert account.time_zone == "GMT"
    before = crm.calls
    assert crm.account() is account
    assert crm.calls == before


def test_the_crms_clock_is_its_own(crm: SalesforceCrm) -> None:
    assert crm.now() == NOON


def test_describe_says_what_the_fields_are(crm: SalesforceCrm) -> None:
    schema = crm.describe("Lead")
    fields = schema.fields
    assert (fields["LastName"].type, fields["LastName"].length, fields["LastName"].required) == (
        "text",
        80,
        True,
    )
    assert fields["Company"].required
    assert not fields["Status"].required
    assert fields["AnnualRevenue"].type == "number"
    assert fields["DoNotCall"].type == "boolean"
    assert fields["Status"].type == "choice"
    assert ("Open - Not Contacted", "Open - Not Contacted") in fields["Status"].options
    assert fields["OwnerId"].type == "reference"
    assert not fields["Id"].creatable
    assert not fields["SystemModstamp"].updatable
    assert schema.stages == (
        "Open - Not Contacted",
        "Working - Contacted",
        "Closed - Converted",
        "Closed - Not Converted",
    )


def test_a_schema_is_kept(crm: SalesforceCrm) -> None:
    crm.describe("Lead")
    before = crm.calls
    crm.describe("Lead")
    assert crm.calls == before


@pytest.mark.parametrize("name", ["Nothing", "Lead__x"])
def test_an_object_that_is_not_there_needs_a_person(crm: SalesforceCrm, name: str) -> None:
    with pytest.raises(NeedsPerson, match=name):
        crm.describe(name)


def test_a_field_we_may_not_see_has_no_column(org: Any) -> None:
    org.load([a_lead(1, Phone="0221 123")])
    org.control("limits", hidden_fields={"Lead": ["Phone"]})
    crm = org.connect()
    frame, _ = org.changed(crm, None, ["LastName", "Phone", "Nonsense__c"])
    assert "Phone" not in crm.describe("Lead").fields
    assert frame.columns[-1] == "LastName"
    assert frame[ABSENT].to_list() == [None]


def test_every_record_comes_in_a_full_reading_and_keeps_its_values(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load(
        [
            a_lead(1, Email="Ada@Example.com", AnnualRevenue=25000000.0, DoNotCall=True, City="Köln"),
            a_lead(2),
        ]
    )
    frame, _ = org.changed(crm, None, [*FIELDS, "City"])
    assert frame[RECORD_ID].to_list() == ids
    assert frame[ARCHIVED].to_list() == [False, False]
    assert frame["AnnualRevenue"].to_list() == ["25000000", None]
    assert frame["DoNotCall"].to_list() == ["true", "false"]
    assert frame["City"].to_list() == ["Köln", None]
    assert frame["Status"].to_list() == ["Open - Not Contacted"] * 2
    assert frame[MODIFIED_AT][0] == NOON


def test_a_full_reading_pages_through_everything(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n) for n in range(4_500)])
    frame, _ = org.changed(crm, None, ["LastName"])
    assert frame[RECORD_ID].to_list() == sorted(ids)


def test_a_place_in_the_result_that_is_lost_is_found_again(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n) for n in range(4_500)])
    reading = crm.changes("Lead", ["LastName"], None)
    gone = '[{"message":"invalid query locator","errorCode":"INVALID_QUERY_LOCATOR"}]'
    org.control("faults", match="/query/01g", status=400, body=gone, times=1)
    assert org.joined(reading.slabs)[RECORD_ID].to_list() == sorted(ids)


def test_many_records_of_one_second_come_once_each(org: Any, crm: SalesforceCrm) -> None:
    _, cursor = org.changed(crm, None)
    ids = org.load([a_lead(n) for n in range(4_100)])
    org.control("clock", advance_seconds=300)
    gone = '[{"message":"invalid query locator","errorCode":"INVALID_QUERY_LOCATOR"}]'
    org.control("faults", match="/query/01g", status=400, body=gone, times=2)
    frame, _ = org.changed(crm, cursor, ["LastName"])
    assert frame[RECORD_ID].to_list() == sorted(ids)


def test_a_change_is_read_at_once(org: Any, crm: SalesforceCrm) -> None:
    (record,) = org.load([a_lead(1)])
    _, cursor = org.changed(crm, None)
    org.control("clock", advance_seconds=1)
    org.control("people", action="edit", object="Lead", id=record, fields={"City": "Köln"})
    frame, _ = org.changed(crm, cursor, ["City"])
    assert frame["City"].to_list() == ["Köln"]


def test_a_record_changed_at_exactly_the_cursor_is_read_again(org: Any, crm: SalesforceCrm) -> None:
    org.control("clock", now=NOON.replace(second=0).isoformat())
    (record,) = org.load([a_lead(1)])
    _, cursor = org.changed(crm, None)
    assert cursor == {"since": "2026-11-22T12:00:00Z"}
    frame, _ = org.changed(crm, cursor)
    assert frame[RECORD_ID].to_list() == [record]


def test_the_cursor_goes_forward_and_never_back(org: Any, crm: SalesforceCrm) -> None:
    cursors = []
    cursor: Cursor | None = None
    for seconds in (0, 20, 20, 45, 600, 86_400, 40 * 86_400):
        org.control("clock", advance_seconds=seconds)
        _, cursor = org.changed(crm, cursor)
        cursors.append(datetime.fromisoformat(cursor["since"]))
        now = datetime.fromisoformat(org.control("clock", advance_seconds=0)["now"])
        assert timedelta(0) <= now - cursors[-1] < timedelta(seconds=120)
    assert cursors == sorted(cursors)


def test_what_did_not_change_is_not_read_again(org: Any, crm: SalesforceCrm) -> None:
    org.load([a_lead(n) for n in range(50)])
    org.control("clock", advance_seconds=3_600)
    _, cursor = org.changed(crm, None)
    frame, _ = org.changed(crm, cursor)
    assert len(frame) == 0


def test_a_late_commit_is_never_missed(org: Any, crm: SalesforceCrm) -> None:
    _, cursor = org.changed(crm, None)
    org.control("limits", late_commit_ms=150_000)
    org.control("clock", advance_seconds=60)
    # Stamped now, seen two and a half minutes later: behind everything read meanwhile.
    late = org.control("people", action="create", object="Lead", fields=a_lead(1))["id"]
    seen: list[str] = []
    for _ in range(8):
        org.control("clock", advance_seconds=30)
        frame, cursor = org.changed(crm, cursor)
        seen += frame[RECORD_ID].to_list()
    assert late in seen


@pytest.mark.parametrize("seed", range(5))
def test_a_follower_ends_with_what_the_crm_holds(org: Any, crm: SalesforceCrm, seed: int) -> None:
    """Edits, creations, deletions and late commits in any order, read at any time: nothing is missed."""
    chance = random.Random(seed)
    known = org.load([a_lead(n) for n in range(5)])
    held: dict[str, tuple[str | None, bool]] = {}
    cursor: Cursor | None = None
    for step in range(60):
        act = chance.choice(["edit", "edit", "edit", "create", "delete", "slow", "wait", "read", "read"])
        if act == "edit":
            org.act("edit", id=chance.choice(known), fields={"City": f"City {step}"})
        elif act == "create":
            known.append(org.act("create", fields=a_lead(step, City="new")))
        elif act == "delete" and len(known) > 3:
            org.act("delete", id=known.pop(chance.randrange(len(known))))
        elif act == "slow":
            org.control("limits", late_commit_ms=chance.choice([0, 5_000, 90_000, 200_000]))
        elif act == "wait":
            org.control("clock", advance_seconds=chance.choice([1, 7, 30, 61, 400]))
        elif act == "read":
            cursor = follow(org, crm, cursor, held)
    org.control("limits", late_commit_ms=0)
    org.control("clock", advance_seconds=300)
    follow(org, crm, cursor, held)
    # What was deleted before the first reading was never there for us.
    assert held == {record: now for record, now in org.cities().items() if record in held or not now[1]}


def test_where_updates_are_not_told_the_cursor_stays_ten_minutes_behind(org: Any, crm: SalesforceCrm) -> None:
    org.control("faults", match="/updated", status=400, body='[{"errorCode":"EXCEEDED_ID_LIMIT"}]', times=-1)
    _, cursor = org.changed(crm, None)
    assert cursor == {"since": "2026-11-22T11:50:30Z"}
    org.control("clock", advance_seconds=300)
    assert org.changed(crm, cursor)[1] == {"since": "2026-11-22T11:55:30Z"}


def test_a_deleted_record_comes_as_archived(org: Any, crm: SalesforceCrm) -> None:
    first, second = org.load([a_lead(1), a_lead(2)])
    org.control("clock", advance_seconds=600)
    _, cursor = org.changed(crm, None)
    org.control("people", action="delete", object="Lead", id=second)
    frame, _ = org.changed(crm, cursor)
    assert frame.select(RECORD_ID, ARCHIVED).rows() == [(second, True)]
    assert org.changed(crm, None)[0][RECORD_ID].to_list() == [first]


def test_a_field_of_the_owner_is_read_along(org: Any, crm: SalesforceCrm) -> None:
    (record,) = org.load([a_lead(1)])
    names = ["LastName", "Owner.Name", "Owner.Nonsense", "Nobody.Name"]
    frame, _ = org.changed(crm, None, names)
    assert frame.columns[-2:] == ["LastName", "Owner.Name"]
    assert frame["Owner.Name"][0]
    assert (
        org.joined(crm.fetch("Lead", names, [record]))["Owner.Name"].to_list()
        == frame["Owner.Name"].to_list()
    )


def test_more_fields_than_an_address_holds_are_read_too(org: Any, crm: SalesforceCrm) -> None:
    wide = [FieldSpec(f"A_field_with_quite_a_long_name_{n:03}__c", f"Field {n}", "text") for n in range(450)]
    crm.add_fields("Lead", wide)
    first, second = org.load([a_lead(1, **{wide[449].name: "far out"}), a_lead(2)])
    org.control("clock", advance_seconds=600)
    _, cursor = org.changed(crm, None)
    org.control("people", action="edit", object="Lead", id=first, fields={"City": "Köln"})
    org.control("people", action="delete", object="Lead", id=second)
    frame, _ = org.changed(crm, cursor, ["LastName", *(spec.name for spec in wide)])
    rows = {row[RECORD_ID]: row for row in frame.to_dicts()}
    assert rows[first][wide[449].name] == "far out"
    assert rows[first][ABSENT] is None
    # Deleted records are not given by id: their fields did not come, which is not a blank.
    assert rows[second][ARCHIVED]
    assert len(rows[second][ABSENT]) == 451


def test_records_are_fetched_by_either_form_of_their_id(org: Any, crm: SalesforceCrm) -> None:
    first, second, third = org.load([a_lead(1), a_lead(2), a_lead(3)])
    org.control("people", action="delete", object="Lead", id=third)
    nowhere = ["00Q000000000000AAA", "0015500001QdQWaAAN", "not an id", "", third]
    frame = org.joined(crm.fetch("Lead", FIELDS, [second[:15], first, second, *nowhere]))
    assert sorted(frame[RECORD_ID].to_list()) == sorted([first, second])
    assert frame.columns[-len(FIELDS) :] == FIELDS


def test_two_thousand_and_one_records_are_two_calls(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n) for n in range(2_001)])
    crm.describe("Lead")
    before = crm.calls
    assert org.joined(crm.fetch("Lead", FIELDS, ids)).height == 2_001
    assert crm.calls == before + 2


@pytest.mark.parametrize(
    "email",
    ["ada@example.com", "o'neil@example.com", "a\\b@example.com", "100%_x@example.com", "zoë+1@example.com"],
)
def test_a_record_is_found_by_its_value_whatever_is_in_it(org: Any, crm: SalesforceCrm, email: str) -> None:
    (record,) = org.load([a_lead(1, Website=email)])
    org.load([a_lead(2, Website="other@example.com")])
    frame = org.joined(crm.find("Lead", ["Website"], "Website", [email, "nobody@example.com", ""]))
    assert frame.select(RECORD_ID, "Website").rows() == [(record, email)]


def test_a_value_cannot_become_part_of_the_query(org: Any, crm: SalesforceCrm) -> None:
    org.load([a_lead(1), a_lead(2)])
    assert org.joined(crm.find("Lead", FIELDS, "LastName", ["x') OR Id != (''", "'", "\\'"])).height == 0


def test_thousands_of_values_stay_below_the_length_of_an_address(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n, Email=f"person.{n}@example.com") for n in range(1_500)])
    values = [f"person.{n}@example.com" for n in range(1_500)]
    # Compared without case: the same record under another spelling comes once.
    frame = org.joined(crm.find("Lead", ["Email"], "Email", [*values, "PERSON.7@example.com"]))
    assert sorted(frame[RECORD_ID].to_list()) == sorted(ids)


@pytest.mark.parametrize(
    ("where", "values", "found"),
    [
        ("AnnualRevenue", ["25000000", "a lot"], 1),
        ("DoNotCall", ["true"], 1),
        ("Id", ["nobody"], 0),
    ],
)
def test_values_are_compared_in_their_fields_type(
    org: Any, crm: SalesforceCrm, where: str, values: list[str], found: int
) -> None:
    org.load([a_lead(1, AnnualRevenue=25000000, DoNotCall=True), a_lead(2)])
    if where == "Id":
        values = [*org.load([a_lead(3)])]
        found = 1
    assert org.joined(crm.find("Lead", ["LastName"], where, values)).height == found


def test_a_field_that_is_not_there_cannot_be_searched(crm: SalesforceCrm) -> None:
    with pytest.raises(NeedsPerson, match=r"Nonsense__c"):
        crm.find("Lead", FIELDS, "Nonsense__c", ["x"])
