"""Leads, their records' links and bases, and every verdict: frames in, frames out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from sync.store.frames import copy_in
from sync.store.tables import Tables

RECORDS: Mapping[str, pl.DataType] = {"crm": pl.String(), "object": pl.String(), "record_id": pl.String()}
KEYS: Mapping[str, pl.DataType] = {
    "email_key": pl.String(),
    "name_key": pl.String(),
    "company_key": pl.String(),
    "phone_key": pl.String(),
}
LINKS: Mapping[str, pl.DataType] = {"lead_id": pl.String(), **RECORDS, **KEYS}
#: ``record_mark``: of the values and their text (``snapshots.Snapshots.marks``); null: nobody reckoned it.
BASES: Mapping[str, pl.DataType] = {**RECORDS, "record_values": pl.String(), "record_mark": pl.Int64()}
OUTCOME: Mapping[str, pl.DataType] = {
    "score": pl.Int64(),
    "fit": pl.Int64(),
    "engagement": pl.Int64(),
    "coverage": pl.Int64(),
    "temperature": pl.String(),
    "stage": pl.String(),
    "stage_why": pl.String(),
    "highest_stage": pl.String(),
    "cycle": pl.Int64(),
    "nurture_track": pl.String(),
    "grade": pl.String(),
    "temperature_since": pl.Date(),
    "returned_on": pl.Date(),
    "spent_rejection": pl.String(),
}
DECIDED: Mapping[str, pl.DataType] = {
    **OUTCOME,
    "policy_version": pl.String(),
    "decided_at": pl.Datetime("us", "UTC"),
}
LEADS: Mapping[str, pl.DataType] = {"lead_id": pl.String(), "lead_values": pl.String(), **DECIDED}
NEW_LEADS: Mapping[str, pl.DataType] = {**LEADS, "email_key": pl.String()}
NEW_VERDICTS: Mapping[str, pl.DataType] = {"lead_id": pl.String(), "inputs": pl.String(), **DECIDED}
PAST: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "reached_at": pl.Datetime("us", "UTC"),
    "handed_at": pl.Datetime("us", "UTC"),
    "worked": pl.Boolean(),
    "lead_values": pl.String(),
    "stock": pl.Boolean(),
}
NEW_LINKS: Mapping[str, pl.DataType] = {"lead_id": pl.String(), **RECORDS, "how": pl.String(), **KEYS}

#: Rows that cost more to hand over than it costs to ask whether there is anything to be found.
_MANY = 1_000


class Leads(Tables):
    """The lead, verdict, link and base tables of one connection.

    The ``remember_…`` calls belong in one ``Store.transaction``.
    """

    def some_links(self) -> bool:
        """Whether any record is linked."""
        return self._is_so("some_links")

    def links_of_records(self, records: pl.DataFrame) -> pl.DataFrame:
        """``RECORDS`` in, the known ones out with their ``lead_id``."""
        return self._links("links_of_records", records.select(*RECORDS), {**RECORDS, "lead_id": pl.String()})

    def links_of_leads(self, lead_ids: pl.Series) -> pl.DataFrame:
        """Every linked record of these leads, as ``LINKS``."""
        return self._asked("links_of_leads", lead_ids.alias("lead_id").to_frame(), LINKS)

    def links_until(self, lead_ids: pl.Series, at: datetime) -> pl.DataFrame:
        """Every record that was linked to these leads by ``at``, as ``LINKS``."""
        return self._asked("links_until", lead_ids.alias("lead_id").to_frame(), LINKS, at=at)

    def links_by_email(self, email_keys: pl.Series) -> pl.DataFrame:
        """Every linked record with one of these normalised addresses, as ``LINKS``."""
        return self._links("links_by_email", email_keys.drop_nulls().alias("email_key").to_frame(), LINKS)

    def links_by_phone(self, phone_keys: pl.Series, at_most: int) -> pl.DataFrame:
        """Linked records with one of these numbers, as ``LINKS``: so many of each number at most."""
        asked = phone_keys.drop_nulls().alias("phone_key").to_frame()
        return self._links("links_by_phone", asked, LINKS, at_most=at_most)

    def links_by_name_and_domain(self, asked: pl.DataFrame, at_most: int) -> pl.DataFrame:
        """Linked records with one of these names under that mail domain, as ``LINKS``. ``asked``: name_key, domain."""
        wanted = asked.select("name_key", "domain").drop_nulls()
        return self._links("links_by_name_and_domain", wanted, LINKS, at_most=at_most)

    def _links(
        self, statement: str, asked: pl.DataFrame, schema: Mapping[str, pl.DataType], **wanted: Any
    ) -> pl.DataFrame:
        """Of many rows nothing is asked before anybody is linked: a first reading asks about everybody there is."""
        if asked.height > _MANY and not self.some_links():
            return pl.DataFrame(schema=dict(schema))
        return self._asked(statement, asked, schema, **wanted)

    def bases(self, records: pl.DataFrame) -> pl.DataFrame:
        """``RECORDS`` in, ``BASES`` out; a record without a base is absent."""
        return self._asked("bases_of_records", records.select(*RECORDS), BASES)

    def of(self, lead_ids: pl.Series) -> pl.DataFrame:
        """The stored leads with these ids, as ``LEADS``."""
        return self._asked("leads_by_id", lead_ids.alias("lead_id").to_frame(), LEADS)

    def ids_after(self, after: str, limit: int) -> pl.Series:
        """The next lead ids in order: a slice of all leads."""
        return self._read("lead_ids_after", {"lead_id": pl.String()}, after=after, limit=limit)["lead_id"]

    def count(self) -> int:
        return int(self._one("count_leads")[0])

    def _one(self, statement: str, **wanted: Any) -> tuple[Any, ...]:
        return self._do(statement, **wanted).fetchone() or (None,)

    def records_of(self, lead_id: str) -> list[tuple[str, str]]:
        """(crm, record id) of a lead's records."""
        found = self.links_of_leads(pl.Series("lead_id", [lead_id]))
        return found.select("crm", "record_id").sort("crm").rows()

    def named(self, key: str) -> list[str]:
        """The lead ids a KEY stands for: a lead id, ``hubspot:ID``, ``salesforce:ID`` or an e-mail address."""
        crm, colon, record = key.partition(":")
        if colon and crm in ("hubspot", "salesforce"):
            found = self._one("lead_of_record", crm=crm, record=record)[0]
        else:
            found = self._one("lead_exists", lead=key)[0]
        if found:
            return [found]
        return [row[0] for row in self._do("leads_of_email", email=key.strip().lower()).fetchall()]

    def verdicts(self, lead_id: str, at: datetime | None, limit: int) -> list[dict[str, Any]]:
        """The verdicts of a lead, newest first, none later than ``at``."""
        return self._named("verdicts_of_lead", lead=lead_id, at=at, limit=limit)

    def past(
        self,
        lead_ids: pl.Series,
        after_days: int,
        *,
        reached: Sequence[str],
        worked: Sequence[str],
        decided: Sequence[str],
    ) -> pl.DataFrame:
        """What was known of these leads ``after_days`` after their first verdict, as ``PAST``.

        ``reached_at`` is the first verdict in one of the stages ``reached``, ``handed_at`` the first as an MQL.
        ``worked``: whether a verdict ever had one of these stages, or one of the reasons ``decided``. ``stock``:
        whether a CRM had known it for longer than ``after_days`` by its first verdict, or it came in the first
        ``after_days`` with these accounts. Leads whose early verdicts deletion periods may have taken
        (``Retention.verdicts_from``) are left out.
        """
        asked = lead_ids.alias("lead_id").to_frame()
        wanted = {"reached": list(reached), "worked": list(worked), "decided": list(decided)}
        return self._asked("past_of_leads", asked, PAST, after=after_days, **wanted)

    def _remember(self, statement: str, table: str, frame: pl.DataFrame, **wanted: Any) -> None:
        if frame.is_empty():
            return
        self._lay(table, frame)
        self._do(statement, **wanted)

    def remember_links(self, links: pl.DataFrame, run: int, now: datetime) -> None:
        """``NEW_LINKS``: new links; a known record only has its keys renewed, its link stays."""
        self._remember("remember_links", "new_links", links.select(*NEW_LINKS), run=run, now=now)

    def unlink(self, records: pl.DataFrame) -> None:
        """Forget the links and bases of ``RECORDS`` that were taken away; their leads stay."""
        self._remember("unlink", "unlinked", records.select(*RECORDS))

    def remember_bases(self, bases: pl.DataFrame, run: int, now: datetime) -> None:
        """``BASES``: what each record held when both sides agreed."""
        self._remember("remember_bases", "new_bases", bases.select(*BASES), run=run, now=now)

    def remember_leads(self, leads: pl.DataFrame) -> None:
        """``NEW_LEADS``: merged values and the verdict in force."""
        self._remember("remember_leads", "new_leads", leads.select(*NEW_LEADS))

    def remember_verdicts(self, verdicts: pl.DataFrame, run: int) -> None:
        """``NEW_VERDICTS``: verdicts with their inputs, for explaining the past."""
        if verdicts.is_empty():
            return
        # Nothing is there that they could meet, so they go into their table without standing in another one first.
        rows = verdicts.select(*NEW_VERDICTS).with_columns(
            pl.col("score", "fit", "engagement", "coverage").fill_null(0),
            pl.col("temperature").fill_null(""),
            connection_id=pl.lit(self._id, pl.Int64),
            run_id=pl.lit(run, pl.Int64),
        )
        copy_in(self._connection, "verdict", rows)
