"""Which records are gone: merged into another, or deleted (Salesforce reference, section 6).

A merged record is a deleted one that names its winner. What was deleted for good, or more than 15 days ago,
has left the recycle bin and is found by no query (section 12, point 17): then only a comparison of all ids tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from connectors.crm import RECORD_ID
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

    ``complete`` is False where the time asked about reaches behind what the recycle bin keeps. What somebody
    deleted for good is never in it.
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
    frame = pl.DataFrame(
        {
            RECORD_ID: [eighteen(row.Id) for row in rows],
            "at": times("at", [moment_text(row.SystemModstamp) for row in rows]),
            "merged_into": [
                None if row.MasterRecordId is None else eighteen(row.MasterRecordId) for row in rows
            ],
        },
        schema=dict(REMOVED_SCHEMA),
    )
    return Removed(frame, complete=since >= now - BIN)
