"""When properties had which values: a time for each field, where a record has one for all of them.

``propertiesWithHistory`` (HubSpot reference, section 4.2) lists the values of a property, newest first, each
with its time and with who set it: in a row's ``source`` HubSpot's word for what set it, in ``source_id`` which one
of those. Pages are smaller then: 50 records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import orjson
import polars as pl

from connectors.crm import HISTORY_SCHEMA, RECORD_ID, FieldInfo, ObjectSchema
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.pages import Paging, check_left_out, following
from connectors.hubspot.schema import known
from connectors.hubspot.values import plain_text
from connectors.slabs import times

#: Records in a page at most, where history is asked for (HubSpot reference, section 4.2).
HISTORY_PAGE = 50


class _Past(msgspec.Struct):
    timestamp: str
    value: str | None = None
    sourceType: str | None = None
    sourceId: str | None = None
    updatedByUserId: int | None = None


class _Record(msgspec.Struct):
    id: str
    propertiesWithHistory: dict[str, list[_Past]] = {}


class _Page(msgspec.Struct):
    results: list[_Record]
    paging: Paging | None = None
    errors: list[dict[str, object]] = []


def _decode(reply: Reply) -> _Page:
    return msgspec.json.decode(reply.data, type=_Page)


def history_of(
    api: Api, schema: ObjectSchema, fields: Sequence[str], ids: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """The past of the named records; one frame of ``HISTORY_SCHEMA`` for each 50 of them.

    Ids that lead nowhere, and those of merged records, have no rows. Properties that the schema does not
    know are left out.
    """
    asked, wanted = known(schema, fields), list(dict.fromkeys(ids))
    for start in range(0, len(wanted) if asked else 0, HISTORY_PAGE):
        some = wanted[start : start + HISTORY_PAGE]
        body = {"properties": [], "propertiesWithHistory": asked, "inputs": [{"id": i} for i in some]}
        page = api.read(_decode, api.batches.read, schema.object, orjson.dumps(body))
        check_left_out(page.errors)
        names = frozenset(some)
        # Two ids of one merged record are answered by the same record twice.
        found = {record.id: record for record in page.results if record.id in names}
        yield _frame(list(found.values()), schema.fields)


def history_of_all(api: Api, schema: ObjectSchema, fields: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The past of every record that is not archived, by list; one frame of ``HISTORY_SCHEMA`` a page."""
    asked = known(schema, fields)
    after: str | None = None
    while asked:
        page = api.read(
            _decode,
            api.records.get_page,
            schema.object,
            limit=HISTORY_PAGE,
            after=after,
            properties_with_history=asked,
        )
        yield _frame(page.results, schema.fields)
        after = following(page.paging, after, "list")
        if after is None:
            return


def newest_of(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """What set each property last: one row a record and property, columns id, property, at, source, its id, user."""
    whole = pl.concat([pl.DataFrame(schema=dict(HISTORY_SCHEMA)), *frames])
    newest = whole.unique([RECORD_ID, "property"], keep="first", maintain_order=True)
    return newest.select(RECORD_ID, "property", "at", "source", "source_id", "user")


def _frame(records: Sequence[_Record], fields: Mapping[str, FieldInfo]) -> pl.DataFrame:
    rows = [
        (record.id, name, past)
        for record in records
        for name, values in record.propertiesWithHistory.items()
        for past in values
    ]

    def column(value: Callable[[_Past], str | None]) -> list[str | None]:
        return [value(past) for _, _, past in rows]

    spelled = [
        plain_text(fields[name].type if name in fields else "text", past.value) for _, name, past in rows
    ]
    users = column(lambda past: None if past.updatedByUserId is None else str(past.updatedByUserId))
    return pl.DataFrame(
        {
            RECORD_ID: [record_id for record_id, _, _ in rows],
            "property": [name for _, name, _ in rows],
            "at": times("at", column(lambda past: past.timestamp)),
            "value": spelled,
            "source": column(lambda past: past.sourceType),
            "source_id": column(lambda past: past.sourceId),
            "user": users,
        },
        schema=dict(HISTORY_SCHEMA),
    )
