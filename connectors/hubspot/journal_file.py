"""The files of the Webhooks Journal as typed events (HubSpot reference, section 10.4).

What an event in a file carries is told by the specification alone (section 13). So every field is optional
here, unknown ones are passed over, and what cannot be understood is kept as a hint to read the record again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.hubspot.events import Association, Event, Kind, Malformed, instant, path_of


class _Told(msgspec.Struct):
    """One event in a file. Every field is optional here; what is missing makes it a hint, or nothing."""

    action: str | None = None
    type: str | None = None
    portalId: int | str | None = None
    occurredAt: int | str | None = None
    objectTypeId: str | None = None
    objectId: int | str | None = None
    propertyChanges: Any = None
    associatedObjectId: int | str | None = None
    associatedObjectTypeId: str | None = None
    associationType: str | None = None
    primaryObjectId: int | str | None = None
    mergedObjectIds: list[int | str] = []
    newObjectId: int | str | None = None


_KINDS = {
    "CREATE": Kind.CREATED,
    "UPDATE": Kind.CHANGED,
    "DELETE": Kind.ARCHIVED,
    "MERGE": Kind.MERGED,
    "RESTORE": Kind.RESTORED,
    "ASSOCIATION_ADDED": Kind.ASSOCIATED,
    "ASSOCIATION_REMOVED": Kind.ASSOCIATED,
    "SNAPSHOT": Kind.SNAPSHOT,
    "GDPR_DELETE": Kind.ERASED,
}


class JournalFile(msgspec.Struct):
    """One file of the journal."""

    journalEvents: list[_Told] = []
    publishedAt: int | str | None = None

    def published(self, otherwise: datetime) -> datetime:
        """When the file was published, never before ``otherwise``: the journal is ordered."""
        found = _moment(self.publishedAt)
        return otherwise if found is None else max(found, otherwise)

    def events(self, account: str) -> tuple[Event, ...]:
        """What the file tells of an account; "" is all."""
        found = _moment(self.publishedAt)
        told = (_event(event, account, found) for event in self.journalEvents)
        return tuple(event for event in told if not account or event.account == account)


def _event(told: _Told, account: str, published: datetime | None) -> Event:
    kind = _KINDS.get(told.action or "", Kind.OTHER)
    changes = told.propertyChanges if isinstance(told.propertyChanges, dict) else {}
    lives, gone = _whose(told, kind)
    return Event(
        account=_text(told.portalId) or account,
        object=path_of(told.objectTypeId or ""),
        record_id=lives,
        kind=kind,
        # When it was published is the latest it can have happened.
        occurred_at=_moment(told.occurredAt) or published or instant(0),
        word=told.action or told.type or "",
        changes={str(name): _value(value) for name, value in changes.items()},
        gone_ids=gone,
        association=_association(told) if kind is Kind.ASSOCIATED else None,
    )


def _whose(told: _Told, kind: Kind) -> tuple[str | None, tuple[str, ...]]:
    if kind is not Kind.MERGED:
        return _text(told.objectId), ()
    named = (told.newObjectId, told.primaryObjectId, told.objectId)
    lives = next((_text(id_) for id_ in named if id_ is not None), None)
    ended = [_text(id_) for id_ in (told.primaryObjectId, told.objectId, *told.mergedObjectIds)]
    return lives, tuple(id_ for id_ in dict.fromkeys(ended) if id_ is not None and id_ != lives)


def _association(told: _Told) -> Association | None:
    if told.associatedObjectId is None:
        return None
    return Association(
        object=path_of(told.associatedObjectTypeId or ""),
        record_id=str(told.associatedObjectId),
        word=told.associationType or "",
        removed=told.action == "ASSOCIATION_REMOVED",
    )


def _moment(given: int | str | None) -> datetime | None:
    """Milliseconds since 1970, or ISO 8601; a text without a zone is UTC."""
    try:
        if isinstance(given, int):
            return instant(given)
        if not given:
            return None
        found = datetime.fromisoformat(given)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _value(given: object) -> str | None:
    return given if isinstance(given, str) else None


def _text(given: int | str | None) -> str | None:
    return None if given is None else str(given)


def read_file(body: bytes) -> JournalFile:
    """A file of the journal. Raises Malformed for what is no JSON object of that kind."""
    try:
        return msgspec.json.decode(body, type=JournalFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed("The file is none of HubSpot's journal") from None
