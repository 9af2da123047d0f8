"""Happenings as the bodies that subscribers get (HubSpot reference, sections 10.1 and 10.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.hubspot.account import APP_ID, PORTAL_ID, Source
from connectors.sandbox.hubspot.moments import kept
from connectors.sandbox.hubspot.webhooks.happening import Happening

Body = dict[str, Any]
REDACTED = "REDACTED"

#: Object types with event types of their own; the others have the generic ones alone.
NAMED = ("contact", "company", "deal", "ticket", "product", "line_item")
_COMMON = ("creation", "deletion", "propertyChange", "merge", "restore")

#: What can be subscribed to (HubSpot reference, section 10.1).
EVENT_TYPES = frozenset(
    {
        *(f"{name}.{action}" for name in (*NAMED, "object") for action in _COMMON),
        *(f"{name}.associationChange" for name in (*NAMED, "object") if name != "product"),
        "contact.privacyDeletion",
        *(
            f"conversation.{action}"
            for action in ("creation", "deletion", "newMessage", "privacyDeletion", "propertyChange")
        ),
    }
)

#: Properties whose changes nobody can subscribe to.
NEVER_TOLD = frozenset({"num_unique_conversion_events", "hs_lastmodifieddate"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """One webhook subscription of the app. ``object_type`` is a type id, for the generic event types."""

    id: int
    event_type: str
    property: str
    object_type: str
    active: bool
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class JournalSubscription:
    """One subscription of the journal; empty lists of ids and properties mean all."""

    id: int
    type: str
    object_type: str
    actions: tuple[str, ...]
    properties: tuple[str, ...]
    object_ids: tuple[int, ...]
    other_types: tuple[str, ...]
    portal: int | None
    created: int

    def wire(self) -> Body:
        """The subscription as its API writes it."""
        body: Body = {
            "id": self.id,
            "appId": int(APP_ID),
            "subscriptionType": self.type,
            "objectTypeId": self.object_type,
            "actions": list(self.actions),
            "portalId": self.portal,
            "properties": list(self.properties),
            "objectIds": list(self.object_ids),
            "createdAt": kept(self.created),
            "updatedAt": kept(self.created),
        }
        return body | ({"associatedObjectTypeIds": list(self.other_types)} if self.other_types else {})


def webhook_bodies(
    happening: Happening, subscriptions: Sequence[Subscription], event_id: int, *, on_creation: bool
) -> Iterator[Body]:
    """What each active subscription is told. ``event_id`` is the same for all: it is not unique.

    ``on_creation``: whether the values of a new record count as changes of its properties too.
    """
    for one in subscriptions:
        prefix, _, action = one.event_type.partition(".")
        generic = prefix == "object"
        concerned = one.object_type == happening.kind if generic else prefix == happening.word
        if not (one.active and concerned):
            continue
        body: Body = {
            "eventId": event_id,
            "subscriptionId": one.id,
            "portalId": PORTAL_ID,
            "appId": int(APP_ID),
            "occurredAt": happening.at,
            "subscriptionType": one.event_type,
            "attemptNumber": 0,
        }
        if generic:
            body["objectTypeId"] = happening.kind
        if action == "propertyChange":
            told = happening.action == "propertyChange" or (on_creation and happening.action == "creation")
            if told and one.property in happening.values:
                yield {**body, **_change(happening, one.property, generic)}
        elif action == happening.action:
            yield {**body, **_particulars(happening), **_by(happening.source)}


def _change(happening: Happening, name: str, generic: bool) -> Body:
    value, source = happening.values[name]
    hidden = name in happening.hidden
    body = {
        "objectId": happening.record,
        "propertyName": name,
        "propertyValue": REDACTED if hidden else value,
        **_by(source),
    }
    return {**body, "isSensitive": hidden} if generic else body


def _particulars(happening: Happening) -> Body:
    other = happening.other
    if other is not None:
        return {
            "associationType": other.word,
            "fromObjectId": happening.record,
            "toObjectId": other.record,
            "associationRemoved": other.removed,
            "isPrimaryAssociation": other.primary,
        }
    body: Body = {"objectId": happening.record}
    if happening.action == "merge":
        primary, loser = happening.merged
        body |= {
            "primaryObjectId": primary,
            "mergedObjectIds": [loser],
            "newObjectId": happening.record,
            "numberOfPropertiesMoved": happening.moved,
        }
    return body | ({"changeFlag": "NEW"} if happening.action == "creation" else {})


def _by(source: Source) -> Body:
    return {"changeSource": source.type, **({"sourceId": source.id} if source.id else {})}


_JOURNAL = {
    "creation": "CREATE",
    "propertyChange": "UPDATE",
    "deletion": "DELETE",
    "merge": "MERGE",
    "restore": "RESTORE",
    "privacyDeletion": "GDPR_DELETE",
}


def journal_events(happening: Happening, subscriptions: Iterable[JournalSubscription]) -> Iterator[Body]:
    """What the journal holds of a happening: once, however many subscriptions ask for it.

    The fields of a file are unverified (HubSpot reference, section 13).
    """
    other = happening.other
    action = _JOURNAL.get(happening.action, "ASSOCIATION_REMOVED" if other and other.removed else "")
    action = action or "ASSOCIATION_ADDED"
    asking = [one for one in subscriptions if _asks(one, happening, action)]
    if not asking:
        return
    body: Body = {
        "type": asking[0].type,
        "portalId": PORTAL_ID,
        "occurredAt": kept(happening.at),
        "action": action,
        "objectTypeId": happening.kind,
        "objectId": happening.record,
    }
    wanted = None if any(not one.properties for one in asking) else {n for o in asking for n in o.properties}
    values = {
        name: REDACTED if name in happening.hidden else value
        for name, (value, _) in happening.values.items()
        if wanted is None or name in wanted
    }
    if values:
        body["propertyChanges"] = values
    if happening.action == "merge":
        primary, loser = happening.merged
        body |= {"primaryObjectId": primary, "mergedObjectIds": [loser], "newObjectId": happening.record}
    if other is not None:
        body |= {
            "associatedObjectTypeId": other.kind,
            "associatedObjectId": other.record,
            "associationType": other.word,
        }
    yield body


def _asks(one: JournalSubscription, happening: Happening, action: str) -> bool:
    if one.object_type != happening.kind or action not in one.actions or one.portal not in (None, PORTAL_ID):
        return False
    if one.object_ids and happening.record not in one.object_ids:
        return False
    if happening.other is not None:
        return one.type == "ASSOCIATION" and (not one.other_types or happening.other.kind in one.other_types)
    if action == "GDPR_DELETE":
        return one.type == "GDPR_PRIVACY_DELETION"
    if one.type != "OBJECT":
        return False
    return action != "UPDATE" or not one.properties or not happening.values.keys().isdisjoint(one.properties)
