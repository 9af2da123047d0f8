"""What the pretend Salesforce writes down about changes, and how long it keeps it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pytest

from connectors.salesforce.pubsub.changes import EventSchema
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.pubsub.changelog import PERSON, origin_of
from connectors.sandbox.salesforce.pubsub.feed import Delivered, Feed, is_ours
from connectors.sandbox.salesforce.pubsub.shapes import bitmaps, shape_of
from connectors.sandbox.salesforce.records import Records
from connectors.sandbox.salesforce.seed import FIRST_SELLER, ORG_ID

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
SELLER = Writer(user=FIRST_SELLER, api=False)
LEAD = {"LastName": "Byron", "Company": "Engines"}


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Org]:
    clock = SandboxClock(None)
    clock.set(NOON)
    made = Org(tmp_path, clock)
    made.begin()
    yield made
    made.store.close()


@pytest.fixture
def feed(org: Org) -> Iterator[Feed]:
    opened = Feed(org.file, org.now, lambda: org.seen)
    yield opened
    opened.close()


def noted(org: Org) -> list[dict[str, Any]]:
    rows = org.store.rows("SELECT * FROM _change ORDER BY number")
    return [{**row, "body": json.loads(row["body"])} for row in rows]


def test_a_create_has_every_value_and_an_update_the_changed_ones(org: Org) -> None:
    lead = Records(org).create("Lead", LEAD, SELLER)
    org.begin()
    Records(org).update("Lead", lead, {"Title": "Countess", "Company": "Engines"}, SELLER)
    made, changed = noted(org)
    assert (made["type"], made["record"], made["user"], made["origin"]) == (
        "CREATE",
        lead,
        FIRST_SELLER,
        PERSON,
    )
    assert made["body"]["LastName"] == "Byron"
    assert None not in made["body"].values()
    assert (changed["type"], changed["body"]) == (
        "UPDATE",
        {"Title": "Countess", "LastModifiedDate": "2026-11-22T12:00:00"},
    )


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        (("create", "update"), "CREATE"),
        (("update", "update"), "UPDATE"),
        (("update", "delete"), "DELETE"),
    ],
)
def test_one_record_has_one_change_in_a_transaction(org: Org, steps: tuple[str, ...], kind: str) -> None:
    records = Records(org)
    lead = ""
    if steps[0] != "create":
        lead = records.create("Lead", LEAD, SELLER)
        org.store.db.execute("DELETE FROM _change")
        org.begin()
    for number, step in enumerate(steps):
        if step == "create":
            lead = records.create("Lead", LEAD, SELLER)
        elif step == "update":
            records.update("Lead", lead, {"Title": f"T{number}", "City": "Bonn"}, SELLER)
        else:
            records.delete("Lead", lead, SELLER)
    (change,) = noted(org)
    assert change["type"] == kind
    assert change["body"].get("Title") == (None if kind == "DELETE" else "T1")


def test_what_a_savepoint_takes_back_was_never_noted(org: Org) -> None:
    db = org.store.db
    db.execute("BEGIN")
    db.execute("SAVEPOINT part")
    lead = Records(org).create("Lead", LEAD, SELLER)
    db.execute("ROLLBACK TO part")
    kept = Records(org).create("Lead", LEAD, SELLER)
    Records(org).update("Lead", kept, {"Title": "Countess"}, SELLER)
    db.execute("COMMIT")
    (change,) = noted(org)
    assert (change["record"], change["body"]["Title"]) == (kept, "Countess")
    assert lead == kept  # the id was taken back too


def test_a_reader_sees_nothing_before_the_commit(org: Org, feed: Feed) -> None:
    org.store.db.execute("BEGIN")
    Records(org).create("Lead", LEAD, SELLER)
    assert feed.after(0, ["Lead"], 10) == []
    org.store.db.execute("COMMIT")
    assert len(feed.after(0, ["Lead"], 10)) == 1


def test_numbers_follow_the_clock_and_never_go_back(org: Org) -> None:
    for moment in (NOON, NOON, NOON + timedelta(hours=1), NOON - timedelta(days=30)):
        org.clock.set(moment)  # type: ignore[attr-defined]
        Records(org).create("Lead", LEAD, SELLER)
    numbers = [row["number"] for row in noted(org)]
    start = int(NOON.timestamp() * 1000) * 1000
    hour = start + 3_600_000_000
    assert numbers == [start, start + 1, hour, hour + 1]


def _the_newest_is_thrown_away_after_72_hours(org: Org, feed: Feed) -> None:
    place = feed.newest()
    org.clock.advance(72 * 3600)  # type: ignore[attr-defined]
    assert len(feed.after(0, ["Lead"], 10)) == 1
    assert feed.is_kept(place)
    org.clock.advance(1)  # type: ignore[attr-defined]
    assert feed.after(0, ["Lead"], 10) == []
    assert not feed.is_kept(place)
    org.begin()
    Records(org).create("Lead", LEAD, SELLER)
    assert len(noted(org)) == 1


def test_changes_are_thrown_away_after_72_hours(org: Org, feed: Feed) -> None:
    Records(org).create("Lead", LEAD, SELLER)
    _the_newest_is_thrown_away_after_72_hours(org, feed)


def test_changes_age_by_their_own_time_where_an_earlier_one_was_ahead_of_the_clock(
    org: Org, feed: Feed
) -> None:
    Records(org).create("Lead", LEAD, SELLER)
    org.reset()
    org.clock.set(NOON - timedelta(days=30))  # type: ignore[attr-defined]
    org.begin()
    Records(org).create("Lead", LEAD, SELLER)
    _the_newest_is_thrown_away_after_72_hours(org, feed)


def test_a_keepalive_names_a_place_before_whatever_comes_next(org: Org, feed: Feed) -> None:
    quiet = feed.quiet_place()
    assert feed.is_kept(quiet)
    Records(org).create("Lead", LEAD, SELLER)
    assert feed.newest() > quiet
    assert feed.quiet_place() == feed.newest()


def test_an_object_that_is_not_watched_is_not_noted(org: Org) -> None:
    org.change_switches({"cdc_objects": ["Contact"]})
    Records(org).create("Lead", LEAD, SELLER)
    assert noted(org) == []


def test_a_long_text_comes_as_a_difference_and_is_named_as_one(org: Org, feed: Feed) -> None:
    before = "\n".join(f"line {number}" for number in range(300))
    lead = Records(org).create("Lead", {**LEAD, "Description": before}, SELLER)
    org.begin()
    Records(org).update("Lead", lead, {"Description": before.replace("line 7\n", "")}, SELLER)
    shape = shape_of(org.seen.objects["Lead"])
    event = feed.after(0, ["Lead"], 10)[1]
    change = EventSchema(shape.schema_json).read(event.payload)
    record = fastavro.schemaless_reader(io.BytesIO(event.payload), json.loads(shape.schema_json), None)
    assert isinstance(record, dict)
    assert record["ChangeEventHeader"]["diffFields"] == bitmaps(shape.places, ["Description"])
    assert change.fields == ("Description", "LastModifiedDate")
    assert record["Description"].startswith("--- ")
    assert "\n-line 7\n" in record["Description"]
    assert len(record["Description"]) < 200


def test_a_long_text_that_changes_twice_in_one_transaction_comes_whole(org: Org) -> None:
    lead = Records(org).create("Lead", {**LEAD, "Description": "a" * 2000}, SELLER)
    org.begin()
    for letter in "bc":
        Records(org).update("Lead", lead, {"Description": letter * 2000}, SELLER)
    assert noted(org)[1]["body"]["Description"] == "c" * 2000


def test_what_is_too_large_for_an_event_is_a_gap(org: Org) -> None:
    lead = Records(org).create("Lead", LEAD, SELLER)
    sobject = org.full.objects["Lead"]
    org.begin()
    huge = {"Description": "x" * 1_000_001, "LastModifiedById": FIRST_SELLER}
    org.changes.note(sobject, lead, huge, is_new=False)
    assert (noted(org)[-1]["type"], noted(org)[-1]["body"]) == ("GAP_UPDATE", {})


def test_a_transaction_that_changes_too_much_ends_in_one_overflow_an_object(org: Org) -> None:
    org.change_switches({"cdc_overflow_rows": 2})
    for number in range(4):
        Records(org).create("Lead", {**LEAD, "LastName": f"L{number}"}, SELLER)
    Records(org).create("Account", {"Name": "Engines"}, SELLER)
    assert [(row["type"], row["object"]) for row in noted(org)] == [
        ("CREATE", "Lead"),
        ("CREATE", "Lead"),
        ("GAP_OVERFLOW", "Lead"),
        ("GAP_OVERFLOW", "Account"),
    ]


def test_a_folder_from_before_keeps_its_records_and_hears_of_changes_from_now_on(org: Org) -> None:
    lead = Records(org).create("Lead", LEAD, SELLER)
    org.store.db.execute("DROP TABLE _change")
    org.start()
    org.begin()
    Records(org).update("Lead", lead, {"Title": "Countess"}, SELLER)
    assert [row["type"] for row in noted(org)] == ["UPDATE"]


def test_what_goes_with_a_record_is_told_too_and_by_whom(org: Org) -> None:
    account = Records(org).create("Account", {"Name": "Engines"}, SELLER)
    contact = Records(org).create("Contact", {"LastName": "Byron", "AccountId": account}, SELLER)
    org.begin()
    Records(org).delete("Account", account, SELLER)
    gone = [row for row in noted(org) if row["type"] == "DELETE"]
    assert {(row["record"], row["user"]) for row in gone} == {
        (account, FIRST_SELLER),
        (contact, FIRST_SELLER),
    }
    assert len({row["transaction_key"] for row in gone}) == 1


def test_an_object_that_may_not_be_seen_has_no_topic(org: Org, feed: Feed) -> None:
    Records(org).create("Lead", LEAD, SELLER)
    Records(org).create("Account", {"Name": "Engines"}, SELLER)
    org.change_switches({"hidden_objects": ["Lead"]})
    assert feed.objects_of("/data/LeadChangeEvent") is None
    assert "Lead" not in (feed.objects_of("/data/ChangeEvents") or ())
    assert len(feed.after(0, ["Lead", "Account"], 10)) == 1


@pytest.mark.parametrize(
    ("path", "options", "origin"),
    [
        (
            "/services/data/v66.0/sobjects/Lead",
            "client=leadpact",
            "com/salesforce/api/rest/66.0;client=leadpact",
        ),
        (
            "/services/data/v60.0/sobjects/Lead",
            "defaultNamespace=x; client=a b",
            "com/salesforce/api/rest/60.0;client=a b",
        ),
        ("/services/data/v66.0/sobjects/Lead", "", "com/salesforce/api/rest/66.0"),
        ("/services/Soap/u/66.0", "", "com/salesforce/api/soap/66.0"),
    ],
)
def test_the_origin_of_a_change_is_the_api_and_the_clients_name(path: str, options: str, origin: str) -> None:
    headers = {"sforce-call-options": options} if options else {}
    assert origin_of(path, headers) == origin


@pytest.mark.parametrize(
    ("topic", "objects"),
    [
        ("/data/LeadChangeEvent", ("Lead",)),
        ("/data/ChangeEvents", ("Lead", "Contact", "Account", "Opportunity", "Task")),
        ("/data/Sales__chn", ("Contact",)),
        ("/data/CampaignChangeEvent", None),
        ("/data/Lead", None),
        ("/data/ChangeEvent", None),
        ("/event/Order__e", None),
        ("LeadChangeEvent", None),
        ("", None),
    ],
)
def test_a_topic_carries_some_objects(
    org: Org, feed: Feed, topic: str, objects: tuple[str, ...] | None
) -> None:
    org.change_switches({"cdc_channels": {"Sales__chn": ["Contact"]}})
    assert feed.objects_of(topic) == objects


def test_a_day_of_events_is_counted_and_rolls() -> None:
    delivered = Delivered()
    delivered.add(NOON, 60)
    delivered.add(NOON + timedelta(hours=10), 30)
    assert delivered.room(NOON + timedelta(hours=11), 100) == 10
    assert delivered.room(NOON + timedelta(hours=24), 100) == 70
    assert delivered.room(NOON + timedelta(hours=24), None) is None


@pytest.mark.parametrize(
    ("tenant", "instance", "fits"),
    [
        (ORG_ID, "https://x.my.salesforce.com", True),
        (ORG_ID[:15], "https://x.my.salesforce.com", True),
        ("00D000000000001AAA", "https://x.my.salesforce.com", False),
        (ORG_ID, "", False),
        ("", "https://x.my.salesforce.com", False),
    ],
)
def test_calls_name_the_org_they_are_for(tenant: str, instance: str, fits: bool) -> None:
    assert is_ours(tenant, instance) is fits


def test_after_a_restart_no_number_is_given_twice_though_a_late_write_brings_its_own_key(
    org: Org, tmp_path: Path
) -> None:
    leads = [Records(org).create("Lead", LEAD, SELLER) for _ in range(3)]
    org.change_switches({"late_commit_ms": 3_000})
    for lead in leads:
        org.begin()
        Records(org).update("Lead", lead, {"Title": "Countess"}, SELLER)
    org.store.db.commit()

    clock = SandboxClock(None)
    clock.set(NOON)
    again = Org(tmp_path, clock)
    for lead in leads:
        again.begin()
        Records(again).update("Lead", lead, {"Title": "Duchess"}, SELLER)
    clock.set(NOON + timedelta(seconds=4))
    again.begin()
    again.settle()
    told = [one["body"].get("Title") for one in noted(again)]
    again.store.close()
    assert sorted(filter(None, told)) == ["Countess"] * 3 + ["Duchess"] * 3
