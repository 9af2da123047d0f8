"""One write on its way out: where it goes, with which JSON values, or why it cannot go.

What would make Salesforce refuse the whole call (a text where a number belongs, a field it does not know)
or what it would certainly refuse (a text too long) is refused here, with Salesforce's own code, so that one
record never takes the others down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from connectors.crm import Write, Written
from connectors.salesforce.errors import field_names
from connectors.salesforce.ids import eighteen, looks_like_id
from connectors.salesforce.schema import Described
from connectors.salesforce.values import NotOfType, is_plain, to_json

#: Records of one collections call (Salesforce reference, section 4).
AT_ONCE = 200


class Route(msgspec.Struct, frozen=True, gc=False):
    """A collections call. ``key`` names the external id of an upsert, "" otherwise.

    With ``unless`` it is a call for one row: Salesforce refuses it where the record changed after that moment.
    """

    method: str
    path: str
    key: str = ""
    unless: datetime | None = None

    @property
    def repeatable(self) -> bool:
        """A create without a key does something else the second time, and a row with a condition fails it."""
        return self.method == "PATCH" and self.unless is None


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A write ready to be sent. ``body`` holds JSON values by field, and ``id`` for an update."""

    write: Write
    route: Route
    body: Mapping[str, Any]

    @property
    def target(self) -> tuple[str, ...]:
        """Equal for two writes that may hit one record."""
        if self.write.record_id is not None:
            return ("id", str(self.body["id"]))
        if self.write.key is not None:
            # Unique texts are compared without case unless the field says otherwise.
            return ("key", self.write.key[0], self.write.key[1].casefold())
        return ("new", self.write.trace)


class Refusal(Exception):
    """A write that is not sent. The text names fields and lengths, never a value."""

    def __init__(self, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


class Preparing:
    """Makes writes to one object ready to be sent, as it is described. Of one call: it keeps what it converted."""

    def __init__(self, described: Described) -> None:
        self._described = described
        self._length = {name: info.length for name, info in described.schema.fields.items() if name != "Id"}
        self._plain = frozenset(name for name, kind in described.types.items() if is_plain(kind))
        self._converted: dict[tuple[str, str | None], Any] = {}
        self._updates = Route("PATCH", "composite/sobjects")

    def ready(self, write: Write) -> Outgoing | Written:
        """A write as it is to be sent, or refused with Salesforce's code for what is wrong with it."""
        try:
            return self._outgoing(write)
        except Refusal as refusal:
            return Written(
                write.trace,
                "refused",
                write.record_id,
                code=refusal.code,
                message=str(refusal),
                fields=refusal.fields,
            )

    def _outgoing(self, write: Write) -> Outgoing:
        body = {name: self._json_value(name, text) for name, text in write.values.items()}
        if write.record_id is not None:
            if not looks_like_id(write.record_id):
                raise Refusal("MALFORMED_ID", "the record id has not the form of an id", ("Id",))
            record, unless = eighteen(write.record_id), write.unless_changed_since
            route = self._updates if unless is None else self._under_condition(record, unless)
            return Outgoing(write, route, {"id": record, **body})
        if write.key is None:
            return Outgoing(write, Route("POST", "composite/sobjects"), body)
        field, value = write.key
        described = self._described
        if described.has(field) and field not in described.keys:
            # The call would not be found, for every record in it.
            raise Refusal("INVALID_FIELD", f"{field} is no external id", (field,))
        if not value:
            raise Refusal("REQUIRED_FIELD_MISSING", "the key is empty", field_names((field,)))
        path = f"composite/sobjects/{described.schema.object}/{field}"
        body[field] = self._json_value(field, value)
        return Outgoing(write, Route("PATCH", path, field), body)

    def _under_condition(self, record_id: str, unless: datetime) -> Route:
        return Route("PATCH", f"sobjects/{self._described.schema.object}/{record_id}", unless=unless)

    def _json_value(self, name: str, text: str | None) -> Any:
        if name not in self._length:
            raise self._unknown(name)
        length = self._length[name]
        # Salesforce may count an emoji as two; what it finds too long beyond this, it refuses itself.
        if length is not None and text is not None and len(text) > length:
            message = f"{name}: {len(text)} characters, the field takes {length}"
            raise Refusal("STRING_TOO_LONG", message, (name,))
        if name in self._plain:
            return text or None
        # Scores, stages and days are a few values, of many records each.
        try:
            return self._converted[name, text]
        except KeyError:
            value = self._converted[name, text] = self._converted_now(name, text)
            return value

    def _converted_now(self, name: str, text: str | None) -> Any:
        try:
            return to_json(self._described.types[name], text)
        except NotOfType as wrong:
            raise Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{name}: not {wrong}", (name,)) from None

    def _unknown(self, name: str) -> Refusal:
        if name in self._described.schema.fields:
            return Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", "a record's id cannot be written", (name,))
        named = field_names((name,))
        return Refusal("INVALID_FIELD", f"no such field, or not visible: {', '.join(named)}", named)


def without_condition(item: Outgoing) -> Outgoing:
    """The same update as one of a collections call."""
    return replace(item, route=Route("PATCH", "composite/sobjects"))


def as_update(item: Outgoing, record_id: str) -> Outgoing:
    """An upsert as the update of the record (18 characters) that holds its key."""
    values = {name: value for name, value in item.body.items() if name != item.route.key}
    route = Route("PATCH", "composite/sobjects")
    return Outgoing(replace(item.write, record_id=record_id), route, {"id": record_id, **values})


def rounds(
    outgoing: Iterable[Outgoing], most_in_calls: int | None = None
) -> Iterator[list[tuple[list[Outgoing], bool]]]:
    """The batches to send, each of one route, and whether it is for a bulk job: more than ``most_in_calls`` records.

    The others are calls of at most 200. Those of one round can be sent at the same time: two writes that may hit one
    record are in different rounds, in their order.
    """
    for wave in _waves(outgoing):
        routes: dict[Route, list[Outgoing]] = {}
        for item in wave:
            routes.setdefault(item.route, []).append(item)
        sent: list[tuple[list[Outgoing], bool]] = []
        for items in routes.values():
            if most_in_calls is not None and len(items) > most_in_calls:
                sent.append((items, True))
            else:
                sent.extend((some, False) for some in in_calls(items))
        yield sent


def in_calls(items: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Records of one route in lots of one collections call."""
    for start in range(0, len(items), AT_ONCE):
        yield list(items[start : start + AT_ONCE])


def _waves(outgoing: Iterable[Outgoing]) -> list[list[Outgoing]]:
    waves: list[list[Outgoing]] = []
    turns: dict[tuple[str, ...], int] = {}
    for item in outgoing:
        turn = turns.get(item.target, 0)
        turns[item.target] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(item)
    return waves


def row_body(item: Outgoing) -> bytes:
    """The body of a call for one row, whose id stands in the address."""
    return orjson.dumps({name: value for name, value in item.body.items() if name != "id"})


def request_body(object_name: str, items: Sequence[Outgoing]) -> bytes:
    """The body of a collections call; each record stands for itself (Salesforce reference, section 4)."""
    records = [{"attributes": {"type": object_name}, **item.body} for item in items]
    return orjson.dumps({"allOrNone": False, "records": records})


def sent_values(write: Write) -> list[str | None]:
    """What a CRM's words about a write may quote."""
    return [*write.values.values(), write.key[1] if write.key is not None else None]
