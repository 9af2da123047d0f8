"""Whose turn it is on a route, and which route fits a lead."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS
from mapping.qualification.columns import columns_for
from mapping.qualification.conditions import compile_condition
from mapping.qualification.routing import Desk, Route, Target, next_in_turn, prefixes_of, routed_by

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
COLUMNS = columns_for({**LEAD_FIELDS, **DERIVED_FIELDS}, {})
NAMES = ("ada", "ben", "cleo", "dan", "eva")


def _route(*targets: Target, accounts: dict[str, str | None] | None = None) -> Route:
    return Route("r", targets, accounts=accounts)


def _given(
    route: Route, leads: int, desk: Desk | None = None, away: frozenset[str] = frozenset()
) -> list[str]:
    """Who gets so many leads one after the other; empty: nobody could."""
    desk = desk if desk is not None else Desk()
    found = []
    for _ in range(leads):
        chosen = next_in_turn(route, desk, lambda one: one.owner not in away)
        if chosen is not None:
            desk.moves(chosen.owner)
        found.append(chosen.owner if chosen is not None else "")
    return found


@given(st.integers(1, 5), st.integers(0, 40))
def test_among_equals_nobody_is_more_than_one_lead_ahead_at_any_time(people: int, leads: int) -> None:
    order = _given(_route(*map(Target, NAMES[:people])), leads)
    counts = Counter(dict.fromkeys(NAMES[:people], 0))
    for owner in order:
        counts[owner] += 1
        assert max(counts.values()) - min(counts.values()) <= 1


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 4))
def test_a_round_gives_everybody_exactly_their_weight(weights: list[int], rounds: int) -> None:
    targets = [Target(name, weight) for name, weight in zip(NAMES, weights, strict=False)]
    order = _given(_route(*targets), sum(weights) * rounds)
    assert Counter(order) == {one.owner: one.weight * rounds for one in targets}


@given(
    st.lists(st.tuples(st.integers(1, 3), st.none() | st.integers(0, 4)), min_size=1, max_size=5),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5)),
    st.frozensets(st.sampled_from(NAMES)),
    st.integers(0, 30),
)
def test_nobody_gets_more_than_they_have_room_for_and_nobody_who_is_away_gets_any(
    said: list[tuple[int, int | None]], held: dict[str, int], away: frozenset[str], leads: int
) -> None:
    targets = [Target(name, weight, room) for name, (weight, room) in zip(NAMES, said, strict=False)]
    order = _given(_route(*targets), leads, Desk(open=dict(held)), away)
    counts = Counter(order)
    for one in targets:
        assert one.owner not in away or not counts[one.owner]
        if one.capacity is not None:
            assert counts[one.owner] <= max(one.capacity - held.get(one.owner, 0), 0)
    # A lead goes to nobody only where nobody has room.
    free = [one for one in targets if one.owner not in away]
    if counts[""]:
        assert all(
            one.capacity is not None and held.get(one.owner, 0) + counts[one.owner] >= one.capacity
            for one in free
        )


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_restart_goes_on_where_the_turns_stood(before: int, after: int) -> None:
    route = _route(Target("ada"), Target("ben", 2), Target("cleo"))
    desk = Desk()
    first = _given(route, before, desk)
    kept = dict(desk.turns)  # as the memory keeps them
    assert first + _given(route, after, Desk(turns=kept)) == _given(route, before + after)


def test_whoever_comes_back_is_not_flooded() -> None:
    route = _route(Target("ada"), Target("ben"))
    desk = Desk()
    _given(route, 20, desk, away=frozenset({"ben"}))
    assert Counter(_given(route, 4, desk)) == {"ada": 2, "ben": 2}


def test_a_named_account_goes_to_its_owner_out_of_turn() -> None:
    route = _route(Target("ada"), Target("ben"), accounts={"big.example": "ines", "other.example": None})
    desk = Desk()
    chosen = [
        next_in_turn(route, desk, lambda _: True, name) for name in ("BIG.example", "other.example", None)
    ]
    assert [one.owner if one else None for one in chosen] == ["ines", "ada", "ben"]
    away = next_in_turn(route, desk, lambda one: one.owner != "ines", "big.example")
    assert away is not None
    assert away.owner == "ada"


@pytest.mark.parametrize("weight", [0, -1])
def test_a_weight_is_at_least_one(weight: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Target("ada", weight)


@pytest.mark.parametrize(
    ("country", "code", "domain", "revenue", "name"),
    [
        ("DE", "80331", "x.example", None, "south"),
        ("DE", "86 150", "x.example", None, "south"),
        ("DE", "87435", "x.example", None, "rest"),
        ("DE", "9-0402", "x.example", None, "south"),
        ("AT", "8010", "x.example", None, "rest"),  # a place in Austria with the same beginning
        ("DE", None, "x.example", None, "rest"),
        (None, "80331", "x.example", None, "rest"),
        ("GB", "SW1A 1AA", "x.example", None, "london"),
        ("DE", "80331", "Big.example", None, "named"),
        ("FR", "75001", "x.example", 9, "large"),
        ("FR", "75001", "x.example", None, "rest"),
    ],
)
def test_the_first_route_that_fits_wins_and_what_is_unknown_fits_nowhere(
    country: str | None, code: str | None, domain: str, revenue: int | None, name: str
) -> None:
    routes = [
        Route("named", (), accounts={"big.example": None}),
        Route("south", (), countries=frozenset({"DE"}), postal_codes=prefixes_of("80-86, 90")),
        Route("london", (), postal_codes=prefixes_of("sw, ec")),
        Route("large", (), compile_condition("employees > 5", COLUMNS)),
        Route("rest", ()),
    ]
    lead = pl.DataFrame(
        {"country": [country], "postal_code": [code], "email_domain": [domain], "employees": [revenue]},
        schema={
            **dict.fromkeys(("country", "postal_code", "email_domain"), pl.String()),
            "employees": pl.Int64(),
        },
    )
    (place,) = routed_by(lead, routes, NOW, "EUR", {})
    assert routes[place].name == name
    assert routed_by(lead, routes[:1], NOW, "EUR", {}).to_list() == ([0] if name == "named" else [None])


@pytest.mark.parametrize("text", ["80-8", "86-80", "8*", "80--86"])
def test_what_is_no_range_of_postal_codes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a range"):
        prefixes_of(text)
