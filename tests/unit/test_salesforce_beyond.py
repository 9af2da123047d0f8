"""What is worked out from what Salesforce tells beside records: survivors of merges, first and last touches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.crm import RECORD_ID
from connectors.salesforce.removed import REMOVED_SCHEMA, Removed
from connectors.salesforce.touches import SPAN_SCHEMA, TOUCH_SCHEMA, first_and_last

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
Merges = dict[str, str | None]


def removed(into: Merges) -> Removed:
    rows = {RECORD_ID: list(into), "at": [NOON] * len(into), "merged_into": list(into.values())}
    return Removed(pl.DataFrame(rows, schema=dict(REMOVED_SCHEMA)), complete=True)


@pytest.mark.parametrize(
    ("into", "survivors"),
    [
        ({}, {}),
        ({"a": None}, {}),
        ({"a": "b"}, {"a": "b"}),
        ({"a": "b", "b": "c"}, {"a": "c", "b": "c"}),
        ({"a": "b", "b": None}, {}),
        ({"a": "c", "b": "c"}, {"a": "c", "b": "c"}),
        # Nobody can merge records into each other in a circle; were it told so, nobody would survive.
        ({"a": "b", "b": "a"}, {}),
    ],
)
def test_a_merged_record_lives_on_in_its_last_winner(into: Merges, survivors: dict[str, str]) -> None:
    assert removed(into).survivors() == survivors


NAMES = some.sampled_from("abcdefgh")


@given(some.dictionaries(NAMES, some.none() | NAMES))
def test_a_survivor_is_alive_and_every_chain_ends_in_one_or_in_none(into: Merges) -> None:
    found = removed(into).survivors()
    assert found.keys() <= into.keys()
    assert not set(found.values()) & into.keys()
    for record, winner in into.items():
        assert found.get(record) == (winner if winner is None or winner not in into else found.get(winner))


Touch = tuple[str, int, bool]


def frame(touches: list[Touch]) -> pl.DataFrame:
    rows = [
        (who, f"{n:03}", "Call" if n % 2 else "Email", NOON + timedelta(hours=hours), done, None)
        for n, (who, hours, done) in enumerate(touches)
    ]
    return pl.DataFrame(rows, schema=dict(TOUCH_SCHEMA), orient="row")


@given(some.lists(some.tuples(some.sampled_from("ab"), some.integers(-50, 50), some.booleans())))
def test_first_and_last_are_the_ends_of_what_was_done(touches: list[Touch]) -> None:
    spans = first_and_last(frame(touches))
    assert dict(spans.schema) == dict(SPAN_SCHEMA)
    done = {who: sorted(h for w, h, d in touches if d and w == who) for who in "ab"}
    told = {row[RECORD_ID]: row for row in spans.iter_rows(named=True)}
    assert set(told) == {who for who, hours in done.items() if hours}
    for who, row in told.items():
        ends = (NOON + timedelta(hours=done[who][0]), NOON + timedelta(hours=done[who][-1]))
        assert (row["first"], row["last"], row["touches"]) == (*ends, len(done[who]))


def test_of_two_touches_at_one_moment_the_order_is_always_the_same() -> None:
    (row,) = first_and_last(frame([("a", 0, True), ("a", 0, True)])).iter_rows(named=True)
    assert (row["first_kind"], row["last_kind"]) == ("Email", "Call")
