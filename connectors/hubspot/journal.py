"""The Webhooks Journal: everything that happened in the last three days, in order, fetched by us.

No public address is needed: the app asks for the next page after an offset, is told where its file lies, and
downloads it (HubSpot reference, section 10.4). Whoever was away for longer than the journal remembers gets a
``Gap``: the time for which the records must be read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
import requests
import urllib3.exceptions

from connectors.errors import OurBug, RetryLater
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import CRM, Refusal, translate, translate_exception
from connectors.hubspot.events import Event, Malformed
from connectors.hubspot.journal_file import JournalFile, read_file
from connectors.retry import Retry
from connectors.session import CrmSession

VERSION = "2026-03"

#: How long HubSpot keeps a page.
RETENTION = timedelta(days=3)

#: How much of that is not relied on: clocks differ, what happened is published later, and a page may go while
#: those before it are being read.
MARGIN = timedelta(hours=1)

#: Pages asked for at once. Their addresses run out, so not more than are read within minutes.
PAGES_AT_ONCE = 20

#: Statuses of a file whose address has run out.
_RUN_OUT = frozenset({400, 401, 403, 404, 410})

_ROOT = "/webhooks-journal"


@dataclass(frozen=True, slots=True)
class JournalCursor:
    """Where reading goes on: after the page ``offset``; "" is before the first one.

    ``known_until`` (aware) is the time up to which nothing is missing.
    """

    offset: str
    known_until: datetime

    def as_json(self) -> dict[str, str]:
        """The cursor as texts, to be kept; ``of_json`` reads them."""
        return {"offset": self.offset, "known_until": self.known_until.isoformat()}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> JournalCursor:
        """The cursor that ``as_json`` wrote. Raises OurBug for anything else."""
        offset, until = kept.get("offset"), kept.get("known_until")
        try:
            moment = datetime.fromisoformat(until) if isinstance(until, str) else None
        except ValueError:
            moment = None
        if not isinstance(offset, str) or moment is None or moment.utcoffset() is None:
            raise OurBug("This is no cursor of the journal", crm=CRM, code="CURSOR")
        return cls(offset, moment)


@dataclass(frozen=True, slots=True)
class Gap:
    """The journal does not tell what happened in this time: read again what was modified since ``start``.

    Both are aware UTC; ``end`` is the beginning of what the journal still knows. What was archived, erased or
    merged in this time no search finds (HubSpot reference, section 4.4): it shows in a full reading only.
    """

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Some events in their order, and the cursor to be kept once they are safe.

    ``gap`` is set on the first page after an absence. The last page of a reading has no events.
    """

    cursor: JournalCursor
    events: tuple[Event, ...] = ()
    gap: Gap | None = None


class Journal:
    """Reads the journal of one app.

    ``api`` sends with the token of the app itself (``token.AppTokens``). ``files`` downloads: another session,
    so that neither the token nor the clock of the one is mixed up with the other; ``retry`` repeats downloads,
    which count against no budget. ``local`` takes the parallel family of addresses, ``journal-local``.
    ``account`` is the portal id whose events are wanted, "" for all.
    """

    def __init__(
        self,
        api: Api,
        files: CrmSession,
        retry: Retry,
        *,
        account: str = "",
        local: bool = False,
        at_once: int = PAGES_AT_ONCE,
    ) -> None:
        self._api = api
        self._files = files
        self._retry = retry
        self._path = f"{_ROOT}/{'journal-local' if local else 'journal'}/{VERSION}"
        self._query = f"?installPortalId={account}" if account else ""
        self._account = account
        self._at_once = at_once

    def start(self) -> JournalCursor:
        """A cursor after everything that the journal holds now; to be taken before a full reading begins."""
        asked_at = self._api.quota.now()
        entry = self._entry("latest")
        return JournalCursor("" if entry is None else entry.currentOffset, asked_at)

    def read(self, cursor: JournalCursor | None) -> Iterator[Page]:
        """The pages after a cursor, oldest first; None: all that the journal holds.

        Ends with a page without events, whose cursor says that nothing is missing until the moment in which
        it was asked for. Raises NeedsPerson, RetryLater or OurBug; what was read before stays good.
        """
        now = self._api.quota.now()
        lost = cursor is not None and cursor.known_until <= now - RETENTION + MARGIN
        offset = "" if cursor is None or lost else cursor.offset
        known = cursor.known_until if cursor is not None else now - RETENTION
        start = known if lost else None
        while True:
            asked_at = self._api.quota.now()
            try:
                entries = self._batch(offset)
            except Refusal as refusal:
                if not offset or start is not None:
                    raise refusal.as_bug() from None
                # The page behind this offset is gone, whatever our clock says of its age.
                offset, start = "", known
                continue
            for entry in entries:
                file = self._retry(partial(self._file, entry), repeatable=True)
                offset, known = entry.currentOffset, file.published(known)
                gap = None if start is None else Gap(start - MARGIN, max(start, known))
                start = None
                yield Page(JournalCursor(offset, known), file.events(self._account), gap)
            if not entries:
                gap = None if start is None else Gap(start - MARGIN, asked_at)
                yield Page(JournalCursor(offset, max(known, asked_at)), (), gap)
                return

    def _batch(self, offset: str) -> list[_Entry]:
        where = f"{quote(offset, safe='')}/next" if offset else "earliest"
        path = f"{self._path}/batch/{where}/{self._at_once}{self._query}"
        return self._api.call(_decode_batch, self._api.get, path)

    def _entry(self, where: str) -> _Entry | None:
        return self._api.read(_decode_entry, self._api.get, f"{self._path}/{where}{self._query}")

    def _file(self, entry: _Entry) -> JournalFile:
        """What lies at an address; where the address has run out, at another one for the same page."""
        status, body = self._download(entry.url)
        if status in _RUN_OUT:
            status, body = self._download(self._again(entry.currentOffset).url)
        if status != 200:
            text = "A file of HubSpot's journal cannot be downloaded"
            raise RetryLater(text, crm=CRM, code=str(status))
        try:
            return read_file(body)
        except Malformed:
            raise OurBug("A file of HubSpot's journal cannot be read", crm=CRM, code="JOURNAL_FILE") from None

    def _again(self, offset: str) -> _Entry:
        body = msgspec.json.encode({"inputs": [offset]})
        path = f"{self._path}/batch/read{self._query}"
        found = self._api.read(_decode_batch, self._api.post, path, body)
        if not found:
            raise RetryLater(
                "HubSpot gives no address for a file of its journal", crm=CRM, code="JOURNAL_FILE"
            )
        return found[0]

    def _download(self, url: str) -> tuple[int, bytes]:
        try:
            # Whoever holds the address may read the file: it goes out without a token, and into no text.
            status, headers, body = self._files.exchange("GET", url, {"Accept": "application/json"})
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise translate_exception(error, self._api.quota.now()) from None
        if status >= 500 or status == 429:
            raise translate(status, headers, b"", self._api.quota.now())
        return status, body


class _Entry(msgspec.Struct):
    currentOffset: str
    url: str


class _Batch(msgspec.Struct):
    results: list[_Entry] = []


def _decode_entry(reply: Reply) -> _Entry | None:
    # 204: the journal has nothing there.
    return msgspec.json.decode(reply.data, type=_Entry) if reply.data else None


def _decode_batch(reply: Reply) -> list[_Entry]:
    return msgspec.json.decode(reply.data, type=_Batch).results if reply.data else []
