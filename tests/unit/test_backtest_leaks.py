"""Columns that know the outcome are found, and honest causes are not blamed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from mapping.qualification.backtest_leaks import suspects

Cell = Callable[[bool, random.Random], Any]


def _rows(cell: Cell, leads: int = 600, seed: int = 3, rate: float = 0.2) -> pl.DataFrame:
    dice = random.Random(seed)
    reached = [dice.random() < rate for _ in range(leads)]
    return pl.DataFrame({"outcome": reached, "cell": [cell(one, dice) for one in reached]}, strict=False)


LEAKS: dict[str, Cell] = {
    "the outcome itself": lambda reached, _: reached,
    "the outcome with a few mistakes": lambda reached, dice: (
        "yes" if reached != (dice.random() < 0.005) else "no"
    ),
    "filled only for those who bought": lambda reached, _: "2026-03-01" if reached else None,
    "filled for half of those who bought, and nobody else": (
        lambda reached, dice: "invoice" if reached and dice.random() < 0.6 else None
    ),
    "filled only for those who did not": lambda reached, _: None if reached else "no interest",
    "a word that sales writes afterwards": (
        lambda reached, dice: (
            "enrolled" if reached and dice.random() < 0.9 else dice.choice(("ringing", "new"))
        )
    ),
    "an amount paid": lambda reached, dice: dice.randint(500, 900) if reached else 0,
    "many words, each of which knows": lambda reached, dice: (
        f"{'won' if reached else 'lost'} {dice.randint(1, 9)}"
    ),
}
HONEST: dict[str, Cell] = {
    "noise": lambda _, dice: dice.choice("abc"),
    "the same word everywhere": lambda _reached, _dice: "DE",
    "nobody has it": lambda _reached, _dice: None,
    "a strong cause": lambda reached, dice: dice.gauss(1.8 if reached else 0.0, 1.0),
    "a strong word": lambda reached, dice: "demo" if dice.random() < (0.7 if reached else 0.1) else "other",
    "filled more often for those who buy": lambda reached, dice: (
        "x" if dice.random() < (0.8 if reached else 0.3) else None
    ),
    "an id of each lead": lambda _, dice: str(dice.random()),
    "a rare word that always bought": lambda reached, dice: (
        "vip" if reached and dice.random() < 0.05 else "other"
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_column_that_knows_the_outcome_is_found(name: str) -> None:
    (found,) = suspects(_rows(LEAKS[name]), ["cell"])
    assert found.column == "cell"
    assert found.why


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_column_is_not_blamed(name: str, seed: int) -> None:
    assert suspects(_rows(HONEST[name], seed=seed), ["cell"]) == []


def test_a_handful_of_outcomes_blames_nobody() -> None:
    rows = pl.DataFrame({"outcome": [True] * 9 + [False] * 200, "cell": [True] * 9 + [False] * 200})
    assert suspects(rows, ["cell"]) == []


def test_leads_that_are_still_open_say_nothing_about_a_column() -> None:
    rows = _rows(LEAKS["the outcome itself"])
    blurred = rows.with_columns(outcome=pl.lit(None, dtype=pl.Boolean))
    assert len(suspects(pl.concat([rows, blurred]), ["cell"])) == 1
