"""Result pages of a query job: fetched side by side into files, read from there in blocks.

What is held in memory is one block of one page; what waits on disk is a handful of pages.
"""

from __future__ import annotations

import csv
import tempfile
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import IO
from urllib.parse import quote

import polars as pl

from connectors.errors import RetryLater
from connectors.salesforce.calls import Calls, listed, part, unreadable
from connectors.salesforce.errors import CRM

#: Pages on their way or on disk at the same time.
AT_ONCE = 4

#: Bytes of a page that become one frame.
BLOCK_BYTES = 8 << 20

#: Records of a page where pages are asked for one after the other.
PAGE_ROWS = 50_000

#: The first version with addresses of pages that can be fetched side by side (Salesforce reference, section 5).
SIDE_BY_SIDE_SINCE = 58.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """One page on disk, a file without a name: it is gone with the process. ``locator``: "" at the end."""

    file: IO[bytes]
    records: int
    locator: str


class Results:
    """The result of one finished query job. ``names`` are the columns in the order of its SELECT."""

    def __init__(self, calls: Calls, job_id: str, names: Sequence[str]) -> None:
        self._calls = calls
        self._path = f"jobs/query/{job_id}"
        self._names = list(names)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Every record once, as columns of text under ``names``; null for an empty cell.

        Raises RetryLater where a page is not what its headers say; the result stays for seven days.
        """
        with closing(self._fetched()) as pages:
            for page in pages:
                with page.file as file:
                    found = 0
                    for frame in read_frames(file, self._names):
                        found += frame.height
                        yield frame
                if found != page.records:
                    raise unreadable(self._path)

    def _fetched(self) -> Generator[Fetched, None, None]:
        if self._calls.version < SIDE_BY_SIDE_SINCE:
            yield from self._one_by_one()
            return
        waiting: deque[Future[Fetched]] = deque()
        addresses = self._addresses()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bulk-page") as pool:
            try:
                more = True
                while more or waiting:
                    while more and len(waiting) < AT_ONCE:
                        address = next(addresses, None)
                        more = address is not None
                        if address is not None:
                            waiting.append(pool.submit(self._fetch, address))
                    if waiting:
                        yield waiting.popleft().result()
            finally:
                for each in waiting:
                    if not each.cancel():
                        each.add_done_callback(_close)

    def _addresses(self) -> Iterator[str]:
        path: str | None = f"{self._path}/resultPages"
        while path is not None:
            answer = self._calls.get(path)
            for page in listed(part(answer, "resultPages", path), path):
                yield self._below(part(page, "resultUrl", path))
            # The reference table and its example spell the name differently; both are taken.
            following = answer.get("nextRecordsUrl") or answer.get("nextRecordUrl")
            path = None if answer.get("done", True) or not following else self._below(following)

    def _below(self, address: object) -> str:
        """An address as a path below the version. Only this job's own are followed."""
        text = str(address)
        place = text.find(f"{self._path}/")
        if place < 0:
            raise unreadable(self._path)
        return text[place:]

    def _one_by_one(self) -> Iterator[Fetched]:
        path = first = f"{self._path}/results?maxRecords={PAGE_ROWS}"
        while path:
            page = self._fetch(path)
            yield page
            path = f"{first}&locator={quote(page.locator, safe='')}" if page.locator else ""

    def _fetch(self, path: str) -> Fetched:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who reads it
        try:
            headers = self._calls.download(path, file)
            count = headers.get("Sforce-NumberOfRecords", "")
            if not count.isdigit():
                raise unreadable(self._path)
        except BaseException:
            file.close()
            raise
        locator = headers.get("Sforce-Locator", "null")
        # The end is said with the word (Salesforce reference, section 5).
        return Fetched(file, int(count), "" if locator == "null" else locator)


def _close(done: Future[Fetched]) -> None:
    if not done.cancelled() and done.exception() is None:
        done.result().file.close()


def read_frames(
    file: IO[bytes], names: Sequence[str], block_bytes: int = BLOCK_BYTES
) -> Iterator[pl.DataFrame]:
    """A page of CSV from its beginning, in frames of text columns in the order of ``names``.

    Raises RetryLater for a page that is no CSV of these columns.
    """
    file.seek(0)
    order: list[str] | None = None
    for block in blocks(file, block_bytes):
        if order is None:
            order, block = _without_header(block, list(names))
        if block:
            yield _frame(block, order).select(names)


def blocks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """A CSV file in pieces of about ``size`` bytes that end with the end of a record."""
    rest, read = b"", file.read(size)
    while following := file.read(size):
        start = _start_of_record(read)
        if start:
            yield b"".join((rest, memoryview(read)[:start]))
            rest = read[start:]
        else:
            rest += read
            end = _end_of_records(rest)
            if end:
                yield rest[:end]
                rest = rest[end:]
        read = following
    if rest or read:
        yield rest + read


def _start_of_record(text: bytes) -> int:
    """Where the last record begins that starts with a quoted id; 0 where none is found.

    A line feed, a quote and a letter or digit are nowhere else: within a cell a quote is either doubled or the end of
    the cell. So the quotes before need not be counted, which takes a fifth as long as reading them.
    """
    end = len(text)
    while (place := text.rfind(b'\n"', 0, end)) >= 0:
        if text[place + 2 : place + 3].isalnum():
            return place + 1
        end = place
    return 0


def _end_of_records(text: bytes) -> int:
    """The end of the last whole record: a line feed ends one where an even number of quotes stands before it."""
    before = text.count(b'"')
    end = len(text)
    while (place := text.rfind(b"\n", 0, end)) >= 0:
        before -= text.count(b'"', place, end)
        if before % 2 == 0:
            return place + 1
        end = place
    return 0


def _without_header(block: bytes, names: list[str]) -> tuple[list[str], bytes]:
    """The order of the columns, and the block without its header.

    Every query asks for Id first, and no id is spelt "Id". Some say that only the first page has a header; a
    page without one has the order of the SELECT.
    """
    line, _, rest = block.partition(b"\n")
    try:
        cells = next(csv.reader([line.decode("utf-8-sig").rstrip("\r")]), [])
    except (UnicodeDecodeError, csv.Error):
        cells = []
    if not cells or cells[0].lower() != "id":
        return names, block
    if len(cells) != len(names):
        raise _no_such_csv()
    known = {name.lower(): name for name in names}
    ordered = [known.get(cell.lower(), "") for cell in cells]
    return (ordered if set(ordered) == set(names) else names), rest


def _frame(block: bytes, order: Sequence[str]) -> pl.DataFrame:
    failed = False
    try:
        frame = pl.read_csv(
            block,
            has_header=False,
            schema=dict.fromkeys(order, pl.String),
            null_values=[""],
            raise_if_empty=False,
            truncate_ragged_lines=False,
        )
    except pl.exceptions.PolarsError:
        failed = True
    # Outside the except block: the reader's own text quotes what it could not read.
    if failed:
        raise _no_such_csv()
    return frame


def _no_such_csv() -> RetryLater:
    return RetryLater("salesforce: a page of a bulk query could not be read", crm=CRM, code="CSV", sent=True)
