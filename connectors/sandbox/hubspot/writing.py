"""Creating and changing one record: what HubSpot checks, adds and silently ignores.

HubSpot reference, sections 5 and 7.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.hubspot import past, records
from connectors.sandbox.hubspot.account import API, CALCULATED, Source
from connectors.sandbox.hubspot.database import next_id, use_ids
from connectors.sandbox.hubspot.definitions import Properties
from connectors.sandbox.hubspot.errors import Problem, bad_request, exists, invalid
from connectors.sandbox.hubspot.kinds import CONTACTS, LEADS, Kind
from connectors.sandbox.hubspot.lifecycle import STAGE, dates_of_move, is_backward
from connectors.sandbox.hubspot.moments import kept
from connectors.sandbox.hubspot.past import Group
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.rendering import first_source
from connectors.sandbox.hubspot.rules import broken
from connectors.sandbox.hubspot.standard_leads import STAGES as LEAD_STAGES
from connectors.sandbox.hubspot.values import appended, check, without_calling_code
from connectors.sandbox.hubspot.visibility import remember_before
from connectors.sandbox.hubspot.webhooks import telling


def digest(email: str) -> str:
    """What is kept of an erased address: enough to recognise it, not to read it."""
    return hashlib.sha256(email.encode()).hexdigest()


def automatic(kind: Kind, source: Source) -> dict[str, str]:
    """What every new record gets without asking (recorded, HubSpot reference, section 5.2)."""
    values = {"hs_object_source": source.type}
    if kind.pipeline:
        values["hs_pipeline"] = kind.pipeline
    if kind is LEADS:
        values["hs_pipeline_stage"] = LEAD_STAGES[0][0]
    if source.id:
        values["hs_object_source_id"] = source.id
    # Recorded creates label an integration's record with the type, not with the app's name.
    values["hs_object_source_label"] = source.type
    if source.user is not None:
        values["hs_object_source_user_id"] = str(source.user)
    return values | {"hs_is_contact": "true", "hs_is_unworked": "true"} if kind is CONTACTS else values


#: Of which values ``derived`` knows what follows.
DERIVED_FROM = frozenset({"email", "phone", "mobilephone", "hubspot_owner_id"})


def derived(values: Mapping[str, str], names: Iterable[str], at: int) -> dict[str, str]:
    """What HubSpot computes from the named properties of ``values``."""
    out: dict[str, str] = {}
    for name in names:
        value = values.get(name, "")
        if name == "email":
            out["hs_email_domain"] = value.rpartition("@")[2]
        elif name in ("phone", "mobilephone"):
            word = "mobile" if name == "mobilephone" else "phone"
            out[f"hs_calculated_{word}_number"] = value
            out[f"hs_searchable_calculated_{word}_number"] = without_calling_code(value)
        elif name == "hubspot_owner_id":
            out["hubspot_owner_assigneddate"] = kept(at) if value else ""
    return out


def create(portal: Portal, kind: Kind, given: Mapping[str, Any], source: Source = API) -> Record:
    """Store a new record and return it. Raises Refused."""
    known = portal.definitions.of(kind)
    values, problems = check(known, given)
    problems += broken(portal, kind, values) if source.type == API.type else ()
    if problems:
        raise invalid(problems)
    for name in known.many.intersection(values):
        values[name] = appended(None, values[name])
    if not any(values.get(name) for name in kind.one_of):
        raise bad_request(f"A new record needs at least one of: {', '.join(kind.one_of)}")
    if kind is CONTACTS and STAGE not in values and portal.switches.default_lifecycle:
        values[STAGE] = portal.switches.default_lifecycle
    _refuse_erased(portal, values.get("email", ""))
    now = portal.now()
    values |= derived(values, list(values), now) if kind is CONTACTS else {}
    values |= dates_of_move(None, values.get(STAGE), now)
    values = {**automatic(kind, source), **values}
    kept_ones = {n: v for n, v in values.items() if v and n in known}
    record = Record(next_id(portal.database), kind, now, now, None, kept_ones)
    # Before the id is used up: a refused record has none.
    _take(portal, kind, record.id, set(records.naming_values(known, kept_ones)))
    use_ids(portal.database, record.id, 1)
    remember_before(portal, [record.id])
    records.insert(portal.database, record)
    telling.created(portal, record, source)
    return record


@dataclass(slots=True)
class Unsaved:
    """What changes of one call leave to be written: all at once, because a hundred writes cost much alone.

    Whoever reads those records from the file, or their past, has to ``save`` before.
    """

    records: dict[int, Record] = field(default_factory=dict)
    #: Which of them have another address.
    moved: set[int] = field(default_factory=set)
    #: Of each write the record and the groups of its past, in their order.
    past: list[tuple[int, list[Group]]] = field(default_factory=list)

    def save(self, database: sqlite3.Connection) -> None:
        """Write it."""
        past.keep_all(database, self.past)
        records.save_values(database, (one for id_, one in self.records.items() if id_ not in self.moved))
        for id_ in self.moved:
            records.save(database, self.records[id_])


def update(
    portal: Portal,
    record: Record,
    given: Mapping[str, Any],
    source: Source = API,
    *,
    at: int | None = None,
    unsaved: Unsaved | None = None,
) -> Collection[str]:
    """Change a record in place and in the file; returns the properties that moved with it.

    A backward stage is ignored without a word, as HubSpot does (HubSpot reference, section 7); a write that
    changes nothing leaves ``lastmodifieddate`` alone. ``at`` backdates the history rows
    (milliseconds). Only the API is bound by read-only properties. What is to be written goes to ``unsaved``,
    where that is given. Raises Refused.
    """
    known = portal.definitions.of(record.kind)
    values, problems = check(known, given, by_person=source.type != API.type)
    problems += broken(portal, record.kind, values) if source.type == API.type else ()
    if problems:
        raise invalid(problems)
    if STAGE in values:
        order = portal.definitions.stages(record.kind)
        if is_backward(order, record.values.get(STAGE), values[STAGE]):
            del values[STAGE]
    for name in known.many & values.keys():
        values[name] = appended(record.values.get(name), values[name])
    return change(portal, record, values, source, at, unsaved)


def change(
    portal: Portal,
    record: Record,
    values: Mapping[str, str],
    source: Source,
    at: int | None,
    unsaved: Unsaved | None = None,
) -> Collection[str]:
    """Give a record values that were checked; returns the properties whose value is another now.

    What is to be written goes to ``unsaved``, where that is given.
    """
    known, before = portal.definitions.of(record.kind), record.values
    now = portal.now()
    moved = _moved(record, known, values, now, now if at is None else at)
    if not moved:
        return ()
    wanted = {**before, **moved}
    if "" in moved.values():
        # What was there before holds no empty text.
        wanted = {name: value for name, value in wanted.items() if value}
    if "email" in moved:
        _refuse_erased(portal, wanted.get("email", ""))
    if named := known.naming & moved.keys():
        _rename(portal, record, known, wanted, named)
    remember_before(portal, [record.id])
    to_save = Unsaved() if unsaved is None else unsaved
    when = now if at is None else at
    to_save.past.append((record.id, _past_of(record, known.read_only, moved, source, when)))
    to_save.records[record.id] = record
    record.values, record.modified = wanted, now
    if "email" in moved:
        to_save.moved.add(record.id)
    if unsaved is None:
        to_save.save(portal.database)
    telling.changed(portal, record, moved, source)
    return moved


def _rename(
    portal: Portal, record: Record, known: Properties, wanted: Mapping[str, str], names: Set[str]
) -> None:
    """Let a record go by the naming values that it is to have. Raises Refused where another has one of them."""
    old = set(records.naming_values(known, record.values, names))
    new = set(records.naming_values(known, wanted, names))
    _take(portal, record.kind, record.id, new - old)
    if old - new:
        records.release(portal.database, record.kind, record.id, old - new)


def _take(portal: Portal, kind: Kind, id_: int, pairs: set[tuple[str, str]]) -> None:
    """Let a record have naming values. Raises Refused where another has one of them, and then it gets none."""
    # Whether they are free is found by taking them: nearly always they are.
    if pairs and records.claim(portal.database, kind, id_, pairs) < len(pairs):
        records.release(portal.database, kind, id_, pairs)
        _refuse_taken(portal, kind, pairs)
        # Those that were not free were its own.
        records.claim(portal.database, kind, id_, pairs)


def _moved(record: Record, known: Properties, values: Mapping[str, str], now: int, at: int) -> dict[str, str]:
    """Those of the values that are others than before, and what follows from them; "" is none."""
    before = record.values
    moved = {name: value for name, value in values.items() if value != before.get(name, "")}
    follow_up: dict[str, str] = {}
    if record.kind is CONTACTS and DERIVED_FROM & moved.keys():
        follow_up = derived(moved, moved, now)
    if STAGE in moved:
        follow_up |= dates_of_move(before.get(STAGE), moved[STAGE], at)
    for name, value in follow_up.items():
        if value == before.get(name, ""):
            moved.pop(name, None)
        elif name in known:
            moved[name] = value
    return moved


def _past_of(
    record: Record, read_only: frozenset[str], moved: Mapping[str, str], source: Source, at: int
) -> list[Group]:
    """The groups of the past that one write adds; ``record`` is as it was before."""
    computed: Mapping[str, str] = {}
    own = moved
    if not read_only.isdisjoint(moved):
        computed = {name: value for name, value in moved.items() if name in read_only}
        own = {name: value for name, value in moved.items() if name not in read_only}
    before, begun = record.values, min(at, record.created)
    groups: list[Group] = []
    if first := {name: before[name] for name in own if name in before}:
        groups.append(past.from_beginning(first_source(record), begun, first))
    if first := {name: before[name] for name in computed if name in before}:
        groups.append(past.from_beginning(CALCULATED, begun, first))
    if own:
        groups.append(past.not_before(source, at, own))
    if computed:
        groups.append(past.not_before(CALCULATED, at, computed))
    return groups


def _refuse_taken(portal: Portal, kind: Kind, pairs: set[tuple[str, str]]) -> None:
    problems = []
    for name, value in sorted(pairs):
        other = records.holder(portal.database, kind, name, value)
        if other is None:
            continue
        if name == "email":
            raise exists(kind.singular, other)
        text = f"{name} value '{value}' already exists. {name} values must be unique."
        problems.append(Problem(name, "CONFLICTING_UNIQUE_VALUE", text))
    if problems:
        raise invalid(problems)


def _refuse_erased(portal: Portal, email: str) -> None:
    if not email:
        return
    found = portal.database.execute(
        "SELECT 1 FROM erased WHERE email_digest = ?", (digest(email),)
    ).fetchone()
    if found:
        # The reference says that the address is blocked, not how a write of it is answered
        # (HubSpot reference, section 4.6).
        text = f"Email address {email} is invalid"
        raise invalid([Problem("email", "INVALID_EMAIL", text)])
