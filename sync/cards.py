"""The people in a spreadsheet: rows become typed columns of the common lead, and what is wrong with one is named.

Rows about one person are one card: the first row stands, later ones fill its blanks. Rows that share an address
and do not agree about whose it is are told apart by nobody here, and are held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from connectors.crm import SLAB_SCHEMA
from mapping.fieldmap import FieldMap
from mapping.identity import pairing_keys
from mapping.lead import FieldType, LeadField, columns_of
from mapping.mapread import Source, read_slab
from sync.headings import BESIDE, FULL_NAME, Heading
from sync.pairs import same_person
from sync.spreadsheet import SheetRow, Spreadsheet

LINE, ROW_KEY = "_line", "_row_key"
#: What a kind of field looks like, for people who have to mend one.
EXPECTED: Mapping[FieldType, str] = {
    FieldType.EMAIL: "one address, such as ada@firma.de",
    FieldType.PHONE: "one number, such as +49 30 1234567",
    FieldType.COUNTRY: "a country, such as Deutschland, Germany or DE",
    FieldType.CHOICE: "a word of its table in fields.toml",
    FieldType.URL: "a web address, such as www.firma.de",
    FieldType.MONEY: "an amount, such as 25.000.000 or 25000000 EUR",
    FieldType.INTEGER: "a whole number",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "ja or nein, yes or no",
    FieldType.DATE: "a date, such as 31.12.2026",
    FieldType.DATETIME: "a date, such as 31.12.2026 or 31.12.2026 14:30",
}
YES, NO = (
    frozenset({"ja", "yes", "y", "j", "x", "true", "1"}),
    frozenset({"nein", "no", "n", "false", "0", "-"}),
)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot go. ``where`` is FILE:LINE; nothing of the person stands in it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Consent that holds for every row without words of its own."""

    wording: str | None = None
    at: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Cards:
    """The people of a file. ``frame``: one row a person: ``_id`` (FILE:LINE), ``_row_key``, the keys of identity,
    ``BESIDE`` as text, and a typed column per lead field. ``unclear``: the same, of rows that contradict each
    other. ``repeated``: rows that were about a person of an earlier row.
    """

    frame: pl.DataFrame
    unclear: pl.DataFrame
    bad: list[BadRow] = field(default_factory=list)
    repeated: int = 0


def read_cards(
    sheet: Spreadsheet,
    columns: Sequence[Heading],
    field_map: FieldMap,
    evidence: Evidence,
    decimal_comma: bool | None,
) -> Cards:
    """Read every row. ``decimal_comma`` None: as the separator says, for German spreadsheets write semicolons."""
    german = sheet.separator == ";"
    named = {one.means: place for place, one in enumerate(columns) if one.means is not None}
    texts = _texts(sheet, named)
    fields = {name: field_map.fields[name] for name in field_map.rules if name in texts.columns}
    fields |= {name: LeadField(name, FieldType.DATETIME, name) for name in ("consent_at",)}
    comma = decimal_comma if decimal_comma is not None else (True if german else None)
    sources = [
        Source(
            known, name, field_map.values.get(name), comma, day_first=True if german else None,
            default_currency=field_map.default_currency.get("hubspot"),
        )
        for name, known in fields.items()
    ]  # fmt: skip
    texts = _with_evidence(texts, evidence)
    read = read_slab(texts, sources, "hubspot", "contacts", field_map.default_region)
    bad = [_torn(sheet, row) for row in sheet.torn]
    unread = _unread(sheet, columns, fields, read.problems)
    bad += unread
    typed = read.frame.select("_id", *columns_of(fields)).with_columns(
        pl.col("consent_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        *(texts[name] for name in BESIDE if name not in (FULL_NAME, "consent_at")),
    )
    lines = {one.where for one in unread}
    typed = _keyed(typed).filter(~pl.col("_id").is_in(list(lines)))
    bad += [_nobody(row) for row in typed.filter(_names_nobody(typed))["_id"]]
    bad += [_half(row) for row in typed.filter(~_names_nobody(typed) & _half_consent())["_id"]]
    good = typed.filter(~_names_nobody(typed) & ~_half_consent())
    people, unclear, repeated = _once_each(good)
    return Cards(people, unclear, bad, repeated)


def _texts(sheet: Spreadsheet, named: Mapping[str, int]) -> pl.DataFrame:
    """The columns as text under our names, with the columns a slab has."""
    columns: dict[str, list[str | None]] = {
        name: [row.cells[place] or None for row in sheet.rows] for name, place in named.items()
    }
    columns |= {name: [None] * len(sheet.rows) for name in BESIDE if name not in columns}
    frame = pl.DataFrame(
        {"_id": [_where(sheet, row) for row in sheet.rows], **columns},
        schema={"_id": pl.String(), **{name: pl.String() for name in columns}},
    )
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in SLAB_SCHEMA.items()
        if name not in frame.columns
    ]
    return _named_apart(frame.with_columns(missing))


def _where(sheet: Spreadsheet, row: SheetRow) -> str:
    return f"{sheet.name}:{row.line}"


def _named_apart(texts: pl.DataFrame) -> pl.DataFrame:
    """First and last name out of one cell, where they have no cells of their own: ``Sommer, Anna``, ``Anna Sommer``."""
    whole = pl.col(FULL_NAME).str.strip_chars()
    turned = whole.str.contains(",")
    first = (
        pl.when(turned).then(whole.str.extract(r",\s*(.+)$")).otherwise(whole.str.extract(r"^(.+)\s+\S+$"))
    )
    last = pl.when(turned).then(whole.str.extract(r"^([^,]+),")).otherwise(whole.str.extract(r"(\S+)$"))
    if texts[FULL_NAME].null_count() == texts.height:
        return texts
    split = {"first_name": first, "last_name": last}
    return texts.with_columns(
        (pl.coalesce(name, said) if name in texts.columns else said).alias(name)
        for name, said in split.items()
    )


