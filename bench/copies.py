"""Stands in for two CRMs with a million records: copies of a block under other ids and addresses, in columns.

Copy 0 is the block itself. A copy's id follows from the block's, so that any million are held as one block.
"""

# ruff: noqa: ARG002 - a stand-in has all the arguments of what it stands in for
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from connectors.crm import (
    CREATED_AT,
    RECORD_ID,
    Account,
    Crm,
    Cursor,
    Expected,
    FieldSpec,
    LastChange,
    ObjectSchema,
    Reading,
    Slab,
    Window,
    Write,
    Written,
)
from connectors.quota import Lane
from connectors.quota_day import Room
from mapping.own import CROSS_ID, OWN_FIELDS
from sync.work import OF_IDENTITY, Work

#: Digits of a HubSpot id in the block; what stands before them is the copy.
DIGITS = 12
ROWS_OF_A_SLAB = 10_000
_CROSS = next(own for own in OWN_FIELDS if own.lead.name == CROSS_ID)
_OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}


def copied_id(crm: str, record_id: pl.Expr, copy: pl.Expr) -> pl.Expr:
    """The id of a record's copy."""
    number = copy.cast(pl.String)
    if crm == "hubspot":
        other = number + record_id.str.zfill(DIGITS)
    else:
        # Three characters of an id name the server it was made on, and are the same in a whole organisation.
        other = record_id.str.slice(0, 3) + pl.lit("x") + number.str.zfill(2) + record_id.str.slice(6)
    return pl.when(copy == 0).then(record_id).otherwise(other)


def copied_email(email: pl.Expr, copy: pl.Expr) -> pl.Expr:
    """The address of a record's copy."""
    return (
        pl.when(copy == 0)
        .then(email)
        .otherwise(pl.lit("c") + copy.cast(pl.String).str.zfill(2) + "." + email)
    )


def _original(crm: str, ids: pl.Series, server: str) -> pl.DataFrame:
    """``_id`` (of the block) and ``_copy`` of each id."""
    frame = ids.alias("asked").to_frame()
    if crm == "hubspot":
        long = pl.col("asked").str.len_chars() > DIGITS
        return frame.select(
            pl.when(long).then(pl.col("asked").str.slice(-DIGITS).str.strip_chars_start("0"))
            .otherwise("asked").alias(RECORD_ID),
            _copy=pl.when(long).then(pl.col("asked").str.head(-DIGITS)).otherwise(pl.lit("0")).cast(pl.Int64),
        )  # fmt: skip
    first = pl.col("asked").str.slice(3, 3) == server
    return frame.select(
        (pl.col("asked").str.slice(0, 3) + server + pl.col("asked").str.slice(6)).alias(RECORD_ID),
        _copy=pl.when(first).then(pl.lit("0")).otherwise(pl.col("asked").str.slice(4, 2)).cast(pl.Int64),
    )


