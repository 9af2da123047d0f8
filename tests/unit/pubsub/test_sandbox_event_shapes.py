"""The Avro of the pretend Salesforce's change events."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import fastavro
import pytest

from connectors.sandbox.salesforce.pubsub.events import Noted, event_of, place_of, replay_id, runs
from connectors.sandbox.salesforce.pubsub.shapes import HEADER, LEFT_OUT, bitmaps, captured, shape_of
from connectors.sandbox.salesforce.schema import Schema, make_field, standard_schema
from connectors.sandbox.salesforce.switches import WATCHABLE

SCHEMA = standard_schema()


def row(number: int, record: str = "00Q000000000001AAA", **other: Any) -> Noted:
    values: dict[str, Any] = {
        **{"transaction_key": "t1", "sequence": number, "object": "Lead", "type": "UPDATE", "origin": "o"},
        **{"user": "u", "at": 1_795_000_000_789, "body": {"Title": "T"}, **other},
    }
    return Noted(number, record=record, **{**values, "body": json.dumps(values["body"])})


def read(noted: list[Noted], schema: Schema = SCHEMA) -> dict[str, Any]:
    event = event_of(noted, schema)
    text = shape_of(schema.objects[noted[0].object]).schema_json
    record = fastavro.schemaless_reader(io.BytesIO(event.payload), json.loads(text), None)
    assert isinstance(record, dict)
    return record


@pytest.mark.parametrize("name", WATCHABLE)
def test_every_watched_object_has_a_schema_that_avro_accepts(name: str) -> None:
    shape = shape_of(SCHEMA.objects[name])
    decoded = json.loads(shape.schema_json)
    fastavro.parse_schema(decoded)
    assert decoded["name"] == f"{name}ChangeEvent"
    assert decoded["fields"][0]["name"] == HEADER
    assert set(shape.places) == {each.name for each in captured(SCHEMA.objects[name])}
    assert not LEFT_OUT & set(shape.places)


@pytest.mark.parametrize("name", WATCHABLE)
def test_every_field_has_a_place_of_its_own(name: str) -> None:
    places = list(shape_of(SCHEMA.objects[name]).places.values())
    assert len(set(places)) == len(places)
    assert min(outer for outer, _ in places) == 1


def test_a_name_and_an_address_are_records_of_their_parts() -> None:
    fields = {each["name"]: each["type"] for each in shape_of(SCHEMA.objects["Contact"]).schema["fields"]}
    assert [each["name"] for each in fields["Name"][1]["fields"]] == ["Salutation", "FirstName", "LastName"]
    assert [each["name"] for each in fields["MailingAddress"][1]["fields"]][:2] == ["Street", "City"]
    assert not {"LastName", "MailingCity"} & set(fields)


def test_a_second_address_of_the_same_parts_is_only_named() -> None:
    parts = {
        f"{kind}{part}": make_field(f"{kind}{part}", {"type": "string", "part_of": f"{kind}Address"})
        for kind in ("Billing", "Shipping")
        for part in "ABCDEFGH"
    }
    account = SCHEMA.objects["Account"].with_fields(parts)
    kinds = {each["name"]: each["type"] for each in shape_of(account).schema["fields"]}
    assert kinds["BillingAddress"][1]["name"] == kinds["ShippingAddress"][1] == "Address"
    fastavro.parse_schema(json.loads(shape_of(account).schema_json))


def test_a_new_field_makes_a_new_schema_and_nothing_else_does() -> None:
    lead = SCHEMA.objects["Lead"]
    relabelled = {name: replace(each, label="x") for name, each in lead.fields.items()}
    more = {**lead.fields, "Grade__c": make_field("Grade__c", {"type": "string"}, custom=True)}
    first = shape_of(lead)
    assert shape_of(lead.with_fields(relabelled)).schema_id == first.schema_id
    assert shape_of(lead.with_fields(more)).schema_id != first.schema_id
    assert shape_of(lead.with_fields(more)).places["Grade__c"][0] == len(first.schema["fields"])


@pytest.mark.parametrize(
    ("names", "written"),
    [
        ([], []),
        (["a"], ["0x2"]),
        (["a", "b", "z"], ["0x100000006"]),
        (["n1"], ["3-0x2"]),
        (["m0", "n0", "n1", "a"], ["0x2", "3-0x3", "4-0x1"]),
    ],
)
def test_bitmaps_count_from_the_lowest_bit(names: list[str], written: list[str]) -> None:
    places = {"a": (1, None), "b": (2, None), "n0": (3, 0), "n1": (3, 1), "m0": (4, 0), "z": (32, None)}
    assert bitmaps(places, names) == written


def test_values_come_in_avros_own_types() -> None:
    body = {
        **{"LastName": "Byron", "City": "Bonn", "IsConverted": 1, "NumberOfEmployees": 12},
        **{"AnnualRevenue": 1.5, "ConvertedDate": "2026-11-22", "LastModifiedDate": "2026-11-22T12:00:00"},
    }
    record = read([row(1, type="CREATE", body=body)])
    assert record["Name"] == {"Salutation": None, "FirstName": None, "LastName": "Byron"}
    assert record["Address"]["City"] == "Bonn"
    assert (record["IsConverted"], record["NumberOfEmployees"], record["AnnualRevenue"]) == (True, 12, 1.5)
    assert (record["ConvertedDate"], record["LastModifiedDate"]) == (1795305600000, 1795348800000)
    # Every other field comes too, as null (Salesforce reference, section 8).
    assert record["Title"] is None


def test_an_update_says_what_changed_and_what_was_emptied() -> None:
    places = shape_of(SCHEMA.objects["Lead"]).places
    header = read([row(1, body={"Title": None, "City": None, "Rating": "Hot"})])[HEADER]
    assert header["changedFields"] == bitmaps(places, ["Title", "City", "Rating"])
    assert header["nulledFields"] == bitmaps(places, ["Title", "City"])
    assert (header["diffFields"], header["commitTimestamp"]) == ([], 1_795_000_000_000)


@pytest.mark.parametrize("kind", ["CREATE", "DELETE", "UNDELETE", "GAP_UPDATE", "GAP_OVERFLOW"])
def test_only_updates_name_fields(kind: str) -> None:
    header = read([row(1, type=kind, body={})])[HEADER]
    assert (header["changeType"], header["changedFields"], header["nulledFields"]) == (kind, [], [])


def test_a_hidden_field_is_neither_named_nor_told() -> None:
    seen = SCHEMA.refined({}, {"Lead": ["Title"]}, {})
    record = read([row(1, body={"Title": "T", "Rating": "Hot"})], seen)
    assert "Title" not in record
    assert record[HEADER]["changedFields"] == bitmaps(shape_of(seen.objects["Lead"]).places, ["Rating"])


def test_rows_that_are_alike_are_one_event() -> None:
    rows = [
        row(1, "a"),
        row(2, "b"),
        row(3, "c", body={"Title": "U"}),
        row(4, "d"),
        row(5, "e", transaction_key="t2"),
        row(6, "f", transaction_key="t2", object="Contact"),
        row(7, "g", transaction_key="t2", object="Contact"),
    ]
    assert [[each.record for each in run] for run in runs(rows, True)] == [
        ["a", "b"],
        ["c"],
        ["d"],
        ["e"],
        ["f", "g"],
    ]
    assert [len(run) for run in runs(rows, False)] == [1] * 7


def test_a_merged_event_stands_at_its_last_row() -> None:
    event = event_of([row(7, "a"), row(9, "b")], SCHEMA)
    assert (event.number, read([row(7, "a"), row(9, "b")])[HEADER]["recordIds"]) == (9, ["a", "b"])


@pytest.mark.parametrize("number", [0, 1, 1_795_000_000_789_000, 2**63])
def test_a_replay_id_is_eight_bytes_and_leads_back(number: int) -> None:
    assert len(replay_id(number)) == 8
    assert place_of(replay_id(number)) == number


@pytest.mark.parametrize("odd", [b"", b"1", b"1234567", b"123456789"])
def test_what_has_not_eight_bytes_is_no_replay_id(odd: bytes) -> None:
    assert place_of(odd) is None
