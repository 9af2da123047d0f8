"""Runs and their numbers, cursors, policy versions, and the claims that keep two runs off one lead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import psycopg

from sync.store.laid import Laid

#: The class of the advisory locks that living runs hold, each under its own number.
RUN_LOCK = 730_512


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a run came to. A target is one lead in one CRM; the four outcomes add up to ``targets``."""

    records_read: int = 0
    targets: int = 0
    written: int = 0
    unchanged: int = 0
    held: int = 0
    refused: int = 0
    calls_hubspot: int = 0
    calls_salesforce: int = 0


@dataclass(frozen=True, slots=True)
class RunRow:
    """One past run."""

    run: int
    command: str
    started: datetime
    ended: datetime | None
    state: str
    numbers: Numbers
    note: str


class Runs:
    """The run, cursor, policy_version and claim tables of one connection."""

    def __init__(
        self,
        connection: psycopg.Connection,
        statements: Mapping[str, str],
        connection_id: int,
        *,
        approved_at: datetime | None,
    ) -> None:
        self._connection = connection
        self._sql = {name: text.encode() for name, text in statements.items()}
        self._laid = Laid(connection)
        self.connection_id = connection_id
        self.approved_at = approved_at
        #: A run that was begun here to whether others lived then, and the oldest transaction under way.
        self._began: dict[int, tuple[bool, str]] = {}

    def start(self, command: str, now: datetime, policy_version: str | None) -> int:
        """Open a run; returns its number. While it lives it holds a lock that a kill releases."""
        # In one transaction: a run that others can see holds its lock, so nobody buries it alive.
        with self._connection.transaction():
            self._connection.execute(self._sql["one_run_begins"], {"lock": RUN_LOCK})
            row = self._connection.execute(
                self._sql["start_run"],
                {"connection": self.connection_id, "command": command, "now": now, "policy": policy_version},
            ).fetchone()
            run = int(row[0]) if row else 0
            wanted = {"connection": self.connection_id, "run": run, "lock": RUN_LOCK, "now": now}
            self._connection.execute(self._sql["hold_run"], wanted)
        self._connection.execute(self._sql["bury_dead_runs"], wanted)
        living = self._connection.execute(self._sql["other_living_runs"], wanted).fetchall()
        oldest = self._connection.execute(self._sql["oldest_transaction"]).fetchone()
        self._began[run] = (bool(living), oldest[0] if oldest else "")
        return run

    def end(
        self, run: int, state: str, numbers: Numbers, now: datetime, *, fingerprint: str = "", note: str = ""
    ) -> None:
        """Close a run with its numbers. ``state``: done, stopped (by a guard) or failed."""
        self._connection.execute(
            self._sql["end_run"],
            {"run": run, "state": state, "now": now, "fingerprint": fingerprint, "note": note}
            | asdict(numbers),
        )
        self._connection.execute(self._sql["let_go_of_run"], {"run": run, "lock": RUN_LOCK})
        self._began.pop(run, None)

    def newest(self, limit: int) -> list[RunRow]:
        """The newest runs first."""
        rows = self._connection.execute(
            self._sql["newest_runs"], {"connection": self.connection_id, "limit": limit}
        ).fetchall()
        return [RunRow(row[0], row[1], row[2], row[3], row[4], Numbers(*row[5:13]), row[13]) for row in rows]

    def latest(self) -> int:
        """The number of the newest run. Raises IndexError where there was none yet."""
        return self.newest(1)[0].run

    def approve(self, run: int, now: datetime) -> None:
        """Remember that a person let this connection write."""
        self._connection.execute(
            self._sql["approve_connection"], {"connection": self.connection_id, "run": run, "now": now}
        )
        self.approved_at = self.approved_at or now

    def keep_policy(self, version: str, declared: Mapping[str, Any], now: datetime) -> None:
        """Store a policy the first time it decides something."""
        self._connection.execute(
            self._sql["keep_policy"],
            {
                "connection": self.connection_id,
                "version": version,
                "declared": json.dumps(declared, sort_keys=True, default=str),
                "now": now,
            },
        )

    def policy(self, version: str) -> dict[str, Any] | None:
        """The declared tables of a stored policy version."""
        row = self._connection.execute(
            self._sql["policy_of_version"], {"connection": self.connection_id, "version": version}
        ).fetchone()
        return json.loads(row[0]) if row else None

    def cursors(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Where each change log has been read to, by (crm, object)."""
        rows = self._connection.execute(self._sql["cursors"], {"connection": self.connection_id}).fetchall()
        return {(crm, name): json.loads(place) for crm, name, place in rows}

    def move_cursor(self, crm: str, name: str, place: Mapping[str, Any], run: int, now: datetime) -> None:
        """Remember that everything before this place was read and remembered."""
        self._connection.execute(
            self._sql["move_cursor"],
            {
                "connection": self.connection_id,
                "crm": crm,
                "object": name,
                "place": json.dumps(dict(place), sort_keys=True),
                "run": run,
                "now": now,
            },
        )

    def claim(self, lead_ids: pl.Series, run: int, now: datetime, seconds: float) -> tuple[int, set[str]]:
        """Claim leads for a run until it ends or ``seconds`` have passed; returns (fence, leads we got).

        A lead that another living run has claimed is not among them.
        """
        with self._connection.transaction():
            row = self._connection.execute(self._sql["next_fence"]).fetchone()
            fence = int(row[0]) if row else 0
            self._connection.execute(
                self._sql["release_claims_of_dead_runs"],
                {"connection": self.connection_id, "run": run, "lock": RUN_LOCK},
            )
            self._laid.lay("claim_wanted", lead_ids.unique().to_frame("lead_id"))
            got = self._about(
                "claim_leads",
                {
                    "connection": self.connection_id,
                    "run": run,
                    "fence": fence,
                    "now": now,
                    "until": now + timedelta(seconds=seconds),
                },
            )
        return fence, {row[0] for row in got}

    def _about(self, statement: str, wanted: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement about leads that were laid out for it."""
        text, values = self._laid.stated(self._sql[statement].decode(), wanted)
        return self._connection.execute(text.encode(), values).fetchall()

    def claimed(self, lead_ids: pl.Series) -> pl.Series:
        """Those of the leads that a run has claimed."""
        with self._connection.transaction():
            self._laid.lay("claim_wanted", lead_ids.unique().to_frame("lead_id"))
            rows = self._about("claimed_leads", {"connection": self.connection_id})
        return pl.Series("lead_id", [row[0] for row in rows], dtype=pl.String)

    def fenced_out(self, lead_ids: pl.Series, fence: int) -> set[str]:
        """Leads among these whose claim we no longer hold. Call inside the remembering transaction."""
        self._laid.lay("claim_wanted", lead_ids.unique().to_frame("lead_id"))
        rows = self._about("fenced_out", {"connection": self.connection_id, "fence": fence})
        return {row[0] for row in rows}

    def was_alone(self, run: int) -> bool:
        """Whether no other run has lived since this one began."""
        newest = self._connection.execute(
            self._sql["newest_run"], {"connection": self.connection_id}
        ).fetchone()
        return not self._began[run][0] and newest == (run,)

    def overtaken(self, lead_ids: pl.Series, known: pl.Series, run: int) -> tuple[set[str], set[str]]:
        """Claimed leads of which this run knows less than what is remembered, and those that are gone.

        The former were remembered by somebody else since this run began: maybe after their records were read here, and
        what was read then would look like a change back. ``known``: those among them that were remembered when this
        run read them, and so are gone if they are not remembered now.
        """
        named = {"connection": self.connection_id, "since": self._began[run][1]}
        wanted = lead_ids.unique().to_frame("lead_id")
        wanted = wanted.with_columns(is_known=pl.col("lead_id").is_in(known.implode()))
        with self._connection.transaction():
            self._laid.lay("claim_wanted", wanted)
            found = self._about("overtaken", named)
        gone = {lead for lead, is_gone in found if is_gone}
        return {lead for lead, _ in found} - gone, gone

    def release(self, run: int, fence: int) -> None:
        """Let go of the claims made with this fence."""
        self._connection.execute(
            self._sql["release_claims"], {"connection": self.connection_id, "run": run, "fence": fence}
        )
