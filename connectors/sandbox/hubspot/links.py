"""Associations between records, as far as creating and reading records shows them.

HubSpot reference, sections 4.2, 5.1, 6.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.sandbox.hubspot import records
from connectors.sandbox.hubspot.errors import bad_request, unknown_type, unreadable
from connectors.sandbox.hubspot.kinds import (
    CALLS,
    COMPANIES,
    CONTACTS,
    EMAILS,
    KINDS,
    LEADS,
    MEETINGS,
    NOTES,
    TASKS,
    Kind,
    find_kind,
)
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.unseen import OBJECTS
from connectors.sandbox.hubspot.webhooks import telling

# The activities that hang on contacts and companies, by the type ids that the vendor's Python package names:
# (activity, contact to it, it to contact, company to it, it to company). It names none for communications.
_ACTIVITY_TYPES = (
    (CALLS, 193, 194, 181, 182),
    (EMAILS, 197, 198, 185, 186),
    (MEETINGS, 199, 200, 187, 188),
    (NOTES, 201, 202, 189, 190),
    (TASKS, 203, 204, 191, 192),
)


def _all_types() -> dict[tuple[str, str], dict[int, int]]:
    known: dict[tuple[str, str], dict[int, int]] = {
        (CONTACTS.key, COMPANIES.key): {1: 2, 279: 280},
        (COMPANIES.key, CONTACTS.key): {2: 1, 280: 279},
        # A lead's primary contact or company is told from the lead's side alone.
        (LEADS.key, CONTACTS.key): {578: 609, 608: 609},
        (CONTACTS.key, LEADS.key): {609: 608},
        (LEADS.key, COMPANIES.key): {580: 611, 610: 611},
        (COMPANIES.key, LEADS.key): {611: 610},
    }
    for kind, of_contact, contact_of, of_company, company_of in _ACTIVITY_TYPES:
        known[CONTACTS.key, kind.key], known[kind.key, CONTACTS.key] = (
            {of_contact: contact_of},
            {contact_of: of_contact},
        )
        known[COMPANIES.key, kind.key], known[kind.key, COMPANIES.key] = (
            {of_company: company_of},
            {company_of: of_company},
        )
    return known


# HUBSPOT_DEFINED type ids, and the one that says the same from the other side.
TYPES = _all_types()
_PLAIN = {1: 279, 2: 280, 578: 608, 580: 610}
#: The type without a label from one object to another.
PLAIN = {pair: next(n for n in known if n not in _PLAIN) for pair, known in TYPES.items()}
LABELS = dict.fromkeys(_PLAIN, "Primary")
#: The type that a record has at most once, seen from the object it belongs to.
ONCE = {(CONTACTS.key, COMPANIES.key): 1, (LEADS.key, CONTACTS.key): 578, (LEADS.key, COMPANIES.key): 580}


def plain_type(number: int) -> int:
    """The unlabelled type that goes with a type id."""
    return _PLAIN.get(number, number)


def wanted_links(portal: Portal, kind: Kind, body: dict[str, Any]) -> list[tuple[Record, int]]:
    """The ``associations`` of a create: other records and type ids. Raises Refused."""
    given = body.get("associations") or []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise unreadable("associations must be a list of objects")
    found = [link for item in given for link in _links_of(portal, kind, item)]
    if kind is LEADS and all(number != ONCE[LEADS.key, CONTACTS.key] for _, number in found):
        raise bad_request("A lead needs a primary contact")
    return found


def _links_of(portal: Portal, kind: Kind, item: dict[str, Any]) -> Iterable[tuple[Record, int]]:
    to, types = item.get("to"), item.get("types")
    id_ = to.get("id") if isinstance(to, dict) else None
    if not isinstance(id_, str | int) or not isinstance(types, list) or not types:
        raise unreadable("an association needs to.id and types")
    for type_ in types:
        number = type_.get("associationTypeId") if isinstance(type_, dict) else None
        other = _other_kind(kind, number)
        text = str(id_)
        found = int(text) if text.isdecimal() and len(text) < 19 else 0
        record = records.find(portal.database, other, records.follow(portal.database, found))
        if record is None or record.archived is not None:
            raise bad_request(f"No {other.singular.lower()} with ID {id_} exists", ids=[text])
        yield record, int(str(number))


def _other_kind(kind: Kind, number: Any) -> Kind:
    for (from_, to), known in TYPES.items():
        if from_ == kind.key and type(number) is int and number in known:
            return next(k for k in KINDS if k.key == to)
    raise bad_request(f"Association type {number} does not start at {kind.plural}")


def link(portal: Portal, record: Record, wanted: Iterable[tuple[Record, int]]) -> None:
    """Associate a record with others; a primary association makes the unlabelled one too.

    HubSpot reference, section 6.2.
    """
    for other, number in wanted:
        with telling.associations(portal, record, other, LABELS):
            _add_types(portal, record, other, number)


def _add_types(portal: Portal, record: Record, other: Record, number: int) -> None:
    back = TYPES[record.kind.key, other.kind.key]
    for type_ in dict.fromkeys((number, plain_type(number))):
        portal.database.executemany(
            "INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?)",
            [
                (record.id, other.kind.key, other.id, type_),
                (other.id, record.kind.key, record.id, back[type_]),
            ],
        )


def relink(portal: Portal, record: Record, other: Record, numbers: Iterable[int]) -> None:
    """Give two records exactly these types; what there was between them goes.

    A record has one primary company or contact: another one loses the label.
    """
    with telling.associations(portal, record, other, LABELS):
        _relink(portal, record, other, list(numbers))


def _relink(portal: Portal, record: Record, other: Record, wanted: list[int]) -> None:
    _part(portal, record, other, None)
    if any(number in LABELS for number in wanted):
        pairs = ((record, other), (other, record))
        owner, end = next(pair for pair in pairs if (pair[0].kind.key, pair[1].kind.key) in ONCE)
        once = ONCE[owner.kind.key, end.kind.key]
        back = TYPES[owner.kind.key, end.kind.key][once]
        for (id_,) in portal.database.execute(
            "SELECT to_id FROM link WHERE from_id = ? AND to_kind = ? AND type = ?",
            (owner.id, end.kind.key, once),
        ).fetchall():
            _drop_types(portal, owner.id, id_, [once])
            if back in LABELS:
                _drop_types(portal, id_, owner.id, [back])
    for number in wanted:
        _add_types(portal, record, other, number)


def unlink(portal: Portal, record: Record, other: Record, numbers: Iterable[int] | None = None) -> None:
    """Part two records, seen from both sides; ``numbers`` None: whatever there is between them."""
    with telling.associations(portal, record, other, LABELS):
        _part(portal, record, other, numbers)


def _part(portal: Portal, record: Record, other: Record, numbers: Iterable[int] | None) -> None:
    if numbers is None:
        for pair in ((record.id, other.id), (other.id, record.id)):
            portal.database.execute("DELETE FROM link WHERE from_id = ? AND to_id = ?", pair)
        return
    back, wanted = TYPES[record.kind.key, other.kind.key], list(numbers)
    _drop_types(portal, record.id, other.id, wanted)
    _drop_types(portal, other.id, record.id, [back[number] for number in wanted])


def linked_records(portal: Portal, record: Record, kind: Kind) -> list[Record]:
    """The records of one object that a record is associated with, archived ones too."""
    rows = portal.database.execute(
        "SELECT DISTINCT to_id FROM link WHERE from_id = ? AND to_kind = ? ORDER BY to_id",
        (record.id, kind.key),
    ).fetchall()
    found = (records.find(portal.database, kind, id_) for (id_,) in rows)
    return [one for one in found if one is not None]


def without_primary(portal: Portal, lead: Record) -> bool:
    """Whether a lead has lost its last primary association (HubSpot reference, section 6.5)."""
    found = portal.database.execute(
        "SELECT 1 FROM link WHERE from_id = ? AND type IN (578, 580)", (lead.id,)
    ).fetchone()
    return found is None


def _drop_types(portal: Portal, from_id: int, to_id: int, numbers: Iterable[int]) -> None:
    portal.database.executemany(
        "DELETE FROM link WHERE from_id = ? AND to_id = ? AND type = ?",
        [(from_id, to_id, number) for number in numbers],
    )


def links_body(portal: Portal, record: Record, names: Iterable[str]) -> dict[str, Any] | None:
    """What ``associations=companies`` adds to a read; None when nothing is associated.

    Of objects that no scope of ours covers nothing is told (not in the reference). Raises Refused for a name
    that is no object type.
    """
    body: dict[str, Any] = {}
    for name in names:
        kind = find_kind(name)
        if kind is None and name.lower() in OBJECTS:
            continue
        if kind is None:
            raise unknown_type(name)
        rows = portal.database.execute(
            "SELECT DISTINCT l.to_id FROM link l JOIN record r ON r.id = l.to_id AND r.archived IS NULL"
            " WHERE l.from_id = ? AND l.to_kind = ? ORDER BY l.to_id",
            (record.id, kind.key),
        )
        word = f"{record.kind.singular}_to_{kind.singular}".lower()
        results = [{"id": str(id_), "type": word} for (id_,) in rows]
        if results:
            body[kind.plural] = {"results": results}
    return body or None


def move_links(portal: Portal, old: int, new: int) -> None:
    """Let a merged record's associations be those of the record it is now."""
    for side in ("from_id", "to_id"):
        portal.database.execute(f"UPDATE OR IGNORE link SET {side} = ? WHERE {side} = ?", (new, old))
    drop_links(portal, old)


def drop_links(portal: Portal, id_: int) -> None:
    """Forget every association of a record."""
    portal.database.execute("DELETE FROM link WHERE from_id = ?1 OR to_id = ?1", (id_,))
