"""What the database is asked about some rows reads as many rows as it names, however many are stored.

Every statement that is laid a table is tried: with a database that knows how large its tables are, with one that knew
it when they were small, and with one that was never told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, ItemsView, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl
import psycopg
import pytest

from mapping.qualification.handover import LEDGER, Advanced
from mapping.qualification.handover_events import EVENTS
from sync.store.beside import CHANGED, PARTIES, BesideRecords
from sync.store.former import MOVED, FormerAddresses
from sync.store.handovers import Handovers
from sync.store.identity import ADDRESSES, Identity
from sync.store.imports import IMPORTED, Imports
from sync.store.journal import CONFLICTS, HELD, INTENTS, REFUSED, RESULTS, UNDONE, Journal
from sync.store.laid import FEW
from sync.store.leads import BASES, NEW_LEADS, NEW_LINKS, RECORDS, Leads
from sync.store.notices import Notices
from sync.store.outside import Outside
from sync.store.routing import ROUTED, Routing
from sync.store.runs import Runs
from sync.store.standing import Standing
from sync.store.statements import load_statements
from sync.store.turned import TURNED, TurnedContacts

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ASKED = FEW + 100
SIZES = (430, 8600)
#: With fewer rows no server of its own accord looks at how large a table is (autovacuum_analyze_threshold).
ANALYZED_AT = 51
#: What may read a table whole, once, where the server takes that for less than to look up each row.
JOINED = {
    *(
        "beside a party",
        "by key",
        "claims",
        "contacts",
        "contacts looked at",
        "former addresses",
        "held",
        "in and out",
    ),
    *("links that end", "met again", "new second addresses", "no longer undone", "notices", "outside"),
    *("owners settled", "parties", "passed", "records alive", "second addresses", "undone"),
}
_BEGUN = (
    "INSERT INTO connection (hubspot_account, salesforce_account, first_seen) VALUES ('101', '00D1', now())",
    "INSERT INTO run (connection_id, command, started_at, ended_at, state) VALUES (1, 'sync', now(), now(), 'done')",
    "INSERT INTO run (connection_id, command, started_at) VALUES (1, 'sync', now())",
    # Of the run that ended, so that all that is stored of the journal was left open by it.
    "INSERT INTO journal_part (connection_id, run_id) VALUES (1, 1)",
)
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
#: What stands in a column whose name says what it is; ``i`` is the number of the row.
_BY_NAME: Mapping[str, str] = {
    "lead_id": "'L' || i",
    "old_lead_id": "'O' || i",
    "record_id": "'R' || i",
    "origin_id": "'R' || i",
    "held_key": "'K' || i",
    "row_key": "'K' || i",
    "email_key": "'p' || i || '@example.com'",
    "name_key": "'Ann Person' || i",
    "phone_key": "'+49' || i",
    "connection_id": "1",
    "part_id": "1",
    "crm": "'hubspot'",
    "object": "'contacts'",
    "lead_values": "'{}'",
    "inputs": "'{}'",
    "fate": "'merged'",
    "handed_over_at": "now()",
    "changed_at": "now()",
}
_BY_TYPE: Mapping[str, str] = {
    "text": "'x'",
    "ARRAY": "'{x}'",
    "boolean": "false",
    "jsonb": "'{}'",
    "date": "current_date",
    "timestamp with time zone": "now()",
}
_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable = 'NO' AND column_default IS NULL
  FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND is_identity = 'NO'
   AND table_name IN (SELECT table_name FROM information_schema.columns
                       WHERE column_name = 'lead_id' OR column_name = 'record_id')
 ORDER BY table_name, ordinal_position
"""
_READ = """
SELECT (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables)
     + (SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index)
"""
#: Columns that stand where a table may: after IS DISTINCT FROM, or in what is extracted from them. A table of a name
#: that begins with kept_ is one that an archive sets aside.
_OTHER = {"before", "held_until", "hour", "last_at", "now"}
_NAMES_A_TABLE = re.compile(r"\b(?:FROM|JOIN|USING)\s+([a-z_]+)\b(?!\s*[(.])")


#: Tried as "claims", by a part that takes its statements all at once; and by the tests of a run that is overtaken.
NOT_NOTED = {"claim_leads", "claimed_leads", "fenced_out", "overtaken"}
#: Of the owners of a CRM, and of the slices of one backfill.
FEW_ROWS = {"keep_owners", "cut_slices", "read_by_backfill"}


class _Noted(Mapping[str, str]):
    """The named statements, and which of them were asked for."""

    def __init__(self) -> None:
        self._all = load_statements()
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def items(self) -> ItemsView[str, str]:
        return self._all.items()