def _with_evidence(texts: pl.DataFrame, given: Evidence) -> pl.DataFrame:
    """Consent as the file says it. A plain yes is no wording: it takes the option's; a plain no is no consent."""
    said = pl.col("consent_wording").str.to_lowercase()
    own_column = texts["consent_wording"].null_count() < texts.height
    option = pl.lit(given.wording, dtype=pl.String)
    if own_column:
        wording = (
            pl.when(said.is_in(list(NO))).then(None).when(said.is_in(list(YES))).then(option)
            .otherwise("consent_wording")
        )  # fmt: skip
        agreed = pl.col("consent_wording").is_not_null() & ~said.is_in(list(NO))
    else:
        wording, agreed = option, pl.lit(given.wording is not None)
    return texts.with_columns(
        consent_wording=wording,
        consent_at=pl.when(agreed).then(pl.coalesce("consent_at", pl.lit(given.at, dtype=pl.String))),
        consent_source=pl.when(agreed).then(
            pl.coalesce("consent_source", pl.lit(given.source, dtype=pl.String))
        ),
        _agreed=agreed,
    )


def _half_consent() -> pl.Expr:
    """Consent without its words or without its time proves nothing."""
    return pl.col("consent_wording").is_null() != pl.col("consent_at").is_null()


def _torn(sheet: Spreadsheet, row: SheetRow) -> BadRow:
    what = f"the row has {len(row.cells)} cells, and {len(sheet.header)} are expected"
    return BadRow(_where(sheet, row), what, "put a cell that holds the separator in quotation marks")


def _unread(
    sheet: Spreadsheet,
    columns: Sequence[Heading],
    fields: Mapping[str, LeadField],
    problems: pl.DataFrame,
) -> list[BadRow]:
    del sheet
    titles = {one.means: one.column for one in columns}
    found: dict[str, list[tuple[str, str]]] = {}
    for where, name, problem in problems.select("record_id", "field", "problem").iter_rows():
        words = str(problem).partition(": ")[2] or str(problem)
        expected = EXPECTED.get(fields[name].type, "a text")
        column = titles.get(name, name)
        found.setdefault(where, []).append((f"{column}: {words}", f"expected {expected}"))
    return [
        BadRow(where, "; ".join(what for what, _ in each), "; ".join(dict.fromkeys(how for _, how in each)))
        for where, each in found.items()
    ]


def _names_nobody(frame: pl.DataFrame) -> pl.Expr:
    """Neither an address nor a name with a company or a number: nobody could ever find this person again."""
    there = [
        pl.col(name).is_not_null() for name in ("phone", "mobile_phone", "company") if name in frame.columns
    ]
    named = pl.col("_name_key").is_not_null() & (pl.any_horizontal(there) if there else pl.lit(value=False))
    return pl.col("_email_key").is_null() & ~named


def _nobody(where: str) -> BadRow:
    return BadRow(
        where, "the row names nobody", "expected an e-mail address, or a name with a company or a number"
    )


def _half(where: str) -> BadRow:
    return BadRow(
        where,
        "consent without its wording or without its time proves nothing",
        "expected both; give what all rows share with --consent-wording and --consent-at",
    )


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    keyed = frame.hstack(pairing_keys(frame))
    numbers = [name for name in ("phone", "mobile_phone") if name in frame.columns]
    who = (*("_email_key", "_name_key", "_company_key"), *numbers)
    spelled = keyed.select(pl.concat_str([pl.col(name).fill_null("") for name in who], separator="\n"))
    digests = [hashlib.sha256(text.encode()).hexdigest()[:24] for text in spelled.to_series()]
    return keyed.with_columns(pl.Series(ROW_KEY, digests, dtype=pl.String))


def _once_each(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """(people, rows that contradict each other, how many rows repeated somebody)."""
    by_whom = rows.with_columns(_whom=pl.coalesce("_email_key", ROW_KEY)).with_row_index("_place")
    first = by_whom.unique("_whom", keep="first", maintain_order=True)
    beside = by_whom.join(
        first.select("_whom", "_place", "_is_role", "_name_key", "_company_key", "email"),
        on="_whom", how="inner", suffix="_s",
    ).filter(pl.col("_place") != pl.col("_place_s"))  # fmt: skip
    renamed = beside.rename({"_is_role": "is_role", "_is_role_s": "is_role_s", "_name_key": "name_key"}).rename(
        {"_name_key_s": "name_key_s", "_company_key": "company_key", "_company_key_s": "company_key_s"}
    ) if not beside.is_empty() else None  # fmt: skip
    if renamed is None:
        return rows, rows.clear(), 0
    same = renamed.filter(same_person() | pl.col("_email_key").is_null())
    doubtful = renamed.join(same.select("_place"), on="_place", how="anti")["_whom"].unique()
    unclear = pl.col("_whom").is_in(doubtful.implode())
    own = [name for name in rows.columns if name not in ("_id", ROW_KEY)]
    clear = by_whom.filter(~unclear).group_by("_whom", maintain_order=True)
    people = clear.agg(
        pl.col("_id", ROW_KEY).first(), *(pl.col(name).drop_nulls().first() for name in own)
    ).select(rows.columns)
    return (
        people,
        by_whom.filter(unclear).select(rows.columns),
        by_whom.filter(~unclear).height - people.height,
    )
