"""Writes as rows of CSV, and the rows of a job's results as what became of each write.

The results stand in another order than the rows (Salesforce reference, section 5). What tells them apart is
a column that the rows have anyway: the id, the external id, or for new records all that was sent.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import orjson

from connectors.crm import Written
from connectors.salesforce.errors import field_names, without_values
from connectors.salesforce.ids import eighteen
from connectors.salesforce.outgoing import Outgoing

#: Clears a field; an empty cell leaves it alone (Salesforce reference, section 5).
CLEAR = "#N/A"

#: Fields that name a record which is locked together with the row: sorted by them, rows of one parent come
#: together, and two parts of a job do not wait for each other.
PARENTS = ("AccountId", "CampaignId", "ReportsToId", "ParentId", "ContactId", "LeadId")


def fits(item: Outgoing) -> bool:
    """Whether a row can say what the write says: the text that means "clear" cannot be written as a text."""
    return CLEAR not in item.body.values()


def columns_of(items: Sequence[Outgoing]) -> list[str]:
    """The columns of a job: its key first, the others by name."""
    key = items[0].route.key or ("id" if items[0].write.record_id is not None else "")
    names = {name for item in items for name in item.body} - {key}
    return [*([key] if key else []), *sorted(names)]


def heading(columns: Sequence[str]) -> bytes:
    """The first line."""
    return _line(["Id" if name == "id" else name for name in columns])


def row(item: Outgoing, columns: Sequence[str]) -> bytes:
    """One write as a line; a field that it does not name is an empty cell."""
    return _line(cells_of(item, columns))


def cells_of(item: Outgoing, columns: Sequence[str]) -> list[str]:
    """One write as cells."""
    return [_cell(item.body[name]) if name in item.body else "" for name in columns]


def _cell(value: Any) -> str:
    if value is None:
        return CLEAR
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _line(cells: Sequence[str]) -> bytes:
    text = ",".join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in cells)
    return text.encode() + b"\n"


def in_lock_order(items: Sequence[Outgoing]) -> list[Outgoing]:
    """The writes, those of one parent side by side."""
    parents = [name for name in PARENTS if any(name in item.body for item in items)]
    return sorted(items, key=lambda item: ([str(item.body.get(name) or "") for name in parents], item.target))


class Sent:
    """The writes of one job, to be found again by the rows of its results."""

    def __init__(self, items: Sequence[Outgoing], columns: Sequence[str]) -> None:
        self._keyed = bool(items[0].route.key or items[0].write.record_id is not None)
        self._columns = columns[:1] if self._keyed else columns
        self._open: dict[tuple[str, ...], deque[Outgoing]] = defaultdict(deque)
        for item in items:
            self._open[self._identity(cells_of(item, self._columns))].append(item)

    def _identity(self, cells: Sequence[str]) -> tuple[str, ...]:
        # The first column is the key; unique texts are compared without case, ids are told apart by it.
        if self._keyed:
            first = cells[0]
            return (eighteen(first),) if self._columns[0] == "id" else (first.casefold(),)
        return tuple(cell.replace("\r\n", "\n") for cell in cells)

    def take(self, row: Mapping[str, str]) -> Outgoing | None:
        """The write that a row of a result belongs to, once; rows that say the same are interchangeable."""
        names = ("Id" if name == "id" else name for name in self._columns)
        waiting = self._open.get(self._identity([row.get(name, "") for name in names]))
        return waiting.popleft() if waiting else None

    def rest(self) -> Iterator[Outgoing]:
        """The writes of which no result has told anything."""
        for waiting in self._open.values():
            yield from waiting


def read_rows(file: IO[bytes]) -> Iterator[Mapping[str, str]]:
    """The rows of a result file, cells by the name of their column. Raises UnicodeDecodeError and csv.Error."""
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        yield from csv.DictReader(text, strict=True)
    finally:
        text.detach()


def written(item: Outgoing, result: Mapping[str, str]) -> Written:
    """What a row of ``successfulResults`` says."""
    record_id = result.get("sf__Id") or item.write.record_id
    created = result.get("sf__Created", "").lower() == "true"
    return Written(item.write.trace, "written", eighteen(str(record_id)), created)


def refused(item: Outgoing, result: Mapping[str, str]) -> Written:
    """What a row of ``failedResults`` says: ``CODE:message:fields --`` (Salesforce reference, section 5).

    The message may hold colons itself, so only the first one is sure; names of fields stand behind the last.
    """
    code, _, rest = result.get("sf__Error", "").partition(":")
    message, colon, tail = rest.rpartition(":")
    names = tail.strip().removesuffix("--").strip()
    fields = field_names([name.strip() for name in names.split(",") if name.strip()])
    if not colon or not tail.strip().endswith("--"):
        message, fields = rest, ()
    sent = [*item.write.values.values(), item.write.key[1] if item.write.key is not None else None]
    return Written(
        item.write.trace,
        "refused",
        item.write.record_id,
        code=code if code.replace("_", "").isalnum() else "",
        message=without_values(message, sent),
        fields=fields,
    )
