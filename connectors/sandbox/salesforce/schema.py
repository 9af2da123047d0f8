"""Which objects and fields the pretend org has, and which of them the integration user may see.

The standard ones are declared in ``objects/*.toml``, one file an object, one line a field; what a line leaves
out follows from the type. Custom fields come from deployments and are added to them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("objects")
NUMBERS = frozenset({"int", "double", "currency", "percent"})
UNGROUPABLE = frozenset({"double", "currency", "percent", "datetime", "address", "multipicklist"})
SYSTEM: dict[str, dict[str, Any]] = {
    "Id": {"type": "id", "lookup": True},
    "IsDeleted": {"type": "boolean", "label": "Deleted"},
    "CreatedDate": {"type": "datetime", "label": "Created Date"},
    "CreatedById": {
        "type": "reference",
        "label": "Created By ID",
        "refers_to": ["User"],
        "relationship": "CreatedBy",
    },
    "LastModifiedDate": {"type": "datetime", "label": "Last Modified Date"},
    "LastModifiedById": {
        "type": "reference",
        "label": "Last Modified By ID",
        "refers_to": ["User"],
        "relationship": "LastModifiedBy",
    },
    "SystemModstamp": {"type": "datetime", "label": "System Modstamp"},
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field as describe shows it; ``create`` and ``update`` say who may write it through the API."""

    name: str
    type: str
    label: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    create: bool = True
    update: bool = True
    nillable: bool = True
    filter: bool = True
    sort: bool = True
    group: bool = True
    defaulted: bool = False
    default: Any = None
    values: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  #: of the values whose label differs
    restricted: bool = False
    unique: bool = False
    external_id: bool = False
    case_sensitive: bool = False
    lookup: bool = False
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    child: str | None = None  #: the name of the list of these records that its parent has
    cascade: bool = False  #: whether the record goes when its parent is deleted
    part_of: str | None = None
    name_field: bool = False
    extra: str | None = None
    custom: bool = False
    formula: str | None = None  #: what it is worked out from; nobody writes such a field
    read: bool = True

    @property
    def required(self) -> bool:
        """Whether a create without it is refused."""
        return self.create and not self.nillable and not self.defaulted

    @property
    def stored(self) -> bool:
        """Whether it has a column of its own; an address is put together from its parts."""
        return self.type != "address"


