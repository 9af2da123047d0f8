"""Whole columns that may be unknown: what holds, what fails, what differs, and where each value stands."""

from __future__ import annotations

import polars as pl
import pytest

from mapping.qualification.truths import choose, differ, every, fails, holds, known, looked_up, one, unknown

T, F, U = True, False, None
ANSWERS = pl.Series([T, F, U])


def test_every_answer_holds_or_fails_or_is_unknown_and_only_one_of_them() -> None:
    assert holds(ANSWERS).to_list() == [T, F, F]
    assert fails(ANSWERS).to_list() == [F, T, F]
    assert unknown(ANSWERS).to_list() == [F, F, T]


@pytest.mark.parametrize("answers", [[], [T], [F], [U], [T, F], [U, U]])
def test_what_is_asked_about_an_answer_is_never_unknown_itself(answers: list[bool | None]) -> None:
    column = pl.Series(answers, dtype=pl.Boolean)
    for asked in (holds, fails, unknown):
        assert asked(column).null_count() == 0
        assert len(asked(column)) == len(answers)


def test_an_unknown_answer_chooses_what_no_chooses() -> None:
    chosen = choose(ANSWERS, one(1, pl.Int32()), one(2, pl.Int32()))
    assert chosen.to_list() == [1, 2, 2]
    assert choose(ANSWERS, pl.Series(["a", "b", "c"]), pl.Series(["x", "y", None])).to_list() == [
        "a",
        "y",
        None,
    ]


@pytest.mark.parametrize(
    ("one_side", "other", "expected"),
    [
        (["a", "a", "a", None, None], ["a", "b", None, "a", None], [F, T, T, T, F]),
        ([1, 2], [1, 3], [F, T]),
        ([None, None], [None, None], [F, F]),
        ([True, False, None], [True, None, False], [F, T, T]),
        ([], [], []),
    ],
)
def test_a_blank_is_like_a_blank_and_unlike_every_value(
    one_side: list[object], other: list[object], expected: list[bool]
) -> None:
    dtype = pl.Series([*one_side, *other]).dtype
    columns = (pl.Series(values, dtype=dtype) for values in (one_side, other))
    assert differ(*columns).to_list() == expected


def test_what_is_known_is_zero_and_false_and_an_empty_text_too() -> None:
    assert known(pl.Series([0, None])).to_list() == [T, F]
    assert known(pl.Series([False, None])).to_list() == [T, F]
    assert known(pl.Series(["", None])).to_list() == [T, F]


def test_a_place_gives_the_tables_value_and_no_place_gives_none() -> None:
    table = pl.Series(["none", "one", "two"])
    assert looked_up(table, pl.Series([2, None, 0], dtype=pl.UInt32)).to_list() == ["two", None, "none"]


def test_a_value_for_all_leads_is_not_changed_by_changing_some_of_them() -> None:
    column = every(0, pl.UInt8(), 1)
    column.scatter(0, 5)
    assert every(0, pl.UInt8(), 1).to_list() == [0]
    assert one(0, pl.UInt8()).to_list() == [0]
