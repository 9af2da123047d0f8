"""Upserts by a property whose values HubSpot does not keep unique.

Whether contacts may have unique properties is disputed, and an object has at most ten (HubSpot reference, section
6.1). Without one there is no upsert: so the record is looked up first, by the key and by its e-mail address, and
then updated or created. The search by the key lags behind by moments, the lookup by address does not (sections 4.3
and 4.4): a create whose answer was lost is found again by its address. Without an address two creates within those
moments can make two records; setup therefore makes the property unique wherever it can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from connectors.crm import RECORD_ID, ObjectSchema, Slab, Write, Written
from connectors.hubspot.batches import folded_key, kind_of
from connectors.hubspot.schema import CONTACTS, EMAIL

#: The records of an object that hold one of some values: (object, fields, property, values).
Find = Callable[[str, Sequence[str], str, Sequence[str]], Iterator[Slab]]

#: HubSpot's own category for a value that another record has (HubSpot reference, section 5.1).
CONFLICT = "CONFLICT"


def without_unique_key(schema: ObjectSchema, write: Write) -> bool:
    """Whether a write is an upsert that HubSpot would refuse: its key is a property, but not a unique one."""
    if kind_of(write) != "upsert" or write.key is None:
        return False
    info = schema.fields.get(write.key[0])
    return info is not None and not info.unique


def placed(
    find: Find, schema: ObjectSchema, writes: Sequence[Write]
) -> tuple[dict[str, Write], dict[str, Written]]:
    """Each of these upserts as an update or a create, by trace; and those that cannot be either, refused.

    Keys are unique among ``writes``. A key that several records hold, and an address that a record with another
    key or none has, is refused: which of them is meant is not ours to say.
    """
    sent: dict[str, Write] = {}
    refused: dict[str, Written] = {}
    for name in dict.fromkeys(w.key[0] for w in writes if w.key is not None):
        some = [w for w in writes if w.key is not None and w.key[0] == name]
        holders = _holders(find, schema, name, name, [w.key[1] for w in some if w.key is not None])
        waiting = []
        for write in some:
            ids = holders.get(_folded(write), {})
            if len(ids) == 1:
                sent[write.trace] = replace(write, record_id=next(iter(ids)), key=None)
            elif ids:
                text = "Several records have this key"
                refused[write.trace] = Written(
                    write.trace, "refused", code="DUPLICATE_KEY", message=text, fields=(name,)
                )
            else:
                waiting.append(write)
        _by_address(find, schema, name, waiting, sent, refused)
    return sent, refused


def _by_address(
    find: Find,
    schema: ObjectSchema,
    name: str,
    writes: Sequence[Write],
    sent: dict[str, Write],
    refused: dict[str, Written],
) -> None:
    addresses = [str(w.values[EMAIL]) for w in writes if schema.object == CONTACTS and w.values.get(EMAIL)]
    holders = _holders(find, schema, EMAIL, name, addresses) if addresses else {}
    for write in writes:
        found = holders.get((write.values.get(EMAIL) or "").strip().casefold(), {})
        if not found:
            key = dict([write.key]) if write.key is not None else {}
            sent[write.trace] = replace(write, values={**key, **write.values}, key=None)
            continue
        [(record_id, held)] = list(found.items())[:1]
        if (held or "").strip().casefold() == _folded(write):
            sent[write.trace] = replace(write, record_id=record_id, key=None)
        else:
            text = "Contact already exists, and it is not known by this key"
            refused[write.trace] = Written(
                write.trace, "refused", code=CONFLICT, message=text, fields=(EMAIL,)
            )


def _folded(write: Write) -> str:
    key = folded_key(write)
    return key[1] if key is not None else ""


def _holders(
    find: Find, schema: ObjectSchema, where: str, name: str, values: Sequence[str]
) -> Mapping[str, dict[str, str | None]]:
    """By folded value of ``where``: the records that hold it, each with its value of ``name``."""
    found: dict[str, dict[str, str | None]] = defaultdict(dict)
    for slab in find(schema.object, [where, name], where, values):
        frame = slab.frame
        keys = frame[name].to_list() if name in frame.columns else [None] * len(frame)
        for record_id, value, key in zip(frame[RECORD_ID], frame[where], keys, strict=True):
            if value is not None:
                found[value.strip().casefold()][record_id] = key
    return found
