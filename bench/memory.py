"""Stands in for the database: the links and bases of generated leads, as frames of the store's shapes.

Everything follows from a lead's number, so that millions are remembered without being kept. Making the
answers is not counted as the job's time; what the store itself costs is measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from bench import dirty
from bench.job import OBJECTS, Meter, work
from mapping.fieldmap import FieldMap
from sync.read import read_records
from sync.snapshots import Snapshots
from sync.store.identity import ALSO
from sync.store.leads import BASES, LEADS, LINKS, RECORDS

#: Lead ids in an order of their own, as real ones are: numbers times FACTOR modulo a prime, and back.
PRIME, FACTOR = 10_000_019, 6_180_339
BACK = pow(FACTOR, -1, PRIME)

_ID = {"hubspot": dirty.HUBSPOT_ID, "salesforce": dirty.SALESFORCE_ID}


def lead_of(record_id: pl.Expr) -> pl.Expr:
    """The lead of a record."""
    number = record_id.str.slice(-7).cast(pl.Int64)
    return pl.lit("Lbench") + (number * FACTOR % PRIME).cast(pl.String).str.zfill(8)


def lead_id(number: str) -> str:
    """The lead of a record by its number, one at a time."""
    return f"Lbench{int(number) * FACTOR % PRIME:08}"


def number_of(lead: pl.Expr) -> pl.Expr:
    return lead.str.slice(-8).cast(pl.Int64) * BACK % PRIME


class Remembered:
    """A store whose leads, journal, persons and identity hold nothing but links and bases: nobody is barred,
    gone, converted or handed over."""

    def __init__(self, texts: dict[str, list[str]], meter: Meter, mapped: FieldMap | None = None) -> None:
        self._texts = {crm: pl.Series(values) for crm, values in texts.items()}
        self._snapshots = {crm: Snapshots(mapped.columns(crm)) for crm in texts if mapped is not None}
        self._meter = meter

    @property
    def leads(self) -> Remembered:
        """Every room of the store is this one."""
        return self

    journal = persons = outside = turned = handovers = beside = former = identity = leads

    def met(self, _: pl.Series) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(ALSO))

    def any(self) -> bool:
        return False

    def newest(self, lead_ids: pl.Series) -> pl.DataFrame:
        return lead_ids.clear().alias("lead_id").to_frame()

    def ids(self) -> pl.Series:
        return pl.Series("lead_id", [], dtype=pl.String)

    def some_links(self) -> bool:
        return True

    def barred(self) -> None:
        return None

    def some_gone(self, _: str) -> bool:
        return False

    def some_addresses(self) -> bool:
        return False

    def fates(self, lead_ids: pl.Series) -> pl.DataFrame:
        return lead_ids.clear().alias("lead_id").to_frame()

    def links_of_records(self, records: pl.DataFrame) -> pl.DataFrame:
        with self._meter.aside():
            return records.select(*RECORDS, lead_id=lead_of(pl.col("record_id")))

    def links_of_leads(self, lead_ids: pl.Series) -> pl.DataFrame:
        with self._meter.aside():
            numbers = lead_ids.alias("lead_id").to_frame().with_columns(number=number_of(pl.col("lead_id")))
            sides = [
                numbers.with_columns(
                    crm=pl.lit(crm),
                    object=pl.lit(OBJECTS[crm]),
                    record_id=pl.lit(prefix) + pl.col("number").cast(pl.String),
                )
                for crm, prefix in _ID.items()
            ]
            nothing = [pl.lit(None, dtype=pl.String).alias(name) for name in LINKS if name.endswith("_key")]
            return pl.concat(sides).with_columns(nothing).select(*LINKS)

    def links_by_email(self, _: pl.Series) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(LINKS))

    def bases(self, records: pl.DataFrame) -> pl.DataFrame:
        with self._meter.aside():
            parts = [self._bases(crm, records.filter(pl.col("crm") == crm)) for crm in _ID]
            return pl.concat(parts)

    def _bases(self, crm: str, records: pl.DataFrame) -> pl.DataFrame:
        seven = records["record_id"].str.slice(-7)
        places = (seven.cast(pl.Int64) - dirty.FIRST) % dirty.BLOCK
        texts = pl.DataFrame({"text": self._texts[crm].gather(places), "seven": seven}).select(
            record_values=pl.col("text").str.replace_all(dirty.SEVENS.decode(), pl.col("seven"), literal=True)
        )
        snapshots = self._snapshots[crm]
        marks = snapshots.marks(snapshots.decode(texts["record_values"]), texts["record_values"])
        return records.select(*RECORDS).hstack(texts).with_columns(marks).select(*BASES)

    def of(self, _: pl.Series) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(LEADS))

    def open_intents(self, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(schema))

    def open_held(self) -> list[dict[str, Any]]:
        return []

    def refused(self) -> list[dict[str, Any]]:
        return []


def base_texts(block: dirty.Dirty, folder: Path, *, phones: bool) -> dict[str, list[str]]:
    """What both CRMs held when they last agreed, as the store keeps it: one text a record of the block."""
    pages = {
        "hubspot": dirty.hubspot_pages(block.before, dirty.BLOCK),
        "salesforce": dirty.salesforce_pages(block.before, dirty.BLOCK),
    }
    once = work(pages, None, folder, phones=phones)
    found = {}
    for crm, given in once.crms.items():
        slabs = given.changes(OBJECTS[crm], once.field_map.asked(crm, OBJECTS[crm]), None).slabs
        typed = pl.concat([read_records(once, crm, slab.frame) for slab in slabs])
        texts = once.record_snapshots(crm).encode(typed).to_list()
        sevens = dirty.SEVENS.decode()
        found[crm] = [text.replace(str(dirty.FIRST + place), sevens) for place, text in enumerate(texts)]
    return found
