"""From a CRM's slab to typed columns of the common lead, with every problem kept.

Works column by column; rows are only looked at where something is wrong with them. Nothing here logs: the
``got`` column of the problems is personal data.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from mapping.lead import FieldType, LeadField, columns_of, currency_column, dtype_of
from mapping.qualification.truths import every, no_rows
from mapping.values import Reading, clean
from mapping.values.amounts import clean_money
from mapping.values.cells import FEW, STILL_FEW, Cleaned, Problem
from mapping.values.countries import CountryAs
from mapping.values.words import ValueMap

UNREAD = "_unread"
_KEPT = ("_id", "_modified_at", "_created_at", "_archived")
_NAMES = pl.List(pl.String())
_CURRENCY = re.compile("[A-Z]{3}")

#: What could not be read. ``source``: the CRM's field name; ``problem``: a short code and words without the
#: value; ``got``: the text itself, personal data, for the eyes of a person with the right to see it.
PROBLEM_SCHEMA: Mapping[str, pl.DataType] = {
    "crm": pl.String(),
    "object": pl.String(),
    "record_id": pl.String(),
    "field": pl.String(),
    "source": pl.String(),
    "problem": pl.String(),
    "got": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Source:
    """One lead field as one object of one CRM has it. ``name`` is None where the object has no such field."""

    field: LeadField
    name: str | None
    values: ValueMap | None = None
    decimal_comma: bool | None = None
    day_first: bool | None = None
    lines: bool = False
    currency_name: str | None = None
    default_currency: str | None = None
    country_as: CountryAs = "english"


@dataclass(frozen=True, slots=True, repr=False)
class ReadResult:
    """A slab, read.

    ``frame``: ``_id``, ``_modified_at``, ``_created_at``, ``_archived``, ``_unread`` (the lead fields of this
    row that did not come or could not be read; null where there are none) and the typed columns.
    ``problems``: one row per text that could not be read, by ``PROBLEM_SCHEMA``. ``not_returned``: lead fields
    that the CRM was to return and returned for no record of this slab.
    """

    frame: pl.DataFrame
    problems: pl.DataFrame
    not_returned: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"ReadResult({self.frame.height} records, {self.problems.height} problems, {self.not_returned})"
        )


def render_problem(row: Mapping[str, str | None]) -> str:
    """One row of ``problems`` as a sentence with the value that was got. Personal data: never log it."""
    _, _, words = (row["problem"] or "").partition(": ")
    return f"{row['crm']} {row['object']} {row['record_id']}, {row['source']}: {words} (got {row['got']!r})"


@dataclass(slots=True)
class _Findings:
    """What is gathered while the columns are read. ``blanks``: a column of nothing of each type that was asked for."""

    height: int
    blanks: dict[pl.DataType, pl.Series] = field(default_factory=dict)
    columns: dict[str, pl.Series] = field(default_factory=dict)
    problems: list[pl.DataFrame] = field(default_factory=list)
    unread: list[pl.DataFrame] = field(default_factory=list)
    everywhere: list[str] = field(default_factory=list)
    not_returned: list[str] = field(default_factory=list)

    def nothing(self, known: LeadField) -> dict[str, pl.Series]:
        """The columns of a field that nobody has. Those of one type share their memory: there are many of them."""
        columns = columns_of({known.name: known})
        for dtype in columns.values():
            if dtype not in self.blanks:
                self.blanks[dtype] = every(None, dtype, self.height)
        return {name: self.blanks[dtype] for name, dtype in columns.items()}


def read_slab(
    frame: pl.DataFrame, sources: Sequence[Source], crm: str, object_name: str, default_region: str | None
) -> ReadResult:
    """Read every source of a slab. See ``FieldMap.read``."""
    found = _Findings(frame.height)
    # Countries first: a telephone number without one stands in its record's country.
    ordered = sorted(sources, key=lambda source: source.field.type is not FieldType.COUNTRY)
    regions: pl.Series | None = None
    for source in ordered:
        _read_source(frame, source, found, Reading(crm, source.values, regions, default_region))
        if source.field.name == "country" and source.name in frame.columns:
            regions = found.columns["country"]
    _note_absent(frame, sources, found)
    names = columns_of({source.field.name: source.field for source in sources})
    typed = [found.columns[name].alias(name) for name in names]
    kept = [frame.get_column(name) for name in _KEPT]
    whole = pl.DataFrame([*kept, _unread_column(frame.height, found), *typed])
    told = no_rows(PROBLEM_SCHEMA)
    if found.problems:
        told = pl.concat(found.problems).with_columns(crm=pl.lit(crm), object=pl.lit(object_name))
        told = told.select(list(PROBLEM_SCHEMA))
    return ReadResult(whole, told, tuple(found.not_returned))


def _read_source(frame: pl.DataFrame, source: Source, found: _Findings, how: Reading) -> None:
    name = source.field.name
    missing = source.name is None or source.name not in frame.columns
    if missing or (source.currency_name is not None and source.currency_name not in frame.columns):
        found.everywhere.append(name)
        if source.name is not None:
            found.not_returned.append(name)
        found.columns.update(found.nothing(source.field))
        return
    texts = frame.get_column(source.name or "")
    if texts.null_count() == len(texts):
        # Of all the fields of a map, few are filled in everywhere.
        found.columns.update(found.nothing(source.field))
        return
    if source.field.type is FieldType.MONEY:
        cleaned, currency = _read_money(frame, source, texts)
        found.columns[currency_column(name)] = currency
    else:
        cleaned = clean(source.field.type, texts, _how(how, source))
    found.columns[name] = cleaned.values
    if cleaned.problems is not None:
        _note_problems(frame, source, texts, cleaned, found)


def _how(how: Reading, source: Source) -> Reading:
    return Reading(
        crm=how.crm,
        values=how.values,
        regions=how.regions,
        default_region=how.default_region,
        decimal_comma=source.decimal_comma,
        day_first=source.day_first,
        lines=source.lines,
    )


def _read_money(frame: pl.DataFrame, source: Source, texts: pl.Series) -> tuple[Cleaned, pl.Series]:
    """The amount, and its currency: from the text itself, else its currency field, else the CRM's default."""
    cleaned, named = clean_money(texts, decimal_comma=source.decimal_comma)
    codes = [named]
    if source.currency_name is not None:
        codes.append(frame.get_column(source.currency_name).str.strip_chars().str.to_uppercase())
    if cleaned.values.null_count() == len(texts):
        return cleaned, pl.repeat(None, len(texts), dtype=pl.String(), eager=True)
    if len(texts) <= STILL_FEW:
        said = _of_few(codes, source.default_currency)
        if all(code is None or _CURRENCY.fullmatch(code) for code in said):
            there = zip(cleaned.values.to_list(), said, strict=True)
            own = [None if value is None else code for value, code in there]
            return cleaned, pl.Series(own, dtype=pl.String())
    parts = pl.DataFrame([code.alias(str(place)) for place, code in enumerate(codes)])
    default = pl.lit(source.default_currency, dtype=pl.String)
    code = parts.select(pl.coalesce(pl.all(), default)).to_series()
    if not code.unique().str.contains("^[A-Z]{3}$").all():
        odd = cleaned.values.is_not_null() & ~code.str.contains("^[A-Z]{3}$").fill_null(True)
        cleaned = _without_currency(cleaned, odd) if odd.any() else cleaned
    no_code = pl.Series([None], dtype=pl.String())
    return cleaned, code.zip_with(cleaned.values.is_not_null(), no_code)


