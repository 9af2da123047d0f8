"""Archiving, restoring, erasing and merging records (HubSpot reference, section 4.6)."""

from __future__ import annotations

from connectors.sandbox.hubspot import past, records
from connectors.sandbox.hubspot.account import API, MERGE, Source
from connectors.sandbox.hubspot.database import next_ids
from connectors.sandbox.hubspot.errors import Refused, bad_request, too_many_identities
from connectors.sandbox.hubspot.kinds import CONTACTS, LEADS
from connectors.sandbox.hubspot.links import drop_links, linked_records, move_links, without_primary
from connectors.sandbox.hubspot.moments import DAY_MS
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import RESTORABLE_DAYS, Record
from connectors.sandbox.hubspot.visibility import remember_before
from connectors.sandbox.hubspot.webhooks import telling
from connectors.sandbox.hubspot.writing import digest

MOST_IDENTITIES = 250


def archive(portal: Portal, record: Record, source: Source = API) -> None:
    """Take a record out of sight for 90 days. ``lastmodifieddate`` stays as it was.

    HubSpot reference, section 4.4.
    """
    known = portal.definitions.of(record.kind)
    remember_before(portal, [record.id])
    record.archived = portal.now()
    records.save(portal.database, record)
    pairs = records.naming_values(known, record.values)
    records.release(portal.database, record.kind, record.id, pairs)
    telling.archived(portal, record, source)


def restore(portal: Portal, record: Record, source: Source = API) -> None:
    """Bring an archived record back. Raises Refused when it is too late or its values are taken."""
    known = portal.definitions.of(record.kind)
    if record.archived is None or record.archived <= portal.now() - RESTORABLE_DAYS * DAY_MS:
        raise bad_request("Only a record archived in the last 90 days can be restored", ids=[str(record.id)])
    pairs = list(records.naming_values(known, record.values))
    taken = [name for name, value in pairs if records.holder(portal.database, record.kind, name, value)]
    if taken:
        raise Refused(409, f"Another record has its {', '.join(sorted(set(taken)))} now", "CONFLICT")
    remember_before(portal, [record.id])
    record.archived = None
    records.save(portal.database, record)
    records.claim(portal.database, record.kind, record.id, pairs)
    telling.restored(portal, record, source)


def erase(portal: Portal, record: Record, source: Source = API) -> None:
    """Delete for good, as the law asks: the record, its history, every id it had. The address is blocked."""
    known = portal.definitions.of(record.kind)
    database = portal.database
    addresses = [value for name, value in records.naming_values(known, record.values) if name == "email"]
    for address in addresses:
        database.execute("INSERT OR IGNORE INTO erased VALUES (?)", (digest(address),))
        database.execute("DELETE FROM subscription WHERE email = ?", (address,))
        database.execute("DELETE FROM submission WHERE email = ?", (address,))
    records.release(database, record.kind, record.id, records.naming_values(known, record.values))
    records.remove(database, record.id)
    leads = linked_records(portal, record, LEADS)
    drop_links(portal, record.id)
    for lead in leads:
        if lead.archived is None and without_primary(portal, lead):
            # It goes with its last primary association (HubSpot reference, section 6.5).
            archive(portal, lead)
    for table, column in (("past", "record"), ("earlier", "id"), ("merged", "new"), ("member", "record")):
        database.execute(f"DELETE FROM {table} WHERE {column} = ?", (record.id,))
    telling.erased(portal, record, source)


def merge(portal: Portal, primary: Record, other: Record, source: Source = API) -> Record:
    """Make one record of two and return it: under a new id, or the primary's with the beta switch.

    The primary's values win, the other fills its gaps, its addresses become secondary ones.
    Raises Refused (414) beyond 250 merged identities.
    """
    before = [id_ for record in (primary, other) for id_ in (*_earlier_ids(record), record.id)]
    if len(before) > MOST_IDENTITIES:
        raise too_many_identities()
    now = portal.now()
    keeps = portal.switches.merge_keeps_primary_id
    id_ = primary.id if keeps else next_ids(portal.database, 1)
    remember_before(portal, {primary.id, other.id, id_})
    values = _merged_values(primary, other)
    values |= _merged_ids(portal, primary, other, id_, before, now)
    created = min(primary.created, other.created)
    merged = Record(id_, primary.kind, created, now, None, values)
    _move(portal, primary, other, merged, source if source.user is not None else MERGE)
    moved = sum(primary.values.get(name) != value for name, value in values.items())
    telling.merged(portal, merged, primary.id, other.id, moved, source)
    return merged


def _earlier_ids(record: Record) -> list[int]:
    return [int(text) for text in record.values.get("hs_merged_object_ids", "").split(";") if text]


def _merged_values(primary: Record, other: Record) -> dict[str, str]:
    values = {**other.values, **primary.values}
    if primary.kind is not CONTACTS:
        return values
    addresses = [
        address
        for record in (primary, other)
        for address in (
            record.values.get("email", ""),
            *record.values.get("hs_additional_emails", "").split(";"),
        )
        if address
    ]
    secondary = [address for address in dict.fromkeys(addresses) if address != values.get("email")]
    if secondary:
        values["hs_additional_emails"] = ";".join(secondary)
    return values


def _merged_ids(
    portal: Portal, primary: Record, other: Record, id_: int, before: list[int], now: int
) -> dict[str, str]:
    old = [n for n in before if n != id_]
    values = {"hs_merged_object_ids": ";".join(map(str, old))}
    if primary.kind is not CONTACTS:
        return values
    stamps = dict(
        portal.database.execute("SELECT old, at FROM merged WHERE new IN (?, ?)", (primary.id, other.id))
    )
    values["hs_calculated_merged_vids"] = ";".join(f"{n}:{stamps.get(n, now)}" for n in old)
    values["hs_all_contact_vids"] = ";".join(map(str, [id_, *old]))
    return values


def _move(portal: Portal, primary: Record, other: Record, merged: Record, source: Source) -> None:
    database, kind = portal.database, merged.kind
    known = portal.definitions.of(kind)
    gained = [n for n, v in merged.values.items() if primary.values.get(n) != v]
    for record in (primary, other):
        records.release(database, kind, record.id, records.naming_values(known, record.values))
        records.remove(database, record.id)
    records.insert(database, merged)
    records.claim(database, kind, merged.id, records.naming_values(known, merged.values))
    past.forget(database, other.id)
    past.follow(database, primary.id, merged.id)
    rows = [(name, merged.modified, merged.values[name], source) for name in sorted(gained)]
    past.keep(database, merged.id, rows)
    for old in (primary.id, other.id):
        database.execute("UPDATE merged SET new = ? WHERE new = ?", (merged.id, old))
        if old != merged.id:
            move_links(portal, old, merged.id)
            database.execute("UPDATE OR IGNORE member SET record = ? WHERE record = ?", (merged.id, old))
            database.execute("DELETE FROM member WHERE record = ?", (old,))
            database.execute("INSERT INTO merged VALUES (?, ?, ?)", (old, merged.id, merged.modified))
