"""Many conditions asked of the same leads at once, made ready once and asked of every slice."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mapping.qualification.columns import Kind
from mapping.qualification.conditions import Condition

#: So many rows are looked at to see whether a text repeats, and in so many rows it pays to care.
_SAMPLE, _ENOUGH = 500, 2_000


class Questions:
    """Conditions over the same columns. Two of the same text are asked once."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        places = {text: f"_q{place}" for place, text in enumerate({c.text: None for c in conditions})}
        self._order = [places[condition.text] for condition in conditions]
        self._asked = {places[c.text]: c.expression.alias(places[c.text]) for c in conditions}
        searching: dict[str, dict[str, int]] = {}
        for condition in conditions:
            if len(condition.columns) == 1 and condition.columns[0].kind is Kind.TEXT and condition.searches:
                source = condition.columns[0].source
                searching.setdefault(source, {})[places[condition.text]] = condition.searches
        #: By text column, the questions that search it and look at nothing else.
        self._searching = {
            source: list(names) for source, names in searching.items() if sum(names.values()) > 1
        }

    def answers(self, leads: pl.DataFrame) -> list[pl.Series]:
        """One Boolean column a condition, in their order; null: unknown.

        ``leads`` has the columns that the conditions name, and ``lead_id``. Where most leads share their text
        with others, each distinct text is searched once.
        """
        repeated = [source for source in self._searching if _repeats(leads[source])]
        apart = {name for source in repeated for name in self._searching[source]}
        # With the leads' own column beside them, an answer that hangs on no column fills every row.
        direct = [expression for name, expression in self._asked.items() if name not in apart]
        found = {one.name: one for one in leads.select("lead_id", *direct).get_columns()}
        for source in repeated:
            asked = [self._asked[name] for name in self._searching[source]]
            found.update(_of_distinct(leads[source], asked))
        return [found[name] for name in self._order]


def _repeats(texts: pl.Series) -> bool:
    """Whether the texts look as if few of them were distinct."""
    return len(texts) >= _ENOUGH and texts.head(_SAMPLE).n_unique() * 4 <= _SAMPLE


def _of_distinct(texts: pl.Series, asked: list[pl.Expr]) -> dict[str, pl.Series]:
    distinct = texts.unique().to_frame()
    places = texts.to_frame().join(
        distinct.with_row_index("_at"), on=texts.name, how="left", nulls_equal=True, maintain_order="left"
    )["_at"]
    return {one.name: one[places] for one in distinct.select(asked).get_columns()}
