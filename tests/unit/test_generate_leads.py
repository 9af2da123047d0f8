"""The generated people: the same each time, dirty as life, and with cause and effect in what they do."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import connectors.sandbox.generate as package
from connectors.sandbox.generate import (
    Mix,
    Person,
    generate,
)
from connectors.sandbox.generate.lexicon import read_data
from connectors.sandbox.generate.salesforce_record import LENGTHS

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

# Section 15 of the HubSpot reference, row by row; hs_email_optout is from section 14.
SIGNALS = {
    "num_conversion_events", "num_unique_conversion_events", "recent_conversion_date",
    "recent_conversion_event_name", "first_conversion_date", "first_conversion_event_name",
    "hs_analytics_num_visits", "hs_analytics_num_page_views", "hs_analytics_average_page_views",
    "hs_analytics_first_timestamp", "hs_analytics_last_visit_timestamp",
    "hs_analytics_num_event_completions", "hs_analytics_source", "hs_analytics_source_data_1",
    "hs_analytics_source_data_2", "hs_latest_source", "hs_latest_source_data_1", "hs_email_open",
    "hs_email_click", "hs_email_last_open_date", "hs_email_last_click_date", "hs_email_bounce",
    "hs_social_linkedin_clicks", "hs_social_twitter_clicks", "hs_social_facebook_clicks",
    "hs_social_num_broadcast_clicks", "notes_last_contacted", "num_contacted_notes", "num_notes",
}  # fmt: skip
ABOUT_THE_PERSON = {
    "email", "firstname", "lastname", "phone", "mobilephone", "jobtitle", "company", "website", "address", "city",
    "zip", "state", "country", "industry", "annualrevenue", "numberofemployees", "lifecyclestage",
    "hs_lead_status", "hs_email_optout",
}  # fmt: skip
LEAD_FIELDS = {*LENGTHS, "AnnualRevenue", "NumberOfEmployees", "HasOptedOutOfEmail", "DoNotCall"}
STAGES = [
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer",
    "evangelist", "other",
]  # fmt: skip


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    """Four thousand people, made once: they are only read."""
    return list(generate(4_000, 7, NOW))


def contacts(people: list[Person]) -> list[Any]:
    return [person.hubspot for person in people if person.hubspot is not None]


def leads(people: list[Person]) -> list[Any]:
    return [person.salesforce for person in people if person.salesforce is not None]


# The same each time


def test_one_seed_gives_the_same_people_twice() -> None:
    assert list(generate(300, 3, NOW)) == list(generate(300, 3, NOW))


def test_another_seed_gives_other_people() -> None:
    emails = [{row.get("email") for row in contacts(list(generate(300, seed, NOW)))} for seed in (3, 4)]
    assert len(emails[0] & emails[1]) < 10


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 150), st.integers(0, 150), st.integers(0, 5))
def test_a_person_is_the_same_however_many_are_asked_for(few: int, more: int, seed: int) -> None:
    shorter, longer = sorted((few, more))
    assert list(generate(shorter, seed, NOW)) == list(islice(generate(longer, seed, NOW), shorter))


def test_people_are_numbered_without_gaps(crowd: list[Person]) -> None:
    assert [person.truth.index for person in crowd] == list(range(len(crowd)))


def test_the_stream_gives_the_first_person_before_the_last_is_made() -> None:
    first = next(iter(generate(10**9, 1, NOW)))
    assert first == next(iter(generate(1, 1, NOW)))


@pytest.mark.parametrize(
    ("count", "now", "effect"),
    [(-1, NOW, 1.0), (1, NOW, -0.5), (1, NOW.replace(tzinfo=None), 1.0)],
)
def test_wrong_wishes_are_refused_at_once(count: int, now: datetime, effect: float) -> None:
    with pytest.raises(ValueError, match=r"negative|time zone"):
        generate(count, 1, now, effect)


@pytest.mark.parametrize("shares", [{"both": 1.2}, {"both": 0.8, "hubspot_only": 0.5}, {"duplicates": -0.1}])
def test_impossible_shares_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Mix"):
        Mix(**shares)


# In which CRM, and who twice


def test_about_sixty_in_a_hundred_are_in_both(crowd: list[Person]) -> None:
    places = Counter((p.hubspot is not None, p.salesforce is not None) for p in crowd)
    assert places[True, True] / len(crowd) == pytest.approx(0.60, abs=0.03)
    assert places[True, False] / len(crowd) == pytest.approx(0.25, abs=0.03)
    assert places[False, True] / len(crowd) == pytest.approx(0.15, abs=0.03)


def test_the_shares_can_be_chosen() -> None:
    people = list(
        generate(400, 1, NOW, mix=Mix(both=0.0, hubspot_only=1.0, duplicates=0.0, shared_email=0.0))
    )
    assert all(person.salesforce is None for person in people)


def test_no_address_stands_in_two_hubspot_contacts(crowd: list[Person]) -> None:
    emails = [row["email"] for row in contacts(crowd) if "email" in row]
    assert len(emails) == len(set(emails)) > 2_000


def test_hubspot_holds_addresses_in_lower_case_and_salesforce_as_typed(crowd: list[Person]) -> None:
    assert all(row["email"] == row["email"].lower() for row in contacts(crowd) if "email" in row)
    assert any(row["Email"] != row["Email"].lower() for row in leads(crowd) if "Email" in row)


def test_a_few_records_repeat_a_person_within_one_crm(crowd: list[Person]) -> None:
    repeats = [person for person in crowd if person.truth.duplicate_of is not None]
    assert 0.015 < len(repeats) / len(crowd) < 0.05
    for person in repeats:
        earlier = crowd[person.truth.duplicate_of or 0]
        assert person.truth.person == earlier.truth.person == earlier.truth.index
        assert (person.hubspot is None) is not (person.salesforce is None)
        assert (earlier.hubspot if person.hubspot else earlier.salesforce) is not None


def test_different_people_share_an_address_and_not_a_first_name(crowd: list[Person]) -> None:
    pairs = [(p, crowd[p.truth.shares_email_with]) for p in crowd if p.truth.shares_email_with is not None]
    assert len(pairs) > 20
    assert all(person.truth.person != other.truth.person for person, other in pairs)
    shared = 0
    for person, other in pairs:
        assert person.salesforce is not None
        theirs = (other.hubspot or {}).get("email") or (other.salesforce or {}).get("Email", "").lower()
        shared += person.salesforce.get("Email", "").lower() == theirs
    assert shared > 0.6 * len(pairs)


def test_different_people_bear_the_same_name(crowd: list[Person]) -> None:
    names: dict[tuple[str, str], set[int]] = {}
    for person in crowd:
        row = person.hubspot or {}
        if "lastname" in row:
            names.setdefault((row["firstname"], row["lastname"]), set()).add(person.truth.person)
    assert sum(len(people) > 1 for people in names.values()) > 20


# Loadable as they stand


def test_hubspot_values_are_strings_under_known_properties(crowd: list[Person]) -> None:
    for row in contacts(crowd):
        values = {name: value for name, value in row.items() if not name.startswith("_")}
        assert set(values) <= SIGNALS | ABOUT_THE_PERSON
        assert all(isinstance(value, str) and value for value in values.values())
        assert {"email", "firstname", "lastname"} & set(values)


def test_every_signal_without_a_source_stays_out(crowd: list[Person]) -> None:
    seen = {name for row in contacts(crowd) for name in row if not name.startswith("_")} - ABOUT_THE_PERSON
    assert seen <= SIGNALS
    assert len(seen) > 22
    histories = {name for row in contacts(crowd) for name in row["_history"]}
    assert histories <= SIGNALS | {"lifecyclestage", "hs_lead_status"}


def test_salesforce_fields_are_known_required_and_short_enough(crowd: list[Person]) -> None:
    for row in leads(crowd):
        assert {name for name in row if not name.startswith("_")} <= LEAD_FIELDS
        assert row["LastName"]
        assert row["Company"]
        assert row["Status"]
        assert all(len(row[name]) <= length for name, length in LENGTHS.items() if name in row)
        assert isinstance(row["HasOptedOutOfEmail"], bool)
        assert isinstance(row["DoNotCall"], bool)
        assert isinstance(row.get("AnnualRevenue", 0), int)
        assert isinstance(row.get("NumberOfEmployees", 0), int)


def test_times_are_aware_and_in_order(crowd: list[Person]) -> None:
    for row in contacts(crowd) + leads(crowd):
        assert row["_created"].utcoffset() == timedelta(0)
        assert row["_created"] <= row["_modified"] <= NOW


def test_the_last_of_a_history_is_what_the_record_shows(crowd: list[Person]) -> None:
    for row in contacts(crowd):
        for name, past in row["_history"].items():
            times = [at for at, _ in past]
            assert times == sorted(times)
            assert row["_created"] <= times[0]
            assert times[-1] <= row["_modified"]
            assert past[-1][1] == row[name]


def test_a_lifecycle_goes_forward_unless_it_was_cleared(crowd: list[Person]) -> None:
    for row in contacts(crowd):
        stages = [stage for _, stage in row["_history"].get("lifecyclestage", [])]
        for before, after in pairwise(stages):
            assert "" in (before, after) or STAGES.index(before) < STAGES.index(after)


def test_records_survive_json_with_every_sign(crowd: list[Person]) -> None:
    texts = [
        {k: v for k, v in row.items() if not k.startswith("_")} for row in contacts(crowd) + leads(crowd)
    ]
    data = json.dumps(texts, ensure_ascii=False).encode("utf-8")
    assert json.loads(data.decode("utf-8")) == texts


def test_letters_of_many_languages_occur(crowd: list[Person]) -> None:
    people = [*crowd, *generate(8_000, 11, NOW)]
    signs = {sign for row in contacts(people) + leads(people) for text in _texts(row) for sign in text}
    # German, French, Polish, Turkish, Greek, Ukrainian, Hebrew, Arabic, Japanese, and a picture.
    assert set("üßéłşıΓШםم高🌿") <= signs


def _texts(row: dict[str, Any]) -> list[str]:
    return [value for value in row.values() if isinstance(value, str)]


# Dirty as life


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("phone", "/"), ("phone", "(0)"), ("phone", " "), ("phone", "00"), ("country", "BRD"), ("country", "D"),
        ("country", "Germany"), ("email", "gmx.de"), ("email", "info@"), ("company", "GmbH"), ("company", "e.K."),
        ("annualrevenue", ".000.000"), ("annualrevenue", "00000"), ("jobtitle", "Leiterin"),
        ("jobtitle", "Head of E-Commerce"), ("jobtitle", "Werkstudent"), ("hs_email_optout", "true"),
    ],
)  # fmt: skip
def test_what_people_type_occurs(crowd: list[Person], field: str, part: str) -> None:
    assert any(part in row.get(field, "") for row in contacts(crowd))


def test_some_numbers_are_no_numbers(crowd: list[Person]) -> None:
    phones = [row["phone"] for row in contacts(crowd) if "phone" in row]
    assert 0.005 < sum(not any(sign.isdigit() for sign in phone) for phone in phones) / len(phones) < 0.05


def test_the_two_crms_differ_about_people_they_both_know(crowd: list[Person]) -> None:
    both = [(p.hubspot, p.salesforce) for p in crowd if p.hubspot and p.salesforce]
    for one, other in (
        ("lastname", "LastName"),
        ("jobtitle", "Title"),
        ("phone", "Phone"),
        ("company", "Company"),
    ):
        told = [(h[one], s[other]) for h, s in both if one in h and other in s]
        assert 0.02 < sum(h != s for h, s in told) / len(told) < 0.99
        assert any(one in h and other not in s for h, s in both) or other in ("LastName", "Company")
        assert any(one not in h and other in s for h, s in both)
    assert any("hs_email_optout" in h and not s["HasOptedOutOfEmail"] for h, s in both)
    assert any("hs_email_optout" not in h and s["HasOptedOutOfEmail"] for h, s in both)


def test_every_kind_of_person_and_channel_occurs(crowd: list[Person]) -> None:
    assert {person.truth.kind for person in crowd} == {
        "buyer", "student", "job_seeker", "competitor", "customer", "former_customer", "prospect",
    }  # fmt: skip
    assert {person.truth.channel for person in crowd} == set(read_data("channels.toml"))


def test_researched_people_have_shown_no_interest_until_they_answer(crowd: list[Person]) -> None:
    silent = 0
    for person in crowd:
        row = person.hubspot
        if person.truth.kind == "prospect" and row and "num_conversion_events" not in row:
            silent += 1
            assert not {"hs_analytics_num_visits", "hs_email_open", "hs_email_click"} & set(row)
            assert row["hs_analytics_source"] == "OFFLINE"
            assert row.get("lifecyclestage") in (None, "other", "marketingqualifiedlead", "customer")
    assert silent > 100


def test_students_are_busy_and_fit_nowhere(crowd: list[Person]) -> None:
    students = [p.truth for p in crowd if p.truth.kind == "student" and p.hubspot]
    assert all(truth.fit == 0.0 and truth.company is None for truth in students)
    everybody = [p.truth.engagement for p in crowd if p.hubspot]
    assert sum(t.engagement for t in students) / len(students) > sum(everybody) / len(everybody)


def test_forms_go_with_the_channel(crowd: list[Person]) -> None:
    channels = read_data("channels.toml")
    for person in crowd:
        row, channel = person.hubspot, channels[person.truth.channel]
        if row and channel["forms"] and person.truth.channel != "referral":
            assert row["first_conversion_event_name"] in channel["forms"]
            assert row["hs_analytics_source"] in {value for value, _ in channel["hubspot"]}
        if person.salesforce:
            assert person.salesforce["LeadSource"] in channel["salesforce"]


# The package


def test_the_generator_knows_nothing_but_itself_and_the_standard_library() -> None:
    folder = Path(next(iter(package.__path__)))
    for file in folder.glob("*.py"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "from ")):
                module = line.split()[1]
                assert module.startswith("connectors.sandbox.generate") or module.split(".")[0] in STANDARD


STANDARD = {
    "__future__", "bisect", "collections", "dataclasses", "datetime", "decimal", "functools", "importlib",
    "itertools", "math", "random", "tomllib", "typing", "unicodedata", "zlib",
}  # fmt: skip


def test_names_of_people_stay_out_of_the_repr(crowd: list[Person]) -> None:
    person = next(p for p in crowd if p.hubspot and "lastname" in p.hubspot)
    assert person.hubspot is not None
    assert person.hubspot["lastname"] not in repr(person)


def test_sales_talks_to_people_in_working_hours(crowd: list[Person]) -> None:
    rows = [row for row in contacts(crowd) if "notes_last_contacted" in row]
    talks = [datetime.fromisoformat(row["notes_last_contacted"]) for row in rows]
    assert all(row["_created"] <= talk <= NOW for row, talk in zip(rows, talks, strict=True))
    assert sum(talk.weekday() < 5 and 7 <= talk.hour < 16 for talk in talks) > 0.95 * len(talks)
