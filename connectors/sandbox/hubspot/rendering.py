"""Records as answers carry them (HubSpot reference, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import msgspec
import orjson

from connectors.sandbox.hubspot import past
from connectors.sandbox.hubspot.account import API, APP_HOST, CALCULATED, PORTAL_ID, Source
from connectors.sandbox.hubspot.kinds import CONTACTS, KINDS, Kind
from connectors.sandbox.hubspot.moments import kept, wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record, of_row
from connectors.sandbox.hubspot.standard_contacts import ZERO


def _shown_beside(kind: Kind) -> dict[str, Callable[[Record], str]]:
    """What a record shows although it does not stand among its values: in a column, or following from the id."""
    found: dict[str, Callable[[Record], str]] = {}
    if kind is CONTACTS:
        found = dict.fromkeys(ZERO, lambda _: "0")
        found["hs_all_contact_vids"] = lambda record: str(record.id)
    found["hs_object_id"] = lambda record: str(record.id)
    found[kind.modified] = lambda record: kept(record.modified)
    found[kind.created] = lambda record: kept(record.created)
    return found


_BESIDE = {kind.key: _shown_beside(kind) for kind in KINDS}


def value_of(record: Record, name: str) -> str | None:
    """The kept text of a property, whether it stands in a column, in the values or follows from the id."""
    value = record.values.get(name)
    if value is not None:
        return value
    beside = _BESIDE[record.kind.key].get(name)
    return None if beside is None else beside(record)


def shown(portal: Portal, record: Record, names: Iterable[str]) -> dict[str, str | None]:
    """The texts of properties as answers carry them, in the order of the names."""
    found: dict[str, str | None] = dict.fromkeys(names)
    instants = portal.definitions.of(record.kind).instants.intersection(found)
    return _texts(record, found, instants, _BESIDE[record.kind.key].keys() & found.keys())


def _texts(
    record: Record, blank: dict[str, str | None], instants: Iterable[str], beside: Iterable[str]
) -> dict[str, str | None]:
    """The same; ``blank`` has each name without a text, ``instants`` are the dates and times among the names,
    ``beside`` those of ``_BESIDE``."""
    # A copy that is filled with what there is: most of what is asked for, most records do not have.
    found = blank.copy()
    for name, value in record.values.items():
        if name in found:
            found[name] = value
    how = _BESIDE[record.kind.key]
    for name in beside:
        if found[name] is None:
            found[name] = how[name](record)
    for name in instants:
        if text := found[name]:
            found[name] = text.replace(".000Z", "Z")
    return found


def frame(record: Record, properties: Mapping[str, str | None] | orjson.Fragment) -> dict[str, Any]:
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


class _Part:
    """What is taken out of a record's text: the texts of some properties, None where there is none, 0 of ``zeros``."""

    def __init__(self, names: Sequence[str], zeros: Collection[str]) -> None:
        #: Under which name each stands in what is decoded: a property may have one that Python has another use for.
        self.places = {name: f"p{number}" for number, name in enumerate(names)}
        fields = [(place, str | None, "0" if name in zeros else None) for name, place in self.places.items()]
        spelled = {place: name for name, place in self.places.items()}
        self.decode = msgspec.json.Decoder(msgspec.defstruct("Part", fields, rename=spelled)).decode


# Kept, for making one takes as long as reading several records with it; most calls ask for the same names.
@lru_cache(maxsize=64)
def _part_of(names: tuple[str, ...], zeros: frozenset[str]) -> _Part:
    return _Part(names, zeros)


