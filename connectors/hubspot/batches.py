"""Writes grouped into the batches that HubSpot takes. Pure.

A batch holds at most 100 inputs of one kind. The same record twice in one call would be refused as a whole
(HubSpot reference, section 5.2), so the second change of a record goes into a later call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from connectors.crm import Write, Written

#: Inputs in a batch at most (HubSpot reference, section 5.2).
BATCH = 100

Kind = Literal["update", "upsert", "create"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some writes for one call. Within it no record id and no key comes twice."""

    kind: Kind
    writes: tuple[Write, ...]

    def only(self, writes: Iterable[Write]) -> Batch:
        return Batch(self.kind, tuple(writes))

    def halves(self) -> list[Batch]:
        middle = (len(self.writes) + 1) // 2
        return [self.only(self.writes[:middle]), self.only(self.writes[middle:])]

    def body(self) -> bytes:
        """The request body. Every input carries its trace: without them one bad row fails the whole batch."""
        return orjson.dumps({"inputs": [self._input(w) for w in self.writes]})

    def _input(self, write: Write) -> dict[str, Any]:
        # The empty string clears a property (HubSpot reference, section 5.1).
        values = {name: value if value is not None else "" for name, value in write.values.items()}
        found: dict[str, Any] = {"objectWriteTraceId": write.trace, "properties": values}
        if self.kind == "update":
            found["id"] = write.record_id
        elif self.kind == "upsert" and write.key is not None:
            found["idProperty"], found["id"] = write.key
            # A new record must hold its key, and the answer must show it.
            values.setdefault(*write.key)
        return found


def kind_of(write: Write) -> Kind:
    """How a write is sent: to a known record, by a key, or as a new record."""
    if write.record_id is not None:
        return "update"
    return "upsert" if write.key is not None else "create"


def folded_key(write: Write) -> tuple[str, str] | None:
    """The key of a write as HubSpot compares it: e-mail addresses come back in lower case (section 5.2)."""
    return None if write.key is None else (write.key[0], write.key[1].strip().casefold())


def twice(writes: Sequence[Write]) -> dict[str, Written]:
    """The refusal of every write whose key an earlier one has: which of them should win is not ours to say."""
    seen = set()
    refused = {}
    for write in writes:
        if kind_of(write) != "upsert":
            continue
        key = folded_key(write)
        if key in seen:
            text = "Another write of the same call has the same key"
            fields = (write.key[0],) if write.key is not None else ()
            refused[write.trace] = Written(
                write.trace, "refused", code="DUPLICATE_KEY", message=text, fields=fields
            )
        seen.add(key)
    return refused


def rounds(writes: Sequence[Write]) -> list[list[Batch]]:
    """Every write in one batch. Batches of one round share no record and can be sent in any order or at the same time.

    Changes of one record keep their order: a round is over before the next one begins. Keys are unique among
    ``writes`` (see ``twice``).
    """
    found: dict[tuple[int, Kind], list[Write]] = defaultdict(list)
    times: dict[str, int] = defaultdict(int)
    for write in writes:
        turn = 0
        if write.record_id is not None:
            turn = times[write.record_id]
            times[write.record_id] += 1
        found[turn, kind_of(write)].append(write)
    return [
        [Batch(kind, tuple(some[n : n + BATCH])) for n in range(0, len(some), BATCH)]
        for (_, kind), some in sorted(found.items(), key=lambda item: item[0][0])
    ]
