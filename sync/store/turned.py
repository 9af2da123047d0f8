"""The Contacts that converted leads were turned into, and which of them have changed since they were looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from sync.store.tables import Tables

#: One Contact of a lead. ``origin_id``: the Lead that was converted into it.
TURNED: Mapping[str, pl.DataType] = {
    name: pl.String() for name in ("lead_id", "crm", "origin_id", "record_id")
}


class TurnedContacts(Tables):
    """The turned_contact table of one connection."""

    def any(self) -> bool:
        """Whether a Contact of any converted lead is known."""
        row = self._do("some_turned").fetchone()
        return bool(row and row[0])

    def note(self, turned: pl.DataFrame) -> None:
        """``TURNED``: whose lead each Contact is. Inside the remembering transaction."""
        if not turned.is_empty():
            self._lay("new_turned", turned.select(*TURNED).unique())
            self._do("note_turned")

    def changed(self, crm: str, ids: Sequence[str], now: datetime) -> None:
        """These Contacts changed; most of them belong to nobody we know."""
        if ids:
            self._do("turned_contacts_changed", crm=crm, ids=list(ids), now=now)

    def merged(self, crm: str, old: str, new: str, now: datetime) -> None:
        """A Contact was merged into another one, which stands for its leads from now on."""
        self._do("turned_contact_merged", crm=crm, old=old, new=new, now=now)

    def to_look_at(self) -> list[tuple[str, str]]:
        """(CRM, record id) of the converted Leads whose Contact has changed since they were looked at."""
        return self._do("turned_to_look_at").fetchall()

    def origins(self, crm: str, contacts: Sequence[str]) -> list[tuple[str, str]]:
        """(Contact, the Lead that was converted into it) of those of the Contacts that are known."""
        return self._do("origins_of_contacts", crm=crm, ids=list(contacts)).fetchall()

    def leads_of_accounts(self, accounts: Sequence[str]) -> list[tuple[str, str]]:
        """(account, lead) of the leads that a conversion brought to these accounts."""
        return self._do("leads_of_accounts", ids=list(accounts)).fetchall() if accounts else []

    def of(self, lead_ids: pl.Series) -> pl.DataFrame:
        """The Contacts of these leads, as ``TURNED``."""
        return self._asked("turned_of_leads", lead_ids.alias("lead_id").to_frame(), TURNED)

    def looked_at(self, lead_ids: pl.Series) -> None:
        """These leads were decided with what their Contacts say now. Inside the remembering transaction."""
        if not lead_ids.is_empty() and self.to_look_at():
            self._lay("asked", lead_ids.unique().to_frame("lead_id"))
            self._do("turned_looked_at")
