"""A change event in our words: which records, what kind of change, which fields, and by whom.

Values are not taken over. Pub/Sub delivers every field, unchanged ones as null, and long texts as a
difference (Salesforce reference, section 8); an event says where to look, and the record is then read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import fastavro
import orjson

from connectors.salesforce.calls import CLIENT
from connectors.salesforce.ids import eighteen, looks_like_id
from connectors.salesforce.pubsub.bitmaps import Place, Unreadable, fields_named, places_of

HEADER = "ChangeEventHeader"

#: The record id of an overflow event, which means every record of its object.
NO_RECORD = "000000000000000AAA"

#: The beginning that all ids of an object share, and a star.
_WILDCARD = re.compile(r"[A-Za-z0-9]{3}\*")
_CLIENT = re.compile(r";client=([^;/]*)")


class Kind(Enum):
    """What happened, as far as the event tells."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"  #: put into the recycle bin, or merged into another record
    UNDELETED = "undeleted"
    GAP = "gap"  #: something happened to these records, and the event does not say what: read them again
    LOST = "lost"  #: any record of the object may have changed: read its range again
    EVERY = "every"  #: every record of the object changed, and need not show when: read the object from its beginning


KINDS: Mapping[str, Kind] = {
    "CREATE": Kind.CREATED,
    "UPDATE": Kind.UPDATED,
    "DELETE": Kind.DELETED,
    "UNDELETE": Kind.UNDELETED,
}


#: What says less than what happened.
UNTOLD = (Kind.GAP, Kind.LOST, Kind.EVERY)


@dataclass(frozen=True, slots=True)
class Change:
    """One change event.

    ``object`` is the API name, empty where it is not known (then: every object of the topic). ``record_ids``
    have 18 characters and are empty for LOST and EVERY. ``fields`` and ``nulled`` (those of them that are now empty)
    are names of record fields, such as ``MailingCity``; ``fields`` is None where it is not known which.
    ``committed_at`` is aware UTC, in whole milliseconds. Changes with one ``transaction`` were committed
    together, in the order of ``sequence``.
    """

    kind: Kind
    object: str
    record_ids: tuple[str, ...]
    fields: tuple[str, ...] | None = None
    nulled: tuple[str, ...] = ()
    committed_at: datetime | None = None
    user_id: str = ""
    client: str = ""  #: the name that the writer gave itself in Sforce-Call-Options
    transaction: str = ""
    sequence: int = 0

    @property
    def is_ours(self) -> bool:
        """Whether our own write made it. A flow may have changed more in the same save: look, don't skip."""
        return self.client == CLIENT

    @property
    def needs_reading(self) -> bool:
        """Whether the event tells less than what happened, so that older knowledge no longer counts."""
        return self.kind in UNTOLD


class EventSchema:
    """The Avro schema of one kind of event. Raises Unreadable where it is not one of change events."""

    def __init__(self, schema_json: str) -> None:
        try:
            decoded = orjson.loads(schema_json)
            self.places: tuple[Place, ...] = places_of(decoded)
            self._parsed = fastavro.parse_schema(decoded)
        except (
            orjson.JSONDecodeError,
            fastavro.schema.SchemaParseException,
            fastavro.schema.UnknownType,
            KeyError,
        ) as error:
            raise Unreadable("a schema could not be read") from error
        self.object = str(decoded["name"]).rpartition(".")[2].removesuffix("ChangeEvent")

    def read(self, payload: bytes) -> Change:
        """The change in an event's payload. One that cannot be read is LOST, never nothing."""
        try:
            record: Any = fastavro.schemaless_reader(io.BytesIO(payload), self._parsed, None)
            return change_of(record[HEADER], self.places)
        except (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError):
            # Whatever is wrong with it, something changed: the reader is sent to look for itself.
            return Change(Kind.LOST, self.object, ())


def change_of(header: Mapping[str, Any], places: Sequence[Place]) -> Change:
    """The change that a decoded header tells. Raises ValueError, KeyError or TypeError for a broken one."""
    kind, ids = _kind(str(header["changeType"]), header["recordIds"])
    origin = _CLIENT.search(header["changeOrigin"])
    fields, nulled = _fields(header, places) if kind is Kind.UPDATED else ((), ())
    return Change(
        kind=kind,
        object=header["entityName"],
        record_ids=ids,
        fields=fields if kind not in UNTOLD else None,
        nulled=nulled,
        committed_at=datetime.fromtimestamp(header["commitTimestamp"] / 1000, UTC),
        user_id=header["commitUser"],
        client="" if origin is None else origin[1],
        transaction=header["transactionKey"],
        sequence=header["sequenceNumber"],
    )


def _kind(change_type: str, raw_ids: Sequence[str]) -> tuple[Kind, tuple[str, ...]]:
    """What to make of a change type and its ids: a type that is not known is a gap, ids that are none are a loss.

    An overflow says that a transaction changed too much; ``001*`` that every record of the object changed, because a
    field was given another type (Salesforce reference, section 8).
    """
    if change_type == "GAP_OVERFLOW" or not raw_ids:
        return Kind.LOST, ()
    if any(_WILDCARD.fullmatch(each) for each in raw_ids):
        return Kind.EVERY, ()
    if not all(looks_like_id(each) for each in raw_ids):
        return Kind.LOST, ()
    ids = tuple(eighteen(each) for each in raw_ids)
    if NO_RECORD in ids:
        return Kind.LOST, ()
    return KINDS.get(change_type, Kind.GAP), ids


def _fields(
    header: Mapping[str, Any], places: Sequence[Place]
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The changed fields and the emptied ones; None and none where the bitmaps do not fit the schema."""
    try:
        changed = [*header["changedFields"], *header["diffFields"], *header["nulledFields"]]
        return fields_named(changed, places), fields_named(header["nulledFields"], places)
    except Unreadable:
        return None, ()
