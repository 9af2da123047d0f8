"""A whole list, read over several ranges of ids at a time.

One page after the other, a list is as slow as its answers: at 150 ms a page it uses a third of the calls that
a Professional account allows. The cursor of a list is an id (HubSpot reference, section 4.1), so several
ranges of ids can be read side by side. Where a range should end is asked of the search, which tells the id
that stands so many records further on, and whose calls do not count against the ten seconds (HubSpot
reference, section 1.3). What the search says is a hint and nothing more: its index lags, and ranges that end
at any id at all still hold every record once. Without a search the list is read one page after the other.

Whether lists are strictly in id order while records are being created is not known (HubSpot reference,
section 13). A page that is not in order ends the reading by ranges: the list is then read from its beginning,
one page after the other, and records that were handed out before come again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson

from connectors.atonce import join_many
from connectors.errors import ConnectorError, OurBug
from connectors.hubspot.api import Api
from connectors.hubspot.errors import CRM
from connectors.hubspot.pages import LIST_PAGE, RECORD_ID_PROPERTY, ListPage, Reader
from connectors.slabs import Rows

#: Records to the first boundary; lists that are shorter are not worth a second range.
FIRST_STEP = 1_000

#: Records between two boundaries, at least and at most. A search shows nothing past 10,000 rows.
LEAST_STEP = 500
MOST_STEP = 9_900

#: Hands over the page that begins at a cursor; None: the first one.
Fetch = Callable[[str | None], ListPage]


@dataclass(frozen=True, slots=True)
class Boundary:
    """The id that stands so many records further on, None where the list is shorter; ``left``: all from here."""

    record_id: int | None
    left: int


#: Tells the boundary so many records behind an id; None where it cannot be told. Any answer is harmless.
Scout = Callable[[str, int], Boundary | None]


class _OutOfOrder(Exception):
    """A page whose ids do not rise, or do not lie behind its cursor."""


@dataclass(slots=True)
class _Range:
    """Records with ``after`` <= id < ``end``; ``end`` None: to the end of the list."""

    after: str
    end: int | None = None


def list_in_ranges(fetch: Fetch, scout: Scout, threads: int) -> Iterator[Rows]:
    """Every record of a list once, in pages of no particular order; ``threads`` pages at a time at most.

    At most ``threads`` pages are held. Records made meanwhile may or may not be among them. Raises OurBug
    where a list that is not in id order does not move on either.
    """
    first = fetch(None)
    if first.after is None:
        yield first.rows
        return
    if threads < 2 or not _in_order(first, None):
        yield first.rows
        yield from _one_by_one(fetch, first.after)
        return
    yield first.rows
    try:
        yield from _Reading(fetch, scout, threads).pages(first.after)
    except _OutOfOrder:
        yield from _one_by_one(fetch, None)


def _one_by_one(fetch: Fetch, after: str | None) -> Iterator[Rows]:
    while True:
        page = fetch(after)
        yield page.rows
        if page.after is None:
            return
        if page.after == after:
            raise OurBug("HubSpot's list does not move on", crm=CRM, code="NO_PROGRESS")
        after = page.after


class _Reading:
    """One list being read. Ranges and futures are touched by the thread that iterates, and by no other."""

    def __init__(self, fetch: Fetch, scout: Scout, threads: int) -> None:
        self._fetch = fetch
        self._boundary = scout
        self._threads = threads
        self._step = 0
        self._idle: list[_Range] = []
        self._pages: dict[Future[ListPage], _Range] = {}
        self._scout: Future[Boundary | None] | None = None
        self._scouting = True

    def pages(self, start: str) -> Iterator[Rows]:
        """The pages from the cursor ``start`` on. Raises _OutOfOrder."""
        tail = _Range(start)
        self._idle.append(tail)
        # One thread more: the search must not wait for pages that wait for their ten seconds.
        pool = ThreadPoolExecutor(self._threads + 1, "hubspot-list", initializer=join_many)
        try:
            while self._idle or self._pages:
                self._start(pool, tail)
                waiting: set[Future[Any]] = set(self._pages)
                if self._scout is not None:
                    waiting.add(self._scout)
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                if self._scout in done:
                    tail = self._split(tail)
                for future in [f for f in self._pages if f in done]:
                    yield self._taken(future)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _start(self, pool: ThreadPoolExecutor, tail: _Range) -> None:
        while self._idle and len(self._pages) < self._threads:
            found = self._idle.pop(0)
            self._pages[pool.submit(self._fetch, found.after)] = found
        few = len(self._idle) < self._threads
        if self._scouting and self._scout is None and few:
            self._scout = pool.submit(self._boundary, tail.after, self._step or FIRST_STEP)

    def _taken(self, future: Future[ListPage]) -> Rows:
        found, page = self._pages.pop(future), future.result()
        if not _in_order(page, found.after):
            raise _OutOfOrder
        if page.after is not None and (found.end is None or int(page.after) < found.end):
            found.after = page.after
            # The oldest range first: ranges end, instead of many being half read.
            self._idle.insert(0, found)
        elif found.end is None:
            self._scouting = False
        return page.rows if found.end is None else _before(page, found.end)

    def _split(self, tail: _Range) -> _Range:
        """Let the last range end at the boundary that was found; returns the last range from now on."""
        boundary = self._scout.result() if self._scout is not None else None
        self._scout = None
        if boundary is None or boundary.record_id is None or not self._scouting:
            self._scouting = False
            return tail
        if not self._step:
            even = -(-boundary.left // (2 * self._threads))
            self._step = min(max(-(-even // LIST_PAGE) * LIST_PAGE, LEAST_STEP), MOST_STEP)
        if boundary.record_id <= int(tail.after):
            return tail
        tail.end = boundary.record_id
        rest = _Range(str(boundary.record_id))
        self._idle.append(rest)
        return rest


def scout_by_search(api: Api, object_name: str) -> Scout:
    """Boundaries by one search each, of one row (HubSpot reference, section 4.4)."""
    ids = Reader(())

    def scout(start: str, step: int) -> Boundary | None:
        at_least = {"propertyName": RECORD_ID_PROPERTY, "operator": "GTE", "value": start}
        wanted = {
            "filterGroups": [{"filters": [at_least]}],
            "sorts": [{"propertyName": RECORD_ID_PROPERTY, "direction": "ASCENDING"}],
            "properties": [RECORD_ID_PROPERTY],
            "limit": 1,
            "after": str(step),
        }
        try:
            page = api.read(
                ids.page, api.searches.do_search, object_name, orjson.dumps(wanted), window="search"
            )
        except ConnectorError:
            # The list does not need it, and if something is really wrong the list will say so.
            return None
        found = page.results[0].id if page.results else ""
        return Boundary(int(found) if found.isdecimal() else None, page.total or 0)

    return scout


def _in_order(page: ListPage, start: str | None) -> bool:
    """Whether the ids rise from the page's cursor to the next page's."""
    ids: Sequence[str] = [*page.ids, *([] if page.after is None else [page.after])]
    if not all(i.isdecimal() for i in ids):
        return False
    numbers = [int(i) for i in ids]
    if start is not None and numbers and numbers[0] < int(start):
        return False
    return all(low < high for low, high in pairwise(numbers))


def _before(page: ListPage, end: int) -> Rows:
    """The rows of a page without those that the list showed at ``end`` and behind it."""
    beyond = {i for i in page.ids if int(i) >= end}
    rows = page.rows
    if not beyond:
        return rows
    keep = [n for n, i in enumerate(rows.ids) if i not in beyond]

    def kept(values: Sequence[Any]) -> list[Any]:
        return [values[n] for n in keep]

    columns = {name: kept(values) for name, values in rows.columns.items()}
    return Rows(kept(rows.ids), kept(rows.modified), kept(rows.created), kept(rows.archived), columns)
