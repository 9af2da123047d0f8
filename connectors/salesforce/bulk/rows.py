"""Writes as rows of CSV, and the rows of a job's results as what became of each write.

The results stand in another order than the rows (Salesforce reference, section 5). What tells them apart is
a column that the rows have anyway: the id, the external id, or for new records all that was sent.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

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
    names = _names(items) - {key}
    return [*([key] if key else []), *sorted(names)]


def _names(items: Sequence[Outgoing]) -> set[str]:
    return set().union(*(item.body for item in items))


def heading(columns: Sequence[str]) -> bytes:
    """The first line."""
    names = ["Id" if name == "id" else name for name in columns]
    return f"{','.join(map(_quoted, names))}\n".encode()


def lines(items: Sequence[Outgoing], columns: Sequence[str]) -> list[bytes]:
    """The writes as a line each; a field that one does not name is an empty cell.

    Many writes name the same fields, so their lines differ by what stands between the quotes.
    """
    forms: dict[tuple[str, ...], _Form] = {}
    known: dict[int, str] = {}

    def cell(value: Any) -> str:
        # By identity: a number cannot be looked up by its value, and one that comes again is the same object.
        text = known.get(id(value))
        if text is None:
            text = known[id(value)] = _cell(value)
        return text

    found: list[bytes] = []
    for item in items:
        names = tuple(item.body)
        form = forms.get(names)
        if form is None:
            form = forms[names] = _Form.of(item.body.keys(), columns)
        cells = [v if v.__class__ is str else cell(v) for v in map(item.body.__getitem__, form.names)]
        line = form.template % tuple(cells)
        if line.count('"') != form.quotes:
            line = form.template % tuple(text.replace('"', '""') for text in cells)
        found.append(line.encode())
    return found


class _Form(NamedTuple):
    """The line of writes that name the same fields: ``template`` takes the texts of ``names``."""

    names: Sequence[str]
    template: str
    quotes: int

    @classmethod
    def of(cls, named: Collection[str], columns: Sequence[str]) -> _Form:
        names = [name for name in columns if name in named]
        template = ",".join('"%s"' if name in named else "" for name in columns)
        return cls(names, template + "\n", 2 * len(names))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def cells_of(item: Outgoing, columns: Sequence[str]) -> list[str]:
    """One write as cells."""
    return [_cell(item.body[name]) if name in item.body else "" for name in columns]


def _cell(value: Any) -> str:
    if value is None:
        return CLEAR
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def in_lock_order(items: Sequence[Outgoing]) -> list[Outgoing]:
    """The writes, those of one parent side by side."""
    names = _names(items)
    parents = [name for name in PARENTS if name in names]
    if not parents:
        return sorted(items, key=lambda item: item.target)
    return sorted(items, key=lambda item: ([str(item.body.get(name) or "") for name in parents], item.target))


class Sent:
    """The writes of one job, to be found again by the rows of its results."""

    def __init__(self, items: Sequence[Outgoing], columns: Sequence[str]) -> None:
        keyed = bool(items[0].route.key or items[0].write.record_id is not None)
        self._columns = columns[:1] if keyed else columns
        self._names = ["Id" if name == "id" else name for name in self._columns]
        self._identity = _all_cells if not keyed else _as_id if columns[0] == "id" else _without_case
        self._open: dict[Hashable, list[Outgoing]] = defaultdict(list)
        for item in items:
            self._open[self._identity(cells_of(item, self._columns))].append(item)

    @property
    def asked(self) -> Sequence[str]:
        """The columns of a result that say anything."""
        return (*TOLD, *self._names)

    def take(self, row: Mapping[str, str]) -> Outgoing | None:
        """The write that a row of a result belongs to, once; rows that say the same are interchangeable."""
        waiting = self._open.get(self._identity([row.get(name, "") for name in self._names]))
        return waiting.pop(0) if waiting else None

    def rest(self) -> Iterator[Outgoing]:
        """The writes of which no result has told anything."""
        for waiting in self._open.values():
            yield from waiting


# What tells the rows of one job apart. Unique texts are compared without case, ids are told apart by it.


def _as_id(cells: Sequence[str]) -> Hashable:
    return eighteen(cells[0])


def _without_case(cells: Sequence[str]) -> Hashable:
    return cells[0].casefold()


def _all_cells(cells: Sequence[str]) -> Hashable:
    return tuple(cell.replace("\r\n", "\n") for cell in cells)


#: What Salesforce says of a row beside the row itself.
TOLD = ("sf__Id", "sf__Created", "sf__Error")


def read_rows(file: IO[bytes], wanted: Collection[str]) -> Iterator[Mapping[str, str]]:
    """The rows of a result file, those cells that are ``wanted`` by the name of their column.

    Raises UnicodeDecodeError and csv.Error.
    """
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        found = csv.reader(text, strict=True)
        heading = next(found, [])
        picked = [(name, place) for place, name in enumerate(heading) if name in wanted]
        for cells in found:
            # A line that was cut short says nothing of its last columns; one without a cell is none.
            if len(cells) == len(heading):
                yield {name: cells[place] for name, place in picked}
            elif cells:
                yield {name: cells[place] for name, place in picked if place < len(cells)}
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
