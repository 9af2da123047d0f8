"""What ``setup`` says of fields and options that are missing, added, or left to a person."""

from __future__ import annotations

import pytest

from connectors.crm import FieldInfo, FieldSpec, ObjectSchema
from sync.setup import Needed, lacking_options, options_told, setup_told, setup_wanted

SPEC = FieldSpec("Leadpact_Band__c", "Band", "choice", options=(("cold", "Kalt"), ("hot", "Heiß")))


@pytest.mark.parametrize(
    ("crm", "has", "restricted", "lacks"),
    [
        ("salesforce", ("cold",), True, ["hot"]),
        ("salesforce", ("cold",), False, []),  # takes every value as it is
        ("hubspot", ("cold",), False, ["hot"]),
        ("hubspot", ("Cold", "HOT", "icy"), False, []),
        ("salesforce", (), True, ["cold", "hot"]),
    ],
)
def test_options_that_a_choice_lacks(
    crm: str, has: tuple[str, ...], restricted: bool, lacks: list[str]
) -> None:
    options = tuple((value, value) for value in has)
    info = FieldInfo(SPEC.name, "Band", "choice", options=options, restricted=restricted)
    schema = ObjectSchema(crm, "Lead", {SPEC.name: info})
    assert [value for value, _ in lacking_options(SPEC, schema)] == lacks
    assert lacking_options(SPEC, ObjectSchema(crm, "Lead", {})) == ()


def needed(*lacking: str) -> list[Needed]:
    return [
        Needed("salesforce", "Lead", SPEC, there=True, lacking=tuple((one, one.title()) for one in lacking))
    ]


def test_what_is_missing_is_named_and_what_could_not_be_added_is_left_to_a_person_by_name() -> None:
    assert setup_wanted(needed()) == "0 fields are missing."
    assert setup_wanted(needed("hot")) == (
        "0 fields are missing. salesforce Leadpact_Band__c lacks the option hot. Create them with --apply."
    )
    assert setup_told(needed(), [], []) == "Everything was there already."
    assert setup_told(needed("hot"), [("salesforce", "x")], []) == "1 fields created. 1 options added."
    told = setup_told(needed("hot"), [], options_told(needed("hot")))
    assert told == "Add the option hot (Hot) to Leadpact_Band__c in salesforce by hand."
