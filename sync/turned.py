"""Leads that Salesforce has converted: their Contacts go on saying, and hearing, what the person does not want.

    heard(work)                        which converted leads to look at, because their Contact has changed
    contacts_of(work, records)         what the Contacts of a slice's converted leads say now
    turned.laid_over(records)          … in place of what the Lead said when it was converted
    turned.followed(changes)           withdrawals go to the Contact; a converted Lead takes no other change

A converted Lead is frozen (Salesforce reference, section 6). Its opt-outs were copied to the Contact, and from then
on people and mail programs set them there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from connectors.crm import ARCHIVED, RECORD_ID, Cursor
from connectors.errors import NeedsPerson
from sync.fates import CONVERTED, MASTER, TURNED_INTO
from sync.store.turned import TURNED
from sync.work import Work

CRM, CONTACT, CONTACT_ID = "salesforce", "Contact", "ConvertedContactId"
#: The cursor of the Contacts' change log.
READING = "Contact:withdrawals"
#: Prefix of a record's columns in its CRM's own words (``sync.read.RAW``).
_RAW = "raw:"


@dataclass(frozen=True, slots=True)
class Turned:
    """The converted leads among a slice's records.

    ``leads``: ``lead_id``, ``record_id`` (the Lead's), ``became`` (JSON: what it was turned into) and ``contact``,
    null where none is left or visible. ``says``: ``contact``, the opt-outs as typed columns, ``_unread``, and the
    Contact's own words. ``names``: lead field to the Contact's field.
    """

    leads: pl.DataFrame
    says: pl.DataFrame
    names: Mapping[str, str]

    def laid_over(self, work: Work, records: pl.DataFrame) -> pl.DataFrame:
        """Salesforce's records, a converted Lead's opt-outs as its Contact has them now."""
        if self.says.is_empty():
            return records
        at = self.leads.select(pl.col("record_id").alias(RECORD_ID), "contact").join(
            self.says.rename({name: "_says." + name for name in self.says.columns if name != "contact"}),
            on="contact",
            how="inner",
        )
        wide = records.join(at, on=RECORD_ID, how="left", maintain_order="left")
        seen = pl.col("contact").is_not_null()
        columns = []
        for name, contact_field in self.names.items():
            told = seen & ~pl.col("_says._unread").list.contains(name).fill_null(value=False)
            columns.append(pl.when(told).then("_says." + name).otherwise(name).alias(name))
            words = _RAW + str(work.field_map.rules[name].source(CRM, work.objects[CRM]))
            if words in records.columns and "_says." + _RAW + contact_field in wide.columns:
                theirs = pl.col("_says." + _RAW + contact_field)
                columns.append(pl.when(told).then(theirs).otherwise(words).alias(words))
        return wide.with_columns(columns).select(records.columns)

    def followed(self, changes: pl.DataFrame) -> pl.DataFrame:
        """A plan's changes; those of a converted Lead go to its Contact where they are withdrawals, else nowhere."""
        names = pl.DataFrame(
            {"field": list(self.names), "_name": list(self.names.values())},
            schema={"field": pl.String(), "_name": pl.String()},
        )
        live = self.leads.filter(pl.col("contact").is_in(self.says["contact"].implode()))
        marked = (
            changes.with_row_index("_row")
            .join(self.leads.select("record_id", _converted=pl.lit(value=True)), on="record_id", how="left")
            .join(live.select("record_id", "contact"), on="record_id", how="left")
            .join(names, on="field", how="left")
            .sort("_row")
        )
        frozen = pl.col("_converted").is_not_null() & (pl.col("crm") == CRM)
        moves = frozen & pl.col("contact").is_not_null() & pl.col("_name").is_not_null()
        moved = marked.filter(~frozen | moves).with_columns(
            object=pl.when(moves).then(pl.lit(CONTACT)).otherwise("object"),
            record_id=pl.when(moves).then("contact").otherwise("record_id"),
            crm_field=pl.when(moves).then("_name").otherwise("crm_field"),
        )
        return moved.select(changes.columns)


def contacts_of(work: Work, records: pl.DataFrame | None) -> Turned | None:
    """The converted leads among Salesforce's records of a slice; None where there are none."""
    converted = _RAW + CONVERTED
    if records is None or converted not in records.columns:
        return None
    rows = records.filter(pl.col(converted) == "true")
    if rows.is_empty():
        return None
    turned_into = [name for name in TURNED_INTO if _RAW + name in rows.columns]
    became = [
        json.dumps({_word(name): value for name, value in row.items() if value}, sort_keys=True)
        for row in rows.select(pl.col(_RAW + name).alias(name) for name in turned_into).iter_rows(named=True)
    ]
    contact = pl.col(_RAW + CONTACT_ID) if CONTACT_ID in turned_into else pl.lit(None, dtype=pl.String)
    leads = rows.select("lead_id", record_id=RECORD_ID, contact=contact).with_columns(
        pl.Series("became", became, dtype=pl.String)
    )
    known = work.store.turned.of(leads["lead_id"]).select(record_id="origin_id", _now="record_id")
    leads = leads.join(known.unique("record_id"), on="record_id", how="left", maintain_order="left")
    # A Contact may have been merged into another one since.
    leads = leads.with_columns(contact=pl.coalesce("_now", "contact")).drop("_now")
    names = _names(work)
    return Turned(leads, _said(work, leads["contact"].drop_nulls().unique().to_list(), names), names)


def _word(name: str) -> str:
    return name.removeprefix("Converted").removesuffix("Id")


def _names(work: Work) -> dict[str, str]:
    """Lead field to the Contact's field, of every opt-out that the map has on both."""
    named = {
        name: rule.source(CRM, CONTACT)
        for name, rule in work.field_map.rules.items()
        if work.field_map.fields[name].opt_out and rule.source(CRM, work.objects[CRM])
    }
    return {name: field for name, field in named.items() if field}


def _said(work: Work, ids: list[str], names: Mapping[str, str]) -> pl.DataFrame:
    """What these Contacts say now; those that are gone or not visible are left out."""
    schema = {"contact": pl.String(), **dict.fromkeys(names, pl.Boolean()), "_unread": pl.List(pl.String())}
    found = [pl.DataFrame(schema=schema)]
    if not ids or not names or not can_see_contacts(work):
        return found[0]
    _begun(work)  # before they are read, so that no change falls between
    for slab in work.crms[CRM].fetch(CONTACT, tuple(names.values()), ids):
        there = slab.frame.filter(~pl.col(ARCHIVED))
        typed = work.field_map.read(there, CRM, CONTACT).frame
        words = there.select(
            pl.col(name).alias(_RAW + name) for name in names.values() if name in there.columns
        )
        said = typed.select(pl.col(RECORD_ID).alias("contact"), *names, "_unread").hstack(words)
        found.append(said)
    return pl.concat(found, how="diagonal")


def can_see_contacts(work: Work) -> bool:
    """Whether the integration user may read Contacts at all (``check`` says so where it may not)."""
    try:
        work.crms[CRM].describe(CONTACT)
    except NeedsPerson:
        return False
    return True


def heard(work: Work) -> list[tuple[str, str]]:
    """(CRM, record id) of converted Leads to look at, because their Contacts have changed.

    What the Contacts' change log tells is noted at once, and stays noted until those leads were decided; so its
    cursor moves at once too. The log is not read before there is a Contact to hear of.
    """
    turned = work.store.turned
    if not turned.any() or not can_see_contacts(work):
        return []
    now, run = work.clock(), work.store.runs.latest()
    since = _begun(work)
    reading = work.crms[CRM].changes(CONTACT, (*_names(work).values(), MASTER), since)
    with work.store.transaction():
        for slab in reading.slabs:
            gone = slab.frame.filter(pl.col(ARCHIVED))
            if MASTER in gone.columns:
                merged = gone.filter(pl.col(MASTER).is_not_null())
                for old, new in merged.select(RECORD_ID, MASTER).iter_rows():
                    turned.merged(CRM, old, new, now)
            turned.changed(CRM, slab.frame[RECORD_ID].to_list(), now)
        work.store.runs.move_cursor(CRM, READING, reading.cursor, run, now)
    return turned.to_look_at()


def _begun(work: Work) -> Cursor:
    """Where to go on reading the Contacts' change log: from now on, the first time."""
    known = work.store.runs.cursors().get((CRM, READING))
    if known is not None:
        return known
    cursor = work.crms[CRM].changes(CONTACT, (), None).cursor
    work.store.runs.move_cursor(CRM, READING, cursor, work.store.runs.latest(), work.clock())
    return cursor


def note_turned(work: Work, turned: Turned | None, lead_ids: pl.Series, now: datetime) -> None:
    """Remember what these leads' records were turned into. Inside the remembering transaction."""
    if turned is None:
        return
    ours = turned.leads.filter(pl.col("lead_id").is_in(lead_ids.implode()))
    for lead, record, became in ours.select("lead_id", "record_id", "became").iter_rows():
        work.store.identity.note(CRM, work.objects[CRM], record, lead, "converted", became, now)
    rows = ours.filter(pl.col("contact").is_not_null()).select(
        "lead_id", crm=pl.lit(CRM), origin_id="record_id", record_id="contact"
    )
    work.store.turned.note(rows.select(*TURNED))
    work.store.turned.looked_at(ours["lead_id"])


def with_turned(
    turned: Turned | None, work: Work, records: Mapping[str, pl.DataFrame | None]
) -> dict[str, pl.DataFrame | None]:
    """A slice's records, by CRM, with what the Contacts of its converted leads say."""
    theirs = records[CRM]
    if turned is None or theirs is None:
        return dict(records)
    return {**records, CRM: turned.laid_over(work, theirs)}
