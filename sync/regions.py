"""Read telephone numbers again where the merge has just told a record its country.

A number without its country code is read by the record's country. Where the merge brings a country to a record
that had none, or another one, the number means something else from then on: it is read again before anything
is decided, so that the next run finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from mapping.lead import FieldType
from mapping.qualification.truths import known, looked_up, one
from mapping.values import Reading, clean
from sync.merge import MERGED, TO_HUBSPOT, TO_SALESFORCE, WINNER, won_by
from sync.plan import SIDES
from sync.plan_parts import places_of
from sync.read import RAW
from sync.unread import UNREAD
from sync.winners import APART, BASE
from sync.work import Work

COUNTRY = "country"
#: A plus and as much of a country's code as tells that a number was read by it.
_CODE = 3


@dataclass(frozen=True, slots=True)
class _Told:
    """Records of one CRM that are told their country: the places of their leads, and the countries."""

    crm: str
    side: str
    at: pl.Series
    countries: pl.Series


def with_new_countries(
    work: Work, frame: pl.DataFrame, merged: pl.DataFrame, records: Mapping[str, pl.DataFrame | None]
) -> pl.DataFrame | None:
    """The frame to merge anew, or None where no number means something else by the country its record is told.

    ``frame`` is what was merged, ``merged`` what came of it, ``records`` the typed and raw records by CRM.
    """
    if WINNER + COUNTRY not in merged.columns or work.mode != "full":
        return None
    renewed = frame
    for crm, side in SIDES.items():
        moved = won_by(merged[WINNER + COUNTRY], *(TO_HUBSPOT if crm == "hubspot" else TO_SALESFORCE))
        theirs, source = records.get(crm), work.field_map.rules[COUNTRY].source(crm, work.objects[crm])
        if theirs is None or source is None or RAW + source not in theirs.columns or not moved.any():
            continue
        at = moved.arg_true()
        there = places_of(merged[side + "_id"], theirs)[at]
        told = _Told(crm, side, at, merged[MERGED + COUNTRY][at])
        for name, word in _phones(work, crm, theirs):
            if side + name in frame.columns:
                renewed = _read_again(work, renewed, told, name, looked_up(theirs[RAW + word], there))
    return None if renewed is frame else renewed


def read_by_country(work: Work) -> frozenset[str]:
    """The fields of the lead that mean something else by another country."""
    return frozenset(name for name, known in work.fields.items() if known.type is FieldType.PHONE)


def _phones(work: Work, crm: str, theirs: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Each telephone number of a record, and the CRM's name for it."""
    for name, field in work.field_map.known(crm).items():
        source = work.field_map.rules[name].source(crm, work.objects[crm])
        if field.type is FieldType.PHONE and source is not None and RAW + source in theirs.columns:
            yield name, source


def _read_again(work: Work, frame: pl.DataFrame, told: _Told, name: str, texts: pl.Series) -> pl.DataFrame:
    """The leads with what a number means now, where that is something else; the very frame where it nowhere is."""
    column, before = told.side + name, frame[told.side + name][told.at]
    asked = known(texts) & ~_names_its_country(texts, before)
    how = Reading(
        told.crm, regions=told.countries.filter(asked), default_region=work.field_map.default_region
    )
    now = clean(FieldType.PHONE, texts.filter(asked), how).values
    # A text that could not be read is still none that can: only another value is another reading.
    differs = before.filter(asked).ne_missing(now)
    if not differs.any():
        return frame
    rows, now = told.at.filter(asked).filter(differs), now.filter(differs)
    unread, apart = told.side + UNREAD, BASE[told.side] + APART
    columns = [frame[column].clone().scatter(rows, now), _with_unread(frame[unread], rows, now, name)]
    if apart in frame.columns:
        columns.append(frame[apart].clone().scatter(rows, one(True, pl.Boolean())))
    return frame.with_columns(columns)


def _names_its_country(texts: pl.Series, values: pl.Series) -> pl.Series:
    """Whether a number was read by the country code that it begins with: it means the same everywhere."""
    code = pl.col("value").str.head(_CODE)
    begins = pl.DataFrame([texts.alias("text"), values.alias("value")]).select(
        pl.col("text").str.starts_with(code).fill_null(value=False)
    )
    return begins.to_series()


def _with_unread(lists: pl.Series, rows: pl.Series, now: pl.Series, name: str) -> pl.Series:
    """The fields that could not be read, with this one at ``rows`` where it has no value, else without it."""
    nothing = pl.lit([], dtype=lists.dtype)
    others = pl.col("lists").fill_null(nothing).list.set_difference(pl.lit([name], dtype=lists.dtype))
    unread = pl.when(pl.col("now").is_null()).then(others.list.concat(pl.lit([name]))).otherwise(others)
    fresh = pl.DataFrame([lists[rows].alias("lists"), now.alias("now")]).select(unread).to_series()
    height, index = len(lists), pl.get_index_type()
    at = pl.int_range(height, dtype=index, eager=True)
    at = at.scatter(rows, pl.int_range(height, height + len(rows), dtype=index, eager=True))
    return pl.concat([lists, fresh])[at].alias(lists.name)
