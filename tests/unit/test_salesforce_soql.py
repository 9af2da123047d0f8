"""What describe says of a field, and what may get into a query."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import NeedsPerson, OurBug
from connectors.salesforce import soql
from connectors.salesforce.schema import described_from

ONE = "0015500001QdQWaAAN"


def a_field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": name, "type": kind, "createable": True, "updateable": True, **more}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (a_field("A", "email", length=80), {"type": "text", "length": 80}),
        (a_field("A", "textarea", length=32000), {"type": "text", "length": 32000}),
        (a_field("A", "double", length=0), {"type": "number", "length": None}),
        (a_field("A", "percent"), {"type": "number"}),
        (a_field("A", "boolean", nillable=False), {"type": "boolean", "required": False}),
        (a_field("A", "date"), {"type": "date"}),
        (a_field("A", "datetime"), {"type": "datetime"}),
        (a_field("A", "multipicklist"), {"type": "choices"}),
        (a_field("A", "reference", length=18), {"type": "reference", "length": None}),
        (a_field("A", "address"), {"type": "other"}),
        (a_field("A", "location"), {"type": "other"}),
        (a_field("A", "a type of tomorrow"), {"type": "other"}),
        (a_field("A", nillable=False), {"required": True}),
        # Salesforce fills it in by itself.
        (a_field("A", nillable=False, defaultedOnCreate=True), {"required": False}),
        (a_field("A", nillable=False, createable=False), {"required": False, "creatable": False}),
        (a_field("A", calculated=True, updateable=False), {"calculated": True, "updatable": False}),
        (a_field("A", autoNumber=True), {"calculated": True}),
        (a_field("A", unique=True, externalId=True), {"unique": True}),
        # An external id need not be unique.
        (a_field("A", unique=False, externalId=True), {"unique": False}),
        (
            a_field(
                "A",
                "picklist",
                length=255,
                restrictedPicklist=True,
                picklistValues=[
                    {"value": "b", "label": "B", "active": True},
                    {"value": "old", "label": "Old", "active": False},
                    {"value": "a", "label": None, "active": True},
                ],
            ),
            {"type": "choice", "options": (("b", "B"), ("a", "a")), "restricted": True},
        ),
    ],
)
def test_a_described_field_is_read(item: dict[str, Any], expected: dict[str, Any]) -> None:
    info = described_from({"name": "X", "fields": [item]}).schema.fields["A"]
    assert {name: getattr(info, name) for name in expected} == expected


@pytest.mark.parametrize("name", ["Name,Id", "Name FROM Account", "", "1a", "a'b", "a..b", "Ünal"])
def test_only_names_get_into_a_query(name: str) -> None:
    with pytest.raises(OurBug):
        soql.select("Account", ["Id", name])
    with pytest.raises(OurBug):
        soql.select(name, ["Id"])


def test_no_query_names_a_field_twice() -> None:
    with pytest.raises(OurBug):
        soql.select("Account", ["Id", "Id"])


@pytest.mark.parametrize(
    ("sf_type", "value", "literal"),
    [
        ("string", "O'Neil", "'O\\'Neil'"),
        ("string", 'a\\b"c', "'a\\\\b\\\"c'"),
        ("string", "a\nb\tc", "'a\\nb\\tc'"),
        ("id", ONE, f"'{ONE}'"),
        ("string", "x" * 4_001, None),
        ("currency", " 25000000.0 ", "25000000"),
        ("currency", "1) OR (1", None),
        ("boolean", "TRUE", "true"),
        ("boolean", "maybe", None),
        ("date", "2026-11-22", "2026-11-22"),
        ("datetime", "2026-11-22T08:00:00+01:00", "2026-11-22T07:00:00Z"),
        ("datetime", "yesterday", None),
    ],
)
def test_a_value_becomes_a_literal_of_its_type(sf_type: str, value: str, literal: str | None) -> None:
    assert soql.literal(sf_type, value) == literal


@given(st.text(max_size=200))
def test_no_text_can_leave_its_quotes(value: str) -> None:
    literal = soql.text(value)
    inside = literal[1:-1]
    assert literal[0] == literal[-1] == "'"
    # Without the escaped characters no quote and no lone backslash is left.
    plain = inside.replace("\\\\", "").replace("\\'", "")
    assert "'" not in plain
    for escaped in '"nrtbf':
        plain = plain.replace("\\" + escaped, "")
    assert "\\" not in plain


@given(st.lists(st.text(min_size=1, max_size=400), max_size=120))
def test_every_value_is_asked_for_once_and_no_address_gets_too_long(values: list[str]) -> None:
    literals = [soql.text(value) for value in values]
    queries = list(soql.in_chunks("SELECT Id FROM Account WHERE Name", literals))
    assert all(soql.encoded_bytes(query) <= soql.QUERY_BYTES for query in queries)
    asked = [
        query.removeprefix("SELECT Id FROM Account WHERE Name IN (").removesuffix(")") for query in queries
    ]
    assert ",".join(asked) == ",".join(literals)
    assert bool(queries) == bool(values)


def test_too_many_fields_for_any_address_need_a_person() -> None:
    with pytest.raises(NeedsPerson):
        list(soql.in_chunks("SELECT " + "Field_name__c," * 2_000, ["'x'"]))
