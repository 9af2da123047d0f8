"""What HubSpot says has happened: the bodies of its webhooks as typed events (HubSpot reference, section 10.1).

An event is a hint, never the truth: events come twice, late and in any order, and ``event_id`` does not tell
them apart. So ``key`` finds duplicates, ``records`` says what to read again, and the record that is then read
decides. What this version does not know is kept as such a hint too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any

import msgspec

#: HubSpot sends up to 100 events in one request. More are taken all the same: to refuse them would lose them.
MOST_EVENTS = 1_000

#: What HubSpot puts in place of a sensitive value.
REDACTED = "REDACTED"

#: The source of a change that an app made; the source id is then the app's id (HubSpot reference, section 12).
BY_AN_APP = "INTEGRATION"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(Enum):
    """What happened to a record."""

    CREATED = "created"
    CHANGED = "changed"  #: some of its properties have other values
    ARCHIVED = "archived"  #: it can be restored for 90 days
    ERASED = "erased"  #: deleted for good, for privacy; comes with an ARCHIVED, before or after it
    MERGED = "merged"
    RESTORED = "restored"
    ASSOCIATED = "associated"  #: associated with another record, or no longer
    SNAPSHOT = "snapshot"  #: nothing happened to it; somebody asked for its present values
    OTHER = "other"  #: something this version does not know: read the record again


@dataclass(frozen=True, slots=True)
class Association:
    """The other end of an association, and whether it was made or removed.

    ``word`` is HubSpot's, such as ``CONTACT_TO_COMPANY``.
    """

    object: str
    record_id: str
    word: str = ""
    removed: bool = False
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one record.

    ``object`` is named as in HubSpot's paths ("contacts", "companies"), or is a type id such as "2-345".
    ``record_id`` is a text as everywhere else, though webhooks carry integers; None where the event names no
    record. ``occurred_at`` is aware UTC. ``changes`` maps property names to new values, "" for an emptied one,
    None for one that is not told. ``gone_ids`` are records that a merge ended. ``source`` and ``source_id``
    say who did it, empty where HubSpot does not. ``attempt`` counts from 0. ``word`` is HubSpot's own name of
    the event.
    """

    account: str
    object: str
    record_id: str | None
    kind: Kind
    occurred_at: datetime
    word: str
    changes: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    gone_ids: tuple[str, ...] = ()
    association: Association | None = None
    source: str = ""
    source_id: str = ""
    attempt: int = 0
    event_id: str = ""
    subscription_id: str = ""
    app_id: str = ""

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for two deliveries of one event (HubSpot reference, section 10.2)."""
        values = tuple(sorted(self.changes.items()))
        told = (self.account, self.subscription_id, self.word, self.occurred_at)
        return (*told, self.records, self.association, values)

    @property
    def records(self) -> tuple[tuple[str, str], ...]:
        """(object, record id) of every record that this event is a reason to read again."""
        own = [] if self.record_id is None else [self.record_id]
        named = [(self.object, id_) for id_ in (*own, *self.gone_ids)]
        if self.association is not None:
            named.append((self.association.object, self.association.record_id))
        return tuple(dict.fromkeys(named))

    def made_by(self, app_id: str) -> bool:
        """Whether this app made the change itself.

        To be used to save reading, never to decide: what two integrations write in turn is nobody's own
        (HubSpot reference, section 12, point 14).
        """
        return self.source == BY_AN_APP and self.source_id == app_id


class Malformed(Exception):
    """A body that is not what HubSpot sends; to be answered with 400. The text quotes no value of it."""


_Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Wire(msgspec.Struct):
    """One element of a webhook body. HubSpot's field table and its live traffic name the type differently."""

    portalId: _Id
    occurredAt: Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800_000)]
    subscriptionType: str | None = None
    eventType: str | None = None
    eventId: _Id | None = None
    subscriptionId: _Id | None = None
    appId: _Id | None = None
    attemptNumber: _Id = 0
    objectId: _Id | None = None
    objectTypeId: str | None = None
    propertyName: str | None = None
    propertyValue: str | None = None
    changeSource: str | None = None
    sourceId: str | None = None
    isSensitive: bool = False
    primaryObjectId: _Id | None = None
    mergedObjectIds: list[_Id] = []
    newObjectId: _Id | None = None
    associationType: str | None = None
    fromObjectId: _Id | None = None
    fromObjectTypeId: str | None = None
    toObjectId: _Id | None = None
    toObjectTypeId: str | None = None
    associationRemoved: bool = False
    isPrimaryAssociation: bool = False


