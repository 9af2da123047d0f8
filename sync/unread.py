"""Which fields the CRMs did not return, or could not be read, lead by lead: neither blanks nor changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Unread:
    """What each side of ``height`` leads did not show: what is not shown differs from nothing."""

    height: int
    places: Mapping[str, Mapping[str, pl.Series]]

    def without(self, where: pl.Series, side: str, field: str) -> pl.Series:
        """``where``, without the leads whose record came without the field."""
        rows = self.places[side].get(field)
        if rows is None:
            return where
        return where & every(True, pl.Boolean(), self.height).scatter(rows, False)


def unread_of(leads: pl.DataFrame, *sides: str) -> Unread:
    """What these sides of the leads did not show."""
    return Unread(leads.height, {side: places_unread(leads, side) for side in sides})
