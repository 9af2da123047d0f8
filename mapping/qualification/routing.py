"""Who gets a lead: the routes as declared, the first one that fits, and whose turn it is on it. Pure.

A route names its people in order, each with a weight and, if wanted, the most open handovers that they may have.
Turns are a smooth weighted round robin: at each turn everybody who can take a lead comes nearer by their weight, the
nearest gets it and steps back by all the weights. Whoever was away comes back to the place where they stood, so
nobody is flooded after a holiday.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import polars as pl

from mapping.qualification.columns import derived_columns
from mapping.qualification.conditions import Condition

_PREFIXES = re.compile(r"([0-9A-Z]+)(?:\s*-\s*([0-9A-Z]+))?")


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody who may get leads of a route; ``owner`` is an e-mail address, or with ``queue`` a queue's name.

    ``capacity``: open handovers at most, None: any number. Raises ValueError for a weight below 1.
    """

    owner: str
    weight: int = 1
    capacity: int | None = None
    queue: bool = False

    def __post_init__(self) -> None:
        if self.weight < 1:
            raise ValueError("a weight is 1 or more")


@dataclass(frozen=True, slots=True)
class Route:
    """One way of a lead to an owner. What is not given asks nothing; an unknown value fits nowhere.

    ``accounts``: domain of a named account to its owner, None: whoever's turn it is. ``postal_codes``: ranges of
    prefixes as (first, last), of one length each.
    """

    name: str
    targets: tuple[Target, ...]
    when: Condition | None = None
    accounts: Mapping[str, str | None] | None = None
    countries: frozenset[str] = frozenset()
    postal_codes: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Desk:
    """Whose turn it is, and how much everybody has on the table. Giving a lead away changes it.

    ``turns``: (route, owner) to how near the turn is. ``open``: owner to open handovers.
    """

    turns: MutableMapping[tuple[str, str], int] = field(default_factory=dict)
    open: MutableMapping[str, int] = field(default_factory=dict)
    #: How the latest turn has moved ``turns``.
    step: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def moves(self, owner: str, before: str | None = None) -> None:
        """A lead is the owner's from now on, and no longer that of whoever had it ``before``."""
        if before is not None and self.open.get(before, 0):
            self.open[before] -= 1
        self.open[owner] = self.open.get(owner, 0) + 1


def prefixes_of(text: str) -> tuple[tuple[str, str], ...]:
    """``80-86, 90`` as ranges of the first characters of a postal code. Raises ValueError."""
    found = []
    for part in (one.strip().upper() for one in text.split(",") if one.strip()):
        said = _PREFIXES.fullmatch(part)
        if said is None or len(said[2] or said[1]) != len(said[1]) or (said[2] or said[1]) < said[1]:
            raise ValueError("not a range of postal codes")
        found.append((said[1], said[2] or said[1]))
    return tuple(found)


def routed_by(
    leads: pl.DataFrame, routes: Sequence[Route], now: datetime, currency: str, rates: Mapping[str, Decimal]
) -> pl.Series:
    """The place of the first route that fits each lead; null where none does.

    ``leads``: the lead's fields and the verdict, with ``email_domain``.
    """
    first = pl.lit(None, dtype=pl.Int32())
    for place, route in reversed(list(enumerate(routes))):
        fits = _fits(leads, route, now, currency, rates)
        first = pl.when(pl.lit(fits)).then(pl.lit(place, dtype=pl.Int32())).otherwise(first)
    return leads.select(pl.repeat(0, pl.len()).alias("_"), first.alias("route"))["route"]


def _fits(
    leads: pl.DataFrame, route: Route, now: datetime, currency: str, rates: Mapping[str, Decimal]
) -> pl.Series:
    tests = []
    if route.when is not None:
        derived = derived_columns(route.when.columns, now, currency, rates)
        answered = leads.with_columns(derived).with_columns(route.when.expression.alias("_fits"))
        tests.append(pl.lit(answered["_fits"]))
    if route.accounts is not None:
        tests.append(pl.col("email_domain").str.to_lowercase().is_in(sorted(route.accounts)))
    if route.countries:
        tests.append(pl.col("country").is_in(sorted(route.countries)))
    if route.postal_codes:
        code = pl.col("postal_code").str.to_uppercase().str.replace_all(r"[^0-9A-Z]", "")
        within = [
            (code.str.slice(0, len(first)) >= first) & (code.str.slice(0, len(last)) <= last)
            for first, last in route.postal_codes
        ]
        tests.append(pl.any_horizontal(within))
    fits = pl.all_horizontal(tests) if tests else pl.lit(value=True)
    every = leads.select(pl.repeat(0, pl.len()).alias("_"), fits.fill_null(value=False).alias("fits"))
    return every["fits"]


def next_in_turn(
    route: Route, desk: Desk, can: Callable[[Target], bool], domain: str | None = None
) -> Target | None:
    """Who gets the next lead of a route; their turn is over then. None where nobody can take one.

    ``can``: whether somebody is there to take it; capacity is asked here. ``domain``: the lead's, for named
    accounts, whose owner gets the lead out of turn.
    """
    desk.step = {}
    named = (route.accounts or {}).get((domain or "").lower())
    if named is not None:
        known = next((one for one in route.targets if one.owner == named), Target(named))
        if can(known) and _has_room(known, desk):
            return known
    free = [one for one in route.targets if can(one) and _has_room(one, desk)]
    if not free:
        return None
    # Of those who are equally near, the first as declared.
    chosen = max(free, key=lambda one: desk.turns.get((route.name, one.owner), 0) + one.weight)
    step = {(route.name, one.owner): one.weight for one in free}
    step[route.name, chosen.owner] -= sum(one.weight for one in free)
    for key, nearer in step.items():
        desk.turns[key] = desk.turns.get(key, 0) + nearer
    desk.step = step
    return chosen


def _has_room(target: Target, desk: Desk) -> bool:
    return target.capacity is None or desk.open.get(target.owner, 0) < target.capacity
