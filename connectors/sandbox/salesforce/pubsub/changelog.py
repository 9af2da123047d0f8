"""What Change Data Capture writes down, in the transaction that changes the record.

One row a record and transaction: several writes of a record in one transaction are one change, and a
transaction that is rolled back leaves nothing (Salesforce reference, section 8). Rows become events when
they are delivered; see ``events.py``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from connectors.sandbox.salesforce.pubsub.shapes import captured
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.seed import INTEGRATION_USER
from connectors.sandbox.salesforce.store import Store, quoted

RETENTION = timedelta(hours=72)
PERSON = "com/salesforce/api/soap/66.0;client=SfdcInternalAPI/"  #: the origin of what a person does
OVERFLOW = "GAP_OVERFLOW"
NO_RECORD = "000000000000000AAA"  #: the record of an overflow event: none in particular
LONG_TEXT = 1_000  #: characters from which on a changed text comes as a difference
LARGEST = 1_000_000  #: characters of values; above them an event is a gap
NUMBERS_A_MILLISECOND = 1_000  #: replay numbers follow the clock, so that their age can be told

TABLES = (
    "CREATE TABLE IF NOT EXISTS _change (number INTEGER PRIMARY KEY, transaction_key TEXT NOT NULL, "
    "sequence INTEGER NOT NULL, object TEXT NOT NULL, record TEXT NOT NULL, type TEXT NOT NULL, "
    "origin TEXT NOT NULL, user TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS _change_record ON _change (transaction_key, record)",
    "CREATE INDEX IF NOT EXISTS _change_at ON _change (at)",
    "CREATE TABLE IF NOT EXISTS _late_cause (late INTEGER PRIMARY KEY, key TEXT NOT NULL, origin TEXT NOT NULL)",
)
KEEP = "INSERT INTO _change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Cause:
    """One transaction, as its changes name it. ``key`` is made when its first change comes.

    ``user`` is who wrote last: what goes with a record is written without a name.
    """

    origin: str = PERSON
    key: str = ""
    user: str = INTEGRATION_USER
    changes: int = 0
    touched: set[str] = field(default_factory=set)
    overflowed: set[str] = field(default_factory=set)


class ChangeLog:
    """The changes of an org, kept for 72 hours by its clock.

    ``switches`` gives the org's switches as they are now: ``cdc_objects`` are the objects that are watched,
    ``cdc_gaps`` how many of the next changes come as gaps, ``cdc_overflow_rows`` how many changes of one
    transaction come one by one.
    """

    def __init__(
        self, store: Store, now: Callable[[], datetime], switches: Callable[[], dict[str, Any]]
    ) -> None:
        self._store = store
        self._now = now
        self._switches = switches
        self._announced = PERSON
        self._cause = Cause()
        # Outlives a reset, so that who listens meanwhile never takes a new change for one it knows.
        self._last = 0
        self._names: dict[str, tuple[SObject, frozenset[str]]] = {}
        self._waiting: list[tuple[Any, ...]] | None = None  #: rows of ``_change`` that are kept together
        self._counted: tuple[datetime | None, int] = (None, 0)

    def make_tables(self) -> None:
        """Make what is missing in the file."""
        for statement in TABLES:
            self._store.db.execute(statement)
        # Only this log numbers changes, so from here on the number before is known.
        (newest,) = self._store.db.execute("SELECT ifnull(max(number), 0) FROM _change").fetchone()
        self._last = max(self._last, newest)

    def announce(self, origin: str) -> None:
        """Where the transactions that begin from now on come from."""
        self._announced = origin

    def begin(self) -> None:
        """What is noted from now on belongs to one new transaction."""
        self._cause = Cause(self._announced)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep what is noted inside at once. It is of one transaction, and nobody reads the log meanwhile."""
        self._waiting = []
        try:
            yield
            self._keep_waiting()
        finally:
            self._waiting = None

    def _keep_waiting(self) -> None:
        if self._waiting:
            self._store.db.executemany(KEEP, self._waiting)
            self._waiting.clear()

    def put_off(self, late: int | None) -> None:
        """The write with this number becomes visible later, and is then a change of this transaction."""
        if not self._cause.key:
            self._cause.key = self._new_key()
        self._store.db.execute(
            "INSERT OR REPLACE INTO _late_cause VALUES (?, ?, ?)",
            (late, self._cause.key, self._cause.origin),
        )

    def note_late(
        self, late: int, sobject: SObject, record_id: str, columns: Mapping[str, Any], *, is_new: bool
    ) -> None:
        """Note a write that was put off, under the transaction that made it."""
        self._keep_waiting()
        row = self._store.db.execute(
            "DELETE FROM _late_cause WHERE late = ? RETURNING key, origin", (late,)
        ).fetchone()
        meanwhile, self._cause = self._cause, self._cause if row is None else Cause(row[1], row[0])
        if row is not None:
            before = "SELECT count(*) FROM _change WHERE transaction_key = ?"
            self._cause.changes = self._store.db.execute(before, (row[0],)).fetchone()[0]
            self._cause.touched.add(record_id)
        self.note(sobject, record_id, columns, is_new=is_new)
        self._cause = meanwhile

    def note(
        self,
        sobject: SObject,
        record_id: str,
        columns: Mapping[str, Any],
        *,
        is_new: bool,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """Note a write of an object that is watched. To be called before ``columns`` are stored.

        ``before`` are the columns that the record has now; None: they are looked up.
        """
        cause = self._cause
        cause.user = str(columns.get("LastModifiedById") or cause.user)
        if sobject.name not in self._switches()["cdc_objects"]:
            return
        if is_new:
            kind, body = "CREATE", self._present(sobject, columns)
        else:
            kind, body = self._changed(sobject, record_id, columns, before)
        if body or kind != "UPDATE":
            self._keep(sobject, record_id, kind, body)

    def _present(self, sobject: SObject, columns: Mapping[str, Any]) -> dict[str, Any]:
        names = self._captured(sobject)
        return {name: value for name, value in columns.items() if value is not None and name in names}

    def _changed(
        self, sobject: SObject, record_id: str, columns: Mapping[str, Any], before: Mapping[str, Any] | None
    ) -> tuple[str, dict[str, Any]]:
        """The type of a change, and the values its event has: the changed ones, every one, or none."""
        captured_ones = self._captured(sobject)
        if before is None:
            names = [name for name in columns if name in captured_ones]
            before = self._before(sobject, record_id, names, columns)
        if not before:
            return "UPDATE", {}
        if "IsDeleted" in columns and bool(columns["IsDeleted"]) != bool(before["IsDeleted"]):
            if columns["IsDeleted"]:
                return "DELETE", {}
            return "UNDELETE", self._present(
                sobject, {**(self._store.row(sobject, record_id) or {}), **columns}
            )
        # A save always moves the time, even within one second.
        return "UPDATE", {
            name: value if type(value) is not str or len(value) < LONG_TEXT else told(before[name], value)
            for name, value in columns.items()
            if name in captured_ones and (value != before[name] or name == "LastModifiedDate")
        }

    def _before(
        self, sobject: SObject, record_id: str, names: list[str], columns: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The columns of a record that a change asks for; none where there is no such record."""
        asked = [*names, *(["IsDeleted"] if "IsDeleted" in columns else [])]
        # Only these columns: a save is slow enough without reading the whole record again.
        wanted = f"SELECT {', '.join(map(quoted, asked))} FROM {quoted(sobject.name)} WHERE Id = ?"
        found = self._store.db.execute(wanted, (record_id,)).fetchone()
        return {} if found is None else dict(zip(asked, found, strict=True))

    def _captured(self, sobject: SObject) -> frozenset[str]:
        """The names of the fields that events have, worked out once for each state of the schema."""
        known = self._names.get(sobject.name)
        if known is None or known[0] is not sobject:
            known = (sobject, frozenset(each.name for each in captured(sobject)))
            self._names[sobject.name] = known
        return known[1]

    def _keep(self, sobject: SObject, record_id: str, kind: str, body: dict[str, Any]) -> None:
        cause = self._cause
        if not cause.key:
            self._begin(cause)
        if record_id in cause.touched and self._folded(cause, record_id, kind, body):
            return
        cause.changes += 1
        switches = self._switches()
        if cause.changes > switches["cdc_overflow_rows"]:
            if sobject.name in cause.overflowed:
                return
            cause.overflowed.add(sobject.name)
            record_id, kind, body = NO_RECORD, OVERFLOW, {}
        packed = _packed(body)
        # What is kept has every character of the values, so that hardly any change has to be measured.
        measured = switches["cdc_gaps"] or len(packed) > LARGEST
        if measured and kind != OVERFLOW and self._is_gap(body):
            kind, packed = f"GAP_{kind}", _packed({})
        cause.touched.add(record_id)
        at = self._milliseconds()
        row = (cause.key, cause.changes, sobject.name, record_id, kind, cause.origin, cause.user, at)
        self._last = max(at * NUMBERS_A_MILLISECOND, self._last + 1)
        if self._waiting is None:
            self._store.db.execute(KEEP, (self._last, *row, packed))
        else:
            self._waiting.append((self._last, *row, packed))

    def _folded(self, cause: Cause, record_id: str, kind: str, body: dict[str, Any]) -> bool:
        """Whether the change went into an earlier one of the same record in the same transaction."""
        self._keep_waiting()
        row = self._store.db.execute(
            "SELECT number, type, body FROM _change WHERE transaction_key = ? AND record = ?",
            (cause.key, record_id),
        ).fetchone()
        if row is None:
            return False  # rolled back with a savepoint
        number, earlier, kept = row
        if earlier.startswith("GAP_") or (earlier == "DELETE" and kind == "UPDATE"):
            return True
        if kind != "UPDATE":
            earlier, kept = kind, _packed(body)
        else:
            # A difference to what stood there between two writes of one transaction helps nobody.
            known, new = orjson.loads(kept), {name: whole(value) for name, value in body.items()}
            kept = _packed({**known, **{name: new[name] if name in known else body[name] for name in body}})
        self._store.db.execute(
            "UPDATE _change SET type = ?, body = ? WHERE number = ?", (earlier, kept, number)
        )
        return True

    def _is_gap(self, body: Mapping[str, Any]) -> bool:
        """Whether the next change comes as a gap: because it was asked for, or because it is too long."""
        switches = self._switches()
        if switches["cdc_gaps"]:
            switches["cdc_gaps"] -= 1
            self._store.keep_setting("switches", switches)
            return True
        return sum(len(text) for text in map(whole, body.values()) if isinstance(text, str)) > LARGEST

    def _begin(self, cause: Cause) -> None:
        """Name a transaction whose first change comes, after what nobody can have any more is gone."""
        self._store.db.execute("DELETE FROM _change WHERE at < ?", (oldest_kept(self._now()),))
        cause.key = self._new_key()

    def _milliseconds(self) -> int:
        now = self._now()
        # A clock that stands still gives the same moment for every change of a load.
        if now is not self._counted[0]:
            self._counted = (now, milliseconds(now))
        return self._counted[1]

    def _new_key(self) -> str:
        number = self._store.next_number("transaction")
        # A counter under a digest: looks like Salesforce's, and is the same again in a repeated run.
        return str(UUID(bytes=b"\0\0" + sha256(f"transaction {number}".encode()).digest()[:14]))


def milliseconds(moment: datetime) -> int:
    """A moment as the log counts time: whole milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def oldest_kept(now: datetime) -> int:
    """The oldest millisecond whose changes can still be had."""
    return milliseconds(now - RETENTION)


def told(before: Any, after: Any) -> Any:
    """The value that an event has for a change: a long text that stays one comes as ``{diff, whole}``.

    Salesforce sends a unified difference then (Salesforce reference, section 8); from which length on is
    our choice.
    """
    if not (isinstance(before, str) and isinstance(after, str) and min(len(before), len(after)) >= LONG_TEXT):
        return after
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return {"diff": "\n".join(lines), "whole": after}


def whole(value: Any) -> Any:
    """What ``told`` was given as the new value."""
    return value["whole"] if isinstance(value, dict) else value


def _packed(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()


def origin_of(path: str, headers: Mapping[str, str]) -> str:
    """Where a call of the API comes from, as ``changeOrigin`` has it (Salesforce reference, section 8).

    ``com/salesforce/api/rest/66.0;client=NAME``, the name from ``Sforce-Call-Options``; lower-case headers.
    """
    parts = path.split("/")
    version = next((part[1:] for part in parts if part[:1] == "v" and part[1:2].isdigit()), "66.0")
    options = dict(
        option.strip().partition("=")[::2] for option in headers.get("sforce-call-options", "").split(";")
    )
    kind = "soap" if "Soap" in parts else "rest"
    client = options.get("client", "")
    return f"com/salesforce/api/{kind}/{version}" + (f";client={client}" if client else "")
