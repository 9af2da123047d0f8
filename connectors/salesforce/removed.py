"""Which records are gone: merged into another, or deleted (Salesforce reference, section 6).

A merged record is a deleted one that names its winner. What was deleted for good, or more than 15 days ago,
has left the recycle bin and is found by no query (section 12, point 17). The log of deletions says how far back it
reaches, and may name what somebody took out of the bin since; beyond it only a comparison of all ids tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import polars as pl

from connectors.crm import RECORD_ID
from connectors.errors import OurBug
from connectors.salesforce import soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.ids import eighteen
from connectors.salesforce.listing import Listing, Row
from connectors.salesforce.schema import Schemas
from connectors.salesforce.values import moment_text
from connectors.slabs import times

#: How long the recycle bin keeps a record.
BIN = timedelta(days=15)

#: ``at``: when the record went. ``merged_into``: the record it is part of now, null for one that was deleted.
REMOVED_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "merged_into": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Removed:
    """What is gone, in a frame of ``REMOVED_SCHEMA`` by id.

    ``complete`` is False where the time asked about reaches behind what is kept of deletions. What somebody
    deleted for good is in it only as far as the log of deletions still names it.
    """

    frame: pl.DataFrame
    complete: bool

    def survivors(self) -> dict[str, str]:
        """The record that each merged one is part of in the end: a winner may have been merged itself.

        One whose last winner was deleted has none and is left out.
        """
        rows = self.frame.select(RECORD_ID, "merged_into").iter_rows()
        into: dict[str, str | None] = dict(rows)
        found: dict[str, str] = {}
        for record_id in into:
            here: str | None = record_id
            seen: set[str] = set()
            while here is not None and here in into and here not in seen:
                seen.add(here)
                here = into[here]
            if here is not None and here not in seen:
                found[record_id] = here
        return found


class _Gone(Row):
    SystemModstamp: str
    MasterRecordId: str | None = None


def read_removed(calls: Calls, schemas: Schemas, object_name: str, since: datetime, now: datetime) -> Removed:
    """What went at ``since`` or later; ``now`` is Salesforce's clock. Raises NeedsPerson where the object,
    or whether its records are deleted, is not visible to us."""
    listing = Listing(calls, schemas, object_name, _Gone, ("IsDeleted", "SystemModstamp"))
    where = f"IsDeleted = true AND SystemModstamp >= {soql.moment(since)}"
    rows = [row for page in listing.every(where, deleted_too=True) for row in page]
    log = _log_of_deletions(calls, object_name, since, now)
    known = {eighteen(row.Id) for row in rows}
    purged = [each for each in log.records if eighteen(each.id) not in known]
    stamps = [row.SystemModstamp for row in rows] + [each.deletedDate for each in purged]
    into = [None if row.MasterRecordId is None else eighteen(row.MasterRecordId) for row in rows]
    frame = pl.DataFrame(
        {
            RECORD_ID: [eighteen(row.Id) for row in rows] + [eighteen(each.id) for each in purged],
            "at": times("at", [moment_text(stamp) for stamp in stamps]),
            "merged_into": into + [None] * len(purged),
        },
        schema=dict(REMOVED_SCHEMA),
    )
    return Removed(frame, log.reaches_back)


class _Deletion(msgspec.Struct):
    id: str
    deletedDate: str


class _Deletions(msgspec.Struct):
    deletedRecords: list[_Deletion]


@dataclass(frozen=True, slots=True)
class _Log:
    records: list[_Deletion]
    reaches_back: bool


def _log_of_deletions(calls: Calls, object_name: str, since: datetime, now: datetime) -> _Log:
    """What ``/deleted`` names; where it is refused for its time, deletions may be missing (section 6)."""
    reaches_back = since >= now - BIN
    # Salesforce ignores seconds, and takes no span of less than a minute.
    start, end = (each.replace(second=0, microsecond=0) for each in (since, now))
    if not reaches_back or start >= end:
        return _Log([], reaches_back)
    span = {"start": soql.moment(start), "end": soql.moment(end)}
    try:
        answer = calls.get(f"sobjects/{object_name}/deleted", span)
        return _Log(msgspec.convert(answer, _Deletions).deletedRecords, True)
    except msgspec.ValidationError:
        return _Log([], reaches_back)
    except OurBug as error:
        # An object whose deletions nobody logs, or more than one answer may name: the bin is what there is.
        return _Log([], reaches_back and error.code != "INVALID_REPLICATION_DATE")
