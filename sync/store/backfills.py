"""Backfills and their slices, and with which field map every record was last read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from sync.store.tables import Tables

NEW_SLICES: Mapping[str, pl.DataType] = {
    "number": pl.Int64(),
    "crm": pl.String(),
    "from_at": pl.Datetime("us", "UTC"),
    "to_at": pl.Datetime("us", "UTC"),
    "records": pl.Int64(),
    "calls": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One window of creation times in one CRM, ``start`` <= t < ``end``; ``run`` did it, None where nobody has."""

    number: int
    crm: str
    start: datetime | None
    end: datetime
    records: int
    calls: int
    run: int | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Underway:
    """A backfill that has not ended. ``asked``: the CRMs and the range."""

    backfill: int
    asked: Mapping[str, Any]
    started: datetime
    slices: int
    slices_done: int
    records: int
    records_done: int

    @property
    def is_whole(self) -> bool:
        """Whether every record of its CRMs was asked for, and no range of them."""
        return self.asked.get("from") is None and self.asked.get("to") is None


@dataclass(frozen=True, slots=True)
class Worked:
    """What the finished slices of one CRM took.

    ``records``: those that the slices were cut for; ``targets``: leads in each CRM that they brought into agreement,
    without the records that they created; ``calls``: by CRM.
    """

    records: int
    targets: int
    seconds: float
    calls: Mapping[str, int]


class Backfills(Tables):
    """The backfill, backfill_slice and read_map tables of one connection."""

    def open_one(self, asked: Mapping[str, Any]) -> tuple[int, str, datetime] | None:
        """(number, digest of its field map, start) of the open backfill that was asked for in these words."""
        row = self._do("open_backfill", asked=_spelled(asked)).fetchone()
        return None if row is None else (int(row[0]), str(row[1]), row[2])

    def underway(self) -> list[Underway]:
        """Every backfill that has not ended, the oldest first."""
        rows = self._do("open_backfills").fetchall()
        return [Underway(row[0], json.loads(row[1]), *row[2:]) for row in rows]

    def start(
        self, asked: Mapping[str, Any], field_map: str, slices: Sequence[SliceRow], now: datetime
    ) -> int:
        """Open a backfill with all its slices; returns its number."""
        with self._connection.transaction():
            row = self._do("start_backfill", asked=_spelled(asked), field_map=field_map, now=now).fetchone()
            number = int(row[0]) if row else 0
            rows = [(one.number, one.crm, one.start, one.end, one.records, one.calls) for one in slices]
            self._lay("new_slices", pl.DataFrame(rows, schema=dict(NEW_SLICES), orient="row"))
            self._do("cut_slices", backfill=number)
        return number

    def end(self, backfill: int, state: str, now: datetime) -> None:
        """Close a backfill. ``state``: done, or outdated where the field map changed before its end."""
        self._do("end_backfill", backfill=backfill, state=state, now=now)

    def slices(self, backfill: int) -> list[SliceRow]:
        """The slices of a backfill in their order."""
        return [SliceRow(*row) for row in self._do("slices_of_backfill", backfill=backfill).fetchall()]

    def worked(self, backfill: int) -> dict[str, Worked]:
        """What the runs of its finished slices took, by the CRM whose slices they are."""
        rows = self._rows("worked_by_backfill", backfill=backfill)
        # Of one CRM's slices alone it matters what came with them, and what they created did not come.
        [(created,)] = self._rows("created_by_backfill", backfill=backfill) if len(rows) == 1 else [(0,)]
        return {
            crm: Worked(records, targets - created, seconds, {"hubspot": hubspot, "salesforce": salesforce})
            for crm, records, targets, seconds, hubspot, salesforce in rows
        }

    def is_done(self, backfill: int, number: int, run: int, now: datetime) -> None:
        """A slice's run has remembered everything."""
        self._do("slice_is_done", backfill=backfill, number=number, run=run, now=now)

    def seen(self, backfill: int, records: pl.DataFrame) -> pl.Series:
        """The ids of those of ``RECORDS`` that a finished slice of a backfill has brought into agreement."""
        if records.is_empty():
            return records["record_id"]
        with self._connection.transaction():
            self._lay("asked", records.unique())
            rows = self._do("read_by_backfill", backfill=backfill).fetchall()
        return pl.Series("record_id", [row[0] for row in rows], dtype=pl.String)

    def written(self, backfill: int) -> dict[str, int]:
        """What the finished slices of a backfill wrote, as the guards count it."""
        row = self._do("written_by_backfill", backfill=backfill).fetchone() or (0, 0, 0, 0)
        return dict(zip(("creates", "updates", "stage_moves", "leads_touched"), row, strict=True))

    def read_maps(self) -> dict[tuple[str, str], dict[str, str]]:
        """(crm, object) to the field map that all its records were read with: lead field to a rule's digest."""
        return {(crm, name): json.loads(fields) for crm, name, fields in self._do("read_maps").fetchall()}

    def note_read_map(self, crm: str, object_name: str, fields: Mapping[str, str], now: datetime) -> None:
        """Every record of an object has been read with this field map."""
        self._do("note_read_map", crm=crm, object=object_name, fields=_spelled(fields), now=now)


def _spelled(content: Mapping[str, Any]) -> str:
    return json.dumps(dict(content), sort_keys=True)
