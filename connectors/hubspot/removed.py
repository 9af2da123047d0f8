"""Records that are no longer there: merged into another one, archived, or erased.

Neither list nor search shows them, and archiving moves no time stamp (HubSpot reference, section 4.4). Where
neither webhooks nor the journal tell of them, they are found by asking for what HubSpot still knows:

* merged: the surviving record names the ids it had before, contacts also when (section 4.6);
* archived: the list of archived records, for 90 days (section 4.2);
* erased: an id that answers in none of these ways. Privacy deletion leaves nothing behind, and neither does an
  archived record after its 90 days; HubSpot does not tell the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import orjson

from connectors.crm import ObjectSchema
from connectors.hubspot import pages
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import Refusal
from connectors.hubspot.pages import Paging, check_left_out, following
from connectors.hubspot.schema import CONTACTS, known
from connectors.hubspot.values import EPOCH, milliseconds
from connectors.slabs import NOT_THERE

MERGED_IDS = "hs_merged_object_ids"
MERGED_TIMES = "hs_calculated_merged_vids"
_ASKED = (MERGED_IDS, MERGED_TIMES)
NOT_FOUND = 404

Fate = Literal["merged", "archived", "erased"]


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of a record. ``into``: the id it lives on under, where it was merged.

    ``at`` is aware UTC, None where HubSpot does not say when.
    """

    record_id: str
    fate: Fate
    into: str | None = None
    at: datetime | None = None


class _Record(msgspec.Struct):
    id: str
    properties: dict[str, str | None] = {}
    archivedAt: datetime | None = None


class _Page(msgspec.Struct):
    results: list[_Record]
    paging: Paging | None = None
    errors: list[dict[str, Any]] = []


def _decode(reply: Reply) -> _Page:
    return msgspec.json.decode(reply.data, type=_Page)


def _decode_record(reply: Reply) -> _Record:
    return msgspec.json.decode(reply.data, type=_Record)


def removed_since(api: Api, schema: ObjectSchema, since: datetime) -> Iterator[Removed]:
    """Everything that was merged or archived since an aware time; what was erased is not to be seen here.

    Merges cost a search over what changed since, archived records a list of all of them: HubSpot keeps that
    list in order of ids, not of times.
    """
    yield from _merged(api, schema, since)
    yield from _archived(api, schema, since)


def fates_of(api: Api, schema: ObjectSchema, ids: Sequence[str]) -> Iterator[Removed]:
    """What became of those of ``ids`` that are no live records any more; the others are left out.

    Two calls for each 100 ids that are gone, and two for each of them that answers in neither.
    """
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), pages.BATCH):
        some = wanted[start : start + pages.BATCH]
        live = _batch(api, schema, some, archived=False)
        merges = {one.record_id: one for record in live for one in _merges_of(record)}
        gone = [each for each in some if each not in {record.id for record in live}]
        yield from (merges[each] for each in gone if each in merges)
        left = [each for each in gone if each not in merges]
        archived = {r.id: r for r in _batch(api, schema, left, archived=True)} if left else {}
        # A record that survived a merge can have been archived since.
        merges = {one.record_id: one for record in archived.values() for one in _merges_of(record)}
        for each in left:
            if each in archived:
                yield Removed(each, "archived", at=_utc(archived[each].archivedAt))
            else:
                yield merges.get(each) or _alone(api, schema, each)


def _alone(api: Api, schema: ObjectSchema, record_id: str) -> Removed:
    """Reading one record follows the id of a merged one; reading many may not (HubSpot reference, section 4.6)."""
    asked = known(schema, _ASKED)
    for archived in (False, True):
        send = api.records.get_by_id
        try:
            found = api.call(
                _decode_record, send, schema.object, record_id, properties=asked, archived=archived
            )
        except Refusal as refusal:
            if refusal.status == NOT_FOUND:
                continue
            raise refusal.as_bug() from None
        times = {one.record_id: one.at for one in _merges_of(found)}
        return Removed(record_id, "merged", found.id, times.get(record_id))
    return Removed(record_id, "erased")


def _batch(api: Api, schema: ObjectSchema, ids: Sequence[str], *, archived: bool) -> list[_Record]:
    body = {"properties": known(schema, _ASKED), "inputs": [{"id": each} for each in ids]}
    page = api.read(_decode, api.batches.read, schema.object, orjson.dumps(body), archived=archived)
    check_left_out(page.errors)
    return page.results


def _merged(api: Api, schema: ObjectSchema, since: datetime) -> Iterator[Removed]:
    asked = known(schema, _ASKED)
    if MERGED_IDS not in asked:
        return
    reader = pages.Reader(asked)
    stamp = "lastmodifieddate" if schema.object == CONTACTS else "hs_lastmodifieddate"
    # A merge moves the stamp of the record that survives.
    filters = [
        {"propertyName": MERGED_IDS, "operator": "HAS_PROPERTY"},
        {"propertyName": stamp, "operator": "GTE", "value": milliseconds(since)},
    ]
    for rows in pages.search_pages(api, schema.object, reader, filters):
        for place, record_id in enumerate(rows.ids):
            values = {name: column[place] for name, column in rows.columns.items()}
            for one in _merges_of(_Record(record_id, values)):
                if one.at is None or one.at >= since:
                    yield one


def _merges_of(record: _Record) -> Iterator[Removed]:
    """The earlier ids in a surviving record, and when each was merged where it says so."""
    times: dict[str, datetime] = {}
    for pair in _parts(record.properties.get(MERGED_TIMES)):
        record_id, _, at = pair.partition(":")
        if at.isdecimal():
            times[record_id] = EPOCH + timedelta(milliseconds=int(at))
    for record_id in dict.fromkeys([*_parts(record.properties.get(MERGED_IDS)), *times]):
        if record_id != record.id:
            yield Removed(record_id, "merged", record.id, times.get(record_id))


def _parts(text: str | None) -> list[str]:
    return [] if text in (None, NOT_THERE) else [part for part in str(text).split(";") if part]


def _archived(api: Api, schema: ObjectSchema, since: datetime) -> Iterator[Removed]:
    after: str | None = None
    while True:
        page = api.read(
            _decode,
            api.records.get_page,
            schema.object,
            limit=pages.LIST_PAGE,
            after=after,
            archived=True,
            properties=known(schema, _ASKED) or None,
        )
        for record in page.results:
            at = _utc(record.archivedAt)
            # The search above does not show a survivor that was archived since.
            yield from (one for one in _merges_of(record) if (one.at or at or since) >= since)
            if at is None or at >= since:
                yield Removed(record.id, "archived", at=at)
        after = following(page.paging, after, "list of archived records")
        if after is None:
            return


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
