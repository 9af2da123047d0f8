"""Why this verdict, what is missing for a surer one, and the smallest change that would alter it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from mapping.lead import currency_column
from mapping.qualification.declared import NOT_KNOWN_YET, Policy
from mapping.qualification.judge import judge
from mapping.qualification.smallest import Change, smallest_change, smallest_to_qualify
from mapping.qualification.wording import Language, fields_of, points_of, why

Answer = Literal["passed", "missed", "not known yet"]


@dataclass(frozen=True, slots=True)
class Missing:
    """A rule, a gate or the question of interest that cannot be judged, and the fields it hangs on.

    ``points`` are what a rule could still give or take, None for the others. ``fields`` are those that are
    blank on this lead.
    """

    kind: Literal["rule", "gate", "interest"]
    name: str
    fields: tuple[str, ...]
    points: int | None = None


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """How one gate stands for this lead."""

    stage: str
    name: str
    decided_by: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Explanation:
    """One lead's verdict, taken apart. ``points``, caps among them, sum to ``verdict["score"]``.

    ``wanted``: the fields to find out while the policy asks for more data instead of judging.

    It quotes the lead's own values: for people who may see the lead, never for a log.
    """

    verdict: Mapping[str, Any]
    why: str
    points: Sequence[Mapping[str, Any]]
    missing: Sequence[Missing]
    gates: Sequence[GateAnswer]
    smallest_change: Change | None
    wanted: Sequence[str] = ()
    company_lead: bool = False
    to_qualify: Change | None = None


def explain(
    lead: pl.DataFrame,
    policy: Policy,
    now: datetime,
    lang: Language = "en",
    *,
    unscored: bool = False,
    qualifying: bool = False,
) -> Explanation:
    """Explain one lead: a frame of one row, as ``judge`` takes it. Raises ``ValueError`` for any other height.

    An ``unscored`` lead has no points, and nobody works out what would bring it some. ``qualifying``: work out what
    would make sales get it, too, which tries up to two thousand pairs of facts.
    """
    if lead.height != 1:
        raise ValueError(f"explain takes one lead, not {lead.height}")
    verdict = judge(lead, policy, now, pl.Series([unscored])).row(0, named=True)
    row = {**lead.row(0, named=True), **verdict}
    missing = _missing(row, policy)
    asks = verdict["temperature"] == NOT_KNOWN_YET
    return Explanation(
        verdict=verdict,
        why=why(verdict["stage_why"], lang),
        points=points_of(row, policy, lang),
        missing=missing,
        gates=_gates(row, policy),
        smallest_change=None if unscored else smallest_change(lead, policy, now, verdict),
        wanted=tuple(
            dict.fromkeys(name for one in missing if asks and one.kind == "rule" for name in one.fields)
        ),
        company_lead=bool(row.get("is_company_only")),
        to_qualify=smallest_to_qualify(lead, policy, now, verdict) if qualifying and not unscored else None,
    )


def _blank(row: Mapping[str, Any], fields: Sequence[str]) -> tuple[str, ...]:
    """Those of the fields that are blank; an amount may instead lack a currency, or a rate for it."""
    blank = [name for name in fields if row.get(name) is None]
    codes = [currency_column(name) for name in fields if row.get(name) is not None]
    return tuple(blank or [code for code in codes if code in row] or fields)


def _missing(row: Mapping[str, Any], policy: Policy) -> list[Missing]:
    missing: list[Missing] = []
    for place, rule in enumerate(policy.rules):
        if row[f"_u{place}"]:
            missing.append(Missing("rule", rule.name, _blank(row, fields_of(rule)), rule.points))
    for place, gate in enumerate(policy.gates):
        if row[f"_g{place}"] is None:
            missing.append(Missing("gate", gate.name, _blank(row, gate.when.fields)))
    if row["stage_why"] == "interest_unknown":
        missing.append(Missing("interest", "interest", _blank(row, policy.interest.fields)))
    return missing


def _gates(row: Mapping[str, Any], policy: Policy) -> list[GateAnswer]:
    words: Mapping[bool | None, Answer] = {True: "passed", False: "missed", None: "not known yet"}
    return [
        GateAnswer(gate.stage.value, gate.name, gate.decided_by, words[row[f"_g{place}"]])
        for place, gate in enumerate(policy.gates)
    ]
