"""Records as answers carry them (HubSpot reference, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.sandbox.hubspot import records
from connectors.sandbox.hubspot.account import API, APP_HOST, CALCULATED, PORTAL_ID, Source
from connectors.sandbox.hubspot.kinds import CONTACTS
from connectors.sandbox.hubspot.moments import kept, wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.standard_contacts import ZERO


def value_of(record: Record, name: str) -> str | None:
    """The kept text of a property, whether it stands in a column, in the values or follows from the id."""
    if name in record.values:
        return record.values[name]
    if name == record.kind.created:
        return kept(record.created)
    if name == record.kind.modified:
        return kept(record.modified)
    if name == "hs_object_id" or (name == "hs_all_contact_vids" and record.kind is CONTACTS):
        return str(record.id)
    return "0" if record.kind is CONTACTS and name in ZERO else None


def shown(portal: Portal, record: Record, name: str) -> str | None:
    """The text of a property as answers carry it."""
    value = value_of(record, name)
    found = portal.definitions.of(record.kind).get(name)
    if value and found is not None and found.type == "datetime":
        return value.replace(".000Z", "Z")
    return value


def requested(portal: Portal, record: Record, names: Iterable[str]) -> dict[str, str | None]:
    """The properties of a read: those asked for, or the default ones; unknown names are left out."""
    known = portal.definitions.of(record.kind)
    wanted = set(names)
    wanted = {*wanted, *record.kind.stamps} if wanted else set(record.kind.defaults)
    values = {name: shown(portal, record, name) for name in sorted(wanted) if name in known}
    if portal.switches.empty == "absent":
        return {name: value for name, value in values.items() if value is not None}
    return values


def frame(record: Record, properties: dict[str, str | None]) -> dict[str, Any]:
    """A record around its properties."""
    body: dict[str, Any] = {
        "id": str(record.id),
        "properties": properties,
        "createdAt": wire(record.created),
        "updatedAt": wire(record.modified),
        "archived": record.archived is not None,
    }
    if record.archived is not None:
        body["archivedAt"] = wire(record.archived)
    body["url"] = f"https://{APP_HOST}/contacts/{PORTAL_ID}/record/{record.kind.key}/{record.id}"
    return body


def read_body(
    portal: Portal, record: Record, names: Iterable[str], with_history: Iterable[str] = ()
) -> dict[str, Any]:
    """A record as a read answers it. A property with history is also among the properties."""
    kept_names = list(with_history)
    body = frame(record, requested(portal, record, [*names, *kept_names]))
    known = portal.definitions.of(record.kind)
    if kept_names:
        body["propertiesWithHistory"] = {
            name: history_body(portal, record, name) for name in sorted(kept_names) if name in known
        }
    return body


def history_body(portal: Portal, record: Record, name: str) -> list[dict[str, Any]]:
    """All values of a property, newest first."""
    rows = records.history(portal.database, record.id, name)
    value = value_of(record, name)
    if not rows and value:
        at = record.modified if name == record.kind.modified else record.created
        rows = [(at, value, first_source(portal, record, name))]
    return [history_row(at, value, source) for at, value, source in rows]


def first_source(portal: Portal, record: Record, name: str) -> Source:
    """Who gave a property the value it has had from the beginning."""
    if portal.definitions.of(record.kind)[name].read_only:
        return CALCULATED
    values = record.values
    if (values.get("hs_object_source"), values.get("hs_object_source_id")) == (API.type, API.id):
        return API
    user = values.get("hs_object_source_user_id")
    return Source(
        values.get("hs_object_source", "IMPORT"),
        values.get("hs_object_source_id"),
        values.get("hs_object_source_label"),
        int(user) if user else None,
    )


def history_row(at: int, value: str, source: Source) -> dict[str, Any]:
    """One value of the past."""
    row: dict[str, Any] = {"value": value, "timestamp": wire(at), "sourceType": source.type}
    optional = {"sourceId": source.id, "sourceLabel": source.label, "updatedByUserId": source.user}
    return row | {name: value for name, value in optional.items() if value is not None}


_ECHOED = (
    "hs_email_domain",
    "hs_is_unworked",
    "hs_object_source",
    "hs_object_source_id",
    "hs_object_source_label",
    "hs_pipeline",
    "lifecyclestage",
)


def created_body(portal: Portal, record: Record) -> dict[str, Any]:
    """A record as its creation answers it: everything it has.

    The dates of its stage come as epoch milliseconds (recorded, HubSpot reference, section 5.2).
    """
    names = {*record.values, *record.kind.stamps}
    if record.kind is CONTACTS:
        names.add("hs_all_contact_vids")
    properties = {name: shown(portal, record, name) for name in sorted(names)}
    for name in names:
        if name.startswith("hs_lifecyclestage_"):
            properties[name] = str(record.created)
    return frame(record, properties)


def updated_body(portal: Portal, record: Record, touched: Iterable[str]) -> dict[str, Any]:
    """A record as a change answers it: what was sent or moved with it, and some of the rest (recorded)."""
    names = {*touched, *record.kind.stamps, *(name for name in _ECHOED if name in record.values)}
    return frame(record, {name: shown(portal, record, name) or "" for name in sorted(names)})
