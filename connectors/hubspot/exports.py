"""Exports: the third way to read everything, as one file (HubSpot reference, section 4.5).

One call starts an export, some more ask whether it is done, and the file is downloaded from an address that holds
for five minutes and needs no credentials: so it is asked for anew where it has run out, and it is in no log and no
error. Thirty exports a day, one at a time. The file is what the account held when the export was made; unlike a
list it shows the members of a HubSpot list by themselves.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import orjson
import polars as pl
import requests
import urllib3.exceptions

from connectors.crm import (
    ABSENT,
    ARCHIVED,
    CREATED_AT,
    MODIFIED_AT,
    RECORD_ID,
    SLAB_SCHEMA,
    FieldInfo,
    ObjectSchema,
    Slab,
)
from connectors.errors import ConnectorError, OurBug, RetryLater
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import CRM, translate, translate_exception
from connectors.hubspot.schema import CONTACTS, known
from connectors.hubspot.values import iso, plain
from connectors.slabs import SLAB_ROWS, times

#: Seconds between two questions: the first, and the longest. An export of a large account takes minutes.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

#: Questions before it is given up to the job that wanted the file: about two hours.
MOST_QUESTIONS = 250

#: The column of the record id: its label, or the name of the property. The reference shows no file, so both count.
ID_COLUMNS = ("Record ID", "hs_object_id")

#: The objects of an export, spelled as HubSpot's batch errors spell them; the reference names none. Others are
#: asked for by the name of their path.
OBJECT_TYPES: Mapping[str, str] = {"contacts": "CONTACT", "companies": "COMPANY", "leads": "LEAD"}

#: Statuses of an address that has run out.
RUN_OUT = frozenset({403, 404, 410})


@dataclass(frozen=True, slots=True)
class ExportState:
    """How far an export is. ``address`` of its file once it is complete: whoever knows it can read the file."""

    status: str
    address: str = field(repr=False, default="")

    @property
    def complete(self) -> bool:
        return self.status == "COMPLETE" and bool(self.address)


class _Started(msgspec.Struct):
    id: str


class _State(msgspec.Struct):
    status: str
    result: str | None = None


class Exports:
    """The exports of one account. Scope ``crm.export``; an OAuth app needs a super admin for it.

    ``describe`` gives the schema of an object, kept by the caller; ``sleep`` takes seconds.
    """

    def __init__(self, api: Api, describe: Callable[[str], ObjectSchema], slab_rows: int = SLAB_ROWS) -> None:
        self._api = api
        self._describe = describe
        self._slab_rows = slab_rows

    def start(
        self,
        object_name: str,
        fields: Sequence[str],
        *,
        list_id: str | None = None,
        modified_since: datetime | None = None,
    ) -> str:
        """Ask for a file of every record, of the members of a list, or of what changed since an aware time.

        Returns the id of the export. Not repeated where the answer is lost: it may be running, and they are
        counted. Raises RetryLater where the account has used up its exports.
        """
        schema = self._describe(object_name)
        stamps = (_CREATED[object_name not in _CREATEDATE], _stamp(object_name))
        body: dict[str, object] = {
            "exportType": "VIEW" if list_id is None else "LIST",
            "format": "CSV",
            "exportName": f"leadpact-{object_name}",
            "objectType": OBJECT_TYPES.get(object_name, object_name),
            "objectProperties": list(dict.fromkeys([*known(schema, fields), *stamps])),
            "language": "EN",
            "exportInternalValuesOptions": ["NAMES", "VALUES"],
            "overrideAssociatedObjectsPerDefinitionPerRowLimit": False,
        }
        if list_id is not None:
            body["listId"] = list_id
        if modified_since is not None:
            # Not the words of a search: here a filter names a "property" (HubSpot reference, section 4.5).
            since = {"property": _stamp(object_name), "operator": "GTE", "value": iso(modified_since)}
            body["publicCrmSearchRequest"] = {"filters": [since]}
        send = self._api.exports.start
        return self._api.read(
            _decode_started, send, orjson.dumps(body), repeatable=False, window="exports"
        ).id

    def state(self, export_id: str) -> ExportState:
        """How far an export is; each answer about a complete one has an address that holds for five minutes."""
        found = self._api.read(_decode_state, self._api.exports.get_status, export_id)
        if found.status == "CANCELED":
            raise OurBug("HubSpot has cancelled an export", crm=CRM, code="CANCELED")
        return ExportState(found.status, found.result or "")

    def wait(self, export_id: str, sleep: Callable[[float], None]) -> ExportState:
        """Ask until the export is complete. Raises RetryLater where it is not within about two hours."""
        pause = FIRST_PAUSE
        for _ in range(MOST_QUESTIONS):
            found = self.state(export_id)
            if found.complete:
                return found
            sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        raise RetryLater("HubSpot's export is not complete yet", crm=CRM, code="EXPORT_SLOW")

    def everything(
        self, object_name: str, fields: Sequence[str], sleep: Callable[[float], None]
    ) -> Iterator[Slab]:
        """Start an export of every record, wait for it and read it. The start is made with the first slab."""
        yield from self.slabs(self.start(object_name, fields), object_name, fields, sleep)

    def slabs(
        self, export_id: str, object_name: str, fields: Sequence[str], sleep: Callable[[float], None]
    ) -> Iterator[Slab]:
        """The file of an export as slabs, once it is complete. The whole file is held in memory.

        Raises the four kinds only. A field that the file has no column for was not returned.
        """
        schema = self._describe(object_name)
        asked = known(schema, fields)
        for text in _files(self._download(export_id, sleep)):
            table = read_table(text)
            # Also where there are no rows: a file of another kind must not pass for an empty account.
            id_column(table)
            for start in range(0, len(table), self._slab_rows):
                part = table.slice(start, self._slab_rows)
                yield Slab(CRM, object_name, slab_of(part, schema, asked))

    def _download(self, export_id: str, sleep: Callable[[float], None]) -> bytes:
        for _ in range(3):
            address = self.wait(export_id, sleep).address
            try:
                status, headers, body = self._api.session.exchange(
                    "GET", address, {"Accept-Encoding": "gzip"}
                )
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise translate_exception(error, self._api.quota.now()) from None
            if status == 200:
                return body
            if status not in RUN_OUT:
                raise _failed(status, headers, self._api.quota.now())
        raise RetryLater("The addresses of HubSpot's export run out at once", crm=CRM, code="EXPORT_ADDRESS")


_CREATEDATE = frozenset({"contacts", "companies"})
#: When a record was made: of contacts and companies, and of all other objects.
_CREATED = ("createdate", "hs_createdate")


def _stamp(object_name: str) -> str:
    return "lastmodifieddate" if object_name == CONTACTS else "hs_lastmodifieddate"


def _failed(status: int, headers: Mapping[str, str], now: datetime) -> ConnectorError:
    # It is a store of files that answers, in words of its own: only the status counts.
    error = translate(status, headers, b"", now)
    if isinstance(error, RetryLater):
        error.sent = False
        return error
    return OurBug(f"The file of HubSpot's export cannot be read ({status})", crm=CRM, code=str(status))


def _files(data: bytes) -> Iterator[bytes]:
    """The CSV files in a download: it is zipped from two megabytes on (HubSpot reference, section 4.5)."""
    if not data.startswith(b"PK"):
        yield data
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in sorted(archive.namelist()):
                if name.lower().endswith(".csv"):
                    yield archive.read(name)
    except zipfile.BadZipFile:
        text = "The file of HubSpot's export is cut off"
        raise RetryLater(text, crm=CRM, code="EXPORT_FILE", sent=True) from None


def read_table(text: bytes) -> pl.DataFrame:
    """A CSV file as columns of text; an empty cell is a blank. Raises OurBug for one that cannot be read."""
    try:
        table = pl.read_csv(text, infer_schema=False)
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    except pl.exceptions.PolarsError as error:
        # Its own text may quote a line of the file.
        kind = type(error).__name__
        raise OurBug(
            f"The file of HubSpot's export is no CSV ({kind})", crm=CRM, code="EXPORT_FILE"
        ) from None
    return table.with_columns(pl.when(pl.col(n) != "").then(pl.col(n)).alias(n) for n in table.columns)


def id_column(table: pl.DataFrame) -> str:
    """The column of the record ids. Raises OurBug where there is none."""
    found = next((name for name in ID_COLUMNS if name in table.columns), None)
    if found is None:
        raise OurBug("HubSpot's export has no column of record ids", crm=CRM, code="EXPORT_FILE")
    return found


def slab_of(table: pl.DataFrame, schema: ObjectSchema, asked: Sequence[str]) -> pl.DataFrame:
    """Rows of an export as a slab's frame: the columns ``asked`` that the file has, in the port's spelling."""
    ids, stamp = id_column(table), _stamp(schema.object)
    columns = {n: FieldInfo(n, n, "datetime") for n in (stamp, *_CREATED) if n in table.columns}
    columns |= {n: i for n, i in schema.fields.items() if n in table.columns}
    spelled = plain(table, columns)

    def moments(*names: str) -> pl.Series:
        found = next((n for n in names if n in spelled.columns), None)
        texts = spelled[found] if found is not None else pl.Series([None] * len(spelled), dtype=pl.String)
        return times("at", texts.to_list())

    fixed = [
        spelled[ids].alias(RECORD_ID),
        moments(stamp).alias(MODIFIED_AT),
        moments(*_CREATED).alias(CREATED_AT),
        pl.Series(ARCHIVED, [False] * len(spelled), dtype=pl.Boolean),
        pl.Series(ABSENT, [None] * len(spelled), dtype=SLAB_SCHEMA[ABSENT]),
    ]
    return pl.DataFrame(fixed + [spelled[name] for name in asked if name in spelled.columns])


def _decode_started(reply: Reply) -> _Started:
    return msgspec.json.decode(reply.data, type=_Started)


def _decode_state(reply: Reply) -> _State:
    return msgspec.json.decode(reply.data, type=_State)
