"""The report as spreadsheets: one CSV file a table, in the form that the reader's spreadsheet expects."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sync.errors import WrongUse
from sync.privatefile import opened_private
from sync.reports.document import Document, Table, flat
from sync.reports.voice import Language

#: With this at its beginning Excel reads UTF-8 as UTF-8.
MARK = "\ufeff"
#: German spreadsheets take a semicolon between cells and a comma in numbers.
_SEPARATORS: Mapping[Language, str] = {"de": ";", "en": ","}


def write_file(path: Path, text: str, *, private: bool) -> None:
    """Write a text. ``private``: it names people, so only its owner can read the file. Raises OSError."""
    file: Path | int = opened_private(path) if private else path
    with open(file, "w", encoding="utf-8", newline="") as opened:
        opened.write(text)


def write_csv(document: Document, folder: Path, *, private: bool = False) -> list[Path]:
    """Write one file a table, called by the table's key; returns the files. Raises WrongUse where that fails."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for section in document.sections:
            for table in section.tables:
                path = folder / f"{table.key}.csv"
                write_file(path, MARK + as_csv(table, document.language), private=private)
                written.append(path)
    except OSError as problem:
        raise WrongUse(f"{folder}: cannot be written ({problem.strerror})") from problem
    return written


def as_csv(table: Table, language: Language) -> str:
    """One table; columns are named by their keys in every language, rates with their numerator and denominator."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=_SEPARATORS[language])
    empty = [name for column in table.columns for name, _ in flat(column, None)]
    writer.writerow(empty)
    for row in table.rows:
        cells = [
            cell for column, value in zip(table.columns, row, strict=True) for _, cell in flat(column, value)
        ]
        writer.writerow([_cell(cell, language) for cell in cells])
    return out.getvalue()


def _cell(cell: Any, language: Language) -> str:
    match cell:
        case None:
            return ""
        case date():
            return cell.strftime("%d.%m.%Y") if language == "de" else cell.isoformat()
        case float() | Decimal():
            text = f"{cell:f}" if isinstance(cell, Decimal) else f"{cell:.6f}".rstrip("0").rstrip(".")
            return text.replace(".", ",") if language == "de" else text
        case str():
            # A spreadsheet would take a name that begins like this for a formula, and carry it out.
            return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
        case _:
            return str(cell)
