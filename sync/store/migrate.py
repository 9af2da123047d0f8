"""Numbered, one-way migrations, applied under an advisory lock and recorded with themselves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import psycopg

from sync.errors import DatabaseAway, DatabaseNewer

#: Any number nobody else uses: it names our lock among a server's advisory locks.
LOCK = 7_305_120_226
OLDEST_POSTGRESQL = 150_000


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. ``checksum`` tells a changed file from the one that was applied."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> list[Migration]:
    """The migrations this program ships, in order."""
    found = []
    for source in files("sync.store").joinpath("migrations").iterdir():
        if source.name.endswith(".sql"):
            number, _, name = source.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(number), name, source.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def migrate(connection: psycopg.Connection, migrations: list[Migration] | None = None) -> list[Migration]:
    """Bring the database up to this program; returns what was applied (nothing when it was up to date).

    All steps run in one transaction under an advisory lock, so two commands starting at once do the work
    once. Raises DatabaseNewer when the database is newer than the program, and DatabaseAway when the server
    is older than PostgreSQL 15 or an applied migration differs from ours.
    """
    migrations = known_migrations() if migrations is None else migrations
    version = connection.info.server_version
    if version < OLDEST_POSTGRESQL:
        raise DatabaseAway(
            f"PostgreSQL {version // 10_000} is too old: Leadpact needs 15 or newer",
            fix="upgrade the server, or leave database.url out to use the embedded one",
        )
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = connection.execute("SELECT number, checksum FROM schema_migration").fetchall()
        applied: dict[int, str] = dict(rows)
        _refuse_a_newer_database(applied, migrations)
        todo = [migration for migration in migrations if migration.number not in applied]
        for migration in todo:
            connection.execute(migration.sql.encode())
            connection.execute(
                "INSERT INTO schema_migration (number, name, checksum) VALUES (%s, %s, %s)",
                [migration.number, migration.name, migration.checksum],
            )
    return todo


def _refuse_a_newer_database(applied: dict[int, str], migrations: list[Migration]) -> None:
    newest = max((migration.number for migration in migrations), default=0)
    beyond = [number for number in applied if number > newest]
    if beyond:
        raise DatabaseNewer(
            f"the database is newer than this program: it has migration {max(beyond)},"
            f" and this Leadpact knows {newest} at most. Nothing was changed",
            fix="use the Leadpact version that migrated it, or restore an older backup",
        )
    for migration in migrations:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise DatabaseAway(
                f"migration {migration.number} ({migration.name}) was applied in another form than the one"
                " this program ships",
                fix="install a released version of Leadpact; a development version may have made this database",
            )
