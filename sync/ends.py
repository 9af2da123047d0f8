"""How the changes of a slice end: numbers in place of names, so that what becomes of one is looked up by its place.

A slice has some hundred thousand changes of a few leads and fields. To join them by lead, CRM and field at each step
of the writing would read all these texts each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from mapping.qualification.truths import every, looked_up, one
from sync.inorder import chosen, together, true_at

#: Columns that ``numbered`` adds: the change (same lead, CRM and field: same number), and the lead in its CRM.
CHANGE, WRITE = "_change", "_write"
_NUMBER = pl.UInt32()


def numbered(changes: pl.DataFrame) -> pl.DataFrame:
    """``plan.CHANGES`` with ``CHANGE`` and ``WRITE``, both below twice the number of changes."""
    crms = changes["crm"].unique()
    leads = _numbers(changes["lead_id"])
    write = leads * len(crms) + _places(changes["crm"], crms)
    fields = changes["field"].unique()
    change = write.cast(pl.UInt64()) * len(fields) + _places(changes["field"], fields)
    if change.n_unique() == changes.height:
        change = pl.int_range(changes.height, dtype=_NUMBER, eager=True)
    else:
        change = change.rank("dense") - 1
    return changes.with_columns(change.cast(_NUMBER).alias(CHANGE), write.cast(_NUMBER).alias(WRITE))


def _numbers(texts: pl.Series) -> pl.Series:
    """A number for each text, the same for the same. Changes stand lead by lead: mostly it is enough to count them."""
    runs, heads = runs_of(texts)
    return runs if heads.n_unique() == len(heads) else texts.rank("dense") - 1


def _places(texts: pl.Series, among: pl.Series) -> pl.Series:
    return texts.cast(pl.Enum(among)).to_physical().cast(_NUMBER)


def runs_of(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The place of each value's run among all runs of the same value, and what each run holds."""
    return values.rle_id(), values.rle().struct.field("value")


def by_lead(changes: pl.DataFrame) -> Iterator[tuple[str, str | None, dict[str, str | None]]]:
    """(lead, record id, CRM field to value) of each lead, in the order of the changes."""
    leads = changes["lead_id"].rle().struct.unnest()
    if leads["value"].n_unique() < leads.height:
        changes = together(changes, "lead_id")
        leads = changes["lead_id"].rle().struct.unnest()
    # One text a field and not one a change: thousands of the same would be made, and each be hashed again.
    words = changes["crm_field"].unique()
    named = words.to_list()
    names = [named[place] for place in _places(changes["crm_field"], words).to_list()]
    afters = changes["after"].to_list()
    ends = leads["len"].cum_sum()
    starts = ends - leads["len"]
    records = looked_up(changes["record_id"], starts).to_list()
    for lead, record, start, end in zip(
        leads["value"].to_list(), records, starts.to_list(), ends.to_list(), strict=True
    ):
        yield lead, record, dict(zip(names[start:end], afters[start:end], strict=True))


class Ends:
    """How the changes of a slice ended, as far as the writing has come.

    Each CRM's thread notes here and asks here, for the changes of its own CRM alone. ``height``: the changes of the
    slice; whatever is noted or asked about is among them, and ``numbered``.
    """

    def __init__(self, height: int) -> None:
        self._height = height
        self._parts: list[tuple[pl.Series, pl.Series]] = []

    def note(self, rows: pl.DataFrame, states: Mapping[str, str]) -> None:
        """``rows`` ended so, by lead; a lead without a state is left open."""
        if rows.is_empty() or not states:
            return
        runs, leads = runs_of(rows["lead_id"])
        state = looked_up(pl.Series([states.get(lead) for lead in leads.to_list()], dtype=pl.String()), runs)
        noted = rows[CHANGE]
        if state.null_count():
            noted, state = noted.filter(state.is_not_null()), state.drop_nulls()
        self._parts.append((noted, state))

    def left_of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that did not end yet."""
        parts = tuple(self._parts)
        if not parts:
            return rows
        ended = true_at(pl.concat([noted for noted, _ in parts]), self._height)
        return chosen(rows, ~looked_up(ended, rows[CHANGE]))

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """The ``state`` of each row; refused, where nothing was heard."""
        at = every(None, _NUMBER, self._height)
        heard, end = (
            [one(None, pl.String()), *(state for _, state in self._parts)],
            sum(len(state) for _, state in self._parts),
        )
        # What was noted first counts.
        for noted, state in reversed(self._parts):
            end -= len(state)
            at = at.scatter(noted, pl.int_range(end + 1, end + 1 + len(state), dtype=_NUMBER, eager=True))
        states = looked_up(pl.concat(heard, rechunk=True), looked_up(at, rows[CHANGE]))
        return states.fill_null("refused").alias("state")


def written_ids(rows: pl.DataFrame, created: Mapping[tuple[str, str], str]) -> pl.Series:
    """The ``record_id`` of each row, that of a record that was just created included."""
    ids = rows["record_id"]
    new = ids.is_null().arg_true()
    if new.is_empty() or not created:
        return ids
    runs, writes = runs_of(rows[WRITE][new])
    first = new.filter(runs != runs.shift(1, fill_value=len(writes)))
    named = zip(rows["lead_id"][first].to_list(), rows["crm"][first].to_list(), strict=True)
    made = pl.Series([created.get(one) for one in named], dtype=pl.String())
    return ids.clone().scatter(new, looked_up(made, runs))
