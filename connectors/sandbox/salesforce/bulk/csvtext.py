"""CSV as Bulk API 2.0 reads and writes it (Salesforce reference, section 5).

Everything that goes out is quoted. What comes in must keep to the line ending and the delimiter that the job
named; a space outside quotes, a stray quote or a row of the wrong width spoils the whole file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import chain

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
LONGEST_HEADER = 32_000
LONGEST_FIELD = 131_072
LONGEST_RECORD = 400_000
MOST_FIELDS = 5_000


class BadFile(Exception):
    """The file as a whole cannot be read; ``text`` is the job's ``errorMessage``."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def line(cells: Iterable[str], delimiter: str) -> str:
    """One record with every value quoted, without its line ending."""
    values = list(cells)
    joined = f'"{delimiter}"'.join(values)
    if joined.count('"') == 2 * max(len(values) - 1, 0):
        return f'"{joined}"' if values else ""
    return delimiter.join('"' + cell.replace('"', '""') + '"' for cell in values)


def read(body: bytes, delimiter: str, ending: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of an uploaded file; ``delimiter`` and ``ending`` by name. Raises BadFile."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile("InvalidBatch : Failed to parse CSV. The file is not encoded in UTF-8") from None
    # What stands outside quotes is looked at as a whole, and not each character by itself.
    outside = text.split('"')[::2]
    _check_endings("".join(outside), ending)
    if len(text.partition(ENDINGS[ending])[0]) > LONGEST_HEADER:
        raise BadFile(f"InvalidBatch : The header is longer than {LONGEST_HEADER} characters")
    if text.count('"') % 2:
        raise BadFile("InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote")
    _check_quotes('"'.join(outside), DELIMITERS[delimiter])
    records = _records(text, DELIMITERS[delimiter])
    if not records:
        raise BadFile("InvalidBatch : Failed to parse CSV. The file has no header")
    header, rows = records[0], records[1:]
    if len(header) > MOST_FIELDS:
        raise BadFile(f"InvalidBatch : More than {MOST_FIELDS} fields")
    if not _is_plain(rows, len(header)):
        for number, row in enumerate(rows, 1):
            _check_row(number, row, len(header))
    return header, rows


def _is_plain(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether no row can be of the wrong width or too long, as far as that is seen without a look at each."""
    longest = max(map(len, chain.from_iterable(rows)), default=0)
    return {*map(len, rows)} <= {width} and longest <= min(LONGEST_FIELD, LONGEST_RECORD // width)


def _check_row(number: int, row: Sequence[str], width: int) -> None:
    if len(row) != width:
        raise BadFile(f"InvalidBatch : Record {number} has {len(row)} fields, the header has {width}")
    if max(map(len, row)) > LONGEST_FIELD:
        raise BadFile(f"InvalidBatch : A field of record {number} is longer than {LONGEST_FIELD} characters")
    if sum(map(len, row)) > LONGEST_RECORD:
        raise BadFile(f"InvalidBatch : Record {number} is longer than {LONGEST_RECORD} characters")


def _check_endings(bare: str, ending: str) -> None:
    """The line ending outside quotes has to be the one that the job named.

    ``bare``: what stands outside quotes; a doubled quote leaves nothing.
    """
    windows = bare.count("\r\n")
    unix = bare.count("\n") - windows
    if (unix if ending == "CRLF" else windows) or bare.count("\r") > windows:
        raise BadFile(
            f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {ending}"
        )


def _records(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [record for record in reader if record]
    except csv.Error as wrong:
        raise BadFile(f"InvalidBatch : Failed to parse CSV. {wrong}") from None


def _check_quotes(bare: str, delimiter: str) -> None:
    """A space between a delimiter and a quote is an error; spaces inside a value are kept.

    ``bare``: what stands outside quotes, with one quote for each value.
    """
    mark = re.escape(delimiter)
    if re.search(rf'"[^"\n\r{mark}]|[^"\n{mark}]"', bare):
        raise BadFile("InvalidBatch : Failed to parse CSV. Characters outside of quotes")
