"""A spreadsheet saved as CSV, as it comes: any of the usual separators and encodings, every row with its line.

German Excel writes semicolons and Windows-1252 or UTF-8 with a byte order mark; others write commas, tabs or
UTF-16. Nothing is understood here, only taken apart.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sync.errors import WrongUse

SEPARATORS = (";", "\t", ",", "|")
#: What a file begins with that says how its letters are written.
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row. ``line``: where it starts in the file, counted from 1."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spreadsheet:
    """A file, taken apart. ``torn``: rows that have another number of cells than the header."""

    name: str
    header: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    torn: tuple[SheetRow, ...] = ()
    separator: str = ";"
    encoding: str = "utf-8"


def read_spreadsheet(path: Path) -> Spreadsheet:
    """Take a CSV file apart. Raises WrongUse where it cannot be read, or has no header or no rows."""
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise WrongUse(f"{path}: the file cannot be read ({problem.strerror})") from problem
    if content[:2] == b"PK" or content[:4] == b"\xd0\xcf\x11\xe0":
        raise WrongUse(f"{path}: this is a workbook, not a CSV file", fix="save the sheet as CSV first")
    text, encoding = _decoded(path, content)
    text, announced = _without_sep_line(text)
    separator = announced or _separator(text)
    lines = _rows(path, text, separator, first_line=2 if announced else 1)
    if len(lines) < 2:
        raise WrongUse(f"{path}: there are no rows below the header", fix="the first row names the columns")
    header = _header(path, lines[0])
    rows = [_trimmed(row, len(header)) for row in lines[1:]]
    return Spreadsheet(
        path.name,
        header,
        tuple(row for row in rows if len(row.cells) == len(header)),
        tuple(row for row in rows if len(row.cells) != len(header)),
        separator,
        encoding,
    )


def _decoded(path: Path, content: bytes) -> tuple[str, str]:
    marked = [name for mark, name in _MARKS if content.startswith(mark)]
    # Windows-1252 last: nearly every file could be read as that.
    for encoding in (*marked, "utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding
    raise WrongUse(f"{path}: this is no text file", fix="save the sheet as CSV, best as CSV UTF-8")


def _without_sep_line(text: str) -> tuple[str, str | None]:
    """Excel's own first line ``sep=;``, where there is one."""
    first, _, rest = text.partition("\n")
    said = first.strip().strip('"')
    return (rest, said[4]) if len(said) == 5 and said[:4].lower() == "sep=" else (text, None)


def _separator(text: str) -> str:
    """The one that stands most often in the header, outside of quotes."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = "".join(first.split('"')[::2])
    return max(SEPARATORS, key=outside.count)


def _rows(path: Path, text: str, separator: str, first_line: int) -> list[SheetRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, line = [], first_line
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(SheetRow(line, tuple(cell.strip() for cell in cells)))
            line = first_line + reader.line_num
    except csv.Error as problem:
        raise WrongUse(
            f"{path}:{line}: a quotation mark does not close or stands alone ({problem})",
            fix='a cell with the separator, a line break or " in it stands in quotation marks, and " is doubled',
        ) from problem
    return rows


def _header(path: Path, row: SheetRow) -> tuple[str, ...]:
    cells: Sequence[str] = row.cells
    while cells and not cells[-1]:
        cells = cells[:-1]
    folded = [cell.casefold() for cell in cells]
    twice = sorted({cell for cell in cells if cell and folded.count(cell.casefold()) > 1})
    if twice:
        raise WrongUse(
            f"{path}:{row.line}: more than one column is called {', '.join(twice)}", fix="rename one of them"
        )
    return tuple(cells)


def _trimmed(row: SheetRow, width: int) -> SheetRow:
    """Without empty cells beyond the header: a spreadsheet writes them where a column was cleared."""
    cells = row.cells
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    return SheetRow(row.line, cells)
