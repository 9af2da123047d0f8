"""Many conditions asked of the same leads at once, made ready once and asked of every slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mapping.qualification.columns import Kind
from mapping.qualification.conditions import Condition
from mapping.qualification.truths import choose, looked_up, one

#: Beside the columns of leads, the answer to a condition that was asked before: its text stands behind this.
ANSWERED = "?"
#: So many rows are looked at to see whether a text repeats, and in so many rows it pays to care.
_SAMPLE, _ENOUGH = 500, 2_000


class Questions:
    """Conditions over the same columns. Two of the same text are asked once."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        places = {text: f"_q{place}" for place, text in enumerate({c.text: None for c in conditions})}
        self._order = [places[condition.text] for condition in conditions]
        self._texts = {name: ANSWERED + text for text, name in places.items()}
        self._asked = {places[c.text]: c.expression.alias(places[c.text]) for c in conditions}
        searching: dict[str, dict[str, int]] = {}
        for condition in conditions:
            if len(condition.columns) == 1 and condition.columns[0].kind is Kind.TEXT and condition.searches:
                source = condition.columns[0].source
                searching.setdefault(source, {})[places[condition.text]] = condition.searches
        self._columns = sorted({column.source for c in conditions for column in c.columns} | {"lead_id"})
        #: By text column, the questions that search it and look at nothing else.
        self._searching = {
            source: list(names) for source, names in searching.items() if sum(names.values()) > 1
        }

    def by_text(self, leads: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
        """The answers to be put beside the columns of the same leads, so that other questions find them there."""
        texts = [self._texts[name] for name in self._order]
        return dict(zip(texts, self.answers(leads), strict=True))

    def answers(self, leads: Mapping[str, pl.Series]) -> list[pl.Series]:
        """One Boolean column a condition, in their order; null: unknown.

        ``leads``: the columns that the conditions name, and ``lead_id``. Where most leads share their text with
        others, each distinct text is searched once. What stands there under ``ANSWERED`` and a condition's text is
        its answer, and is not asked for again.
        """
        ready = {name: leads[text] for name, text in self._texts.items() if text in leads}
        repeated = [source for source in self._searching if _repeats(leads[source])]
        apart = {name for source in repeated for name in self._searching[source]} | ready.keys()
        # With the leads' own column beside them, an answer that hangs on no column fills every row.
        direct = [expression for name, expression in self._asked.items() if name not in apart]
        frame = pl.DataFrame([leads[name] for name in self._columns])
        found = ready | {answer.name: answer for answer in frame.select("lead_id", *direct).get_columns()}
        for source in repeated:
            asked = [self._asked[name] for name in self._searching[source] if name not in ready]
            found.update(_of_distinct(leads[source], asked) if asked else {})
        return [found[name] for name in self._order]


def _repeats(texts: pl.Series) -> bool:
    """Whether the texts look as if few of them were distinct."""
    return len(texts) >= _ENOUGH and texts.head(_SAMPLE).n_unique() * 4 <= _SAMPLE


def _of_distinct(texts: pl.Series, asked: list[pl.Expr]) -> dict[str, pl.Series]:
    """The answers, from asking about each distinct text once, and about a blank."""
    distinct = texts.unique()
    distinct = distinct.filter(distinct == distinct)  # a blank is equal to nothing
    places = texts.cast(pl.Enum(distinct)).to_physical().cast(pl.UInt32)
    blank = one(len(distinct), pl.UInt32())
    places = choose(places < blank, places, blank)
    with_blank = pl.concat([distinct, one(None, pl.String()).alias(distinct.name)], rechunk=True)
    answered = with_blank.to_frame().select(asked)
    return {answer.name: looked_up(answer, places) for answer in answered.get_columns()}
