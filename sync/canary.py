"""The canary: the first changed records of a run are read back before the rest is written.

What a CRM says it stored is its word as it answers; what a trigger, a workflow or a rule makes of it a moment
later shows only when the record is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

import polars as pl

from connectors.crm import RECORD_ID
from sync.errors import GuardStopped
from sync.halfdone import same_value
from sync.slices import Slice
from sync.work import Work


class Led(Sequence[Slice]):
    """Slices of which the first is cut in two: the canary's leads, and the others."""

    def __init__(self, slices: Sequence[Slice], canary: pl.Series) -> None:
        self._slices = slices
        first = slices[0]
        small = pl.Series("lead_id", first.lead_ids).is_in(canary.implode())
        mine = pl.col("lead_id").is_in(canary.implode())
        self._cut = (
            replace(first, lead_ids=first.lead_ids.filter(small), assigned=first.assigned.filter(mine)),
            replace(first, lead_ids=first.lead_ids.filter(~small), assigned=first.assigned.filter(~mine)),
        )

    def __len__(self) -> int:
        return len(self._slices) + 1

    @overload
    def __getitem__(self, number: int) -> Slice: ...
    @overload
    def __getitem__(self, number: slice) -> list[Slice]: ...
    def __getitem__(self, number: int | slice) -> Slice | list[Slice]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        place = range(len(self))[number]
        return self._cut[place] if place < len(self._cut) else self._slices[place - 1]


def read_back(work: Work, ended: pl.DataFrame, run: int) -> None:
    """Compare what was written (``write.ENDED``) with what the CRMs hold now. Raises GuardStopped on a difference.

    Records are named by their ids and fields, never with what stands in them.
    """
    written = ended.filter((pl.col("state") == "written") & pl.col("record_id").is_not_null())
    wrong: list[str] = []
    for (crm,), rows in written.partition_by("crm", as_dict=True).items():
        wrong += _differing(work, str(crm), rows)
    if wrong:
        count = written.select("crm", "record_id").unique().height
        raise GuardStopped(
            f"the canary: of {count} records that were written first, these do not hold what was written: "
            + "; ".join(sorted(wrong)[:10])
            + (f"; and {len(wrong) - 10} more" if len(wrong) > 10 else "")
            + ". Nothing more was written",
            fix="look at what changes these fields in the CRM (a workflow, a trigger, a rule); then sync again\n"
            f"`leadpact undo {run}` takes back what was written",
        )


def _differing(work: Work, crm: str, rows: pl.DataFrame) -> list[str]:
    names = rows["crm_field"].unique().sort().to_list()
    needs = {name: other for (where, name), other in work.writable().needs.items() if where == crm}
    asked, frames = [*names, *sorted(set(needs.values()) - set(names))], []
    for slab in work.crms[crm].fetch(work.objects[crm], asked, rows["record_id"].unique().to_list()):
        there = [name for name in names if name in slab.frame.columns]
        absent = pl.col("_absent").fill_null([])
        # Whoever has no address is on no list, and is not shown as taken off any.
        for name, other in needs.items():
            if name in there and other in slab.frame.columns:
                absent = (
                    pl.when(pl.col(other).is_null()).then(absent.list.concat(pl.lit(name))).otherwise(absent)
                )
        long = slab.frame.select(RECORD_ID, absent.alias("_absent"), *there).unpivot(
            there, index=[RECORD_ID, "_absent"], variable_name="crm_field", value_name="now"
        )
        # What is not shown to us cannot be compared.
        frames.append(long.filter(~pl.col("_absent").list.contains(pl.col("crm_field"))).drop("_absent"))
    if not frames:
        return []
    held = pl.concat(frames).rename({RECORD_ID: "record_id"})
    compared = rows.join(held, on=["record_id", "crm_field"], how="inner").filter(
        ~(same_value(pl.col("now"), pl.col("after")) | _rounded())
    )
    by_record = compared.group_by("record_id").agg(pl.col("crm_field").sort()).rows()
    return [f"{crm} {record}: {', '.join(fields)}" for record, fields in by_record]


def _rounded() -> pl.Expr:
    """A number field keeps as many decimals as its admin gave it; half a last digit is no difference."""
    decimals = pl.col("now").str.extract(r"\.(\d+)$").str.len_chars().fill_null(0).cast(pl.Float64)
    apart = (
        pl.col("now").cast(pl.Float64, strict=False) - pl.col("after").cast(pl.Float64, strict=False)
    ).abs()
    return (apart <= pl.lit(10.0).pow(-decimals) / 2).fill_null(value=False)