_KINDS = {
    "creation": Kind.CREATED,
    "propertyChange": Kind.CHANGED,
    "deletion": Kind.ARCHIVED,
    "privacyDeletion": Kind.ERASED,
    "merge": Kind.MERGED,
    "restore": Kind.RESTORED,
    "associationChange": Kind.ASSOCIATED,
}
#: Object types by their singular, as webhooks name them, and by their type id.
_PATHS = {
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
    "ticket": "tickets",
    "product": "products",
    "line_item": "line_items",
    "conversation": "conversations",
    "lead": "leads",
    "0-1": "contacts",
    "0-2": "companies",
    "0-136": "leads",
}
_DECODER = msgspec.json.Decoder(list[_Wire])


def parse(body: bytes) -> tuple[Event, ...]:
    """The events of a webhook's body, in its order. Raises Malformed.

    To be called for a body whose signature was found right. One element that cannot be read makes the whole
    body malformed: HubSpot then sends it again, and nothing is lost unnoticed.
    """
    try:
        found = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        # The text of the library names types and places, such as "$[3].objectId", never a value.
        raise Malformed(f"The events are not as HubSpot sends them: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The body is no JSON array of events") from None
    if len(found) > MOST_EVENTS:
        raise Malformed(f"The body holds more than {MOST_EVENTS} events")
    return tuple(_event(wire, place) for place, wire in enumerate(found))


def unseen(events: Sequence[Event]) -> tuple[Event, ...]:
    """The events without those that came twice, in order; of two the first stays."""
    seen: dict[tuple[Any, ...], Event] = {}
    for event in events:
        seen.setdefault(event.key, event)
    return tuple(seen.values())


def path_of(type_: str) -> str:
    """The name of an object type in HubSpot's paths: of a singular or a type id; others stay as they are."""
    return _PATHS.get(type_, type_)


def instant(ms: int) -> datetime:
    """Milliseconds since 1970 as aware UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def _event(wire: _Wire, place: int) -> Event:
    word = wire.subscriptionType or wire.eventType
    if not word:
        raise Malformed(f"Event {place} does not say what it is")
    prefix, _, action = word.partition(".")
    object_ = path_of(wire.objectTypeId if prefix == "object" and wire.objectTypeId else prefix)
    kind = _KINDS.get(action, Kind.OTHER)
    record, gone = _whose(wire, kind)
    if record is None and kind is not Kind.OTHER:
        raise Malformed(f"Event {place} names no record")
    return Event(
        account=str(wire.portalId),
        object=object_,
        record_id=record,
        kind=kind,
        occurred_at=instant(wire.occurredAt),
        word=word,
        changes=_changes(wire),
        gone_ids=gone,
        association=_association(wire) if kind is Kind.ASSOCIATED else None,
        source=wire.changeSource or "",
        source_id=wire.sourceId or "",
        attempt=wire.attemptNumber,
        event_id=_text(wire.eventId) or "",
        subscription_id=_text(wire.subscriptionId) or "",
        app_id=_text(wire.appId) or "",
    )


def _whose(wire: _Wire, kind: Kind) -> tuple[str | None, tuple[str, ...]]:
    """The record an event is about, and the ids that a merge ended."""
    if kind is Kind.ASSOCIATED:
        found = wire.fromObjectId if wire.fromObjectId is not None else wire.objectId
        return _text(found), ()
    if kind is not Kind.MERGED:
        return _text(wire.objectId), ()
    # A merge makes a new id, or keeps the winner's (HubSpot reference, section 4.6).
    named = (wire.newObjectId, wire.primaryObjectId, wire.objectId)
    lives = next((id_ for id_ in named if id_ is not None), None)
    ended = (wire.primaryObjectId, *wire.mergedObjectIds)
    gone = tuple(str(id_) for id_ in dict.fromkeys(ended) if id_ is not None and id_ != lives)
    return _text(lives), gone


def _changes(wire: _Wire) -> dict[str, str | None]:
    if wire.propertyName is None:
        return {}
    hidden = wire.isSensitive or wire.propertyValue == REDACTED
    return {wire.propertyName: None if hidden else wire.propertyValue or ""}


def _association(wire: _Wire) -> Association | None:
    if wire.toObjectId is None:
        return None
    word = wire.associationType or ""
    other = wire.toObjectTypeId or word.partition("_TO_")[2].lower()
    return Association(
        object=path_of(other),
        record_id=str(wire.toObjectId),
        word=word,
        removed=wire.associationRemoved,
        primary=wire.isPrimaryAssociation,
    )


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
