"""What becomes of a change event: which records, what kind, which fields."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.pubsub.bitmaps import Place, Unreadable
from connectors.salesforce.pubsub.changes import Change, EventSchema, Kind, change_of
from connectors.sandbox.salesforce.pubsub.shapes import shape_of
from connectors.sandbox.salesforce.schema import standard_schema

LEAD = "00QgK0000000001UAA"
PLACES = (Place("ChangeEventHeader"), Place("Name", ("FirstName", "LastName")), Place("Title"))
HEADER: dict[str, Any] = {
    "entityName": "Lead",
    "recordIds": [LEAD],
    "changeType": "UPDATE",
    "changeOrigin": "com/salesforce/api/rest/66.0;client=leadpact",
    "transactionKey": "00007e6d-1720-70a0-4379-f4dc745d2b31",
    "sequenceNumber": 3,
    "commitTimestamp": 1778192987000,
    "commitNumber": 1778192987716501506,
    "commitUser": "005bm000005uOROAA2",
    "nulledFields": ["0x4"],
    "diffFields": [],
    "changedFields": ["0x4", "1-0x2"],
}


def change(**other: Any) -> Change:
    return change_of({**HEADER, **other}, PLACES)


def test_an_update_says_who_what_when_and_in_which_transaction() -> None:
    assert change() == Change(
        kind=Kind.UPDATED,
        object="Lead",
        record_ids=(LEAD,),
        fields=("LastName", "Title"),
        nulled=("Title",),
        committed_at=datetime(2026, 5, 7, 22, 29, 47, tzinfo=UTC),
        user_id="005bm000005uOROAA2",
        client="leadpact",
        transaction="00007e6d-1720-70a0-4379-f4dc745d2b31",
        sequence=3,
    )


@pytest.mark.parametrize(
    ("change_type", "ids", "kind", "left"),
    [
        ("CREATE", [LEAD], Kind.CREATED, (LEAD,)),
        ("UPDATE", [LEAD], Kind.UPDATED, (LEAD,)),
        ("DELETE", [LEAD], Kind.DELETED, (LEAD,)),
        ("UNDELETE", [LEAD], Kind.UNDELETED, (LEAD,)),
        # Many records in one event; ids of 15 characters get their checksum
        ("UPDATE", ["00QgK0000000001", "00QgK0000000002"], Kind.UPDATED, (LEAD, "00QgK0000000002UAA")),
        # No data: the records have to be read again
        ("GAP_CREATE", [LEAD], Kind.GAP, (LEAD,)),
        ("GAP_UPDATE", [LEAD], Kind.GAP, (LEAD,)),
        ("GAP_DELETE", [LEAD], Kind.GAP, (LEAD,)),
        ("GAP_UNDELETE", [LEAD], Kind.GAP, (LEAD,)),
        # A type that is not known tells at least who changed
        ("SNAPSHOT", [LEAD], Kind.GAP, (LEAD,)),
        ("RENAME", [LEAD], Kind.GAP, (LEAD,)),
        # Too much changed, or nobody says which: the object has to be read again
        ("GAP_OVERFLOW", ["000000000000000AAA"], Kind.LOST, ()),
        ("GAP_OVERFLOW", [LEAD], Kind.LOST, ()),
        ("UPDATE", ["000000000000000AAA"], Kind.LOST, ()),
        ("UPDATE", ["000000000000000"], Kind.LOST, ()),
        ("UPDATE", ["somebody"], Kind.LOST, ()),
        ("UPDATE", [], Kind.LOST, ()),
        # A field was given another type: every record changed, and none need show when
        ("UPDATE", ["00Q*"], Kind.EVERY, ()),
        ("UPDATE", [LEAD, "00Q*"], Kind.EVERY, ()),
        ("GAP_UPDATE", ["00Q*"], Kind.EVERY, ()),
        ("GAP_OVERFLOW", ["00Q*"], Kind.LOST, ()),
    ],
)
def test_a_change_is_of_one_kind(change_type: str, ids: list[str], kind: Kind, left: tuple[str, ...]) -> None:
    found = change(changeType=change_type, recordIds=ids)
    assert (found.kind, found.record_ids, found.object) == (kind, left, "Lead")
    assert found.needs_reading is (kind in (Kind.GAP, Kind.LOST, Kind.EVERY))


@pytest.mark.parametrize(
    ("origin", "client", "ours"),
    [
        ("com/salesforce/api/rest/66.0;client=leadpact", "leadpact", True),
        ("com/salesforce/api/soap/66.0;client=SfdcInternalAPI/", "SfdcInternalAPI", False),
        ("com/salesforce/api/rest/66.0;client=leadpact-staging", "leadpact-staging", False),
        ("com/salesforce/api/rest/66.0", "", False),
        ("", "", False),
    ],
)
def test_our_own_writes_are_known_by_the_name_we_gave(origin: str, client: str, ours: bool) -> None:
    found = change(changeOrigin=origin)
    assert (found.client, found.is_ours) == (client, ours)


def test_fields_that_cannot_be_read_are_not_known_rather_than_none() -> None:
    assert change(changedFields=["0x800000"]).fields is None
    assert change(changedFields=[]).fields == ("Title",)
    assert change(changedFields=[], nulledFields=[]).fields == ()
    assert change(changeType="GAP_UPDATE").fields is None


def test_a_text_that_came_as_a_difference_counts_as_changed() -> None:
    assert change(changedFields=[], nulledFields=[], diffFields=["0x4"]).fields == ("Title",)


@pytest.fixture(scope="module")
def lead_schema() -> EventSchema:
    return EventSchema(shape_of(standard_schema().objects["Lead"]).schema_json)


def payload(schema_json: str, header: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, json.loads(schema_json), {"ChangeEventHeader": header})
    return out.getvalue()


def test_a_payload_is_read_by_its_schema() -> None:
    text = shape_of(standard_schema().objects["Lead"]).schema_json
    found = EventSchema(text).read(payload(text, HEADER))
    assert (found.kind, found.record_ids) == (Kind.UPDATED, (LEAD,))


@given(st.binary(max_size=60))
def test_a_payload_that_cannot_be_read_is_a_loss_and_never_nothing(junk: bytes) -> None:
    text = shape_of(standard_schema().objects["Lead"]).schema_json
    found = EventSchema(text).read(junk)
    assert found.kind in Kind
    assert found.object == "Lead" or found.kind is not Kind.LOST


def test_a_payload_that_was_cut_off_is_a_loss_of_its_object(lead_schema: EventSchema) -> None:
    text = shape_of(standard_schema().objects["Lead"]).schema_json
    assert lead_schema.read(payload(text, HEADER)[:40]) == Change(Kind.LOST, "Lead", ())


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"string"', '{"type": "record"}', '{"type":"record","name":"X","fields":[{}]}']
)
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        EventSchema(text)


def test_record_values_are_not_in_what_is_handed_on() -> None:
    assert "values" not in Change.__dataclass_fields__


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["cdc_contact_update_name", "cdc_contact_update_address", "cdc_lead_update_address"]
)
def test_recorded_headers_are_understood(shared_data: Path, name: str) -> None:
    recorded = json.loads(
        (shared_data / "crm_fixtures/salesforce_events" / f"{name}.json").read_text("utf-8")
    )
    # Recorded over the older protocol, which names the fields and leaves two lists out.
    header = {
        **recorded["ChangeEventHeader"],
        **{key: [] for key in ("changedFields", "nulledFields", "diffFields")},
    }
    found = change_of(header, PLACES)
    assert found.kind is Kind.UPDATED
    assert found.record_ids == tuple(recorded["ChangeEventHeader"]["recordIds"])
    assert found.client == "SfdcInternalAPI"
    assert header.keys() == HEADER.keys()
