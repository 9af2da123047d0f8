"""Golden leads: people as marketing and sales know them, and what both expect the policy to say of them.

golden = read_golden(table, policy, vocabularies=words)
failures = failures_of(golden, policy)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from mapping.identity import derive
from mapping.lead import DERIVED_FIELDS, columns_of
from mapping.qualification.declared import Policy
from mapping.qualification.goldenread import GATE_ANSWERS, MOST, WORDS, Golden
from mapping.qualification.judge import judge
from mapping.qualification.score import PREVIOUS_SCHEMA
from mapping.qualification.wording import points_of, why

_SAID = {answer: word for word, answer in GATE_ANSWERS.items()}


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that did not come true. ``because`` names the rule, gate or move that made it so."""

    lead: str
    what: str
    expected: str
    came: str
    because: str


def golden_frame(golden: Sequence[Golden], policy: Policy) -> pl.DataFrame:
    """Golden leads as ``judge`` takes them; ``lead_id`` is the lead's place. What is not named is null."""
    schema = columns_of({name: one for name, one in policy.fields.items() if name not in DERIVED_FIELDS})
    there = {"in_hubspot": pl.Boolean(), "in_salesforce": pl.Boolean()}
    whole = {"lead_id": pl.String(), **schema, **there, **PREVIOUS_SCHEMA}
    rows = [{"lead_id": str(place), **one.facts, **one.before} for place, one in enumerate(golden)]
    columns = {name: [row.get(name) for row in rows] for name in whole}
    return derive(
        pl.DataFrame([pl.Series(name, columns[name], dtype=whole[name], strict=False) for name in whole])
    )


def verdicts_of(golden: Sequence[Golden], policy: Policy) -> list[dict[str, Any]]:
    """What the policy says of each golden lead, in their order; all of one moment are judged together."""
    found: dict[int, dict[str, Any]] = {}
    for now in sorted({one.now for one in golden}):
        places = [place for place, one in enumerate(golden) if one.now == now]
        verdicts = judge(golden_frame([golden[place] for place in places], policy), policy, now)
        found |= dict(zip(places, verdicts.rows(named=True), strict=True))
    return [found[place] for place in range(len(golden))]


def failures_of(golden: Sequence[Golden], policy: Policy) -> list[Failure]:
    """Every expectation that did not come true, in the order of the leads."""
    return [
        failure
        for one, verdict in zip(golden, verdicts_of(golden, policy), strict=True)
        for failure in _compared(one, verdict, policy)
    ]


def _compared(one: Golden, verdict: Mapping[str, Any], policy: Policy) -> list[Failure]:
    because = {"stage": _of_stage(verdict, policy), "stage_why": _of_stage(verdict, policy)}
    points = _of_score(verdict, policy)
    names = {column: name for name, column in WORDS.items()}
    failures = [
        Failure(one.name, names[column], word, str(verdict[column]), because.get(column, points))
        for column, word in one.words.items()
        if verdict[column] != word
    ]
    failures += [
        Failure(one.name, column, _range(low, high), str(verdict[column]), points)
        for column, (low, high) in one.numbers.items()
        if not low <= verdict[column] <= high
    ]
    for place, gate in enumerate(policy.gates):
        came = _SAID[verdict[f"_g{place}"]]
        if one.gates.get(gate.name, came) != came:
            failures.append(
                Failure(one.name, f"gate “{gate.name}”", one.gates[gate.name], came, gate.when.text)
            )
    for place, rule in enumerate(policy.rules):
        given = verdict[f"_p{place}"]
        if one.points.get(rule.name, given) != given:
            open_ = "not known: " if verdict[f"_u{place}"] else ""
            failures.append(
                Failure(one.name, f"points of “{rule.name}”", str(one.points[rule.name]), str(given),
                        open_ + rule.when.text)
            )  # fmt: skip
    if one.track is not None and (verdict["nurture_track"] or "") != one.track:
        came = verdict["nurture_track"] or "none"
        failures.append(Failure(one.name, "track", one.track or "none", came, _of_track(verdict, policy)))
    return failures


def _range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    ends = (f"from {low}" if low > -MOST else "", f"to {high}" if high < MOST else "")
    return " ".join(filter(None, ends))


def _of_stage(verdict: Mapping[str, Any], policy: Policy) -> str:
    """The move that put the lead where it stands, and the gates and points behind it."""
    gates = [
        f"gate “{gate.name}” {_SAID[verdict[f'_g{place}']]}"
        for place, gate in enumerate(policy.gates)
        if verdict[f"_g{place}"] is not True
    ]
    parts = [why(verdict["stage_why"]), *gates, f"{verdict['temperature']} by {_of_score(verdict, policy)}"]
    return "; ".join(parts)


def _of_score(verdict: Mapping[str, Any], policy: Policy) -> str:
    counted = [f"{point['points']:+d} {point['rule']}" for point in points_of(verdict, policy)]
    open_ = [rule.name for place, rule in enumerate(policy.rules) if verdict[f"_u{place}"]]
    total = f"{verdict['score']} points ({', '.join(counted) or 'nothing counted'})"
    return total + (f"; not known: {', '.join(open_)}" if open_ else "")


def _of_track(verdict: Mapping[str, Any], policy: Policy) -> str:
    chosen = [track.name for track in policy.tracks if track.track == verdict["nurture_track"]]
    return f"{verdict['stage']} lead, {chosen[0] if chosen else 'no track is meant for it'}"
