"""The whole memory into a file, and back. No programs of PostgreSQL are needed: it goes by COPY, on every server.

A restore replaces everything in one transaction: our tables are dropped and made anew as they were when the
backup was made, filled, and then migrated to this program. What must not go back in time is kept from the
database that is replaced: who was forgotten, where plans lie, who did what, which mails were sent, and the numbers
that count up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from sync.errors import DatabaseAway, WrongUse
from sync.store.archive_file import Contents, Reader, TableIn, new_file, read_file
from sync.store.migrate import LOCK, Migration, known_migrations, migrate
from sync.store.persons import Persons
from sync.store.runs import RUN_LOCK

#: Tables of the job engine begin so. Jobs are reasons to look: they are not saved, and made anew by whoever needs them.
ENGINE = "procrastinate_"
#: Worth nothing later, and kept as it is by a restore: how many calls were made just now, and who works what.
OF_THE_MOMENT = ("call_window", "call_day", "call_hour")
NOT_SAVED = frozenset({*OF_THE_MOMENT, "claim", "job_failure"})
#: What a restore takes over from the database that it replaces.
KEPT = ("connection", "erasure_salt", "erased", "saved_plan", "audit", "letter", *OF_THE_MOMENT)
_MADE = re.compile(r"^CREATE (TABLE|SEQUENCE|VIEW) (\w+)", re.MULTILINE)

Row = tuple[Any, ...]


@dataclass(slots=True)
class Restored:
    """What a restore did. ``migrated``: steps that brought the backup up to this program.

    ``erased_again``: leads of people who were forgotten after the backup was made. ``knew_erasures``: the
    database that was replaced knew of somebody who was forgotten.
    """

    contents: Contents
    migrated: list[str] = field(default_factory=list)
    erased_again: int = 0
    knew_erasures: bool = False


class Archive:
    """Saves and restores the database behind a connection."""

    def __init__(self, connection: psycopg.Connection, statements: Mapping[str, str]) -> None:
        self._connection = connection
        self._statements = statements
        self._sql = {name: text.encode() for name, text in statements.items()}

    def save(self, path: Path, now: datetime, program: str) -> Contents:
        """Everything as of one moment into a new file. Raises WrongUse where it cannot be written."""
        made = made_by(known_migrations(), "TABLE")
        tables = [name for name in made if name not in NOT_SAVED and not name.startswith(ENGINE)]
        with new_file(path) as file, self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for name in tables:
                columns = [row[0] for row in self._all("columns_of_table", table=name)]
                file.add(name, columns, self._copied(name, columns))
            contents = Contents(now, program, self._applied(), file.tables, self._sequences())
            file.finish(contents)
        self._note("backed up", now, f"{contents.rows} rows")
        return contents

    def restore(self, path: Path, now: datetime) -> Restored:
        """Replace everything by a backup; all of it, or nothing.

        Raises WrongUse for a file that is no backup, is damaged, or is newer than this program, and where a run
        is under way; DatabaseAway where the server refuses it.
        """
        with read_file(path) as file:
            past = _past_of(path, file.contents)
            done = Restored(file.contents)
            try:
                with self._connection.transaction():
                    self._replace(file, past, done)
                    self._note(
                        "restored", now, f"{file.contents.rows} rows of {file.contents.made_at.isoformat()}"
                    )
            except psycopg.errors.LockNotAvailable as problem:
                raise WrongUse(
                    "another program is using the database. Nothing was changed", fix="stop it, and try again"
                ) from problem
            except psycopg.Error as problem:
                raise DatabaseAway(
                    f"the server refused the restore ({type(problem).__name__}). Nothing was changed",
                    fix="the user of database.url must own Leadpact's tables, and nothing else may build on them",
                ) from problem
        return done

    def _replace(self, file: Reader, past: list[Migration], done: Restored) -> None:
        self._alone()
        before = self._sequences()
        for name in KEPT:
            self._execute("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS TABLE {}", f"kept_{name}", name)
        done.knew_erasures = bool(self._connection.execute("SELECT 1 FROM kept_erased LIMIT 1").fetchone())
        self._drop()
        migrate(self._connection, past)
        for table in file.contents.tables:
            self._fill(table, file.text(table))
        done.migrated = [step.name for step in migrate(self._connection, known_migrations())]
        self._count_on(before, file.contents.sequences)
        self._bring_back()
        done.erased_again = self._erase_again()

    def _alone(self) -> None:
        """Nobody else is at work, and nobody can begin before we are done."""
        self._connection.execute("SET LOCAL lock_timeout = '10s'")
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        # A run that others can see holds its lock, so behind this one none can be overlooked.
        self._connection.execute("LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
        [[living]] = self._all("living_runs", lock=RUN_LOCK)
        if living:
            raise WrongUse(
                "a run is under way. Nothing was changed", fix="wait for its end, see `leadpact runs`"
            )

    def _drop(self) -> None:
        self._connection.execute(self._sql["drop_functions"])
        # All at once and without CASCADE: what others have built on our tables stops it, and is not lost.
        for name in made_by(known_migrations(), "VIEW"):
            self._execute("DROP VIEW IF EXISTS {}", name)
        tables = sql.SQL(", ").join(map(sql.Identifier, made_by(known_migrations(), "TABLE")))
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(tables))
        for name in made_by(known_migrations(), "SEQUENCE"):
            self._execute("DROP SEQUENCE IF EXISTS {}", name)
        self._connection.execute(self._sql["drop_engine_types"])
        self._connection.execute("DELETE FROM schema_migration")

    def _copied(self, name: str, columns: Sequence[str]) -> Iterator[bytes]:
        wanted = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(name), _listed(columns))
        with self._connection.cursor() as cursor, cursor.copy(wanted) as copy:
            yield from map(bytes, copy)

    def _fill(self, table: TableIn, text: Iterable[bytes]) -> None:
        wanted = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), _listed(table.columns))
        with self._connection.cursor() as cursor, cursor.copy(wanted) as copy:
            for chunk in text:
                copy.write(chunk)

    def _count_on(self, before: Mapping[str, int], saved: Mapping[str, int]) -> None:
        """No number of a run, or of a claim, is given twice, whichever of the two databases gave it."""
        ours = tuple(made_by(known_migrations(), "TABLE"))
        alone = made_by(known_migrations(), "SEQUENCE")
        # What brought the backup up to this program may have numbered rows of its own.
        given = self._sequences()
        for name in {*before, *saved}:
            if name in alone or name.startswith(tuple(f"{table}_" for table in ours)):
                value = max(numbers.get(name, 1) for numbers in (before, saved, given))
                self._all("set_sequence", name=name, value=value)

    def _bring_back(self) -> None:
        self._connection.execute(self._sql["keep_accounts_with_erasures"])
        self._connection.execute(self._sql["number_the_kept"])
        [[apart]] = self._all("erasures_grown_apart")
        if apart:
            raise WrongUse(
                "people were forgotten in this database and, apart from it, in the one that was backed up."
                " Nothing was changed",
                fix="restore into an empty database, then `leadpact forget` again whoever was forgotten here",
            )
        for name in ("salts", "erasures", "plans", "deeds", "letters"):
            self._connection.execute(self._sql[f"bring_back_{name}"])
        for name in OF_THE_MOMENT:
            self._execute("INSERT INTO {} SELECT * FROM {}", name, f"kept_{name}")
        # The CRMs have gone on since: a person looks at the plan before anything is written.
        self._connection.execute(self._sql["ask_for_approval_again"])

    def _erase_again(self) -> int:
        """Whoever was forgotten since the backup leaves the restored tables too; how many leads."""
        count = 0
        for (connection_id,) in self._all("connections_with_erasures"):
            persons = Persons(self._connection, self._statements, connection_id)
            leads = [row[0] for row in self._all("barred_leads", connection=connection_id)]
            known = {"connection": connection_id, "leads": leads}
            records = [(crm, record) for crm, record in self._all("records_of_leads", **known)]
            words = [row[0] for row in self._all("addresses_of_leads", **known)]
            persons.erase(leads, [*records, *self._barred_records(connection_id)])
            persons.erase_mentions("held", [*words, *(record for _, record in records)])
            count += len(leads)
        return count

    def _barred_records(self, connection_id: int) -> list[tuple[str, str]]:
        """Records of people who were forgotten, in whatever table they are named."""
        found: set[tuple[str, str]] = set()
        for table, _, by_record in self._all("tables_about_persons"):
            if by_record:
                query = sql.SQL(
                    "SELECT DISTINCT t.crm, t.record_id FROM {} AS t JOIN erasure_salt AS s USING (connection_id)"
                    " JOIN erased AS e ON e.connection_id = s.connection_id AND e.digest ="
                    " sha256(s.salt || convert_to('record:' || t.crm || ':' || t.record_id, 'UTF8'))"
                    " WHERE t.connection_id = %s"
                ).format(sql.Identifier(table))
                found.update(self._connection.execute(query, [connection_id]).fetchall())
        return sorted(found)

    # --- asking -----------------------------------------------------------------------------------------

    def _all(self, statement: str, **asked: Any) -> list[Row]:
        return self._connection.execute(self._sql[statement], asked).fetchall()

    def _execute(self, text: LiteralString, *names: str) -> None:
        self._connection.execute(sql.SQL(text).format(*map(sql.Identifier, names)))

    def _applied(self) -> dict[int, str]:
        return dict(self._all("applied_migrations"))

    def _sequences(self) -> dict[str, int]:
        return {name: int(value) for name, value in self._all("sequences")}

    def _note(self, what: str, now: datetime, details: str) -> None:
        wanted = {"now": now, "what": what, "details": details}
        self._connection.execute(self._sql["note_whole_database"], wanted)


def made_by(migrations: Iterable[Migration], kind: str) -> list[str]:
    """The tables (``TABLE``), views (``VIEW``) or free sequences (``SEQUENCE``) of these migrations, in their order."""
    return [name for step in migrations for made, name in _MADE.findall(step.sql) if made == kind]


def _past_of(path: Path, contents: Contents) -> list[Migration]:
    """The migrations that had made the database of a backup. Raises WrongUse where one of them is not ours."""
    known = {migration.number: migration for migration in known_migrations()}
    for number, checksum in contents.migrations.items():
        if number not in known or known[number].checksum != checksum:
            raise WrongUse(
                f"{path} was made with migration {number} in a form that this Leadpact does not know."
                " Nothing was changed",
                fix=f"restore it with Leadpact {contents.program} or newer",
            )
    return [known[number] for number in sorted(contents.migrations)]


def _listed(columns: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
