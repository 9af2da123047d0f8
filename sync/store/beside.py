"""What stands beside the records of leads and tells of them, and the leads to look at again because it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import polars as pl

from sync.store.tables import Tables

#: One record that tells of a lead's opportunities.
PARTIES: Mapping[str, pl.DataType] = {name: pl.String() for name in ("lead_id", "crm", "object", "record_id")}
#: Records that changed.
CHANGED: Mapping[str, pl.DataType] = {name: pl.String() for name in ("crm", "object", "record_id")}
#: Why a lead is looked at again.
Why = Literal["opportunity", "signals", "company", "exploration"]


class BesideRecords(Tables):
    """The deal_party and look_again tables of one connection."""

    def may_have_deals(self, crm: str) -> pl.Series:
        """The leads that a Contact stands for: converted ones, and those that are Contacts themselves."""
        return self._read("leads_that_are_contacts", {"lead_id": pl.String()}, crm=crm)["lead_id"]

    def of_crm(self, crm: str) -> pl.Series:
        """Every lead that has a record in this CRM."""
        return self._read("leads_of_crm", {"lead_id": pl.String()}, crm=crm)["lead_id"]

    def counted_more_than_once(self, counters: Sequence[str]) -> pl.Series:
        """The leads of which one of these stored counts is 2 or more."""
        wanted = {"counters": list(counters)}
        return self._read("leads_counted_more_than_once", {"lead_id": pl.String()}, **wanted)["lead_id"]

    def note(self, crm: str, lead_ids: pl.Series, parties: pl.DataFrame) -> None:
        """``PARTIES`` of these leads in one CRM, in place of those known before. Inside the remembering transaction."""
        if lead_ids.is_empty():
            return
        self._lay("asked", lead_ids.unique().to_frame("lead_id"))
        self._do("forget_deal_parties", crm=crm)
        if not parties.is_empty():
            self._lay("new_parties", parties.select(*PARTIES).unique())
            self._do("note_deal_parties")

    def changed(self, records: pl.DataFrame, why: Why, now: datetime) -> None:
        """``CHANGED``: the leads beside which these stand are to be looked at again. In a transaction."""
        if not records.is_empty():
            self._lay("changed", records.select(*CHANGED).unique())
            self._do("look_again_by_party", why=why, now=now)

    def look_again(self, lead_ids: pl.Series, why: Why, now: datetime) -> None:
        """These leads are to be looked at again. In a transaction."""
        if not lead_ids.is_empty():
            self._lay("asked", lead_ids.unique().to_frame("lead_id"))
            self._do("look_again", why=why, now=now)

    def to_look_at(self, why: Why, most: int) -> list[tuple[str, str]]:
        """(CRM, record id) of the leads that have waited longest, at most so many leads."""
        return self._rows("to_look_at_again", why=why, most=most)

    def looked_at(self, lead_ids: pl.Series, why: Why, now: datetime) -> None:
        """These leads were decided with what was known at ``now``. Inside the remembering transaction."""
        if not lead_ids.is_empty():
            self._lay("asked", lead_ids.unique().to_frame("lead_id"))
            self._do("looked_at_again", why=why, now=now)
