"""``costs.csv``: the costs as a spreadsheet saves them, semicolon or comma, decimal comma or point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from mapping.qualification.columns import nearest
from mapping.values.amounts import read_amount
from sync.errors import WrongUse
from sync.reports.costrows import CENT, KIND_WORDS, CostRow, kind_of, month_of
from sync.spreadsheet import SheetRow, Spreadsheet, read_spreadsheet
from sync.wrongconfig import Problem, WrongConfig, problem

#: What a column may be called, in both languages.
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "channel": ("channel", "kanal"),
    "campaign": ("campaign", "kampagne", "aktion"),
    "month": ("month", "monat"),
    "from": ("from", "von", "start", "beginn"),
    "to": ("to", "bis", "end", "ende"),
    "kind": ("kind", "art", "kostenart", "type"),
    "planned": ("planned", "geplant", "plan", "budget"),
    "spent": ("spent", "ausgegeben", "ist", "actual", "kosten"),
    "currency": ("currency", "währung", "waehrung"),
}
_DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y")


def read_costs(path: Path, channels: Sequence[str], currency: str) -> tuple[CostRow, ...]:
    """Every row of the file. ``channels``: their names, as declared; ``currency``: where a row names none.

    A semicolon between the cells means a comma in the numbers, as spreadsheets set to German save them. Raises
    WrongConfig with every problem and its line.
    """
    try:
        sheet = read_spreadsheet(path)
    except WrongUse as wrong:
        what, fix = str(wrong), wrong.fix
    else:
        return _rows(sheet, channels, currency)
    raise WrongConfig([problem(path.name, what, fix or "correct files.costs, or the file")])


def _rows(sheet: Spreadsheet, channels: Sequence[str], currency: str) -> tuple[CostRow, ...]:
    columns = _columns(sheet)
    problems = [
        problem(
            f"{sheet.name}:{row.line}", "the row has another number of cells than the header", "correct it"
        )
        for row in sheet.torn
    ]
    reader = _Reader(sheet, columns, channels, currency, problems)
    rows = [one for one in (reader.row(row) for row in sheet.rows) if one is not None]
    if problems:
        raise WrongConfig(problems)
    return tuple(rows)


def _columns(sheet: Spreadsheet) -> dict[str, int]:
    """Our name of a column to its place. Raises WrongConfig for one that is unknown, there twice, or missing."""
    columns: dict[str, int] = {}
    problems: list[Problem] = []
    known = {word: name for name, words in HEADINGS.items() for word in words}
    for place, heading in enumerate(sheet.header):
        name = known.get(heading.casefold().strip())
        if name is None or name in columns:
            near = nearest(heading, known)
            fix = (
                f"did you mean {near}?" if near and name is None else f"use {', '.join(HEADINGS)}, each once"
            )
            problems.append(problem(f"{sheet.name}:1", f"the column {heading} is none that costs have", fix))
        else:
            columns[name] = place
    if "month" not in columns and not {"from", "to"} <= columns.keys():
        problems.append(problem(f"{sheet.name}:1", "there is no column month", "add month, or from and to"))
    if "channel" not in columns or not {"planned", "spent"} & columns.keys():
        problems.append(
            problem(
                f"{sheet.name}:1", "costs need a channel and an amount", "add channel, and planned or spent"
            )
        )
    if problems:
        raise WrongConfig(problems)
    return columns


class _Reader:
    """Reads row after row and keeps what is wrong with each."""

    def __init__(
        self,
        sheet: Spreadsheet,
        columns: Mapping[str, int],
        channels: Sequence[str],
        currency: str,
        problems: list[Problem],
    ) -> None:
        self._name, self._columns, self._currency = sheet.name, columns, currency
        self._channels = {name.casefold(): name for name in channels}
        self._comma = sheet.separator == ";"
        self._problems = problems

    def row(self, row: SheetRow) -> CostRow | None:
        """The cost in a row, or None with its problems kept."""
        where, before = f"{self._name}:{row.line}", len(self._problems)
        cells = {name: row.cells[place].strip() for name, place in self._columns.items()}
        channel = self._channels.get(cells["channel"].casefold())
        if channel is None:
            near = nearest(cells["channel"], self._channels.values())
            fix = (
                f"did you mean {near}?"
                if near
                else f"use {', '.join(self._channels.values()) or '[[channels]]'}"
            )
            self._wrong(where, f"there is no channel “{cells['channel']}” in [[channels]]", fix)
        days = self._days(where, cells)
        kind = kind_of(cells["kind"]) if cells.get("kind") else "other"
        if kind is None:
            self._wrong(where, f"there is no kind of cost “{cells['kind']}”", f"use {', '.join(KIND_WORDS)}")
        planned, one = self._money(where, "planned", cells)
        spent, other = self._money(where, "spent", cells)
        code = (cells.get("currency") or one or other or self._currency).upper()
        if not (len(code) == 3 and code.isascii() and code.isalpha()):
            self._wrong(where, "the currency must be three letters (ISO 4217)", "write EUR, CHF, USD …")
        if planned is None and spent is None and len(self._problems) == before:
            self._wrong(
                where, "neither planned nor spent holds an amount", "fill in one of them, or take the row out"
            )
        if len(self._problems) > before or days is None or kind is None:
            return None
        return CostRow(channel, cells.get("campaign") or None, *days, kind, planned, spent, code, where)

    def _wrong(self, where: str, what: str, fix: str) -> None:
        self._problems.append(problem(where, what, fix))

    def _days(self, where: str, cells: Mapping[str, str]) -> tuple[date, date] | None:
        if cells.get("month"):
            days = month_of(cells["month"])
            if days is None:
                self._wrong(where, "the month cannot be read", "write 2026-03 or 03.2026")
            return days
        first, last = _day(cells.get("from", "")), _day(cells.get("to", ""))
        if first is None or last is None or last < first:
            self._wrong(
                where, "the days cannot be read, or end before they begin", "write 2026-03-01 or 01.03.2026"
            )
            return None
        return first, last

    def _money(self, where: str, name: str, cells: Mapping[str, str]) -> tuple[Decimal | None, str | None]:
        """An amount and the currency that stands beside it, where there is one."""
        text = cells.get(name, "")
        if not text:
            return None, None
        read = read_amount(text, decimal_comma=self._comma, whole=True, words=True)
        if not isinstance(read, tuple) or read[0] < 0 or read[0] >= Decimal(10) ** 13:
            self._wrong(where, f"{name} holds no amount that can be read", "write 1200 or 1.200,50")
            return None, None
        return read[0].quantize(CENT), read[1]


def _day(text: str) -> date | None:
    for form in _DAYS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None
