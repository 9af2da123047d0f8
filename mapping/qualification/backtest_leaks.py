"""Columns that look like the outcome itself: known only afterwards, and written down as if before.

A file without a time for each field cannot say when a value came. Three things give a column away: it settles
the outcome nearly alone; certain words of it, or its being filled at all, stand almost only where the outcome
was reached. An honest cause is never that sure, and the limits are such that chance does not pass them either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mapping.qualification.backtest_ranking import placements
from mapping.qualification.backtest_rates import rate_of

#: A single column that tells the outcomes apart better than this is taken for one of them.
TOO_GOOD = 0.98
#: Words under which the outcome is this certain, for this share of everybody who reached it.
CERTAIN, OF_ALL_REACHED = 0.95, 0.25
#: Fewer outcomes, or fewer others, than this say nothing about a column.
FEWEST = 10
#: A word has to be met so often before it counts for or against a column.
_SEEN = 5


@dataclass(frozen=True, slots=True)
class Suspect:
    """A column that looks like the outcome, and what gives it away."""

    column: str
    why: str


def suspects(rows: pl.DataFrame, columns: Sequence[str]) -> list[Suspect]:
    """The columns among these that give the outcome away.

    ``rows``: one row a lead; only those with a known ``outcome`` (Boolean) are looked at.
    """
    known = rows.filter(pl.col("outcome").is_not_null())
    reached = int(known["outcome"].sum())
    if min(reached, known.height - reached) < FEWEST:
        return []
    found = []
    for name in columns:
        why = _given_away(known[name], known["outcome"], reached)
        if why is not None:
            found.append(Suspect(name, why))
    return found


def _given_away(values: pl.Series, outcome: pl.Series, reached: int) -> str | None:
    filled = values.is_not_null()
    if not filled.any():
        return None
    marked = rate_of(int(outcome.filter(filled).sum()), int(filled.sum()))
    if not filled.all() and _settles(filled.cast(pl.Int8), outcome):
        return "it is filled for nearly everybody who reached the outcome, and for nearly nobody else"
    if not filled.all() and marked.low >= CERTAIN and marked.outcomes >= OF_ALL_REACHED * reached:
        return f"of those who have it, {marked.outcomes} of {marked.leads} reached the outcome"
    if values.dtype.is_numeric() or values.dtype.is_temporal():
        return _by_number(values, outcome, filled)
    return _by_word(values.cast(pl.String), outcome, reached)


def _settles(numbers: pl.Series, outcome: pl.Series) -> bool:
    placed = placements(numbers, outcome)
    return placed is not None and max(placed.area, 1 - placed.area) >= TOO_GOOD


def _by_number(values: pl.Series, outcome: pl.Series, filled: pl.Series) -> str | None:
    numbers, theirs = values.filter(filled).to_physical().cast(pl.Float64), outcome.filter(filled)
    few = min(int(theirs.sum()), len(theirs) - int(theirs.sum()))
    if few >= FEWEST and _settles(numbers, theirs):
        return "its numbers alone tell nearly everybody who reached the outcome from the others"
    return None


def _by_word(words: pl.Series, outcome: pl.Series, reached: int) -> str | None:
    counted = (
        pl.DataFrame([words.alias("word"), outcome.alias("outcome")])
        .group_by("word")
        .agg(pl.len().alias("leads"), pl.col("outcome").sum().alias("reached"))
    )
    often = counted.filter(pl.col("leads") >= _SEEN)
    if often.is_empty():
        return None
    sure = [
        (int(ours), int(leads))
        for _, leads, ours in often.drop_nulls("word").rows()
        if rate_of(int(ours), int(leads)).low >= CERTAIN
    ]
    if sum(ours for ours, _ in sure) >= OF_ALL_REACHED * reached:
        ours, leads = (sum(part) for part in zip(*sure, strict=True))
        return f"under some of its words {ours} of {leads} reached the outcome"
    # Without the lead itself: a word that stands once would otherwise always know.
    joined = pl.DataFrame([words.alias("word"), outcome.alias("outcome")]).join(
        often, on="word", how="left", nulls_equal=True, maintain_order="left"
    )
    others = (joined["reached"] - joined["outcome"].cast(pl.Int64)) / (joined["leads"] - 1)
    placed = placements(others.fill_null(reached / len(outcome)), outcome)
    # Not the other way round: leaving a lead out lowers its own word's rate a little where it reached the outcome.
    if placed is not None and placed.area >= TOO_GOOD:
        return "its words alone tell nearly everybody who reached the outcome from the others"
    return None