@pytest.fixture
def connection(migrated_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(migrated_database, autocommit=True, options="-c timezone=UTC -c jit=off") as opened:
        for statement in _BEGUN:
            opened.execute(statement.encode())
        # What the server knows of the sizes is the test's to say: on a busy machine its own look falls in between.
        for (table,) in opened.execute(_TABLES.encode()).fetchall():
            opened.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        yield opened


def _fill(connection: psycopg.Connection, begin: int, end: int) -> None:
    """Every table about leads and records gets a row for each number."""
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind, wanted in connection.execute(_COLUMNS.encode()).fetchall():
        columns.setdefault(table, {})
        if wanted or column in _BY_NAME:
            columns[table][column] = _BY_NAME.get(column) or _BY_TYPE.get(kind, "1")
    for table, said in columns.items():
        into, values = ", ".join(said), ", ".join(said.values())
        statement = f"INSERT INTO {table} ({into}) SELECT {values} FROM generate_series({begin}, {end}) AS i"
        connection.execute(statement.encode())


def _rows(schema: Mapping[str, pl.DataType], **columns: object) -> pl.DataFrame:
    """Rows about the first leads and records that are stored."""
    named = {name: word for name, word in _BY_NAME.items() if "i" in word.split()}
    said: dict[str, list[object]] = {}
    for name, dtype in schema.items():
        if name in columns:
            said[name] = [columns[name]] * ASKED
        elif name in named:
            before, _, after = (part.strip(" |'") for part in named[name].partition(" i"))
            said[name] = [f"{before}{number}{after}" for number in range(1, ASKED + 1)]
        else:
            said[name] = [_plain(name, dtype)] * ASKED
    return pl.DataFrame(said, schema=dict(schema))


def _plain(name: str, dtype: pl.DataType) -> object:
    if isinstance(dtype, pl.String):
        return {"crm": "hubspot", "object": "contacts", "lead_values": "{}"}.get(name, "x")
    if isinstance(dtype, pl.Datetime):
        return NOW
    return {pl.Boolean: False, pl.Date: NOW.date()}.get(type(dtype), 1)


def _calls(connection: psycopg.Connection, statements: Mapping[str, str]) -> dict[str, Callable[[], object]]:
    """Everything that lays tables for its statements, by what it is about."""
    parts: tuple[Any, ...] = (connection, statements, 1)
    leads, journal, beside = Leads(*parts), Journal(*parts), BesideRecords(*parts)
    handovers, identity, routing = Handovers(*parts), Identity(*parts), Routing(*parts)
    turned, former, outside = TurnedContacts(*parts), FormerAddresses(*parts), Outside(*parts)
    imports = Imports(*parts)
    ids, records = _rows({"lead_id": pl.String()})["lead_id"], _rows(RECORDS)
    emails, phones = _rows(NEW_LINKS)["email_key"], _rows(NEW_LINKS)["phone_key"]
    names = _rows({"name_key": pl.String(), "domain": pl.String()}, domain="example.com")
    past: dict[str, Any] = {"reached": ["x"], "worked": ["x"], "decided": ["x"]}
    advanced = Advanced(_rows(LEDGER, closed_at=None, hot_since=None), _rows(EVENTS))
    return {
        "links of records": lambda: leads.links_of_records(records),
        "links of leads": lambda: leads.links_of_leads(ids),
        "links of leads by then": lambda: leads.links_until(ids, NOW),
        "links by address": lambda: leads.links_by_email(emails),
        "links by telephone": lambda: leads.links_by_phone(phones, 3),
        "links by name": lambda: leads.links_by_name_and_domain(names, 3),
        "bases": lambda: leads.bases(records),
        "leads": lambda: leads.of(ids),
        "past": lambda: leads.past(ids, 30, **past),
        "new links": lambda: leads.remember_links(_rows(NEW_LINKS), 2, NOW),
        "links that end": lambda: leads.unlink(records),
        "new bases": lambda: leads.remember_bases(_rows(BASES), 2, NOW),
        "new leads": lambda: leads.remember_leads(_rows(NEW_LEADS)),
        "intents and their ends": lambda: _intend_and_settle(journal),
        "intents of the dead": lambda: journal.abandon(ids, 2, NOW),
        "conflicts": lambda: journal.remember_conflicts(_rows(CONFLICTS), 2, NOW),
        "held": lambda: journal.hold(_rows(HELD), records.select("crm", "record_id"), 2, NOW),
        "refused": lambda: journal.refuse(_rows(REFUSED), 2, NOW),
        "passed": lambda: journal.strike_refused(_rows({"lead_id": pl.String(), "crm": pl.String()})),
        "newly undone": lambda: journal.remember_undone(_rows(UNDONE), 1, 2, NOW),
        "undone": lambda: journal.undone(ids),
        "no longer undone": lambda: journal.strike_undone(_rows(UNDONE)),
        "parties": lambda: beside.note("hubspot", ids, _rows(PARTIES)),
        "beside a party": lambda: beside.changed(_rows(CHANGED), "signals", NOW),
        "to look at again": lambda: beside.look_again(ids, "signals", NOW),
        "looked at again": lambda: beside.looked_at(ids, "signals", NOW),
        "newest handovers": lambda: handovers.newest(ids),
        "names": lambda: handovers.names(ids),
        "new handovers": lambda: handovers.remember(advanced, "hot", 2, NOW),
        "notices": lambda: Notices(*parts).queue(ids, NOW, tasks=True, mails=True),
        "fates": lambda: identity.fates(ids),
        "records alive": lambda: identity.restore(records),
        "writes": lambda: identity.writes(ids, NOW),
        "second addresses": lambda: identity.second_addresses(emails),
        "new second addresses": lambda: identity.remember_addresses(records, _rows(ADDRESSES)),
        "newest owners": lambda: routing.newest(ids),
        "owners settled": lambda: routing.settle(ids.to_list()),
        "given": lambda: routing.reserve(_rows(ROUTED, cycle=2), {("x", "x"): 1}, 0, 2, NOW),
        "new contacts": lambda: turned.note(_rows(TURNED)),
        "contacts": lambda: turned.of(ids),
        "contacts looked at": lambda: turned.looked_at(ids),
        "former addresses": lambda: former.note(_rows(MOVED), 2, NOW),
        "met again": lambda: former.met(emails),
        "outside": lambda: outside.among(ids),
        "in and out": lambda: outside.note(ids, ids, 2, NOW),
        "imported": lambda: imports.remember(_rows(IMPORTED), 2, NOW),
        "by key": lambda: imports.by_key(_rows({"row_key": pl.String()})["row_key"]),
        "last verdicts": lambda: Standing(*parts).last_verdicts(ids),
        "claims": lambda: _claim_and_release(Runs(*parts, approved_at=None), ids),
    }


def _intend_and_settle(journal: Journal) -> None:
    journal.intend(_rows(INTENTS, kind="set"), 2, NOW)
    journal.settle(_rows(RESULTS, kind="set", state="written", stored=None), 2, NOW)


def _claim_and_release(runs: Runs, ids: pl.Series) -> None:
    fence, _ = runs.claim(ids, 2, NOW, 60.0)
    runs.claimed(ids)
    runs.fenced_out(ids, fence)
    runs.release(2, fence)


class _NotToBeKept(Exception):
    """Takes back what was only tried."""


def _rows_read(connection: psycopg.Connection, act: Callable[[], object]) -> int:
    """The rows and the entries of indexes that the session looks at meanwhile. What it changes is taken back."""
    try:
        with connection.transaction():
            before = connection.execute(_READ.encode()).fetchone() or (0,)
            act()
            after = connection.execute(_READ.encode()).fetchone() or (0,)
            raise _NotToBeKept
    except _NotToBeKept:
        return int(after[0]) - int(before[0])


@pytest.mark.parametrize("told", ["always", "early", "never"])
def test_as_many_rows_are_read_as_are_asked_for_however_many_are_stored(
    connection: psycopg.Connection, told: str
) -> None:
    read: dict[str, list[int]] = {}
    stored = 0
    if told == "early":
        stored = ANALYZED_AT
        _fill(connection, 1, stored)
        connection.execute(b"ANALYZE")
    for size in SIZES:
        _fill(connection, stored + 1, size)
        stored = size
        if told == "always":
            connection.execute(b"ANALYZE")
        for name, act in _calls(connection, load_statements()).items():
            read.setdefault(name, []).append(_rows_read(connection, act))
    few, many = SIZES
    grown = {name for name, rows in read.items() if rows[1] > rows[0] * 2 + ASKED}
    assert grown <= JOINED
    # Not a table for each row of the other: that would be ASKED times what is stored.
    walked = {
        name for name, rows in read.items() if rows[0] > 50 * (ASKED + few) or rows[1] > 50 * (ASKED + many)
    }
    assert not walked


def test_every_statement_that_is_laid_a_table_is_tried(connection: psycopg.Connection) -> None:
    _fill(connection, 1, SIZES[0])
    noted = _Noted()
    for act in _calls(connection, noted).values():
        _rows_read(connection, act)
    stored = {row[0] for row in connection.execute(b"SELECT relname FROM pg_class")}
    named = {name: _laid_for(text, stored) for name, text in load_statements().items()}
    assert {name for name, laid in named.items() if laid} - noted.asked == NOT_NOTED | FEW_ROWS


def _laid_for(text: str, stored: set[str]) -> set[str]:
    plain = re.sub(r"--[^\n]*", "", text)
    made = set(re.findall(r"\b(\w+)(?:\s*\([^)]*\))?\s+AS\s+(?:MATERIALIZED\s+)?\(", plain))
    return (
        {name for name in _NAMES_A_TABLE.findall(plain) if not name.startswith("kept_")}
        - stored
        - made
        - _OTHER
    )
