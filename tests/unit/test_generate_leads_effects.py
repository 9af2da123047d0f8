"""Cause and effect in the generated people: found when it is on, gone when it is off."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

import connectors.sandbox.generate as generator
from connectors.sandbox.generate import (
    Person,
    generate,
)
from connectors.sandbox.generate.effects import draw_weights
from connectors.sandbox.generate.lexicon import read_data
from connectors.sandbox.generate.person import Truth

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    """People made once: they are only read."""
    return list(generate(3_000, 7, NOW))


@cache
def truths(seed: int, effect: float) -> tuple[Truth, ...]:
    """What is true of the people of a seed, made once for all that ask: it is most of the time of these tests."""
    return tuple(person.truth for person in generate(3_000, seed, NOW, effect))


def rates(people: Iterable[Truth]) -> tuple[float, float, float]:
    """Conversion of fitting and engaged people, of everybody else, and of all, among those who decided."""
    groups: dict[bool, list[bool]] = {True: [], False: []}
    for truth in people:
        if truth.outcome in ("won", "lost") and truth.duplicate_of is None:
            groups[truth.fit >= 0.6 and truth.engagement >= 0.5].append(truth.outcome == "won")
    both = groups[True] + groups[False]
    return tuple(sum(group) / len(group) for group in (groups[True], groups[False], both))  # type: ignore[return-value]


# Cause and effect


@pytest.mark.parametrize("seed", range(5))
def test_who_fits_and_engages_becomes_a_customer_more_often(seed: int) -> None:
    fitting, others, _ = rates(truths(seed, 1.0))
    assert fitting > 2.0 * others


def test_without_effect_fit_and_engagement_decide_nothing() -> None:
    people = [truth for seed in range(5) for truth in truths(seed, 0.0)]
    fitting, others, _ = rates(people)
    # Some 350 people fit and engage; their rate is known to about 0.01.
    assert fitting == pytest.approx(others, abs=0.035)


@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0, 400.0])
def test_the_rate_over_all_is_the_one_that_was_drawn(effect: float) -> None:
    _, _, everybody = rates(truths(2, effect))
    assert everybody == pytest.approx(draw_weights(2).rate, abs=0.02)


def test_the_weights_are_drawn_from_the_ranges_and_differ_by_seed() -> None:
    ranges = read_data("effects.toml")
    drawn = [draw_weights(seed) for seed in range(20)]
    low, high = ranges["fit"]["head_of_marketing"]
    assert all(low <= weights.head_of_marketing <= high for weights in drawn)
    assert len({weights.head_of_marketing for weights in drawn}) == 20


def test_no_policy_can_read_the_ranges() -> None:
    root = Path(next(iter(generator.__path__))).parents[2]
    readers = {
        file.relative_to(root).as_posix()
        for room in ("connectors", "mapping", "sync")
        for file in (root / room).rglob("*.py")
        if "effects.toml" in file.read_text(encoding="utf-8")
    }
    assert all(reader.startswith("connectors/sandbox/generate/") for reader in readers)
    assert readers


def test_the_same_things_happened_whatever_the_effect() -> None:
    """What people are and did is a cause: with the effect off it stays, and only who wins changes."""
    with_effect, without = truths(4, 1.0), truths(4, 0.0)
    for one, other in zip(with_effect, without, strict=True):
        assert (one.fit, one.engagement) == (other.fit, other.engagement)
        assert one.quality == other.quality
    assert [truth.outcome for truth in with_effect] != [truth.outcome for truth in without]


def test_customers_and_stages_agree_in_both_crms(crowd: list[Person]) -> None:
    for person in crowd:
        truth = person.truth
        if truth.duplicate_of is not None:
            continue
        assert (truth.converted_at is not None) is (truth.outcome == "won")
        assert (truth.decided_at is not None) is (truth.outcome in ("won", "lost"))
        if truth.outcome == "won":
            if person.salesforce:
                assert person.salesforce["Status"] == "Closed - Converted"
            if person.hubspot:
                assert person.hubspot["lifecyclestage"] == "customer"
                assert person.hubspot["_history"]["lifecyclestage"][-1][0] == truth.converted_at
        elif truth.outcome in ("open", "lost", "unworked") and person.hubspot:
            assert person.hubspot.get("lifecyclestage") != "customer"
