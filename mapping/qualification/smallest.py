"""The smallest change that would alter a verdict: one new fact, or two where no single one does.

Each is found by applying it to the lead and judging again, so what is offered is what would come of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

import polars as pl

from mapping.lead import STAGE_RANK, Stage
from mapping.qualification.declared import Policy
from mapping.qualification.facts import Fact, possible_facts
from mapping.qualification.judge import judge

#: Pairs of facts that are tried at most, those that come easiest first.
MOST_PAIRS = 2_000

Row = Mapping[str, Any]
#: One fact, or two that would have to become true together.
Together = tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """New facts, one or two, and the verdict they would bring; found by applying them and judging again."""

    facts: Together
    score: int
    temperature: str
    stage: str
    stage_why: str

    @property
    def what(self) -> str:
        return " and ".join(fact.what for fact in self.facts)

    @property
    def values(self) -> dict[str, Any]:
        """The lead columns that the facts set."""
        return _values(self.facts)


def smallest_change(lead: pl.DataFrame, policy: Policy, now: datetime, verdict: Row) -> Change | None:
    """The new fact that alters stage or temperature and is the easiest to come by; else two facts that move the lead
    forward together; None where neither is found.

    ``lead``: one row, as ``judge`` takes it; ``verdict``: what came of it. A move forward goes before a move back,
    then what comes easier (``Fact.effort``), then what moves the score least. Of what is ``Fact.forward_only`` a move
    back is not told.
    """
    facts = possible_facts(lead.row(0, named=True), policy, now)
    return _best(lead, policy, now, verdict, [(fact,) for fact in facts]) or _best(
        lead, policy, now, verdict, list(_easiest_pairs(facts)), forward_only=True
    )


def smallest_to_qualify(lead: pl.DataFrame, policy: Policy, now: datetime, verdict: Row) -> Change | None:
    """The easiest new fact, else the easiest two, that would make sales get the lead.

    None where they have it already or had it, and where no two facts would do it.
    """
    if STAGE_RANK[Stage(verdict["stage"])] >= STAGE_RANK[Stage.MQL]:
        return None
    facts = possible_facts(lead.row(0, named=True), policy, now)
    for tried in ([(fact,) for fact in facts], list(_easiest_pairs(facts))):
        found = _best(lead, policy, now, verdict, tried, least=Stage.MQL)
        if found is not None:
            return found
    return None


def _easiest_pairs(facts: Sequence[Fact]) -> Iterable[Together]:
    """Two facts about different columns each, by what both take together."""

    def pairs() -> Iterator[Together]:
        for one, other in combinations(facts, 2):
            if not one.values.keys() & other.values.keys():
                yield one, other

    return sorted(pairs(), key=lambda both: sum(fact.effort for fact in both))[:MOST_PAIRS]


def _best(
    lead: pl.DataFrame,
    policy: Policy,
    now: datetime,
    before: Row,
    tried: Sequence[Together],
    *,
    forward_only: bool = False,
    least: Stage | None = None,
) -> Change | None:
    if not tried:
        return None
    found = []
    for number, after in enumerate(judge(_applied(lead, tried), policy, now).iter_rows(named=True)):
        if (after["stage"], after["temperature"]) == (before["stage"], before["temperature"]):
            continue
        if least is not None and STAGE_RANK[Stage(after["stage"])] < STAGE_RANK[least]:
            continue
        forward, gained = _forward(before, after), abs(after["score"] - before["score"])
        if forward or not (forward_only or any(fact.forward_only for fact in tried[number])):
            effort = sum(fact.effort for fact in tried[number])
            found.append(((not forward, effort, gained, number), after))
    if not found:
        return None
    (*_, number), after = min(found, key=lambda one: one[0])
    names = ("score", "temperature", "stage", "stage_why")
    return Change(tried[number], **{name: after[name] for name in names})


def _applied(lead: pl.DataFrame, tried: Sequence[Together]) -> pl.DataFrame:
    """The lead once for each of these, with what they set."""
    rows = [_values(facts) for facts in tried]
    changed = {name for row in rows for name in row} & set(lead.columns)
    same = lead.select(pl.all().repeat_by(len(rows)).explode())
    before, schema = lead.row(0, named=True), lead.schema
    return same.with_columns(
        pl.Series(name, [row.get(name, before[name]) for row in rows], dtype=schema[name])
        for name in sorted(changed)
    )


def _values(facts: Together) -> dict[str, Any]:
    return {name: value for fact in facts for name, value in fact.values.items()}


def _forward(before: Row, after: Row) -> bool:
    gained: int = after["score"] - before["score"]
    return (STAGE_RANK[Stage(after["stage"])] - STAGE_RANK[Stage(before["stage"])] or gained) > 0
