"""What ``setup`` says of fields and options that are missing, added, or left to a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.crm import FieldInfo, FieldSpec, ObjectSchema
from sync.setup import setup_told, setup_wanted
from sync.setup_options import (
    Needed,
    labels_told,
    lacking_options,
    needed_field,
    unknown_sentences,
    unknown_told,
)

SPEC = FieldSpec("Leadpact_Band__c", "Band", "choice", options=(("cold", "Kalt"), ("hot", "Heiß")))


@pytest.mark.parametrize(
    ("crm", "has", "restricted", "lacks"),
    [
        ("salesforce", ("cold",), True, ["hot"]),
        ("salesforce", ("cold",), False, []),  # takes every value as it is
        ("hubspot", ("cold",), False, ["hot"]),
        ("salesforce", ("Cold", "HOT", "icy"), True, []),
        # HubSpot takes an option only as it is spelled.
        ("hubspot", ("Cold", "HOT", "icy"), False, ["cold", "hot"]),
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
    assert setup_told(needed(), [], needed()) == "Everything was there already."
    assert setup_told(needed("hot"), [("salesforce", "x")], needed()) == "1 fields created. 1 options added."
    told = setup_told(needed("hot"), [], needed("hot"))
    assert told == "Add the option hot (Hot) to Leadpact_Band__c in salesforce by hand."


@pytest.mark.parametrize(
    ("crm", "has", "renamed", "unknown"),
    [
        ("hubspot", (("cold", "Kalt"), ("hot", "Heiß")), (), ()),
        ("hubspot", (("cold", "Eisig"), ("hot", "heiß")), (("cold", "Eisig", "Kalt"), ("hot", "heiß", "Heiß")), ()),
        ("hubspot", (("cold", "Kalt"), ("Hot", "Heiß"), ("lau", "Lau")), (), (("Hot", "Heiß"), ("lau", "Lau"))),
        # Salesforce compares values without regard to case.
        ("salesforce", (("Cold", "Eisig"), ("lau", "Lau")), (("Cold", "Eisig", "Kalt"),), (("lau", "Lau"),)),
    ],
)  # fmt: skip
def test_labels_that_differ_from_the_policys_and_options_that_it_does_not_know(
    crm: str, has: tuple[tuple[str, str], ...], renamed: tuple[Any, ...], unknown: tuple[Any, ...]
) -> None:
    info = FieldInfo(SPEC.name, "Band", "choice", options=has, restricted=True)
    schema = ObjectSchema(crm, "Lead", {SPEC.name: info})
    found = needed_field(replace(SPEC, relabel=True), schema)
    assert (found.renamed, found.unknown) == (renamed, unknown)
    # Where the labels are not ours to give, people's stay.
    theirs = needed_field(SPEC, schema)
    assert (theirs.renamed, theirs.unknown) == ((), ())


def test_a_label_that_differs_is_named_before_and_after_and_left_to_a_person_where_it_could_not_change() -> (
    None
):
    other = [replace(needed()[0], renamed=(("hot", "Heiß", "Glühend"),))]
    assert setup_wanted(other) == (
        "0 fields are missing. salesforce Leadpact_Band__c calls the option hot Heiß, the policy Glühend."
        " Relabel with --apply; the values that records hold stay."
    )
    assert setup_told(other, [], needed()) == "1 options relabelled."
    assert setup_told(other, [], other) == (
        "Label the option hot of Leadpact_Band__c in salesforce Glühend by hand."
    )
    assert [one["wanted"] for one in labels_told(other)] == ["Glühend"]


def test_an_option_that_is_no_band_any_more_is_told_with_the_leads_that_were_judged_so() -> None:
    gone = [replace(needed()[0], unknown=(("lau", "Lau"), ("icy", "Eisig")))]
    some, none = unknown_sentences(unknown_told(gone, {"lau": 12, "hot": 3}))
    assert some == (
        "Salesforce's Leadpact_Band__c has the option lau (Lau), which is no band of the policy: 12 leads were last"
        " judged so; `leadpact rescore` judges them by the policy of now."
    )
    assert "icy (Eisig), which is no band of the policy: no lead is judged so; take it out by hand" in none


@pytest.mark.parametrize(
    ("crm", "has", "twins"),
    [
        ("hubspot", (("lau", "heiß"), ("hot", "Heiß")), (("lau", "heiß", "heiß (lau)"),)),
        ("hubspot", (("lau", "Heiß"),), (("lau", "Heiß", "Heiß (lau)"),)),  # before the band itself is there
        ("hubspot", (("lau", "Heiß (lau)"), ("hot", "Heiß")), ()),
        ("hubspot", (("Hot", "Heiß"), ("hot", "Heiß")), (("Hot", "Heiß", "Heiß (Hot)"),)),
        ("salesforce", (("Hot", "Heiß"),), ()),
        ("salesforce", (("lau", "Kalt"), ("Cold", "Kalt")), (("lau", "Kalt", "Kalt (lau)"),)),
    ],
)
def test_an_option_that_is_no_band_and_is_called_as_one_gets_its_value_behind_its_label(
    crm: str, has: tuple[tuple[str, str], ...], twins: tuple[Any, ...]
) -> None:
    info = FieldInfo(SPEC.name, "Band", "choice", options=has, restricted=True)
    schema = ObjectSchema(crm, "Lead", {SPEC.name: info})
    found = needed_field(replace(SPEC, relabel=True), schema)
    assert (found.twins, found.renamed) == (twins, ())
    assert needed_field(SPEC, schema).twins == ()
