"""Which fields the CRMs did not return, or could not be read, lead by lead: neither blanks nor changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mapping.qualification.truths import every, one

#: By side (``h.``, ``s.``) of a frame of leads: its column of lists of fields that did not come.
UNREAD = "_unread"
#: The type of a lead's place in its frame.
PLACE = pl.UInt32()


def _by_side(leads: pl.DataFrame, sides: Sequence[str]) -> dict[str, dict[str, pl.Series]]:
    """By side and field, the places of the leads whose record came without it.

    Few records come without any field, so what is asked is asked of those alone, and of all sides at once.
    """
    found: dict[str, dict[str, pl.Series]] = {side: {} for side in sides}
    lists = {side: leads[side + UNREAD] for side in sides}
    some = [side for side, of_leads in lists.items() if of_leads.null_count() < len(of_leads)]
    if not some:
        return found
    numbers = pl.int_range(len(some) * leads.height, dtype=PLACE, eager=True).alias("number")
    every_list = pl.concat([lists[side].alias("field") for side in some])
    named = pl.DataFrame([numbers, every_list]).explode("field", empty_as_null=False, keep_nulls=False)
    number, fields = named["number"], named["field"]
    for name in sorted(set(fields.to_list()) - {None}):
        here = number.filter(fields == name)
        for place, side in enumerate(some):
            first = one(place * leads.height, PLACE)
            theirs = here.filter((here >= first) & (here < first + leads.height))
            if len(theirs):
                found[side][name] = theirs - first
    return found


class Unread:
    """What each side of some leads did not show: what is not shown differs from nothing.

    The lists are looked into once, and only where something asks about that side. Whatever is done to the leads, they
    have to stay in their order.
    """

    def __init__(self, leads: pl.DataFrame) -> None:
        self._leads = leads
        self._places: dict[str, dict[str, pl.Series]] = {}

    def without(self, where: pl.Series, side: str, field: str) -> pl.Series:
        """``where`` (a Boolean a lead), without the leads whose record came without the field."""
        rows = self._of(side).get(field)
        if rows is None:
            return where
        return where & every(True, pl.Boolean(), self._leads.height).scatter(rows, False)

    def places(self, *sides: str) -> dict[str, pl.Series]:
        """By field, the places of the leads of which a record came without it; a place may stand there twice."""
        self._look(sides)
        found: dict[str, pl.Series] = {}
        for side in sides:
            for name, rows in self._places[side].items():
                found[name] = pl.concat([found[name], rows]) if name in found else rows
        return found

    def _of(self, side: str) -> Mapping[str, pl.Series]:
        self._look([side])
        return self._places[side]

    def _look(self, sides: Sequence[str]) -> None:
        new = [side for side in sides if side not in self._places]
        if new:
            self._places |= _by_side(self._leads, new)
