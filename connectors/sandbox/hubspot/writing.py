"""Creating and changing one record: what HubSpot checks, adds and silently ignores.

HubSpot reference, sections 5 and 7.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.sandbox.hubspot import past, records
from connectors.sandbox.hubspot.account import API, CALCULATED, Source
from connectors.sandbox.hubspot.database import next_ids
from connectors.sandbox.hubspot.errors import Problem, bad_request, exists, invalid
from connectors.sandbox.hubspot.kinds import CONTACTS, LEADS, Kind
from connectors.sandbox.hubspot.lifecycle import STAGE, dates_of_move, is_backward
from connectors.sandbox.hubspot.moments import kept
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
    values = {name: appended(None, v) if known[name].many else v for name, v in values.items()}
    if not any(values.get(name) for name in kind.one_of):
        raise bad_request(f"A new record needs at least one of: {', '.join(kind.one_of)}")
    if kind is CONTACTS and STAGE not in values and portal.switches.default_lifecycle:
        values[STAGE] = portal.switches.default_lifecycle
    _refuse_erased(portal, values.get("email", ""))
    _refuse_taken(portal, kind, set(records.naming_values(known, values)), None)
    now = portal.now()
    values |= derived(values, list(values), now) if kind is CONTACTS else {}
    values |= dates_of_move(None, values.get(STAGE), now)
    values = {**automatic(kind, source), **values}
    record = Record(
        next_ids(portal.database, 1),
        kind,
        now,
        now,
        None,
        {n: v for n, v in values.items() if v and n in known},
    )
    remember_before(portal, [record.id])
    records.insert(portal.database, record)
    records.claim(portal.database, kind, record.id, records.naming_values(known, record.values))
    telling.created(portal, record, source)
    return record


def update(
    portal: Portal, record: Record, given: Mapping[str, Any], source: Source = API, *, at: int | None = None
) -> set[str]:
    """Change a record in place and in the file; returns the properties that moved with it.

    A backward stage is ignored without a word, as HubSpot does (HubSpot reference, section 7); a write that
    changes nothing leaves ``lastmodifieddate`` alone. ``at`` backdates the history rows
    (milliseconds). Only the API is bound by read-only properties. Raises Refused.
    """
    known = portal.definitions.of(record.kind)
    values, problems = check(known, given, by_person=source.type != API.type)
    problems += broken(portal, record.kind, values) if source.type == API.type else ()
    if problems:
        raise invalid(problems)
    if is_backward(portal.definitions.stages(record.kind), record.values.get(STAGE), values.get(STAGE, "")):
        del values[STAGE]
    for name in values:
        if known[name].many:
            values[name] = appended(record.values.get(name), values[name])
    return change(portal, record, values, source, at)


def change(
    portal: Portal, record: Record, values: Mapping[str, str], source: Source, at: int | None
) -> set[str]:
    """Give a record values that were checked; returns the properties whose value is another now."""
    known = portal.definitions.of(record.kind)
    now = portal.now()
    before = record.values
    changed = [name for name, value in values.items() if value != before.get(name, "")]
    if not changed:
        return set()
    wanted = {**before, **values}
    follow_up = derived(wanted, changed, now) if record.kind is CONTACTS else {}
    if STAGE in changed:
        follow_up |= dates_of_move(before.get(STAGE), wanted.get(STAGE), now if at is None else at)
    wanted |= {name: value for name, value in follow_up.items() if name in known}
    for name in (*values, *follow_up):
        # What was there before holds no empty text.
        if name in wanted and not wanted[name]:
            del wanted[name]
    old, new = set[tuple[str, str]](), set[tuple[str, str]]()
    names_another = not known.naming.isdisjoint(changed)
    if names_another:
        old, new = set(records.naming_values(known, before)), set(records.naming_values(known, wanted))
    if "email" in changed:
        _refuse_erased(portal, wanted.get("email", ""))
    _refuse_taken(portal, record.kind, new - old, record.id)
    remember_before(portal, [record.id])
    moved = {name for name in (*values, *follow_up) if before.get(name) != wanted.get(name)}
    _keep_past(portal, record, wanted, moved, source, now if at is None else at)
    record.values, record.modified = wanted, now
    if names_another:
        records.release(portal.database, record.kind, record.id, old - new)
        records.claim(portal.database, record.kind, record.id, new - old)
    save = records.save if "email" in changed else records.save_values
    save(portal.database, record)
    telling.changed(portal, record, moved, source)
    return moved


def _keep_past(
    portal: Portal, record: Record, after: Mapping[str, str], moved: set[str], source: Source, at: int
) -> None:
    known = portal.definitions.of(record.kind)
    newest = record.newest
    if newest is None:
        newest = past.newest(portal.database, [record.id])[record.id]
    rows: list[past.Moved] = []
    for name in sorted(moved):
        latest = newest.get(name)
        if latest is None and name in record.values:
            first = first_source(portal, record, name)
            rows.append((name, min(at, record.created), record.values[name], first))
        who = CALCULATED if known[name].read_only else source
        # An event told late cannot come before a value that is older than the new one.
        newest[name] = at if latest is None else max(at, latest)
        rows.append((name, newest[name], after.get(name, ""), who))
    past.keep(portal.database, record.id, rows)


def _refuse_taken(portal: Portal, kind: Kind, pairs: set[tuple[str, str]], own: int | None) -> None:
    problems = []
    for name, value in sorted(pairs):
        other = records.holder(portal.database, kind, name, value)
        if other is None or other == own:
            continue
        if name == "email":
            raise exists(kind.singular, other)
        text = f"{name} value '{value}' already exists. {name} values must be unique."
        problems.append(Problem(name, "CONFLICTING_UNIQUE_VALUE", text))
    if problems:
        raise invalid(problems)


def _refuse_erased(portal: Portal, email: str) -> None:
    found = portal.database.execute(
        "SELECT 1 FROM erased WHERE email_digest = ?", (digest(email),)
    ).fetchone()
    if email and found:
        # The reference says that the address is blocked, not how a write of it is answered
        # (HubSpot reference, section 4.6).
        text = f"Email address {email} is invalid"
        raise invalid([Problem("email", "INVALID_EMAIL", text)])
