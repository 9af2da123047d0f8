"""Which fields a change event names, from the bitmaps in its header."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.pubsub.bitmaps import Place, Unreadable, field_of_part, fields_named, places_of
from connectors.sandbox.salesforce.pubsub.shapes import bitmaps

TEXT = ["null", "string"]
PERSON = {
    "type": "record",
    "name": "PersonName",
    "fields": [{"name": name, "type": TEXT} for name in ("Salutation", "FirstName", "LastName")],
}
ADDRESS = {
    "type": "record",
    "name": "Address",
    "fields": [{"name": name, "type": TEXT} for name in ("Street", "City", "State", "PostalCode", "Country")],
}
SCHEMA = {
    "type": "record",
    "name": "ContactChangeEvent",
    "namespace": "com.sforce.eventbus",
    "fields": [
        {"name": "ChangeEventHeader", "type": "string"},
        {"name": "Name", "type": ["null", PERSON]},
        {"name": "OtherAddress", "type": ["null", ADDRESS]},
        {"name": "MailingAddress", "type": ["null", "Address"]},
        {"name": "Phone", "type": TEXT},
        {"name": "Email", "type": TEXT},
        {"name": "LastModifiedDate", "type": ["null", "long"]},
    ],
}


@pytest.mark.parametrize(
    ("maps", "names"),
    [
        # Nothing is named
        ([], ()),
        (["0x0"], ()),
        # The lowest bit is the first field
        (["0x10"], ("Phone",)),
        (["0x70"], ("Phone", "Email", "LastModifiedDate")),
        (["0X0000000000000040"], ("LastModifiedDate",)),
        (["0x60"], ("Email", "LastModifiedDate")),
        # A part, alone and beside whole fields
        (["1-0x4"], ("LastName",)),
        (["0x40", "1-0x5"], ("Salutation", "LastName", "LastModifiedDate")),
        # The second address is only named in the schema, and is the first one's record
        (["2-0x1", "3-0x12"], ("OtherStreet", "MailingCity", "MailingCountry")),
        # A compound that is named as a whole stands for itself and every part
        (["0x2"], ("Name", "Salutation", "FirstName", "LastName")),
    ],
)
def test_bitmaps_name_fields_as_records_have_them(maps: list[str], names: tuple[str, ...]) -> None:
    assert fields_named(maps, places_of(SCHEMA)) == names


def test_the_example_of_the_reference_is_read_bit_by_bit() -> None:
    # Salesforce reference, section 8: ['0x650004E0', '4-0x10'].
    places = [Place(f"F{number}") for number in range(31)]
    places[4] = Place("BillingAddress", ("Street", "City", "State", "PostalCode", "Country"))
    named = fields_named(["0x650004E0", "4-0x10"], places)
    assert named == ("BillingCountry", "F5", "F6", "F7", "F10", "F24", "F26", "F29", "F30")


@pytest.mark.parametrize(
    "maps",
    [
        ["0x80"],
        ["1-0x8"],
        ["7-0x1"],
        ["4-0x1"],
        ["zebra"],
        ["0x"],
        ["0xG"],
        [""],
        ["1-2"],
        ["-0x1"],
        ["0x-1"],
    ],
)
def test_a_bitmap_that_does_not_fit_its_schema_is_refused(maps: list[str]) -> None:
    with pytest.raises(Unreadable):
        fields_named(maps, places_of(SCHEMA))


@pytest.mark.parametrize(
    "schema", ["string", [], {"type": "enum", "symbols": ["A"]}, {"type": "record", "fields": None}]
)
def test_what_is_no_record_has_no_fields(schema: Any) -> None:
    with pytest.raises(Unreadable):
        places_of(schema)


def test_an_accounts_name_is_a_text_that_may_be_parts() -> None:
    switchable = {**PERSON, "name": "Switchable_PersonName"}
    schema = {
        "type": "record",
        "name": "AccountChangeEvent",
        "fields": [
            {"name": "ChangeEventHeader", "type": "string"},
            {"name": "Name", "type": ["null", "string", switchable]},
        ],
    }
    places = places_of(schema)
    assert fields_named(["0x2"], places)[0] == "Name"
    assert fields_named(["1-0x4"], places) == ("LastName",)


@pytest.mark.parametrize(
    ("compound", "part", "field"),
    [
        ("Name", "LastName", "LastName"),
        ("Address", "Street", "Street"),
        ("MailingAddress", "City", "MailingCity"),
        ("Warehouse__c", "Latitude", "Warehouse__c.Latitude"),
    ],
)
def test_a_part_leads_to_the_field_that_records_have(compound: str, part: str, field: str) -> None:
    assert field_of_part(compound, part) == field


@st.composite
def shapes(draw: st.DrawFn) -> tuple[list[Place], list[tuple[int, int | None]]]:
    """Some places, compounds among them, and a choice of fields and parts."""
    sizes = draw(st.lists(st.integers(0, 9), min_size=1, max_size=90))
    places = [
        Place(f"C{n}x", tuple(f"p{each}" for each in range(size))) if size else Place(f"F{n}")
        for n, size in enumerate(sizes)
    ]
    every = [
        (outer, inner)
        for outer, place in enumerate(places)
        for inner in (range(len(place.parts)) if place.parts else [None])
    ]
    return places, draw(st.lists(st.sampled_from(every), unique=True))


@given(shapes())
def test_what_salesforce_would_write_is_read_back(
    shape: tuple[list[Place], list[tuple[int, int | None]]],
) -> None:
    places, chosen = shape

    def name(outer: int, inner: int | None) -> str:
        return places[outer].name if inner is None else f"{places[outer].name}.{places[outer].parts[inner]}"

    where = {name(*each): each for each in chosen}
    written = bitmaps(where, where)
    assert fields_named(written, places) == tuple(name(*each) for each in sorted(chosen, key=_order))


def _order(place: tuple[int, int | None]) -> tuple[int, int]:
    return place[0], -1 if place[1] is None else place[1]
