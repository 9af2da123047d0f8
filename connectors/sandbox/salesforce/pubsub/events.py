"""From noted changes to events as they travel: header, values, Avro.

The same change of several records in one transaction comes as one event with all their ids, and a reader
sees only the fields it may read (Salesforce reference, section 8).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from fastavro import parse_schema, schemaless_writer

from connectors.sandbox.salesforce import moments
from connectors.sandbox.salesforce.pubsub.shapes import HEADER, Member, Shape, bitmaps, inner_name, shape_of
from connectors.sandbox.salesforce.schema import Schema

REPLAY_BYTES = 8


@dataclass(frozen=True, slots=True)
class Noted:
    """One row of the change log."""

    number: int
    transaction_key: str
    sequence: int
    object: str
    record: str
    type: str
    origin: str
    user: str
    at: int
    body: str

    @property
    def merges_with(self) -> tuple[str, ...]:
        """Rows of which these are alike are one event."""
        return (self.transaction_key, self.object, self.type, self.origin, self.user, self.body)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is delivered. ``number`` is its place in the stream."""

    number: int
    id: str
    schema_id: str
    payload: bytes


def replay_id(number: int) -> bytes:
    """A place in the stream as clients keep it."""
    return number.to_bytes(REPLAY_BYTES, "big")


def place_of(replay: bytes) -> int | None:
    """The place that a replay id names, or None where it cannot be one of ours."""
    return int.from_bytes(replay, "big") if len(replay) == REPLAY_BYTES else None


def runs(rows: Iterable[Noted], merge: bool) -> Iterator[list[Noted]]:
    """The rows that become one event, in order; each row alone where ``merge`` is False."""
    run: list[Noted] = []
    for row in rows:
        if run and not (merge and row.merges_with == run[0].merges_with):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def event_of(run: Sequence[Noted], schema: Schema) -> Event:
    """One event from the rows of one run, for a reader with this schema."""
    first, number = run[0], run[-1].number
    shape = shape_of(schema.objects[first.object])
    body = {name: value for name, value in json.loads(first.body).items() if name in shape.places}
    record = {**_values(shape, body), HEADER: _header(run, shape, body)}
    out = io.BytesIO()
    schemaless_writer(out, _parsed(shape.schema_json), record)
    return Event(number, str(uuid5(NAMESPACE_OID, f"change {number}")), shape.schema_id, out.getvalue())


@lru_cache(maxsize=64)
def _parsed(schema_json: str) -> Any:
    return parse_schema(json.loads(schema_json))


def _header(run: Sequence[Noted], shape: Shape, body: Mapping[str, Any]) -> dict[str, Any]:
    first = run[0]
    update = first.type == "UPDATE"
    return {
        "entityName": first.object,
        "recordIds": [row.record for row in run],
        "changeType": first.type,
        "changeOrigin": first.origin,
        "transactionKey": first.transaction_key,
        "sequenceNumber": first.sequence,
        "commitTimestamp": first.at // 1000 * 1000,  # the fraction is cut off, as recorded events show
        "commitNumber": run[-1].number * 1000,
        "commitUser": first.user,
        "nulledFields": bitmaps(shape.places, [n for n, v in body.items() if update and v is None]),
        "diffFields": bitmaps(shape.places, [n for n, v in body.items() if isinstance(v, dict)]),
        "changedFields": bitmaps(shape.places, body if update else ()),
    }


def _values(shape: Shape, body: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an event: null for every field that is not in it."""
    record: dict[str, Any] = {}
    for name, value in body.items():
        field = shape.members[name]
        if value is None:
            continue
        if field.part_of is None:
            record[name] = _avro(field, value)
        else:
            record.setdefault(field.part_of, {})[inner_name(field.part_of, name)] = _avro(field, value)
    return record


def _avro(field: Member, value: Any) -> Any:
    if field.type == "boolean":
        return bool(value)
    if isinstance(value, dict):
        return value["diff"]
    if field.type == "datetime":
        return int(moments.moment_of(value).timestamp() * 1000)
    if field.type == "date":
        return int(datetime.combine(date.fromisoformat(value), time(), UTC).timestamp() * 1000)
    return value
