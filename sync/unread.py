"""Which fields the CRMs did not return, or could not be read, lead by lead: neither blanks nor changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from mapping.qualification.truths import every

#: By side (``h.``, ``s.``) of a frame of leads: its column of lists of fields that did not come.
UNREAD = "_unread"


def places_unread(leads: pl.DataFrame, *sides: str) -> Mapping[str, pl.Series]:
    """By field, the places of the leads of which a record came without it; a place may stand there twice.

    Few records come without any field, so what is asked is asked of those alone.
    """
    parts = []
    for side in sides:
        lists = leads[side + UNREAD]
        if lists.null_count() < len(lists):
            there = lists.is_not_null()
            parts.append(pl.DataFrame({"at": there.arg_true(), "field": lists.filter(there)}))
    if not parts:
        return {}
    named = pl.concat(parts).explode("field").drop_nulls()
    return {str(name): rows["at"] for (name,), rows in named.partition_by("field", as_dict=True).items()}


class Unread:
    """What each side of some leads did not show: what is not shown differs from nothing.

    The lists are looked into once, and only where something asks about that side. Whatever is done to the leads, they
    have to stay in their order.
    """

    def __init__(self, leads: pl.DataFrame) -> None:
        self._leads = leads
        self._places: dict[str, Mapping[str, pl.Series]] = {}

    def without(self, where: pl.Series, side: str, field: str) -> pl.Series:
        """``where`` (a Boolean a lead), without the leads whose record came without the field."""
        rows = self._of(side).get(field)
        if rows is None:
            return where
        return where & every(True, pl.Boolean(), self._leads.height).scatter(rows, False)

    def places(self, *sides: str) -> dict[str, pl.Series]:
        """By field, the places of the leads of which a record came without it; a place may stand there twice."""
        found: dict[str, pl.Series] = {}
        for side in sides:
            for name, rows in self._of(side).items():
                found[name] = pl.concat([found[name], rows]) if name in found else rows
        return found

    def _of(self, side: str) -> Mapping[str, pl.Series]:
        if side not in self._places:
            self._places[side] = places_unread(self._leads, side)
        return self._places[side]
