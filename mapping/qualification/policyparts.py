"""The parts of a policy beside its rules: caps, the grid, evidence, re-entry and nurture tracks, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from mapping.lead import Stage
from mapping.own import OWN_FIELDS
from mapping.qualification.columns import Column, Kind, nearest
from mapping.qualification.declared import (
    RETURNED_DAYS,
    Cap,
    Evidence,
    Grid,
    Group,
    Reentry,
    Rule,
    Track,
)
from mapping.qualification.tables import Table

GROUPS: tuple[Group, Group] = ("fit", "engagement")
#: What a declared fact can say; everything else is decided by score, gates and sales.
_SHOWN_BY_EVIDENCE = ("opportunity", "customer", "former_customer", "nurture")
#: Characters that the field of each verdict column takes in both CRMs.
_SHOWN = {own.verdict: own.length for own in OWN_FIELDS}
_STAGE_WORDS = tuple(stage.value for stage in Stage)


def caps_of(table: Table, rules: Sequence[Rule]) -> tuple[Cap, ...]:
    """``[policy.caps]``: the most that the rules of one name may give together, then those of fit or engagement."""
    named = {name: table.whole(name, default=None, low=1, high=10_000) for name in table.keys()}  # noqa: SIM118
    places: dict[str, list[int]] = {}
    for place, rule in enumerate(rules):
        if rule.cap is not None:
            places.setdefault(rule.cap, []).append(place)
    for name in places:
        if name not in named:
            near = nearest(name, named)
            hint = f"; did you mean “{near}”?" if near else ""
            table.problem(name, f"rules share the cap “{name}”, and no number is given for it{hint}")
    caps = [
        _cap(table, name, most, places.get(name, []), rules)
        for name, most in named.items()
        if most is not None and name not in GROUPS
    ]
    for group in GROUPS:
        most = named.get(group)
        if most is not None:
            whole = tuple(place for place, rule in enumerate(rules) if rule.group == group)
            caps.append(Cap(group, group, most, whole, whole=True))
    table.done()
    return tuple(cap for cap in caps if cap is not None)


def _cap(table: Table, name: str, most: int, places: Sequence[int], rules: Sequence[Rule]) -> Cap | None:
    groups = {rules[place].group for place in places}
    if not groups:
        table.problem(name, f'no rule shares it; write cap = "{name}" into those that do')
        return None
    if len(groups) > 1:
        table.problem(name, "a cap is for rules of fit or for rules of engagement, not for both")
        return None
    return Cap(name, groups.pop(), most, tuple(places))


def grid_of(table: Table) -> Grid | None:
    """``[policy.grid]``: where A and B of fit, and 1 and 2 of engagement begin; None where it is left out."""
    lines = {group: _two_lines(table, group) for group in GROUPS}
    table.done()
    fit, engagement = lines["fit"], lines["engagement"]
    return Grid(fit, engagement) if fit and engagement else None


def _two_lines(table: Table, group: Group) -> tuple[int, int] | None:
    value = table.get(group)
    good = isinstance(value, list) and len(value) == 2
    if not good or not all(isinstance(line, int) and not isinstance(line, bool) for line in value):
        table.problem(group, "expected two whole numbers, the higher first, such as [40, 20]")
        return None
    high, low = value
    if not 10_000 >= high > low >= -10_000:
        table.problem(group, f"the first number has to be the higher one, found {value}")
        return None
    return high, low


def evidence_of(item: Table, columns: Mapping[str, Column]) -> Evidence | None:
    """One ``[[policy.evidence]]``: a fact that moves a lead by itself."""
    name = item.text("name", needed=True)
    stage = item.choice("stage", _SHOWN_BY_EVIDENCE, default="opportunity", needed=True)
    when = item.condition("when", columns)
    item.done()
    return Evidence(Stage(stage), name, when) if name and when is not None else None


def reentry_of(table: Table, columns: Mapping[str, Column]) -> Reentry | None:
    """``[policy.reentry]``: after how many days, or on which new evidence, a lead may be handed over again."""
    days = table.whole("after_days", default=None, low=0, high=3650)
    known = {
        **columns,
        RETURNED_DAYS: Column(RETURNED_DAYS, Kind.NUMBER, RETURNED_DAYS, RETURNED_DAYS, pl.Int32()),
    }
    table.get("or_when")  # so that a misspelt key is told the nearest one
    when = table.condition("or_when", known) if table.has("or_when") else None
    table.done()
    if days is None and when is None:
        table.problem("", "expected after_days, or_when, or both")
        return None
    return Reentry(days, when)


def track_of(item: Table, columns: Mapping[str, Column]) -> Track | None:
    """One ``[[nurture]]``: content for whom, and what ends it."""
    name = item.text("name", needed=True, longest=_SHOWN["nurture_question"])
    when = item.condition("when", columns)
    track = item.text("track", needed=True, longest=_SHOWN["nurture_track"])
    content = item.text("format", longest=_SHOWN["nurture_format"]) or None
    stages = item.choices("stages", _STAGE_WORDS, default=("nurture",))
    item.get("exit")  # so that a misspelt key is told the nearest one
    done = item.condition("exit", columns) if item.has("exit") else None
    item.done()
    if not name or not track or when is None:
        return None
    found = Track(name, when, track, content, tuple(map(Stage, stages)))
    return replace(found, exit=done) if done is not None else found
