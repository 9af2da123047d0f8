"""Leads of the past out of a spreadsheet: one row a lead, with a column that says what became of it.

Columns are found by the names that the field map gives them in either CRM, and by our own; case, blanks and
punctuation do not count. No CRM and no database is asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from connectors.crm import SLAB_SCHEMA
from mapping.fieldmap import FieldMap
from mapping.identity import derive
from mapping.lead import LEAD_FIELDS, FieldType, LeadField, columns_of
from mapping.mapread import ReadResult, Source, read_slab
from mapping.qualification.backtest import CASE
from mapping.qualification.backtest_history import SALES_SAID, without_later
from mapping.qualification.backtest_leaks import Suspect, suspects
from mapping.qualification.declared import Policy
from mapping.rules import CRMS
from mapping.values.words import clean_boolean
from sync.errors import WrongUse
from sync.headings import fold
from sync.spreadsheet import Spreadsheet, read_spreadsheet

#: What names a person to reach; a file without any of it says nothing about being reachable.
CONTACT = ("email", "phone", "mobile_phone", "street")
_TIME = LeadField("at", FieldType.DATETIME, "When the row was true")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class CsvAsked:
    """Which file, and which of its columns say what.

    ``won``: the words of the outcome column that mean it was reached (none: yes, true, 1 and the like).
    ``trusted``: columns to keep although they look like the outcome.
    """

    file: Path
    outcome: str
    time: str | None = None
    worked: str | None = None
    rep: str | None = None
    won: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Past:
    """Leads of the past from one source: ``cases`` as ``judge_cases`` takes them, and what to know about them.

    ``horizon_days``: how long each lead was watched for its outcome; None where the source does not say.
    """

    cases: pl.DataFrame
    horizon_days: int | None = None
    warnings: list[str] = field(default_factory=list)


def past_in_csv(asked: CsvAsked, field_map: FieldMap, policy: Policy) -> Past:
    """Read the file. Raises WrongUse for a file or a column that cannot be used."""
    sheet = read_spreadsheet(asked.file)
    taken = {
        name: _column(sheet, name)
        for name in (asked.outcome, asked.time, asked.worked, asked.rep, *asked.trusted)
        if name is not None
    }
    used = {taken[name] for name in (asked.outcome, asked.worked, asked.rep) if name in taken}
    known = _known(sheet, field_map, used)
    texts = _texts(sheet)
    read, told = _read(sheet, texts, known, field_map, policy)
    cases = _cases(sheet, texts, read, asked, taken)
    cases, blamed = _without_suspects(cases, known, {taken[name] for name in asked.trusted})
    cases, assumed = _completed(cases, known, policy)
    return Past(cases, None, [*_about_rows(sheet), *told, *blamed, *assumed, *_about_fields(known, policy)])


def _column(sheet: Spreadsheet, name: str) -> str:
    for column in sheet.header:
        if column.casefold() == name.casefold():
            return column
    near = difflib.get_close_matches(name, sheet.header, 1)
    raise WrongUse(
        f"{sheet.name} has no column {name}",
        fix=f"did you mean {near[0]}?" if near else f"its columns are {', '.join(sheet.header)}",
    )


def _known(sheet: Spreadsheet, field_map: FieldMap, used: set[str]) -> dict[str, tuple[str, str]]:
    """Lead field to (column, CRM in whose words it is written). The first column that means a field counts."""
    by_name: dict[str, tuple[str, str]] = {}
    for name, rule in field_map.rules.items():
        for crm in CRMS:
            for source in rule.names(crm).values():
                by_name.setdefault(fold(source), (name, crm))
    for name in {**LEAD_FIELDS, **field_map.fields}:
        by_name.setdefault(fold(name), (name, "hubspot"))
    found: dict[str, tuple[str, str]] = {}
    for column in sheet.header:
        meant = by_name.get(fold(column))
        if meant is not None and column not in used:
            found.setdefault(meant[0], (column, meant[1]))
    return found


def _texts(sheet: Spreadsheet) -> pl.DataFrame:
    """Every column as text; an empty cell is null. ``_id`` is FILE:LINE."""
    cells = list(zip(*(row.cells for row in sheet.rows), strict=True)) or [()] * len(sheet.header)
    columns = [
        pl.Series(name, values, dtype=pl.String) for name, values in zip(sheet.header, cells, strict=True)
    ]
    frame = pl.DataFrame(columns).with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in sheet.header
    )
    ids = pl.Series("_id", [f"{sheet.name}:{row.line}" for row in sheet.rows], dtype=pl.String)
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in SLAB_SCHEMA.items()
        if name != "_id" and name not in sheet.header
    ]
    return frame.with_columns(ids).with_columns(missing)


def _read(
    sheet: Spreadsheet,
    texts: pl.DataFrame,
    known: Mapping[str, tuple[str, str]],
    field_map: FieldMap,
    policy: Policy,
) -> tuple[pl.DataFrame, list[str]]:
    """The lead fields of the file, typed, and what could not be read."""
    frames, told = [], []
    for crm in CRMS:
        sources = [
            _source(field_map, name, column, crm, policy, german=sheet.separator == ";")
            for name, (column, words) in known.items()
            if words == crm
        ]
        if sources:
            read = read_slab(texts, sources, crm, "contacts", field_map.default_region)
            frames.append(read.frame.drop("_id", "_modified_at", "_created_at", "_archived", "_unread"))
            told += _unread(read, known)
    return pl.concat(frames, how="horizontal") if frames else texts.select(), told


def _source(field_map: FieldMap, name: str, column: str, crm: str, policy: Policy, *, german: bool) -> Source:
    known, rule = {**LEAD_FIELDS, **field_map.fields}[name], field_map.rules.get(name)
    values = field_map.values.get(name)
    if known.type is FieldType.CHOICE and values is None:
        known = replace(known, type=FieldType.TEXT)  # the file's own words
    comma = rule.decimal_comma if rule is not None else None
    if comma is None:
        comma = field_map.decimal_comma if field_map.decimal_comma is not None else (True if german else None)
    return Source(
        known, column, values, comma, day_first=True if german else None,
        default_currency=field_map.default_currency.get(crm) or policy.currency,
    )  # fmt: skip


def _unread(read: ReadResult, known: Mapping[str, tuple[str, str]]) -> list[str]:
    counted = (
        read.problems.group_by("field", maintain_order=True).agg(pl.len(), pl.col("record_id").first()).rows()
    )
    return [
        f"column {known[name][0]}: {count} cells could not be read as {name}, the first in {where}; not known"
        for name, count, where in counted
    ]


def _cases(
    sheet: Spreadsheet,
    texts: pl.DataFrame,
    read: pl.DataFrame,
    asked: CsvAsked,
    taken: Mapping[str, str],
) -> pl.DataFrame:
    outcome = _yes_or_no(
        texts, taken[asked.outcome], asked.won, "--won WORD says which words mean that it was reached"
    )
    worked = (
        _yes_or_no(texts, taken[asked.worked], (), "write yes or no")
        if asked.worked is not None
        else pl.repeat(None, texts.height, dtype=pl.Boolean, eager=True)
    )
    nothing = {name: pl.lit(None, dtype=dtype) for name, dtype in CASE.items()}
    columns = nothing | {
        "lead_id": texts["_id"],
        "at": _times(sheet, texts, None if asked.time is None else taken[asked.time]),
        "outcome": outcome,
        "worked": worked,
    }
    if asked.rep is not None:
        columns["rep"] = texts[taken[asked.rep]]
    return read.with_columns(value.alias(name) for name, value in columns.items())


def _yes_or_no(texts: pl.DataFrame, column: str, won: Sequence[str], fix: str) -> pl.Series:
    cells = texts[column]
    if won:
        words = {word.casefold() for word in won}
        said = cells.str.to_lowercase().is_in(list(words))
        if not said.any():
            raise WrongUse(
                f"no row has {' or '.join(won)} in column {column}", fix="see how it is spelled there"
            )
        return said
    read = clean_boolean(cells, None, "")
    if read.unreadable.any():
        row = int(read.unreadable.arg_true()[0])
        raise WrongUse(f"{texts['_id'][row]}: column {column} says neither yes nor no", fix=fix)
    return read.values


def _times(sheet: Spreadsheet, texts: pl.DataFrame, column: str | None) -> pl.Series:
    """When each row was true. Raises WrongUse where a row has none, or one that cannot be read."""
    dtype = CASE["at"]
    if column is None:
        return pl.repeat(None, texts.height, dtype=dtype, eager=True)
    source = Source(_TIME, column, day_first=True if sheet.separator == ";" else None)
    times = read_slab(texts, [source], "hubspot", "contacts", None).frame["at"]
    if times.null_count():
        row = int(times.is_null().arg_true()[0])
        raise WrongUse(
            f"{texts['_id'][row]}: column {column} holds no time",
            fix="expected 2026-03-31 or 31.03.2026 14:30",
        )
    return times.cast(dtype)


def _without_suspects(
    cases: pl.DataFrame, known: Mapping[str, tuple[str, str]], trusted: set[str]
) -> tuple[pl.DataFrame, list[str]]:
    """Blank the columns that look like the outcome, unless they were asked for."""
    columns = [name for name in known if name in cases.columns and name not in SALES_SAID]
    blamed: list[Suspect] = suspects(cases, columns)
    left = [one for one in blamed if known[one.column][0] not in trusted]
    told = [
        f"column {known[one.column][0]} looks like the outcome itself: {one.why}."
        + (" It was left out; --trust keeps it" if one in left else " It was kept, as asked")
        for one in blamed
    ]
    blank = [pl.lit(None, dtype=cases.schema[one.column]).alias(one.column) for one in left]
    return cases.with_columns(blank), told


def _completed(
    cases: pl.DataFrame, known: Mapping[str, tuple[str, str]], policy: Policy
) -> tuple[pl.DataFrame, list[str]]:
    """Every column that the policy may ask for."""
    wanted = columns_of(policy.fields)
    missing = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in cases.columns
    ]
    frame = without_later(cases.with_columns(missing), policy.fields)
    whole = derive(frame)
    if any(name in known for name in CONTACT):
        return whole, []
    yes = pl.lit(value=True)
    told = ["the file has no contact data: every lead is taken for one that can be reached by mail"]
    return whole.with_columns(has_contact_data=yes, may_email=yes), told


def _about_rows(sheet: Spreadsheet) -> list[str]:
    if not sheet.torn:
        return []
    lines = ", ".join(str(row.line) for row in sheet.torn[:_NAMED])
    return [
        f"{len(sheet.torn)} rows have another number of cells than the header, and were left out: line {lines}"
    ]


def _about_fields(known: Mapping[str, tuple[str, str]], policy: Policy) -> list[str]:
    """Rules that can never be judged here."""
    there = {*known, "has_contact_data"} | ({"email_domain", "is_free_mail"} if "email" in known else set())
    deaf = [rule.name for rule in policy.rules if rule.when.fields and there.isdisjoint(rule.when.fields)]
    if not deaf:
        return []
    listed = ", ".join(f"“{name}”" for name in deaf)
    return [f"the file has no column for these rules, so nobody gets their points: {listed}"]
