"""What a condition may name, and the columns behind those names.

Most lead fields are used as they are. Two kinds are not: a date field is only usable through its age, and
money only after conversion into the policy's currency, so both have a derived column, made once per frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum

import polars as pl

from mapping.lead import FieldType, LeadField, Stage, currency_column, dtype_of

#: A field that ages is named with this ending in a condition: whole days, see ``age_in_days``.
AGE_SUFFIX = "_days"
#: Money in the policy's currency stands in a column of this prefix.
MONEY_PREFIX = "_m_"


class Kind(Enum):
    """What kind of value a part of a condition gives. Conditions never mix kinds."""

    BOOLEAN = "true or false"
    NUMBER = "a number"
    TEXT = "a text"


@dataclass(frozen=True, slots=True)
class Column:
    """A name that a condition may use.

    ``field`` is the lead field it hangs on, ``source`` the frame's column that is evaluated, ``dtype`` that
    column's type, and ``words`` the closed vocabulary, None where any text may stand.
    """

    name: str
    kind: Kind
    field: str
    source: str
    dtype: pl.DataType
    words: frozenset[str] | None = None
    type: FieldType | None = None


_KINDS: Mapping[FieldType, Kind] = {
    FieldType.MONEY: Kind.NUMBER,
    FieldType.INTEGER: Kind.NUMBER,
    FieldType.NUMBER: Kind.NUMBER,
    FieldType.BOOLEAN: Kind.BOOLEAN,
}
_AGEING = (FieldType.DATE, FieldType.DATETIME)
_STAGES = frozenset(stage.value for stage in Stage)
#: Fields that hold a stage in our own words: their vocabulary is ours, not the config's.
_STAGE_FIELDS = frozenset({"hubspot_stage", "salesforce_stage"})


def columns_for(
    fields: Mapping[str, LeadField], vocabularies: Mapping[str, Sequence[str]]
) -> dict[str, Column]:
    """The names that a condition over these fields may use.

    ``vocabularies`` gives the closed list of words per field name; a choice without one takes any text.
    """
    columns: dict[str, Column] = {}
    for field in fields.values():
        for column in _columns_of(field, vocabularies):
            columns[column.name] = column
    return columns


def _columns_of(field: LeadField, vocabularies: Mapping[str, Sequence[str]]) -> list[Column]:
    name, dtype = field.name, dtype_of(field.type)
    if field.type in _AGEING:
        aged = f"{name}{AGE_SUFFIX}"
        return [Column(aged, Kind.NUMBER, name, aged, pl.Int32(), type=field.type)]
    if field.type is FieldType.MONEY:
        code = currency_column(name)
        return [
            Column(name, Kind.NUMBER, name, f"{MONEY_PREFIX}{name}", dtype, type=field.type),
            Column(code, Kind.TEXT, name, code, pl.String(), type=FieldType.TEXT),
        ]
    words = frozenset(vocabularies[name]) if name in vocabularies else None
    if words is None and name in _STAGE_FIELDS:
        words = _STAGES
    return [Column(name, _KINDS.get(field.type, Kind.TEXT), name, name, dtype, words, field.type)]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is spelt most like this one, or None where none is close."""
    by_folded = {candidate.casefold(): candidate for candidate in sorted(known)}
    found = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def age_in_days(column: str, kind: FieldType, now: datetime) -> pl.Expr:
    """Whole days from a date to ``now``, both as calendar days in UTC: yesterday is 1, tomorrow is -1.

    Calendar days, so that an age changes once a day, at the same moment for every lead, and a clock that is
    a second off in a CRM does not put a visit into the future.
    """
    day = pl.col(column).dt.date() if kind is FieldType.DATETIME else pl.col(column)
    return pl.lit(day_number(now), dtype=pl.Int32) - day.cast(pl.Int32)


def day_number(moment: datetime) -> int:
    """The calendar day of a moment in UTC, counted from 1 January 1970, as Polars counts them."""
    return (moment.astimezone(UTC).date() - date(1970, 1, 1)).days


def in_policy_currency(column: str, currency: str, rates: Mapping[str, Decimal]) -> pl.Expr:
    """A money field in ``currency``, to the cent (ties to even); unknown where no rate is given.

    ``rates`` holds the worth of one unit of each other currency. An amount whose own currency is not stated
    is unknown too: a number without a currency says nothing.
    """
    amount, code = pl.col(column), pl.col(currency_column(column))
    if not rates:
        return pl.when(code == currency).then(amount)
    exact = pl.Decimal(38, 6)
    worth = pl.lit(None, dtype=exact)
    for other, rate in {**rates, currency: Decimal(1)}.items():
        worth = pl.when(code == other).then(pl.lit(rate, dtype=exact)).otherwise(worth)
    return (amount * worth).cast(dtype_of(FieldType.MONEY), strict=False)


def derived_columns(
    needed: Iterable[Column],
    now: datetime,
    currency: str,
    rates: Mapping[str, Decimal],
    leads: pl.DataFrame | None = None,
) -> list[pl.Expr]:
    """The expressions that add the derived columns among ``needed`` (ages, money) to a frame of leads.

    Converting costs: where the ``leads`` themselves are given, a rate that no amount of theirs needs is left
    out. The answers are the same.
    """
    derived: dict[str, pl.Expr] = {}
    for column in needed:
        if column.type in _AGEING:
            derived[column.source] = age_in_days(column.field, column.type, now)
        elif column.type is FieldType.MONEY:
            there = rates
            if rates and leads is not None:
                used = set(leads[currency_column(column.field)].unique())
                there = {code: rate for code, rate in rates.items() if code in used}
            derived[column.source] = in_policy_currency(column.field, currency, there)
    return [expression.alias(name) for name, expression in derived.items()]
