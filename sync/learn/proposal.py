"""Propose points and half-lives from the past, and measure them beside the hand-made ones on what was held out.

evidence = how much of each rule held for each lead of the past
fitted   = fit(evidence)            # weights.py
policy   = whole points of the weights, bands where as many leads stand in them as before
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from mapping.qualification.backtest import (
    Measured,
    Split,
    judge_cases,
    measured,
    parted,
    usable,
    verdicts_then,
)
from mapping.qualification.backtest_ranking import Area, auc_difference
from mapping.qualification.backtest_rates import Rate, rate_of
from mapping.qualification.declared import Policy
from mapping.qualification.policy import load_policy
from sync.learn.weights import Evidence, Fitted, fit
from sync.ourpolicy import VOCABULARIES

#: Half-lives that are tried, in days, beside the declared one.
HALF_LIVES = tuple(map(Decimal, (7, 14, 30, 60, 120, 240)))
#: A rule that fewer past leads met, or did not meet, keeps its points: there is nothing to learn from.
LEAST_MET = 20
#: Outcomes needed in the past: so many at least, and so many for each rule that is learned.
LEAST_OUTCOMES, FOR_EACH_RULE = 50, 5
#: Outcomes, and others, needed in the held-out part to compare the two policies.
LEAST_HELD_OUT = 10
_WHOLE = 1000


@dataclass(frozen=True)
class Learned:
    """One rule before and after. ``met``, ``unmet``: who reached the outcome in the past, with it and without.

    ``points`` 0: the rule says nothing and is left out. ``kept``: too few met it to learn from.
    """

    name: str
    by_hand: int
    points: int
    half_life_by_hand: Decimal | None
    half_life: Decimal | None
    met: Rate
    unmet: Rate
    kept: bool


@dataclass(frozen=True)
class Proposal:
    """A learned policy (``table`` as a policy file has it), and both measured on the held-out part.

    ``difference``: the learned ROC AUC less the hand-made one. ``policy`` None: nothing was learned, and ``why``
    says so.
    """

    why: str
    split: Split
    split_at: datetime | None
    past: Rate
    by_hand: Measured
    left_out: int = 0
    rules: Sequence[Learned] = ()
    policy: Policy | None = None
    learned: Measured | None = None
    difference: Area | None = None

    @property
    def table(self) -> dict[str, Any]:
        return {} if self.policy is None else self.policy.as_table()


def propose(
    cases: pl.DataFrame, policy: Policy, *, test_share: float = 0.2, horizon_days: int | None = None
) -> Proposal:
    """Learn from the past part of the cases (``CASE`` and the policy's columns), measure on the held-out part.

    ``horizon_days``: how long outcomes were watched for; a lead whose outcome was not known yet when the held-out
    part began is not learned from.
    """
    known, _ = usable(cases)
    past, held_out, split, cut = parted(known, test_share)
    seen = _known_by(past, cut, horizon_days)
    reached = rate_of(int(seen["outcome"].sum()), seen.height)
    by_hand = measured(judge_cases(held_out, policy), policy)
    nothing = Proposal("", split, cut, reached, by_hand, past.height - seen.height)
    met = _met(seen, policy, {})
    learnable = [name for name in met.columns if _varies(met[name])]
    why = _too_few(reached, by_hand.rate, len(learnable))
    if why:
        return replace(nothing, why=why)
    fitted = fit(_evidence(seen, policy, met), _signs(policy), learnable, _half_lives(policy))
    points = _points(policy, fitted, learnable)
    if not any(points[int(name)] for name in learnable):
        return replace(nothing, why="no rule tells who reached the outcome, so there is nothing to propose")
    rules = _learned(policy, fitted, points, learnable, met, seen["outcome"])
    proposed = _with_bands(_loaded(policy, rules), policy, seen)
    theirs = judge_cases(held_out, proposed)
    return replace(
        nothing,
        rules=rules,
        policy=proposed,
        learned=measured(theirs, proposed),
        difference=auc_difference(judge_cases(held_out, policy)["score"], theirs["score"], theirs["outcome"]),
    )


def _known_by(past: pl.DataFrame, cut: datetime | None, horizon_days: int | None) -> pl.DataFrame:
    ordered = past.sort("at", maintain_order=True)
    if cut is None or horizon_days is None:
        return ordered
    return ordered.filter(pl.col("at") + timedelta(days=horizon_days) <= cut)


def _too_few(past: Rate, held_out: Rate, rules: int) -> str:
    needed = max(LEAST_OUTCOMES, FOR_EACH_RULE * rules)
    fewer = min(past.outcomes, past.leads - past.outcomes)
    if fewer < needed:
        return (
            f"too few conversions to learn from: the past has {past.outcomes} among {past.leads} leads, and"
            f" {needed} that reached the outcome, and as many that did not, are needed for {rules} rules"
        )
    if min(held_out.outcomes, held_out.leads - held_out.outcomes) < LEAST_HELD_OUT:
        return (
            f"too few conversions to test on: {held_out.outcomes} among {held_out.leads} held-out leads, and"
            f" {LEAST_HELD_OUT} are needed on either side"
        )
    return ""


def _signs(policy: Policy) -> dict[str, int]:
    return {str(place): 1 if rule.points > 0 else -1 for place, rule in enumerate(policy.rules)}


def _half_lives(policy: Policy) -> dict[str, Decimal]:
    return {str(place): rule.half_life_days for place, rule in enumerate(policy.rules) if rule.half_life_days}


def _met(cases: pl.DataFrame, policy: Policy, half_lives: Mapping[str, Decimal]) -> pl.DataFrame:
    """How much of each rule holds for each case, 0 to 1: points out of a thousand. Columns by the rule's place."""
    table = policy.as_table()
    for place, rule in enumerate(_rule_tables(table)):
        rule["points"] = _WHOLE if policy.rules[place].points > 0 else -_WHOLE
        if str(place) in half_lives:
            rule["half_life_days"] = str(half_lives[str(place)])
    counted = load_policy(table, fields=policy.fields, vocabularies=VOCABULARIES)
    verdicts = verdicts_then(cases, counted, [f"_p{place}" for place in range(len(policy.rules))])
    return verdicts.select(
        (pl.col(name).cast(pl.Float64).abs() / _WHOLE).alias(name.removeprefix("_p"))
        for name in verdicts.columns
    )


def _rule_tables(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules of a policy's tables, in the order of ``Policy.rules``."""
    inner = table["policy"]
    return [*inner.get("fit", []), *inner.get("engagement", [])]


def _varies(column: pl.Series) -> bool:
    """Enough leads met the rule, and enough met it otherwise: not at all, or longer ago."""
    counted = column.value_counts()
    commonest = int(counted["count"].max() or 0)  # type: ignore[arg-type]
    return int((column > 0).sum()) >= LEAST_MET and len(column) - commonest >= LEAST_MET


def _evidence(cases: pl.DataFrame, policy: Policy, met: pl.DataFrame) -> Evidence:
    ageing = _half_lives(policy)
    other: dict[str, dict[Decimal, pl.Series]] = {name: {} for name in ageing}
    for half_life in HALF_LIVES if ageing else ():
        tried = _met(cases, policy, dict.fromkeys(ageing, half_life))
        for name in ageing:
            other[name][half_life] = tried[name]
    return Evidence(met, other, cases["outcome"])


def _points(policy: Policy, fitted: Fitted, learnable: Sequence[str]) -> list[int]:
    """Whole points; the learned rules together are worth as many as the hand-made ones were."""
    points = [rule.points for rule in policy.rules]
    weights = sum(fitted.weights[name] for name in learnable)
    scale = sum(abs(points[int(name)]) for name in learnable) / weights if weights > 0 else 0.0
    for name in learnable:
        size = min(_WHOLE, round(fitted.weights[name] * scale))
        points[int(name)] = size if points[int(name)] > 0 else -size
    return points


def _learned(
    policy: Policy,
    fitted: Fitted,
    points: Sequence[int],
    learnable: Sequence[str],
    met: pl.DataFrame,
    outcome: pl.Series,
) -> list[Learned]:
    found = []
    for place, rule in enumerate(policy.rules):
        with_it, without = outcome.filter(met[str(place)] > 0), outcome.filter(met[str(place)] <= 0)
        found.append(
            Learned(
                rule.name, rule.points, points[place], rule.half_life_days, fitted.half_lives.get(str(place)),
                rate_of(int(with_it.sum()), len(with_it)), rate_of(int(without.sum()), len(without)),
                str(place) not in learnable,
            )
        )  # fmt: skip
    return found


def _loaded(policy: Policy, rules: Sequence[Learned]) -> Policy:
    """The policy with the learned points; a rule for no points is left out."""
    table = policy.as_table()
    by_name = {rule.name: rule for rule in rules}
    for group in ("fit", "engagement"):
        kept = [item for item in table["policy"].get(group, []) if by_name[item["name"]].points]
        for item in kept:
            learned = by_name[item["name"]]
            item["points"] = learned.points
            if learned.half_life is not None:
                item["half_life_days"] = _plain(learned.half_life)
        if group in table["policy"]:
            table["policy"][group] = kept
    return load_policy(table, fields=policy.fields, vocabularies=VOCABULARIES)


def _plain(number: Decimal) -> int | str:
    return int(number) if number == number.to_integral_value() else str(number)


def _with_bands(proposed: Policy, by_hand: Policy, past: pl.DataFrame) -> Policy:
    """Bands that begin where as many leads of the past reach them as did by hand: sales get as much work as before."""
    before, after = judge_cases(past, by_hand), judge_cases(past, proposed)
    table, highest = proposed.as_table(), None
    for band in by_hand.bands:
        declared = table["policy"]["temperature"].get(band.name)
        if band.total is None or declared is None:
            continue
        total = _as_many(before["score"], after["score"], band.total)
        if highest is not None and total <= highest:
            total = highest + 1
        highest = declared["total"] = total
        if band.fit_at_least is not None:
            declared["fit_at_least"] = _as_many(before["fit"], after["fit"], band.fit_at_least)
    return load_policy(table, fields=proposed.fields, vocabularies=VOCABULARIES)


def _as_many(before: pl.Series, after: pl.Series, line: int) -> int:
    """The line that about as many pass in ``after`` as pass ``line`` in ``before``; unmoved where all or none do."""
    wanted = int((before >= line).sum())
    if wanted in (0, len(before)):
        return line
    tried = after.unique().sort(descending=True)
    passing = [(abs(int((after >= value).sum()) - wanted), -value, value) for value in tried]
    return int(min(passing)[2])