class Reading:
    """What one call reads of each record of a kind: properties, some of them with their history.

    A property with history is also among the properties. Without names the default ones are read; unknown
    names are left out.
    """

    def __init__(
        self, portal: Portal, kind: Kind, names: Iterable[str], with_history: Iterable[str] = ()
    ) -> None:
        known, self._past = portal.definitions.of(kind), list(with_history)
        wanted = {*names, *self._past}
        wanted = {*wanted, *kind.stamps} if wanted else set(kind.defaults)
        self._portal = portal
        self._blank: dict[str, str | None] = dict.fromkeys(sorted(wanted & known.keys()))
        self._instants = known.instants.intersection(self._blank)
        self._beside = _BESIDE[kind.key].keys() & self._blank.keys()
        self._with_history = sorted(name for name in set(self._past) if name in known)
        self._kind = kind

    @cached_property
    def _part(self) -> _Part:
        return _part_of(tuple(self._blank), ZERO if self._kind is CONTACTS else frozenset())

    @cached_property
    def _beside_at(self) -> list[tuple[str, str]]:
        return [(name, self._part.places[name]) for name in self._beside if name not in ZERO]

    @cached_property
    def _instants_at(self) -> list[str]:
        return [self._part.places[name] for name in self._instants]

    def body(self, record: Record) -> dict[str, Any]:
        """A record as a read answers it."""
        values = _texts(record, self._blank, self._instants, self._beside)
        if self._portal.switches.empty == "absent":
            values = {name: value for name, value in values.items() if value is not None}
        body = frame(record, values)
        if self._past:
            body["propertiesWithHistory"] = self._history(record)
        return body

    def body_of_row(self, row: Sequence[Any]) -> dict[str, Any]:
        """The same of a row of ``records.COLUMNS``, of whose text only what is asked for is taken out.

        Its ``properties`` are spelled out already, for ``call.answer``.
        """
        if self._past or self._portal.switches.empty == "absent":
            return self.body(of_row(self._kind, row))
        id_, _, created, modified, archived, _, data = row
        record = Record(id_, self._kind, created, modified, archived, {})
        found, how = self._part.decode(data), _BESIDE[self._kind.key]
        for name, place in self._beside_at:
            if getattr(found, place) is None:
                setattr(found, place, how[name](record))
        for place in self._instants_at:
            if text := getattr(found, place):
                setattr(found, place, text.replace(".000Z", "Z"))
        return frame(record, orjson.Fragment(msgspec.json.encode(found)))

    def _history(self, record: Record) -> dict[str, list[dict[str, Any]]]:
        """All values of each property, newest first."""
        kept_ones = past.of_record(self._portal.database, record.id)
        found = {}
        for name in self._with_history:
            rows = kept_ones.get(name, [])
            if not rows and (value := value_of(record, name)):
                at = record.modified if name == record.kind.modified else record.created
                read_only = name in self._portal.definitions.of(record.kind).read_only
                rows = [(at, value, CALCULATED if read_only else first_source(record))]
            found[name] = [history_row(at, value, source) for at, value, source in rows]
        return found


def first_source(record: Record) -> Source:
    """Who gave the properties that HubSpot does not compute the values they have had from the beginning."""
    values = record.values
    return _source_of(
        values.get("hs_object_source", "IMPORT"),
        values.get("hs_object_source_id"),
        values.get("hs_object_source_label"),
        values.get("hs_object_source_user_id"),
    )


@lru_cache(maxsize=256)
def _source_of(type_: str, id_: str | None, label: str | None, user: str | None) -> Source:
    if (type_, id_) == (API.type, API.id):
        return API
    return Source(type_, id_, label, int(user) if user else None)


def history_row(at: int, value: str, source: Source) -> dict[str, Any]:
    """One value of the past."""
    row: dict[str, Any] = {"value": value, "timestamp": wire(at), "sourceType": source.type}
    optional = {"sourceId": source.id, "sourceLabel": source.label, "updatedByUserId": source.user}
    return row | {name: value for name, value in optional.items() if value is not None}


_ECHOED = frozenset(
    {
        "hs_email_domain",
        "hs_is_unworked",
        "hs_object_source",
        "hs_object_source_id",
        "hs_object_source_label",
        "hs_pipeline",
        "lifecyclestage",
    }
)


def created_body(portal: Portal, record: Record) -> dict[str, Any]:
    """A record as its creation answers it: everything it has.

    The dates of its stage come as epoch milliseconds (recorded, HubSpot reference, section 5.2).
    """
    names = {*record.values, *record.kind.stamps}
    if record.kind is CONTACTS:
        names.add("hs_all_contact_vids")
    properties = shown(portal, record, sorted(names))
    for name in names:
        if name.startswith("hs_lifecyclestage_"):
            properties[name] = str(record.created)
    return frame(record, properties)


def updated_body(portal: Portal, record: Record, touched: Iterable[str]) -> dict[str, Any]:
    """A record as a change answers it: what was sent or moved with it, and some of the rest (recorded)."""
    values, beside = record.values, _BESIDE[record.kind.key]
    names = {*touched, *record.kind.stamps, *(_ECHOED & values.keys())}
    properties: dict[str, str | None] = {name: values.get(name, "") for name in sorted(names)}
    for name in beside.keys() & names:
        if name not in values:
            properties[name] = beside[name](record)
    for name in names & portal.definitions.of(record.kind).instants:
        if text := properties[name]:
            properties[name] = text.replace(".000Z", "Z")
    return frame(record, properties)
