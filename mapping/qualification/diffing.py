"""Two policies on the same leads: who would stand elsewhere, in which direction, and which change does it.

Both verdicts start from the same last verdict, so the difference is what the other policy would change at the
next run, and nothing that time alone changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from mapping.lead import STAGE_RANK, Stage
from mapping.qualification.declared import Policy
from mapping.qualification.judge import judge
from mapping.qualification.policy import load_policy
from mapping.qualification.score import prepare, score
from mapping.qualification.stages import stages
from mapping.qualification.tables import PolicyProblems
from mapping.qualification.truths import differ, holds

#: Where no single change moves the lead: they do it together.
TOGETHER = "several changes together"
#: What is told of a lead in the sample.
SAMPLE: dict[str, pl.DataType] = {
    "lead_id": pl.String(),
    "stage": pl.String(),
    "stage_then": pl.String(),
    "temperature": pl.String(),
    "temperature_then": pl.String(),
    "score": pl.Int32(),
    "score_then": pl.Int32(),
    "because": pl.String(),
}
_COMPARED = ("stage", "temperature")
#: What a policy lists by name, and what stands in it once; each change is tried alone.
_LISTED = (("rule", "fit"), ("rule", "engagement"), ("gate", "gates"), ("evidence", "evidence"))
_ALONE = ("temperature", "caps", "ask_below", "interest", "never", "stages", "reentry", "rates", "currency")
_RANKS = {stage.value: STAGE_RANK[stage] for stage in Stage}


@dataclass(frozen=True, slots=True)
class Single:
    """Our policy with one change of the other one's, and the change in words."""

    what: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Diff:
    """Who would stand elsewhere. Numbers are leads.

    ``stages`` and ``temperatures``: (now, then) to a number, only where they differ. ``because``: the change
    that alone moves so many, or ``TOGETHER``. ``sample`` has the columns of ``SAMPLE``, a few leads of each
    direction (stage and temperature, now and then).
    """

    leads: int
    moved: int
    forward: int
    back: int
    mql_gained: int
    mql_lost: int
    stages: Mapping[tuple[str, str], int]
    temperatures: Mapping[tuple[str, str], int]
    because: Mapping[str, int]
    sample: pl.DataFrame

    @property
    def stage_changes(self) -> int:
        """Leads that would stand at another stage."""
        return sum(self.stages.values())


def singles(ours: Policy, other: Policy, *, vocabularies: Mapping[str, Sequence[str]]) -> list[Single]:
    """Each change that makes ``other`` of ``ours``, alone. One that cannot stand alone is left out."""
    found: list[Single] = []
    for what, table in _changed_tables(ours.as_table(), other.as_table()):
        try:
            policy = load_policy(table, fields=ours.fields, vocabularies=vocabularies)
        except PolicyProblems:
            continue  # a gate on another currency's rate, say, loads only with the rate
        found.append(Single(what, policy))
    return found


def _changed_tables(
    ours: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterable[tuple[str, dict[str, Any]]]:
    mine, theirs = ours["policy"], other["policy"]
    for kind, group in _LISTED:
        before, after = _named(mine.get(group, [])), _named(theirs.get(group, []))
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) == after.get(name):
                continue
            listed = {key: item for key, item in before.items() if key != name}
            if name in after:  # in the place where it stood, else last: the order of rules gives no points
                listed = {**before, name: after[name]}
            changed = {**mine, group: list(listed.values())}
            yield _said(kind, name[-1], before.get(name), after.get(name)), {**ours, "policy": changed}
    for key in _ALONE:
        if mine.get(key) != theirs.get(key):
            kept = {name: value for name, value in mine.items() if name != key}
            added = {key: theirs[key]} if key in theirs else {}
            yield f"{key} changed", {**ours, "policy": {**kept, **added}}


