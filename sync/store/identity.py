"""Identity over time: what became of records, leads that became one, second addresses, people's decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from sync.store.leads import RECORDS
from sync.store.tables import Tables

FATES: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    **RECORDS,
    "fate": pl.String(),
    "became": pl.String(),
}
APART: Mapping[str, pl.DataType] = {
    name: pl.String() for name in ("crm", "record_id", "other_crm", "other_id")
}
ADDRESSES: Mapping[str, pl.DataType] = {**RECORDS, "email_key": pl.String()}
ALSO: Mapping[str, pl.DataType] = {name: pl.String() for name in ("crm", "record_id", "lead_id", "also")}
WRITES: Mapping[str, pl.DataType] = {
    **{name: pl.String() for name in ("lead_id", "crm", "field", "before", "after")},
    "done_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about something held. ``kind``: take, link or separate."""

    held_id: int
    kind: str
    lead_id: str | None
    crm: str
    object: str
    record_id: str | None
    field: str
    answer: str
    seen: str
    who: str

    def __repr__(self) -> str:
        return f"Decision({self.kind!r}, held_id={self.held_id})"


class Identity(Tables):
    """The fate, lead_alias, second_address, decision and apart tables of one connection."""

    def linked(self, crm: str, object_name: str, ids: Sequence[str]) -> list[tuple[str, str]]:
        """(record, lead) of those of the ids that are linked, the oldest link first."""
        return self._do("links_to_move", crm=crm, object=object_name, ids=list(ids)).fetchall()

    def move(self, crm: str, object_name: str, old: str, new: str, lead: str, now: datetime) -> None:
        """A lead's link goes to the record that its own was merged into; what was agreed goes with it."""
        where = {"crm": crm, "object": object_name, "old": old}
        with self._connection.transaction():
            self._do("move_link", **where, new=new, now=now)
            self._do("move_base", **where, new=new)
            self.note(crm, object_name, old, lead, "merged", new, now)

    def drop(self, crm: str, object_name: str, old: str, new: str, lead: str, now: datetime) -> None:
        """A record was merged into one that another link names: its own link ends."""
        where = {"crm": crm, "object": object_name, "old": old}
        with self._connection.transaction():
            self._do("drop_link", **where)
            self._do("drop_base", **where)
            self.note(crm, object_name, old, lead, "merged", new, now)

    def absorb(self, old: str, lead: str, why: str, now: datetime) -> None:
        """Two leads become one; ``old`` is remembered as another name of ``lead``."""
        steps = (
            *("links", "further", "lead", "fates", "turned", "held", "refused", "undone"),
            *("journal", "verdict", "conflict", "conflict_twice", "decision", "done"),
            *("handover", "handover_left", "handover_event", "former", "former_twice"),
            *("routed", "routed_left", "notice", "notice_left"),
        )
        with self._connection.transaction():
            for step in steps:
                self._do(f"alias_{step}", old=old, lead=lead, why=why, now=now)

    def note(
        self, crm: str, object_name: str, record: str, lead: str, fate: str, became: str | None, now: datetime
    ) -> None:
        """What became of one record: merged, gone or converted."""
        named = {"crm": crm, "object": object_name, "record": record, "lead": lead}
        self._do("note_fate", **named, fate=fate, became=became, now=now)

    def gone(self, crm: str, object_name: str) -> list[tuple[str, str, datetime | None]]:
        """(record, lead, when it was last seen alive) of records that are gone and were not asked about."""
        return self._do("gone_how", crm=crm, object=object_name).fetchall()

    def some_gone(self, crm: str) -> bool:
        """Whether any record of this CRM is known to be gone."""
        return self._is_so("some_gone", crm=crm)

    def restore(self, records: pl.DataFrame) -> None:
        """``RECORDS`` that were seen alive: none of them is gone."""
        if not records.is_empty():
            with self._connection.transaction():
                self._lay("asked", records.select(*RECORDS).unique())
                self._do("strike_fates")

    def fates(self, lead_ids: pl.Series) -> pl.DataFrame:
        """What became of records of these leads, as ``FATES``."""
        if not self._is_so("some_fates"):
            return pl.DataFrame(schema=dict(FATES))
        return self._asked("fates_of_leads", lead_ids.alias("lead_id").to_frame(), FATES)

    def aliases(self, lead_id: str) -> list[tuple[str, str, datetime]]:
        """(old id, why, since) of the leads that became this one."""
        return self._do("aliases_of_lead", lead=lead_id).fetchall()

    def second_addresses(self, email_keys: pl.Series) -> pl.DataFrame:
        """Records that have one of these addresses beside their own, as ``ALSO``; linked ones with their lead."""
        return self._asked("second_addresses", email_keys.drop_nulls().alias("email_key").to_frame(), ALSO)

    def some_addresses(self) -> bool:
        """Whether any record is known to have a further address."""
        return self._is_so("some_second_addresses")

    def remember_addresses(self, seen: pl.DataFrame, addresses: pl.DataFrame) -> None:
        """``seen`` (``RECORDS``) have exactly these second ``addresses`` (``ADDRESSES``) now."""
        if seen.is_empty():
            return
        with self._connection.transaction():
            self._lay("addresses", seen.select(*RECORDS).unique())
            self._do("strike_second_addresses")
            self._lay("addresses", addresses.select(*ADDRESSES))
            self._do("remember_second_addresses")

    def hold(self, row: Mapping[str, str | None], run: int, now: datetime) -> None:
        """One ``journal.HELD`` row (its ``held_key`` as ``key``) that a run's records do not settle."""
        self._do("hold_one", **row, run=run, now=now)

    def decide(self, decision: Decision, now: datetime) -> int:
        """Keep a person's decision for good; what was held about it is settled. Returns its number."""
        named = {
            "held": decision.held_id,
            "kind": decision.kind,
            "lead": decision.lead_id,
            "crm": decision.crm,
            "object": decision.object,
            "record": decision.record_id,
            "field": decision.field,
            "answer": decision.answer,
            "seen": decision.seen,
            "who": decision.who,
        }
        row = self._do("decide_held", **named, now=now).fetchone()
        self._do("settle_one", held=decision.held_id, now=now)
        return int(row[0]) if row else 0

    def decisions(self, lead_id: str) -> list[dict[str, Any]]:
        """What people decided about a lead, newest first."""
        return self._named("decisions_of_lead", lead=lead_id)

    def keep_apart(self, one: tuple[str, str], other: tuple[str, str], decision: int) -> None:
        """(crm, record) and (crm, record) are two people, whatever they have in common."""
        self._do(
            "keep_apart", crm=one[0], record=one[1], other_crm=other[0], other=other[1], decision=decision
        )

    def bring_together(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        """A later decision says that they are one person after all."""
        self._do("bring_together", crm=one[0], record=one[1], other_crm=other[0], other=other[1])

    def apart(self) -> pl.DataFrame:
        """Every pair that a person has told apart, as ``APART``."""
        return self._read("kept_apart", APART)

    def writes(self, lead_ids: pl.Series, since: datetime) -> pl.DataFrame:
        """What we wrote to these leads' records since, as ``WRITES``, in order."""
        asked = lead_ids.alias("lead_id").to_frame()
        return self._asked("writes_of_leads", asked, WRITES, since=since)
