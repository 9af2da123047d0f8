"""Cause and effect: how much what somebody is and did makes a customer of them.

The ranges stand in effects.toml; what holds for a seed is drawn from them. With ``effect=0`` the
causes are cut: everybody has the same chances, at the same rate over all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, tanh
from random import Random
from typing import Any, NamedTuple

from connectors.sandbox.generate.behaviour import Counted
from connectors.sandbox.generate.company import Company
from connectors.sandbox.generate.lexicon import read_data

_NOT_BUYING = ("student", "job_seeker", "competitor")


@dataclass(frozen=True, slots=True)
class Weights:
    """What was drawn for one seed; weights in log-odds, ``rate`` from 0 to 1, ``half_life`` in days."""

    rate: float
    shop: float
    turnover: float
    head_of_marketing: float
    decision_maker: float
    forms: float
    visits: float
    mail_clicks: float
    recency: float
    half_life: float
    not_a_buyer: float
    spread: float


class Traits(NamedTuple):
    """What decides about one person."""

    kind: str
    company: Company | None
    role: str
    done: Counted


def draw_weights(seed: int | str, ranges: dict[str, Any] | None = None) -> Weights:
    """The weights that hold for a seed; ``ranges`` defaults to effects.toml, with its tables and keys."""
    tables = read_data("effects.toml") if ranges is None else ranges
    random = Random(f"{seed}/effects")

    def draw(table: str, name: str) -> float:
        low, high = tables[table][name]
        return random.uniform(low, high)

    return Weights(
        rate=draw("base", "rate"),
        shop=draw("fit", "online_shop"),
        turnover=draw("fit", "turnover_20_to_150_million"),
        head_of_marketing=draw("fit", "head_of_marketing"),
        decision_maker=draw("fit", "other_decision_maker"),
        forms=draw("engagement", "forms"),
        visits=draw("engagement", "visits"),
        mail_clicks=draw("engagement", "mail_clicks"),
        recency=draw("engagement", "recency"),
        half_life=draw("engagement", "half_life_days"),
        not_a_buyer=draw("never", "not_a_buyer"),
        spread=draw("noise", "spread"),
    )


def fit(traits: Traits) -> float:
    """How much of the target group's description is true, 0 to 1: shop, turnover, right person."""
    shop, size, person = _fitting(traits)
    return 0.4 * shop + 0.3 * size + 0.3 * (1.0 if person == 1 else 0.5 if person == 2 else 0.0)


def evidence(traits: Traits, weights: Weights) -> float:
    """The log-odds that a person's fit and engagement up to the decision add."""
    shop, size, person = _fitting(traits)
    w = weights
    total = w.shop * shop + w.turnover * size
    if person:
        total += w.head_of_marketing * (1.0 if person == 1 else w.decision_maker)
    done = traits.done
    total += w.forms * log(1 + done.forms) + w.visits * log(1 + done.visits)
    total += w.mail_clicks * log(1 + done.mail_clicks)
    if done.idle is not None:
        total += w.recency * 0.5 ** (done.idle / w.half_life)
    return total - (w.not_a_buyer if traits.kind in _NOT_BUYING else 0.0)


@dataclass(frozen=True, slots=True)
class Odds:
    """The chances under one seed and effect: weights, and the constant that keeps the rate."""

    weights: Weights
    effect: float
    constant: float

    def quality(self, random: Random) -> float:
        """Draw the hidden part of a decision, in log-odds."""
        return random.gauss(0.0, self.weights.spread)

    def chance(self, traits: Traits, quality: float) -> float:
        """The probability that this person, once worked, becomes a customer."""
        causes = self.effect * evidence(traits, self.weights) if self.effect else 0.0
        return _probability(self.constant + causes + quality)


def odds(weights: Weights, effect: float, sample: Sequence[Traits], seed: int | str) -> Odds:
    """Chances whose average over the sample is the rate that was drawn, whatever the effect."""
    random = Random(f"{seed}/calibration")
    pushes = [
        (effect * evidence(traits, weights) if effect else 0.0) + random.gauss(0.0, weights.spread)
        for traits in sample
    ]
    # Far enough out that even the strongest causes cannot hold the average above or below the rate.
    low, high = -10.0 - max(pushes), 10.0 - min(pushes)
    for _ in range(50):
        constant = (low + high) / 2
        average = sum(_probability(constant + push) for push in pushes) / len(pushes)
        low, high = (constant, high) if average < weights.rate else (low, constant)
    return Odds(weights, effect, (low + high) / 2)


def _probability(log_odds: float) -> float:
    # As a tangent it cannot overflow, however strong the effect.
    return 0.5 + 0.5 * tanh(log_odds / 2.0)


def _fitting(traits: Traits) -> tuple[int, int, int]:
    """Is it a shop, is it mid-size, and is it the right person (1), another decider (2) or neither (0)."""
    firm = traits.company
    shop = int(firm is not None and firm.kind.name == "online_shop")
    size = int(firm is not None and 20_000_000 <= firm.turnover <= 150_000_000)
    if traits.role == "head_of_marketing":
        return shop, size, 1
    return shop, size, 2 if traits.role in ("head_of_ecommerce", "managing_director") else 0
