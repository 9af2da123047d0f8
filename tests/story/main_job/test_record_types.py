"""A value may exist in Salesforce and not for a record's type: that is told before a write of it is refused."""

from __future__ import annotations

from typing import Any

STAGE = "Leadpact_Stage__c"
FEW = ["lead", "nurture"]


def _with_types(house: Any, *types: dict[str, Any]) -> None:
    house.control("salesforce", "limits", {"record_types": {"Lead": list(types)}})


def _told(house: Any, word: str) -> list[dict[str, Any]]:
    found = house.command("--json", "check").document["problems"]
    return [one for one in found if word in one["problem"]]


def test_a_record_type_that_lacks_a_value_we_write_is_named_with_the_values_and_what_to_click(
    furnished: Any,
) -> None:
    house = furnished
    assert _told(house, "record type") == []
    _with_types(
        house,
        {"name": "Partner", "values": {STAGE: FEW}},
        {"name": "Direct Sale", "default": True},
    )
    [one] = _told(house, "the record type")
    assert one["severity"] == "warning"
    assert "the record type Partner lacks the values visitor, prospect, mql" in one["problem"]
    assert STAGE in one["problem"]
    assert not any(f" {value}," in one["problem"] for value in FEW)
    assert "Object Manager > Lead > Record Types > Partner" in one["fix"]
    assert "mql" in one["fix"]
    assert house.command("check").code == 0


def test_for_the_type_of_new_records_it_is_an_error_and_setup_tells_it_until_it_is_mended(
    furnished: Any,
) -> None:
    house = furnished
    _with_types(house, {"name": "Direct Sale", "default": True, "values": {STAGE: FEW}})
    [one] = _told(house, "the record type")
    assert one["severity"] == "error"
    assert house.command("check").code == 1
    [sentence] = house.command("--json", "setup").document["record_types"]
    assert sentence.startswith("The record type Direct Sale lacks the values")
    assert "Picklists Available for Editing" in house.command("setup", "--apply").out

    _with_types(house, {"name": "Direct Sale", "default": True, "values": {STAGE: [*FEW, *_missing(one)]}})
    assert _told(house, "the record type") == []
    assert house.command("--json", "setup").document["record_types"] == []


def _missing(one: dict[str, Any]) -> list[str]:
    """The values that the sentence names."""
    return str(one["problem"].partition("the values ")[2].partition(" of ")[0]).split(", ")