@dataclass(frozen=True)
class SObject:
    """One object with its fields in describe order.

    What a write asks of all fields at once is worked out when it is first asked for: most schemas are never
    written through.
    """

    name: str
    prefix: str
    label: str
    plural: str
    fields: Mapping[str, Field]
    deletable: bool = True
    writable: bool = True
    updatable: bool = True
    bin: bool = True
    by_lower: Mapping[str, Field] = field(default_factory=dict)

    @property
    def stamp(self) -> str:
        """The field that says when a record last changed; what is never changed has the time of its creation."""
        return "SystemModstamp" if "SystemModstamp" in self.fields else "CreatedDate"

    @property
    def ordinary(self) -> bool:
        """Whether people keep records of it: they are searched, shown, deleted and brought back."""
        return self.bin and self.deletable

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The fields that no record may be without."""
        return tuple(
            each.name for each in self.fields.values() if (each.create or each.update) and not each.nillable
        )

    @cached_property
    def creatable(self) -> frozenset[str]:
        """The names under which the API may give a new record a value."""
        return frozenset(each.name for each in self.fields.values() if each.create and _is_written(each))

    @cached_property
    def changeable(self) -> frozenset[str]:
        """The names under which the API may change a value of a record."""
        return frozenset(each.name for each in self.fields.values() if each.update and _is_written(each))

    @cached_property
    def references(self) -> frozenset[str]:
        """The names of the fields that name another record."""
        return frozenset(each.name for each in self.fields.values() if each.type == "reference")

    @cached_property
    def uniques(self) -> tuple[Field, ...]:
        """The fields whose value no two records may have."""
        return tuple(each for each in self.fields.values() if each.unique)

    @cached_property
    def blank(self) -> Mapping[str, Any]:
        """The columns of a new record of which nothing is known, its id among them."""
        return {
            each.name: int(bool(each.default)) if each.type == "boolean" else each.default
            for each in self.fields.values()
            if each.stored
        }

    @cached_property
    def readers(self) -> dict[str, Callable[[Any], Any]]:
        """How a value of each field is read from a request, as far as it was asked for (see ``values``)."""
        return {}

    def find(self, name: str) -> Field | None:
        """A field by its name in any letter case; None when there is none or it may not be read."""
        found = self.by_lower.get(name.lower())
        return found if found is not None and found.read else None

    def readable(self) -> list[Field]:
        """The fields that the integration user may see, in order."""
        return [each for each in self.fields.values() if each.read]

    def with_fields(self, wanted: Mapping[str, Field]) -> SObject:
        """The same object with other fields."""
        return replace(self, fields=wanted, by_lower={name.lower(): each for name, each in wanted.items()})


def _is_written(each: Field) -> bool:
    return each.stored and each.read and each.name != "Id"


class Schema:
    """Every object of the org, found by name in any letter case or by id prefix."""

    def __init__(self, objects: Iterable[SObject]) -> None:
        self.currencies: Mapping[
            str, float
        ] = {}  #: units for one of the corporate currency; empty for one only
        self.objects = {each.name: each for each in objects}
        self._by_lower = {name.lower(): each for name, each in self.objects.items()}
        self._by_prefix = {each.prefix: each for each in self.objects.values()}
        self._hanging: dict[str, list[tuple[SObject, Field]]] = {}

    def find(self, name: str) -> SObject | None:
        """The object of this name."""
        return self._by_lower.get(name.lower())

    def of_id(self, record_id: str) -> SObject | None:
        """The object that an id belongs to."""
        return self._by_prefix.get(record_id[:3])

    def child(self, parent: str, name: str) -> tuple[SObject, Field] | None:
        """The object and the field behind a list of children, by the list's name in any letter case."""
        for sobject in self.objects.values():
            for each in sobject.readable():
                if each.child is not None and parent in each.refers_to and each.child.lower() == name.lower():
                    return sobject, each
        return None

    def hanging_on(self, parent: str) -> list[tuple[SObject, Field]]:
        """The objects whose records go with a record of ``parent``, and the field that names it."""
        if parent not in self._hanging:
            self._hanging[parent] = [
                (sobject, each)
                for sobject in self.objects.values()
                for each in sobject.fields.values()
                if each.cascade and parent in each.refers_to
            ]
        return self._hanging[parent]

    def refined(
        self,
        custom: Mapping[str, Iterable[Field]],
        hidden: Mapping[str, Iterable[str]],
        restricted: Mapping[str, Iterable[str]],
    ) -> Schema:
        """The schema with custom fields added, hidden fields unreadable and named picklists restricted."""
        refined = []
        for each in self.objects.values():
            if not any(each.name in names for names in (custom, hidden, restricted)):
                refined.append(each)
                continue
            wanted = {**each.fields, **{one.name: one for one in custom.get(each.name, ())}}
            # A field that a switch named may have gone since.
            for name in wanted.keys() & set(hidden.get(each.name, ())):
                wanted[name] = replace(wanted[name], read=False, create=False, update=False)
            for name in wanted.keys() & set(restricted.get(each.name, ())):
                wanted[name] = replace(wanted[name], restricted=True)
            refined.append(each.with_fields(wanted))
        return Schema(refined)

    def with_statuses(self, statuses: Iterable[str], default: str | None) -> Schema:
        """The schema with the values of ``Lead.Status``, which are rows of the org."""
        lead = self.objects["Lead"]
        status = replace(lead.fields["Status"], values=tuple(statuses), default=default)
        return self._with(lead.with_fields({**lead.fields, "Status": status}))

    def without(self, names: Iterable[str]) -> Schema:
        """The schema with some objects not there."""
        gone = set(names)
        return Schema(each for each in self.objects.values() if each.name not in gone)

    def locked(self, names: Mapping[str, Iterable[str]]) -> Schema:
        """The schema with some fields readable but not writable."""
        schema = self
        for object_name, wanted in names.items():
            sobject = schema.objects[object_name]
            known = [name for name in wanted if name in sobject.fields]
            fixed = {name: replace(sobject.fields[name], create=False, update=False) for name in known}
            schema = schema._with(sobject.with_fields({**sobject.fields, **fixed}))
        return schema

    def worked_out(self, names: Mapping[str, Iterable[str]]) -> Schema:
        """The schema with some fields that are formulas."""
        schema = self.locked(names)
        for object_name, wanted in names.items():
            sobject = schema.objects[object_name]
            formulas = {name: replace(sobject.fields[name], formula="NULL") for name in wanted}
            schema = schema._with(sobject.with_fields({**sobject.fields, **formulas}))
        return schema

    def _with(self, sobject: SObject) -> Schema:
        return Schema({**self.objects, sobject.name: sobject}.values())


def make_field(name: str, facts: Mapping[str, Any], **more: Any) -> Field:
    """A field from its line, with what follows from its type filled in."""
    known = {each.name for each in fields(Field)}
    wanted = {"label": name, **facts, **more}
    if "name" in facts:
        wanted["name_field"] = facts["name"]
    for key in ("values", "refers_to"):
        wanted[key] = tuple(wanted.get(key, ()))
    if wanted["type"] == "boolean":
        wanted.update(nillable=False, defaulted=True, default=wanted.get("default") or False)
    wanted.setdefault("group", wanted["type"] not in UNGROUPABLE)
    wanted.setdefault("length", 18 if wanted["type"] in ("id", "reference") else 0)
    return Field(**{key: value for key, value in wanted.items() if key in known and key != "name"}, name=name)


def _system_fields(label: str, names: Iterable[str]) -> dict[str, Field]:
    made = {}
    for name, facts in SYSTEM.items():
        if name in names:
            more: dict[str, Any] = {"create": False, "update": False, "nillable": False, "defaulted": True}
            if name == "Id":
                more["label"] = f"{label} ID"
            made[name] = make_field(name, facts, **more)
    return made


def _read(path: Path) -> SObject:
    facts = tomllib.loads(path.read_text("utf-8"))
    own = {name: make_field(name, line) for name, line in facts.pop("fields").items()}
    usual = [name for name in SYSTEM if name != "IsDeleted" or facts.get("bin", True)]
    system = _system_fields(facts["label"], facts.pop("system", usual))
    first: dict[str, Field] = {}
    for name in ("Id", "IsDeleted"):
        if name in system:
            first[name] = system.pop(name)
    blank = SObject(name=path.stem, fields={}, **facts)
    if not blank.writable:
        own = {name: replace(each, create=False, update=False) for name, each in own.items()}
    return blank.with_fields({**first, **own, **system})


@cache
def standard_schema() -> Schema:
    """The org before anybody deployed anything."""
    return Schema(_read(path) for path in sorted(FOLDER.glob("*.toml")))
