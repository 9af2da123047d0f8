"""The SQLite file that holds the account: its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from connectors.sandbox.hubspot import past
from connectors.sandbox.hubspot.account import FIRST_RECORD_ID

TABLES = """
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row a record. data: its property values as one JSON object of texts; what the columns say is not
-- repeated there. Times are milliseconds since 1970, UTC.
CREATE TABLE IF NOT EXISTS record (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  archived INTEGER, email TEXT, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS record_listed ON record (kind, archived, id);

-- Values that name one record: e-mail addresses (first and secondary) and hasUniqueValue properties.
CREATE TABLE IF NOT EXISTS unique_value (
  kind TEXT, name TEXT, value TEXT, record INTEGER NOT NULL, PRIMARY KEY (kind, name, value)) WITHOUT ROWID;

-- Values since the record was made, one row a write (see past.py). A property that no row names has had one
-- value, from the beginning.
CREATE TABLE IF NOT EXISTS past (seq INTEGER PRIMARY KEY, record INTEGER NOT NULL, moved TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS past_record ON past (record);

-- What list and search still show of a record that has changed; no data: it was not there yet.
CREATE TABLE IF NOT EXISTS earlier (
  seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, list_until INTEGER NOT NULL, search_until INTEGER NOT NULL,
  kind TEXT, created INTEGER, modified INTEGER, archived INTEGER, email TEXT, data TEXT);
CREATE INDEX IF NOT EXISTS earlier_id ON earlier (id);

-- Associations, once from each side.
CREATE TABLE IF NOT EXISTS link (
  from_id INTEGER, to_kind TEXT, to_id INTEGER, type INTEGER, PRIMARY KEY (from_id, to_kind, to_id, type))
  WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS link_back ON link (to_id);

-- OAuth tokens: an access token has an end, a refresh token is here once it was revoked or given again.
CREATE TABLE IF NOT EXISTS token (
  value TEXT PRIMARY KEY, expires INTEGER, revoked INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;

-- What was said of an address through the API; id 0 is every mail at once. Times are milliseconds.
CREATE TABLE IF NOT EXISTS subscription (
  email TEXT, id INTEGER, status TEXT NOT NULL, at INTEGER NOT NULL, basis TEXT, explanation TEXT,
  PRIMARY KEY (email, id)) WITHOUT ROWID;

-- Lists and who is on them; gone: deleted then. branch: the filters of a dynamic one, as JSON.
CREATE TABLE IF NOT EXISTS list (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, processing TEXT NOT NULL,
  made INTEGER NOT NULL, changed INTEGER NOT NULL, gone INTEGER, branch TEXT);
CREATE TABLE IF NOT EXISTS member (
  list INTEGER, record INTEGER, first INTEGER NOT NULL, latest INTEGER NOT NULL, PRIMARY KEY (list, record))
  WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_record ON member (record);

-- Exports, their files, and the addresses that were handed out for them.
CREATE TABLE IF NOT EXISTS export (
  id INTEGER PRIMARY KEY, asked INTEGER NOT NULL, starts INTEGER NOT NULL, ready INTEGER NOT NULL,
  file BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS export_address (
  token TEXT PRIMARY KEY, export INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;

-- Forms that somebody sent.
CREATE TABLE IF NOT EXISTS submission (
  seq INTEGER PRIMARY KEY, form TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, email TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS merged (old INTEGER PRIMARY KEY, new INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS erased (email_digest TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS property (
  kind TEXT, name TEXT, place INTEGER NOT NULL, definition TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS property_group (
  kind TEXT, name TEXT, place INTEGER NOT NULL, definition TEXT NOT NULL, PRIMARY KEY (kind, name));
"""
# Each holds archived too, so that counting the hits of a search reads the index alone.
WALKED = {
    "record_modified": "CREATE INDEX IF NOT EXISTS record_modified ON record (kind, modified, archived)",
    "record_created": "CREATE INDEX IF NOT EXISTS record_created ON record (kind, created, archived)",
    "record_email": "CREATE INDEX IF NOT EXISTS record_email ON record (kind, email, archived)",
}
_NAMES = (
    "note",
    "record",
    "unique_value",
    "past",
    "earlier",
    "link",
    "merged",
    "erased",
    "token",
    "subscription",
    "list",
    "member",
    "export",
    "export_address",
    "submission",
    "property",
)


def open_database(path: Path) -> sqlite3.Connection:
    """The file, its tables made if they are not there. Transactions are the caller's."""
    # One thread at a time calls a side, but not always the thread that made it.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # A killed process loses nothing; only a power cut would, and these records are pretended.
    # Of records as long as these, SQLite's own pages of 4,096 bytes would hold no more than two.
    # A batch touches hundreds of pages all over the file: copied back after 64 MB, each is copied for many batches.
    for setting in (
        "synchronous=OFF",
        "page_size=8192",
        "wal_autocheckpoint=8000",
        "journal_mode=WAL",
        "cache_size=-131072",
        "temp_store=MEMORY",
    ):
        database.execute(f"PRAGMA {setting}").close()
    bring_up(database)
    return database


def bring_up(database: sqlite3.Connection) -> None:
    """Make what is missing in a file, and take over what one of an older version has."""
    database.executescript(TABLES)
    make_indexes(database)
    past.take_over(database)


def make_indexes(database: sqlite3.Connection) -> None:
    """Build the indexes that searches walk, where they are missing."""
    for statement in WALKED.values():
        database.execute(statement)


def drop_indexes(database: sqlite3.Connection) -> None:
    """Take them away before very many rows come: building them once is faster than keeping them up."""
    for name in WALKED:
        database.execute(f"DROP INDEX IF EXISTS {name}")


def empty(database: sqlite3.Connection) -> None:
    """Forget everything, inside the caller's transaction."""
    for name in (*_NAMES, "property_group"):
        database.execute(f"DELETE FROM {name}")


def next_ids(database: sqlite3.Connection, count: int) -> int:
    """Reserve ``count`` record ids and return the first."""
    first = next_id(database)
    use_ids(database, first, count)
    return first


def next_id(database: sqlite3.Connection) -> int:
    """The id that the next record gets."""
    kept = note(database, "next_id")
    return FIRST_RECORD_ID if kept is None else int(kept)


def use_ids(database: sqlite3.Connection, first: int, count: int) -> None:
    """Give so many ids from ``next_id`` on to nobody else."""
    keep_note(database, "next_id", str(first + count))


def note(database: sqlite3.Connection, name: str) -> str | None:
    """A remembered text."""
    row = database.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def keep_note(database: sqlite3.Connection, name: str, value: str) -> None:
    """Remember a text."""
    database.execute(
        "INSERT INTO note VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
