"""Everything the database holds about one person: shown, erased, searched for, and kept from coming back.

The tables are found by their columns, not by a list: a table that is added later is shown, erased and searched
like the others as long as it names a lead (``lead_id``) or a record (``crm`` and ``record_id``).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from sync.store.tables import Tables

#: Tables up to this size are rewritten whole when somebody was erased; larger ones are vacuumed in place.
REWRITTEN_BYTES = 256 * 1024 * 1024
#: These hold what stops a person from being taken in again, and no word about anybody.
NOT_ABOUT_PERSONS = frozenset({"erased", "erasure_salt"})

#: Tables that are packed: the view that says the same so that a person can read it, and what it has for searching.
SHOWN_AS = {"journal": ("journal_field", frozenset({"row_state", "place"}))}

Record = tuple[str, str]  #: (crm, record id)


class Persons(Tables):
    """The persons in the tables of one connection."""

    def everything(
        self, lead_ids: Sequence[str], records: Sequence[Record]
    ) -> dict[str, list[dict[str, Any]]]:
        """Table name to its rows about these leads and records; tables without any are left out."""
        found = {}
        for table, condition in self._about():
            shown, left_out = SHOWN_AS.get(table, (table, frozenset()))
            query = sql.SQL("SELECT * FROM {} AS t WHERE {}").format(sql.Identifier(shown), condition)
            with psycopg.ClientCursor(self._connection, row_factory=psycopg.rows.dict_row) as cursor:
                rows = cursor.execute(query, self._wanted(lead_ids, records)).fetchall()
            if rows:
                found[table] = [
                    {name: value for name, value in row.items() if name not in left_out} for row in rows
                ]
        return found

    def erase(self, lead_ids: Sequence[str], records: Sequence[Record]) -> dict[str, int]:
        """Delete every row about these leads and records; table name to how many. In one transaction."""
        counts = {}
        with self._connection.transaction():
            for table, condition in self._about():
                query = sql.SQL("DELETE FROM {} AS t WHERE {}").format(sql.Identifier(table), condition)
                cursor = psycopg.ClientCursor(self._connection)
                counts[table] = cursor.execute(query, self._wanted(lead_ids, records)).rowcount
        return {table: count for table, count in counts.items() if count}

    def mentions(self, words: Sequence[str]) -> dict[str, int]:
        """Table name to how many rows hold one of ``words`` anywhere in their text, whatever the case."""
        found = {}
        for table in self._tables():
            count = self._connection.execute(
                sql.SQL(
                    "SELECT count(*) FROM {} AS t WHERE EXISTS"
                    " (SELECT FROM unnest(%s::text[]) AS word WHERE strpos(lower(t::text), lower(word)) > 0)"
                ).format(sql.Identifier(table)),
                [list(words)],
            ).fetchone()
            if count and count[0]:
                found[table] = int(count[0])
        return found

    def erase_mentions(self, table: str, words: Sequence[str]) -> int:
        """Delete the rows of one table of this connection that hold one of ``words``; how many."""
        query = sql.SQL(
            "DELETE FROM {} AS t WHERE connection_id = %s AND EXISTS"
            " (SELECT FROM unnest(%s::text[]) AS word WHERE strpos(lower(t::text), lower(word)) > 0)"
        ).format(sql.Identifier(table))
        return self._connection.execute(query, [self._id, list(words)]).rowcount

    def vacuum(self, tables: Iterable[str]) -> dict[str, str]:
        """Make the place of deleted rows free; table name to ``rewritten`` or ``vacuumed``."""
        done = {}
        for table in tables:
            size = self._connection.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchone()
            small = size is not None and size[0] <= REWRITTEN_BYTES
            words = "VACUUM (FULL) {}" if small else "VACUUM {}"
            self._connection.execute(sql.SQL(words).format(sql.Identifier(table)))
            done[table] = "rewritten" if small else "vacuumed"
        return done

    # --- keeping them away ------------------------------------------------------------------------------

    def bar(self, names: Iterable[str], now: datetime) -> int:
        """Keep hashes of these names (``name_of_address``, ``name_of_record``); how many are new."""
        salt = self._salt()
        return sum(
            self._do("bar_person", digest=digest, now=now).rowcount
            for digest in {digest_of(salt, name) for name in names}
        )

    def barred(self) -> Barred | None:
        """What is not to be taken in again; None where nobody was ever erased."""
        rows = self._do("barred_persons").fetchall()
        return Barred(self._salt(), frozenset(bytes(row[0]) for row in rows)) if rows else None

    def _salt(self) -> bytes:
        self._do("make_salt", salt=secrets.token_bytes(32))
        row = self._do("salt").fetchone()
        return bytes(row[0]) if row else b""

    # --- saved plans ------------------------------------------------------------------------------------

    def note_plan(self, path: str, now: datetime) -> None:
        """Remember where a plan was saved."""
        self._do("note_plan", path=path, now=now)

    def plans(self) -> list[str]:
        """Where plans were saved, oldest first."""
        return [row[0] for row in self._do("noted_plans").fetchall()]

    def strike_plan(self, path: str) -> None:
        """A saved plan is not there any more."""
        self._do("strike_plan", path=path)

    # --- the tables -------------------------------------------------------------------------------------

    def _tables(self) -> list[str]:
        rows = self._do("tables").fetchall()
        return [row[0] for row in rows if row[0] not in NOT_ABOUT_PERSONS]

    def _about(self) -> list[tuple[str, sql.Composable]]:
        """Every table of this connection that names leads or records, with the condition that picks a person."""
        rows = self._do("tables_about_persons").fetchall()
        return [
            (table, _condition(by_lead=by_lead, by_record=by_record))
            for table, by_lead, by_record in rows
            if table not in NOT_ABOUT_PERSONS
        ]

    def _wanted(self, lead_ids: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
        return {
            "connection": self._id,
            "leads": list(lead_ids),
            "crms": [crm for crm, _ in records],
            "records": [record for _, record in records],
        }


def _condition(*, by_lead: bool, by_record: bool) -> sql.Composable:
    parts = []
    if by_lead:
        parts.append(sql.SQL("t.lead_id = ANY(%(leads)s::text[])"))
    if by_record:
        parts.append(
            sql.SQL("(t.crm, t.record_id) IN (SELECT * FROM unnest(%(crms)s::text[], %(records)s::text[]))")
        )
    return sql.SQL("t.connection_id = %(connection)s AND ({})").format(sql.SQL(" OR ").join(parts))


class Barred:
    """Who is not to be taken in again, as salted hashes."""

    def __init__(self, salt: bytes, digests: frozenset[bytes]) -> None:
        self._salt = salt
        self._digests = digests

    def __contains__(self, name: str) -> bool:
        return digest_of(self._salt, name) in self._digests


def digest_of(salt: bytes, name: str) -> bytes:
    """The hash under which a name is kept."""
    return hashlib.sha256(salt + name.encode()).digest()


def name_of_address(email: str) -> str:
    """What an e-mail address is called when it is hashed: without case and spaces at its ends."""
    return "email:" + email.strip().lower()


def name_of_record(crm: str, record_id: str) -> str:
    """What a CRM's record is called when it is hashed."""
    return f"record:{crm}:{record_id}"
