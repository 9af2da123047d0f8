"""The open database: its connection, its migrations and its three ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from sync.errors import DatabaseAway
from sync.store.alerts import Alerts
from sync.store.archive import Archive
from sync.store.audit import Audit
from sync.store.backfills import Backfills
from sync.store.beside import BesideRecords
from sync.store.former import FormerAddresses
from sync.store.freshness import Freshness
from sync.store.handovers import Handovers
from sync.store.identity import Identity
from sync.store.imports import Imports
from sync.store.inbox import Inbox
from sync.store.jobs import Jobs
from sync.store.journal import Journal
from sync.store.judged import JudgedLeads
from sync.store.leads import Leads
from sync.store.letters import Letters
from sync.store.migrate import Migration, migrate
from sync.store.notices import Notices
from sync.store.offsets import Offsets
from sync.store.outside import Outside
from sync.store.persons import Persons
from sync.store.reporting import Reporting
from sync.store.retention import Retention
from sync.store.routing import Routing
from sync.store.runs import Runs
from sync.store.standing import Standing
from sync.store.statements import load_statements
from sync.store.turned import TurnedContacts

#: The session speaks UTC, so that copied times need no guess about their zone. Its statements are short: to compile one
#: (a server with LLVM does where a plan looks dear) takes longer than to run it.
SESSION = "-c timezone=UTC -c client_min_messages=warning -c jit=off"


class Store:
    """What Leadpact remembers. One object a process and thread; ``use`` says about which CRM accounts.

    ``runs`` and the parts below it are ready once ``use`` was called.
    """

    runs: Runs
    leads: Leads
    judged: JudgedLeads
    journal: Journal
    imports: Imports
    outside: Outside
    turned: TurnedContacts
    beside: BesideRecords
    identity: Identity
    former: FormerAddresses
    persons: Persons
    backfills: Backfills
    standing: Standing
    audit: Audit
    reporting: Reporting
    retention: Retention
    handovers: Handovers
    routing: Routing
    notices: Notices
    inbox: Inbox
    offsets: Offsets
    freshness: Freshness
    jobs: Jobs
    alerts: Alerts
    letters: Letters

    def __init__(self, url: str, *, who: str = "") -> None:
        """Connect and migrate; ``who`` is the person at work.

        Raises DatabaseAway when the server cannot be reached or is newer than we.
        """
        self._url, self._who = url, who
        try:
            self._connection = psycopg.connect(url, autocommit=True, options=SESSION)
        except psycopg.OperationalError as problem:
            raise DatabaseAway(
                "the database cannot be reached: " + _first_line(problem),
                fix="check database.url and that PostgreSQL runs; without database.url Leadpact brings its own",
            ) from None
        self._statements = load_statements()
        try:
            self.migrated: list[Migration] = migrate(self._connection)
            self._connection.execute(self._statements["act_as"].encode(), {"who": who})
        except BaseException:
            self._connection.close()
            raise
        self.archive = Archive(self._connection, self._statements)

    def accounts(self) -> list[tuple[int, str, str, datetime, datetime | None]]:
        """Every pair of accounts ever synced: (connection, portal id, organisation id, first seen, approved)."""
        return self._connection.execute(self._statements["connections"].encode()).fetchall()

    def use(self, hubspot_account: str, salesforce_account: str, now: datetime) -> None:
        """Work on the state of this pair of accounts; a pair never seen before starts empty."""
        asked = {"hubspot": hubspot_account, "salesforce": salesforce_account, "now": now}
        statement = self._statements["connection_of_accounts"].encode()
        # Asked again where another process added the pair in the same moment: then it is there.
        row = (
            self._connection.execute(statement, asked).fetchone()
            or self._connection.execute(statement, asked).fetchone()
        )
        if row is None:
            raise DatabaseAway("the database did not answer with a connection id")
        self._use(*row)

    @contextmanager
    def alongside(self) -> Iterator[Store]:
        """The memory of the same accounts over a connection of its own, for another thread.

        Raises DatabaseAway when the server cannot be reached.
        """
        other = Store(self._url, who=self._who)
        try:
            other._use(self.runs.connection_id, self.runs.approved_at)
            yield other
        finally:
            other.close()

    def _use(self, connection_id: int, approved_at: datetime | None) -> None:
        parts: tuple[Any, ...] = (self._connection, self._statements, connection_id)
        self.runs = Runs(*parts, approved_at=approved_at)
        self.leads = Leads(*parts)
        self.judged = JudgedLeads(*parts)
        self.journal = Journal(*parts)
        self.imports = Imports(*parts)
        self.outside = Outside(*parts)
        self.turned = TurnedContacts(*parts)
        self.beside = BesideRecords(*parts)
        self.identity = Identity(*parts)
        self.former = FormerAddresses(*parts)
        self.persons = Persons(*parts)
        self.backfills = Backfills(*parts)
        self.standing = Standing(*parts)
        self.audit = Audit(*parts)
        self.reporting = Reporting(*parts)
        self.retention = Retention(*parts)
        self.handovers = Handovers(*parts)
        self.routing = Routing(*parts)
        self.notices = Notices(*parts)
        self.inbox = Inbox(*parts)
        self.offsets = Offsets(*parts)
        self.freshness = Freshness(*parts)
        self.jobs = Jobs(*parts)
        self.alerts = Alerts(*parts)
        self.letters = Letters(*parts)

    def accounts_of(
        self, config: str, hubspot_account: str, salesforce_account: str, now: datetime
    ) -> tuple[str, str]:
        """The accounts that this config (any text that names it) opened first; from now on these, if none."""
        wanted = {"config": config, "hubspot": hubspot_account, "salesforce": salesforce_account, "now": now}
        self._connection.execute(self._statements["keep_account_of_config"].encode(), wanted)
        row = self._connection.execute(self._statements["account_of_config"].encode(), wanted).fetchone()
        return (hubspot_account, salesforce_account) if row is None else (str(row[0]), str(row[1]))

    def first_accounts(self, config: str) -> tuple[str, str] | None:
        """The accounts that this config opened first; None: it never opened any."""
        statement = self._statements["account_of_config"].encode()
        row = self._connection.execute(statement, {"config": config}).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is remembered together or not at all."""
        with self._connection.transaction():
            yield

    def close(self) -> None:
        self._connection.close()


def _first_line(problem: BaseException) -> str:
    text = str(problem).strip().splitlines()
    return text[0] if text else type(problem).__name__
