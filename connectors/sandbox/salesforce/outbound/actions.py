"""Which changes are told to whom: the outbound-message actions of the org, as an administrator declares them.

An action is a trigger on the table of its object, so that a notification is noted in the transaction that
changes the record, whoever changes it and however: a person, REST, a bulk job, a conversion, a late commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from connectors.sandbox.salesforce import oauth, seed
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal, RowRefused
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.salesforce.values import reader
from connectors.sandbox.side import ControlRefused

TABLES = """
CREATE TABLE IF NOT EXISTS _outbound_action (id TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _outbound_note (number INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL,
  record TEXT NOT NULL, made TEXT NOT NULL, due TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'waiting');
CREATE INDEX IF NOT EXISTS _outbound_waiting ON _outbound_note (due) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS _outbound_try (number INTEGER PRIMARY KEY, at TEXT NOT NULL, action TEXT NOT NULL,
  notes TEXT NOT NULL, status INTEGER, heard INTEGER NOT NULL, said TEXT NOT NULL);
"""
#: When an action fires: on new records, on every save, or when a save makes the conditions true.
WHEN = ("created", "created_or_edited", "created_or_starts_to_meet")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_A_MESSAGE = 100
KEYS = frozenset(
    {
        *("fields", "url", "on", "conditions", "from_integration_user", "session_id", "most", "duplicates"),
        "reorder",
    }
)


@dataclass(frozen=True, slots=True)
class Action:
    """One outbound message as declared.

    ``conditions`` are field values that all have to be equal. ``from_integration_user`` False is a profile
    without the permission Send Outbound Messages, which keeps our own writes from coming back. ``most``
    notifications go in one message; each message that was heard is sent ``duplicates`` times more, and
    ``reorder`` sends the newest first.
    """

    id: str
    object: str
    url: str
    fields: tuple[str, ...]
    on: str
    conditions: tuple[tuple[str, Any], ...]
    from_integration_user: bool
    session: str | None
    most: int
    duplicates: int
    reorder: bool


def declare(org: Org, sobject: SObject, wanted: Mapping[str, Any]) -> Action:
    """Add an action for an object. Raises ControlRefused for what cannot be one."""
    fields = wanted.get("fields", [])
    if not isinstance(fields, list) or not all(isinstance(each, str) for each in fields):
        raise ControlRefused("fields: a list of field names was expected")
    if not sobject.bin:
        raise ControlRefused(f"no outbound messages are sent about {sobject.name}")
    action = Action(
        id=org.store.mint("04k"),
        object=sobject.name,
        url=_loopback(wanted.get("url")),
        fields=tuple(sorted({_field(sobject, each) for each in fields} - {"Id"})),
        on=_one_of(wanted.get("on", "created_or_edited")),
        conditions=_conditions(sobject, wanted.get("conditions", {})),
        from_integration_user=_flag(wanted, "from_integration_user", True),
        session=oauth.open_session(org) if _flag(wanted, "session_id", False) else None,
        most=_count(wanted, "most", MOST_A_MESSAGE, 1, MOST_A_MESSAGE),
        duplicates=_count(wanted, "duplicates", 0, 0, 10),
        reorder=_flag(wanted, "reorder", False),
    )
    # One by one: executescript would end the transaction that this stands in.
    for statement in filter(str.strip, TABLES.split(";")):
        org.store.db.execute(statement)
    org.store.insert("_outbound_action", {"id": action.id, "facts": json.dumps(asdict(action))})
    for statement in _triggers(action):
        org.store.db.execute(statement)
    return action


def withdraw(org: Org, action_id: object) -> int:
    """Remove an action; what still waits to be sent is dropped. Returns how many that are."""
    if not has_tables(org) or action_id not in {each.id for each in actions(org)}:
        raise ControlRefused(f"unknown outbound message {action_id!r}")
    for kind in ("new", "edit"):
        org.store.db.execute(f"DROP TRIGGER IF EXISTS {quoted(f'_outbound_{action_id}_{kind}')}")
    org.store.db.execute("DELETE FROM _outbound_action WHERE id = ?", (action_id,))
    sql = "UPDATE _outbound_note SET state = 'dropped' WHERE action = ? AND state = 'waiting'"
    return org.store.db.execute(sql, (action_id,)).rowcount


def actions(org: Org) -> list[Action]:
    """The actions of the org, oldest first."""
    if not has_tables(org):
        return []
    rows = org.store.db.execute("SELECT facts FROM _outbound_action ORDER BY id")
    return [read_action(row[0]) for row in rows]


def read_action(facts: str) -> Action:
    """An action as it is kept."""
    kept = json.loads(facts)
    pairs = tuple((name, value) for name, value in kept["conditions"])
    return Action(**{**kept, "fields": tuple(kept["fields"]), "conditions": pairs})


def has_tables(org: Org) -> bool:
    """Whether an action was ever declared since the org was new."""
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_outbound_action'"
    return org.store.db.execute(sql).fetchone() is not None


@contextmanager
def unheard(org: Org) -> Iterator[None]:
    """Rows that are stored inside were there before anybody listened: no notification is kept of them."""
    if not has_tables(org):
        yield
        return
    before = org.store.db.execute("SELECT ifnull(max(number), 0) FROM _outbound_note").fetchone()[0]
    yield
    org.store.db.execute("DELETE FROM _outbound_note WHERE number > ?", (before,))


def _triggers(action: Action) -> Iterator[str]:
    note = (
        f"BEGIN INSERT INTO _outbound_note (action, record, made, due) VALUES ({_literal(action.id)}, NEW.Id, "
        "NEW.SystemModstamp, NEW.SystemModstamp); END"
    )
    sender = "1" if action.from_integration_user else f"NEW.LastModifiedById <> '{seed.INTEGRATION_USER}'"
    now = _holds("NEW", action)
    name = f"_outbound_{action.id}"
    yield (
        f"CREATE TRIGGER {quoted(f'{name}_new')} AFTER INSERT ON {quoted(action.object)} "
        f"WHEN {sender} AND {now} {note}"
    )
    if action.on == "created":
        return
    # Neither a delete nor an undelete is an edit.
    edited = "NEW.IsDeleted = 0 AND OLD.IsDeleted = 0"
    if action.on == "created_or_starts_to_meet":
        edited += f" AND NOT ({_holds('OLD', action)})"
    yield (
        f"CREATE TRIGGER {quoted(f'{name}_edit')} AFTER UPDATE ON {quoted(action.object)} "
        f"WHEN {sender} AND {edited} AND {now} {note}"
    )


def _holds(row: str, action: Action) -> str:
    parts = [f"{row}.{quoted(name)} IS {_literal(value)}" for name, value in action.conditions]
    return " AND ".join(parts) or "1"


def _literal(value: Any) -> str:
    """A kept value as SQL text: a trigger takes no parameters."""
    if value is None:
        return "NULL"
    return repr(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def _conditions(sobject: SObject, wanted: Any) -> tuple[tuple[str, Any], ...]:
    if not isinstance(wanted, Mapping):
        raise ControlRefused("conditions: an object of field names and values was expected")
    try:
        return tuple(
            (name, reader(sobject.fields[name])(value))
            for given, value in wanted.items()
            if (name := _field(sobject, given))
        )
    except (RowRefused, Refusal) as refused:
        raise ControlRefused(f"conditions: {refused.message}") from None


def _field(sobject: SObject, name: str) -> str:
    field = sobject.find(name)
    if field is None or not field.stored:
        raise ControlRefused(f"unknown field {name!r} of {sobject.name}")
    return field.name


def _loopback(url: object) -> str:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise ControlRefused("url: an http:// address on this machine was expected")
    return parts.geturl()


def _one_of(value: object) -> str:
    if value not in WHEN:
        raise ControlRefused(f"on: one of {', '.join(WHEN)} was expected")
    return str(value)


def _flag(wanted: Mapping[str, Any], name: str, default: bool) -> bool:
    value = wanted.get(name, default)
    if not isinstance(value, bool):
        raise ControlRefused(f"{name}: true or false was expected")
    return value


def _count(wanted: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = wanted.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ControlRefused(f"{name}: a whole number from {least} to {most} was expected")
    return value