@dataclass(frozen=True)
class Block:
    """One CRM's records. ``first``: what copy 0 holds now, where it has changed since the copies were made."""

    crm: str
    object: str
    frame: pl.DataFrame
    email: str
    first: pl.DataFrame | None = None

    @classmethod
    def read(cls, work: Work, crm: str) -> Block:
        """Every record that a CRM has, read by its connector."""
        name = work.objects[crm]
        slabs = [slab.frame for slab in work.crms[crm].created(name, work.asked(crm), Window())]
        email = work.field_map.rules["email"].source(crm, name) or ""
        return cls(crm, name, pl.concat(slabs, how="diagonal").unique(RECORD_ID, maintain_order=True), email)

    def with_first(self, now: Block) -> Block:
        return replace(self, first=now.frame)

    @property
    def server(self) -> str:
        """What stands in the ids of this organisation."""
        return str(self.frame[RECORD_ID][0])[3:6]

    def copies(self, numbers: Sequence[int], window: Window | None = None) -> pl.DataFrame:
        """The records of these copies, those of a window of creation."""
        keep = pl.lit(value=True)
        if window is not None and window.start is not None:
            keep &= pl.col(CREATED_AT) >= window.start
        if window is not None and window.end is not None:
            keep &= pl.col(CREATED_AT) < window.end
        numbered = pl.DataFrame({"_copy": list(numbers)}, schema={"_copy": pl.Int64})
        return self._renamed(self._of(numbered.join(self.frame.filter(keep), how="cross")))

    def named(self, ids: Sequence[str]) -> pl.DataFrame:
        """The records with these ids."""
        wanted = _original(self.crm, pl.Series("asked", list(ids), dtype=pl.String), self.server)
        return self._renamed(self._of(wanted.join(self.frame, on=RECORD_ID, how="inner")))

    def _of(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self.first is None:
            return rows
        zero = rows.filter(pl.col("_copy") == 0).select("_copy", RECORD_ID)
        fresh = zero.join(self.first, on=RECORD_ID, how="inner").select(rows.columns)
        return pl.concat([fresh, rows.filter(pl.col("_copy") != 0)])

    def _renamed(self, rows: pl.DataFrame) -> pl.DataFrame:
        copy, cross = pl.col("_copy"), _CROSS.name_in(self.crm)
        changed = [
            copied_id(self.crm, pl.col(RECORD_ID), copy).alias(RECORD_ID),
            copied_email(pl.col(self.email), copy).alias(self.email),
        ]
        if cross in rows.columns:
            changed.append(copied_id(_OTHER[self.crm], pl.col(cross), copy).alias(cross))
        # Nobody has another one's further address or merged record.
        alone = [name for name in OF_IDENTITY[self.crm, self.object][:2] if name in rows.columns]
        changed += [pl.when(copy == 0).then(name).alias(name) for name in alone]
        return rows.with_columns(changed).drop("_copy")


class CopiedCrm:
    """A CRM (``connectors.crm.Crm``) that has copies of a block and answers at once. What is written is not kept."""

    def __init__(self, real: Crm, block: Block, copies: int) -> None:
        self.name = real.name
        self._real, self._block, self._copies = real, block, copies

    @property
    def calls(self) -> int:
        return 0

    def in_lane(self, lane: Lane) -> AbstractContextManager[None]:
        return self._real.in_lane(lane)

    def room(self) -> Room | None:
        return None

    def account(self) -> Account:
        return self._real.account()

    def now(self) -> datetime:
        return self._real.now()

    def describe(self, object_name: str) -> ObjectSchema:
        return self._real.describe(object_name)

    def changes(self, object_name: str, fields: Sequence[str], since: Cursor | None) -> Reading:
        return Reading(iter(()) if since else self._all(fields), {"at": self.now().isoformat()})

    def _all(self, fields: Sequence[str]) -> Iterator[Slab]:
        for number in range(self._copies):
            yield from self._slabs(self._block.copies([number]), fields)

    def created(self, object_name: str, fields: Sequence[str], window: Window) -> Iterator[Slab]:
        yield from self._slabs(self._block.copies(range(self._copies), window), fields)

    def expected(self, object_name: str, fields: Sequence[str], window: Window) -> Expected:
        records = self._block.copies([0], window).height * self._copies
        return Expected(records, -(-records // 100))

    def fetch(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> Iterator[Slab]:
        yield from self._slabs(self._block.named(ids), fields)

    def find(
        self, object_name: str, fields: Sequence[str], where: str, values: Sequence[str]
    ) -> Iterator[Slab]:
        return iter(())

    def write(self, object_name: str, writes: Sequence[Write]) -> list[Written]:
        return [Written(one.trace, "written", one.record_id, stored=one.values) for one in writes]

    def archive(self, object_name: str, ids: Sequence[str]) -> list[Written]:
        return [Written(one, "written", one) for one in ids]

    def last_changes(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> list[LastChange]:
        return []

    def add_fields(self, object_name: str, specs: Sequence[FieldSpec]) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing is open here."""

    def _slabs(self, frame: pl.DataFrame, fields: Sequence[str]) -> Iterator[Slab]:
        kept = [name for name in frame.columns if name.startswith("_") or name in set(fields)]
        for part in frame.select(kept).iter_slices(ROWS_OF_A_SLAB):
            yield Slab(self.name, self._block.object, part)