def _named(items: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Rules by name; gates and evidence of several stages may share one."""
    return {(str(item.get("stage", "")), str(item["name"])): item for item in items}


def _said(kind: str, name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    if before is None:
        points = f", {after['points']:+d} points" if after and "points" in after else ""
        return f"new {kind} “{name}”{points}"
    if after is None:
        return f"{kind} “{name}” is gone"
    if before.get("points") != after.get("points"):
        return f"{kind} “{name}”: {before['points']:+d} points become {after['points']:+d}"
    changed = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    return f"{kind} “{name}”: another {', '.join(changed)}"


@dataclass(frozen=True, slots=True)
class Compared:
    """Some leads judged by both policies: how many they are, and those of them that would stand elsewhere.

    ``moved``: ``lead_id``, and ``stage temperature score`` now and, under names ending in ``_then``, by the other
    policy. ``inputs``: the same leads in the same order, as ``judge`` takes them.
    """

    leads: int
    moved: pl.DataFrame
    inputs: pl.DataFrame


def compare(leads: pl.DataFrame, ours: Policy, other: Policy, now: datetime) -> Compared:
    """Judge the leads by both policies. ``leads`` is what ``judge`` takes, with the columns that either needs.

    What both ask is asked once, and what a verdict has beside stage, temperature and score is left out.
    """
    mine, theirs = prepare(leads, ours, now), prepare(leads, other, now)
    if (ours.currency, ours.rates_at(now)) == (other.currency, other.rates_at(now)):
        theirs |= ours.asked.by_text(mine)
        mine |= theirs
    columns = _compared(mine, ours, now)
    columns |= {f"{name}_then": column for name, column in _compared(theirs, other, now).items()}
    differs = holds(
        differ(columns["stage"], columns["stage_then"])
        | differ(columns["temperature"], columns["temperature_then"])
    )
    both = pl.DataFrame([leads["lead_id"], *(column.alias(name) for name, column in columns.items())])
    return Compared(leads.height, both.filter(differs), leads.filter(differs))


def _compared(prepared: Mapping[str, pl.Series], policy: Policy, now: datetime) -> dict[str, pl.Series]:
    """``stage temperature score`` of leads that ``score.prepare`` made ready, as ``judge`` gives them."""
    scored = score(prepared, policy)
    placed = stages(prepared, scored, policy, now)
    return {"stage": placed.columns["stage"], "temperature": scored.temperature, "score": scored.score}


def diff(
    leads: pl.DataFrame,
    ours: Policy,
    other: Policy,
    now: datetime,
    changes: Sequence[Single],
    *,
    each: int = 3,
) -> Diff:
    """``compare`` and ``told`` of leads that are there all at once."""
    return told([compare(leads, ours, other, now)], changes, now, each=each)


def told(
    parts: Sequence[Compared], changes: Sequence[Single], now: datetime, *, each: int | None = 3
) -> Diff:
    """What comparing came to. ``parts``: at least one. ``changes``: see ``singles``; each is tried alone on the leads
    that moved, on those of all parts at once. ``each``: leads of every direction in the sample, None: all."""
    moved = pl.concat([part.moved for part in parts])
    inputs = pl.concat([part.inputs for part in parts])
    moved = moved.with_columns(because=_because(inputs, moved, changes, now))
    rank, then = (
        pl.col(name).replace_strict(_RANKS, return_dtype=pl.Int8) for name in ("stage", "stage_then")
    )
    mql, mql_then = (pl.col(name) == Stage.MQL.value for name in ("stage", "stage_then"))
    forward, back, gained, lost = moved.select(
        (then > rank).sum().alias("forward"),
        (then < rank).sum().alias("back"),
        (mql_then & ~mql).sum().alias("gained"),
        (mql & ~mql_then).sum().alias("lost"),
    ).row(0)
    return Diff(
        sum(part.leads for part in parts), moved.height, forward, back, gained, lost,
        _counted(moved, "stage"), _counted(moved, "temperature"),
        dict(moved["because"].value_counts().rows()), sampled(moved, each),
    )  # fmt: skip


def _because(leads: pl.DataFrame, moved: pl.DataFrame, changes: Sequence[Single], now: datetime) -> pl.Series:
    """Per moved lead the first change that alone makes the other policy's verdict of it."""
    because = pl.Series("because", [TOGETHER], dtype=pl.String).new_from_index(0, moved.height)
    if moved.is_empty():
        return because
    for change in reversed(changes):
        alone = judge(leads, change.policy, now)
        makes_it = pl.Series([True]).new_from_index(0, moved.height)
        for name in _COMPARED:
            makes_it &= alone[name].eq_missing(moved[f"{name}_then"])
        because = because.zip_with(
            ~makes_it, pl.Series([change.what], dtype=pl.String).new_from_index(0, moved.height)
        )
    return because.alias("because")


def _counted(moved: pl.DataFrame, name: str) -> dict[tuple[str, str], int]:
    elsewhere = moved.filter(pl.col(name).ne_missing(pl.col(f"{name}_then")))
    return {(now, then): count for now, then, count in elsewhere.group_by(name, f"{name}_then").len().rows()}


def sampled(moved: pl.DataFrame, each: int | None) -> pl.DataFrame:
    """So many leads of each direction, None: all; ``SAMPLE``, by direction. ``moved`` has at least its columns."""
    directions = [column for name in _COMPARED for column in (name, f"{name}_then")]
    first = moved
    if each is not None:
        first = moved.sort("lead_id").group_by(directions, maintain_order=True).head(each)
    return first.select(pl.col(name).cast(dtype) for name, dtype in SAMPLE.items()).sort(
        *directions, "lead_id"
    )


def together(parts: Sequence[Diff], *, each: int | None = 3) -> Diff:
    """The diffs of slices of leads as one."""
    stages: Counter[tuple[str, str]] = Counter()
    temperatures: Counter[tuple[str, str]] = Counter()
    because: Counter[str] = Counter()
    for part in parts:
        stages.update(part.stages)
        temperatures.update(part.temperatures)
        because.update(part.because)
    nothing = pl.DataFrame(schema=SAMPLE)
    sample = pl.concat([nothing, *(part.sample for part in parts)])
    names = ("leads", "moved", "forward", "back", "mql_gained", "mql_lost")
    sums = {name: sum(getattr(part, name) for part in parts) for name in names}
    return Diff(
        **sums, stages=stages, temperatures=temperatures, because=because, sample=sampled(sample, each)
    )