def _of_few(codes: Sequence[pl.Series], default: str | None) -> list[str | None]:
    """The first code that each row has: of few rows, cheaper than asking Polars for it."""
    rows = zip(*(code.to_list() for code in codes), strict=True)
    return [next((code for code in row if code is not None), default) for row in rows]


def _without_currency(cleaned: Cleaned, odd: pl.Series) -> Cleaned:
    """An amount in no known currency is no amount: null, with the reason."""
    nothing = pl.Series([None], dtype=dtype_of(FieldType.MONEY))
    why = pl.Series([Problem.UNKNOWN_CURRENCY.value], dtype=pl.String())
    before = cleaned.problems if cleaned.problems is not None else pl.Series([None], dtype=pl.String())
    return Cleaned(nothing.zip_with(odd, cleaned.values), why.zip_with(odd, before))


def _note_problems(
    frame: pl.DataFrame, source: Source, texts: pl.Series, cleaned: Cleaned, found: _Findings
) -> None:
    rows = cleaned.unreadable.arg_true()
    if rows.is_empty() or cleaned.problems is None:
        return
    name = source.field.name
    found.unread.append(pl.DataFrame({"row": rows, "name": [name] * len(rows)}))
    found.problems.append(
        pl.DataFrame(
            {
                "record_id": frame.get_column("_id")[rows],
                "field": [name] * len(rows),
                "source": [source.name] * len(rows),
                "problem": cleaned.problems[rows],
                "got": texts[rows],
            }
        )
    )


def _note_absent(frame: pl.DataFrame, sources: Iterable[Source], found: _Findings) -> None:
    """Fields that single records came without, named in ``_absent`` by their CRM names."""
    absent = frame.get_column("_absent")
    if absent.null_count() == frame.height:
        return
    needs = [(source.name, source.field.name) for source in sources if source.name is not None]
    needs += [(source.currency_name, source.field.name) for source in sources if source.currency_name]
    lead_names = pl.DataFrame(needs, schema={"crm_name": pl.String, "name": pl.String}, orient="row")
    cells = pl.DataFrame({"row": _row_numbers(frame.height), "crm_name": absent})
    named = cells.filter(pl.col("crm_name").is_not_null()).explode("crm_name")
    found.unread.append(named.join(lead_names, on="crm_name").select("row", "name"))


def _unread_column(height: int, found: _Findings) -> pl.Series:
    everywhere = pl.Series(UNREAD, [sorted(found.everywhere) or None], dtype=_NAMES)
    base = everywhere.new_from_index(0, height)
    if not found.unread:
        return base
    cells = pl.concat(found.unread)
    if height <= FEW:
        lacking = defaultdict[int, set[str]](lambda: set(found.everywhere))
        for row, name in cells.rows():
            lacking[row].add(name)
        told = [sorted(lacking.get(row, found.everywhere)) or None for row in range(height)]
        return pl.Series(UNREAD, told, dtype=_NAMES)
    if found.everywhere:
        # A row with something of its own lacks what every row lacks too.
        of_all = pl.DataFrame({"name": sorted(found.everywhere)}, schema={"name": pl.String()})
        cells = pl.concat([cells, cells.select("row").unique().join(of_all, how="cross")])
    # Sorted before they are grouped: to sort within each group takes three times as long.
    grouped = cells.unique().sort("row", "name").group_by("row").agg(pl.col("name").alias(UNREAD))
    lists = pl.concat([everywhere, grouped[UNREAD]])
    at = pl.zeros(height, dtype=pl.get_index_type(), eager=True)
    return lists.gather(at.scatter(grouped["row"], _row_numbers(grouped.height) + 1))


def _row_numbers(height: int) -> pl.Series:
    return pl.int_range(height, dtype=pl.get_index_type(), eager=True)
