"""The one document that the terminal, JSON, CSV and the page all show: sections of typed tables, with a chart each.

Its texts are in the reader's language already; its values are not: they stay numbers until somebody shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sync.reports.costs import Expected, Money
from sync.reports.funnel import Rate, Spread

Kind = Literal[
    "text", "count", "number", "rate", "money", "money_range", "days", "date", "expected", "change", "percent"
]
#: What a cell may hold, by the kind of its column; None: nobody knows, or there is none.
#:   text str · count int · number float · rate Rate · money Money · money_range (Money, Money) · days Spread
#:   date date · expected Expected · change int (with its sign) · percent float (a share that somebody set)
Cell = str | int | float | date | Rate | Spread | Money | tuple[Money, Money] | Expected | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``key`` is the same in every language; ``of`` names the denominator of a rate."""

    key: str
    title: str
    kind: Kind = "text"
    of: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells in the order of the columns. ``key`` names its CSV file; ``title`` may be empty."""

    key: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""

    def named(self) -> list[dict[str, Cell]]:
        """The rows by the columns' keys."""
        return [dict(zip((column.key for column in self.columns), row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of a table. ``rows`` are plain values; ``about`` says in a sentence what can be seen.

    ``kind``: ``bars`` (``x`` number, ``y`` word), ``months`` (``x`` day, ``y`` number, ``color`` word), ``rates``
    (``y`` word, ``x`` number with ``low`` and ``high``).
    """

    kind: Literal["bars", "months", "rates"]
    about: str
    x: str
    y: str
    rows: Sequence[Mapping[str, Any]]
    color: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One question and its answer. ``sentence`` says it in words; ``warnings`` are what a reader must not miss."""

    key: str
    title: str
    sentence: str
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. ``first`` and ``last`` are its days, both included; ``made`` is when it was made (UTC)."""

    title: str
    language: Literal["de", "en"]
    first: date
    last: date
    made: datetime
    period: str
    sections: tuple[Section, ...]


def names_owners(document: Document) -> bool:
    """Whether it has numbers by person, which are there only where the config allows them."""
    return any(section.key == "funnel_by_owner" for section in document.sections)


def as_json(document: Document) -> dict[str, Any]:
    """The JSON document of ``report``: amounts and shares as exact text or numbers, the same in every language."""
    return {
        "from": document.first.isoformat(),
        "to": document.last.isoformat(),
        "made": document.made.isoformat(),
        "language": document.language,
        "title": document.title,
        "sections": [_section(section) for section in document.sections],
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "sentence": section.sentence,
        "warnings": list(section.warnings),
        "notes": list(section.notes),
        "tables": [
            {
                "key": table.key,
                "title": table.title,
                "columns": [
                    {"key": one.key, "title": one.title, "kind": one.kind, "of": one.of}
                    for one in table.columns
                ],
                "rows": [{key: plain(cell) for key, cell in row.items()} for row in table.named()],
            }
            for table in section.tables
        ],
    }


def plain(cell: Cell) -> Any:
    """A cell as JSON values."""
    match cell:
        case Rate():
            return {
                "numerator": cell.numerator,
                "denominator": cell.denominator,
                "rate": _rounded(cell.value),
                "low": _rounded(cell.low),
                "high": _rounded(cell.high),
            }
        case Spread():
            return {"median": _rounded(cell.median), "p90": _rounded(cell.p90), "leads": cell.leads}
        case Expected():
            numbers = {name: _rounded(getattr(cell, name)) for name in ("expected", "low", "high")}
            return {**numbers, "count": cell.count, "too_few": cell.too_few}
        case Money():
            return {"amount": str(cell.amount), "currency": cell.currency}
        case (low, high):
            return {"low": plain(low), "high": plain(high)}
        case date():
            return cell.isoformat()
        case float():
            return _rounded(cell)
        case _:
            return cell


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def flat(column: Column, cell: Cell) -> list[tuple[str, str | int | float | Decimal | date | None]]:
    """A cell as the plain values of a spreadsheet, each with the key of its column there."""
    match column.kind:
        case "rate":
            rate = cell if isinstance(cell, Rate) else None
            return [
                (column.key, _rounded(rate.value) if rate else None),
                (f"{column.key}_numerator", rate.numerator if rate else None),
                (f"{column.key}_denominator", rate.denominator if rate else None),
                (f"{column.key}_low", _rounded(rate.low) if rate else None),
                (f"{column.key}_high", _rounded(rate.high) if rate else None),
            ]
        case "days":
            spread = cell if isinstance(cell, Spread) else None
            return [
                (f"{column.key}_median_days", _rounded(spread.median) if spread else None),
                (f"{column.key}_p90_days", _rounded(spread.p90) if spread else None),
                (f"{column.key}_leads", spread.leads if spread else None),
            ]
        case "expected":
            expected = cell if isinstance(cell, Expected) else None
            return [
                (f"{column.key}_{name}", getattr(expected, name) if expected else None)
                for name in ("expected", "low", "high", "count")
            ]
        case "money" | "money_range":
            return _flat_money(column.key, cell)
    return [(column.key, cell if isinstance(cell, str | int | float | date) else None)]


def _flat_money(key: str, cell: Cell) -> list[tuple[str, str | int | float | Decimal | date | None]]:
    if isinstance(cell, tuple):
        return [
            (f"{key}_low", cell[0].amount),
            (f"{key}_high", cell[1].amount),
            (f"{key}_currency", cell[0].currency),
        ]
    money = cell if isinstance(cell, Money) else None
    return [(key, money.amount if money else None), (f"{key}_currency", money.currency if money else None)]
