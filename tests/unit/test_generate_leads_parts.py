"""What the generated people are made of: companies, names, numbers, costs, and one day of changes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.generate import (
    Person,
    a_day_of_changes,
    campaign_costs,
    campaigns,
    generate,
    newcomers,
)
from connectors.sandbox.generate.company import company
from connectors.sandbox.generate.lexicon import lexicon, read_data
from connectors.sandbox.generate.spelling import mail_part, mistyped, without_accents
from connectors.sandbox.generate.telephone import Telephone, written
from connectors.sandbox.generate.wheel import Wheel

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


# Companies, names and numbers


def test_no_two_companies_share_a_domain() -> None:
    words = lexicon()
    random = Random(1)
    made = [company(words, number, 17, random) for number in [*range(6_000), *range(200_000, 206_000)]]
    assert len({one.domain for one in made}) == len(made)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Jäger", "Jaeger"),
        ("Łódź", "Lodz"),
        ("Öztürk", "Oeztuerk"),
        ("Weiß", "Weiss"),
        ("Işık", "Isik"),
        ("Noël", "Noel"),
    ],
)
def test_accents_are_dropped_as_people_do(text: str, plain: str) -> None:
    assert without_accents(text) == plain


@given(st.text(max_size=30))
def test_what_stands_left_of_the_at_sign_is_plain(text: str) -> None:
    assert all(sign.isascii() and (sign.isalnum() or sign == "-") for sign in mail_part(text))


@given(st.text(min_size=4, max_size=20), st.floats(0, 0.999), st.floats(0, 0.999))
def test_a_slip_changes_at_most_one_place(text: str, place: float, slip: float) -> None:
    numbers = iter((place, slip))
    changed = mistyped(text, lambda: next(numbers))
    assert abs(len(changed) - len(text)) <= 1
    assert changed[0] == text[0]


@given(st.floats(0, 0.999), st.sampled_from(["", "12", "345"]))
def test_every_way_to_write_a_number_keeps_its_digits(style: float, extension: str) -> None:
    phone = written(Telephone("49", "0", "221", "1234567", extension), lambda: style)
    digits = "".join(sign for sign in phone if sign.isdigit())
    assert digits.endswith(f"2211234567{extension}")
    assert len(phone) <= 40


def test_a_wheel_turns_to_its_shares() -> None:
    wheel = Wheel([("a", 1), ("b", 3)])
    assert Counter(wheel.at(number / 1000) for number in range(1000)) == {"a": 250, "b": 750}
    with pytest.raises(ValueError, match="shares"):
        Wheel([])


# Costs


def test_costs_cover_two_years_in_decimal_euro() -> None:
    rows = campaign_costs(1, NOW)
    assert {row["channel"] for row in rows} == set(read_data("channels.toml"))
    assert {row["month"] for row in rows} >= {"2024-11", "2025-12", "2026-11"}
    assert max(row["month"] for row in rows) == "2026-11"
    for row in rows:
        assert set(row) == {"channel", "campaign", "month", "kind", "planned", "spent", "currency"}
        assert isinstance(row["planned"], Decimal)
        assert isinstance(row["spent"], Decimal)
        assert row["planned"] >= 0 <= row["spent"]
        assert row["currency"] == "EUR"
    assert rows == campaign_costs(1, NOW) != campaign_costs(2, NOW)


def test_costs_grow_with_the_people_they_are_for() -> None:
    small, large = (
        sum(row["planned"] for row in campaign_costs(1, NOW, people)) for people in (1_000, 10_000)
    )
    assert large == pytest.approx(10 * small, rel=Decimal("0.001"))


def test_campaigns_sum_up_the_costs_as_salesforce_rows() -> None:
    rows = campaigns(1, NOW)
    assert len({row["Name"] for row in rows}) == len(rows)
    assert all(len(row["Name"]) <= 80 and row["StartDate"] <= row["EndDate"] for row in rows)
    spent = sum(row["spent"] for row in campaign_costs(1, NOW))
    assert sum(row["ActualCost"] for row in rows) == pytest.approx(float(spent), abs=len(rows))


# A day of changes


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    """People made once: they are only read."""
    return list(generate(800, 7, NOW))


@pytest.fixture(scope="module")
def held(crowd: list[Person]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """The people as two CRMs would hold them, with record ids."""
    hubspot = [(str(1000 + p.truth.index), p.hubspot) for p in crowd[:800] if p.hubspot]
    return hubspot, [(f"00Q{p.truth.index:012}AAA", p.salesforce) for p in crowd[:800] if p.salesforce]


Held = tuple[list[tuple[str, Any]], list[tuple[str, Any]]]


def test_a_day_has_every_kind_of_change(held: Held) -> None:
    acts = a_day_of_changes(1, *held, NOW)
    assert {act.what for act in acts} == {
        "title_and_phone", "both_titles", "signal", "unsubscribe", "do_not_call", "status", "emptied", "lead_status",
    }  # fmt: skip
    assert [act.at for act in acts] == sorted(act.at for act in acts)
    assert all(NOW - timedelta(days=1) <= act.at <= NOW for act in acts)
    assert acts == a_day_of_changes(1, *held, NOW)


def test_acts_are_bodies_that_the_sandbox_takes(held: Held) -> None:
    ids = {"hubspot": {id_ for id_, _ in held[0]}, "salesforce": {id_ for id_, _ in held[1]}}
    for act in a_day_of_changes(1, *held, NOW):
        body = act.body
        assert body["id"] in ids[act.crm]
        assert body["object"] == ("contacts" if act.crm == "hubspot" else "Lead")
        expected = {"edit": "properties" if act.crm == "hubspot" else "fields", "act": "signal"}
        assert body["action"] == "unsubscribe" or expected[body["action"]] in body


def test_an_edit_changes_what_the_record_held(held: Held) -> None:
    before = {"hubspot": dict(held[0]), "salesforce": dict(held[1])}
    for act in a_day_of_changes(1, *held, NOW):
        for name, value in (act.body.get("properties") or act.body.get("fields") or {}).items():
            if name != "DoNotCall":
                assert before[act.crm][act.body["id"]].get(name) != value


def test_both_title_edits_are_about_one_person_and_disagree(held: Held) -> None:
    by_person: dict[Any, list[Any]] = {}
    for act in a_day_of_changes(1, *held, NOW):
        if act.what == "both_titles":
            by_person.setdefault(act.about, []).append(act)
    assert by_person
    for acts in by_person.values():
        titles = {act.crm: (act.body.get("properties") or act.body["fields"]) for act in acts}
        assert titles["hubspot"]["jobtitle"] != titles["salesforce"]["Title"]


def test_nobody_is_touched_by_two_kinds_of_change(held: Held) -> None:
    kinds: dict[Any, set[str]] = {}
    for act in a_day_of_changes(1, *held, NOW):
        kinds.setdefault(act.about, set()).add(act.what)
    assert all(len(found) == 1 for found in kinds.values())


def test_a_converted_lead_is_left_alone() -> None:
    hubspot = [("1", {"email": "a@b.de"})]
    lead = {"Email": "A@b.de", "Status": "Closed - Converted", "IsConverted": True}
    assert a_day_of_changes(1, hubspot, [("00Q1", lead)], NOW) == []


def test_newcomers_were_met_today_under_new_addresses(held: Held) -> None:
    fresh = newcomers(1, held[0], NOW, 20)
    assert len(fresh) == 20
    known = {values.get("email") for _, values in held[0]}
    for person in fresh:
        for row in (person.hubspot, person.salesforce):
            assert row is None or NOW - timedelta(days=1) <= row["_created"] <= NOW
        assert (
            person.hubspot is None
            or person.hubspot.get("email") is None
            or person.hubspot["email"] not in known
        )
        assert person.truth.outcome in ("open", "unworked")
    assert any(person.hubspot for person in fresh)
    assert any(person.salesforce for person in fresh)
