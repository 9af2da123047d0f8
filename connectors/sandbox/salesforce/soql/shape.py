"""From the rows of a statement to the records of an answer, parents nested as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from connectors.sandbox.salesforce.schema import Field, Schema, SObject
from connectors.sandbox.salesforce.soql.formatted import formatter
from connectors.sandbox.salesforce.soql.statement import Child, Choice, Output, Statement
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.salesforce.values import address_parts, writer

Row = Sequence[Any]
Fetch = Callable[[str, Sequence[Any]], Iterable[Row]]
Setter = Callable[[dict[str, Any], Row], None]


def attributes(version: str, entity: str, record_id: str, object_name: str | None = None) -> dict[str, str]:
    """The ``attributes`` of a record; a polymorphic parent has type ``Name`` and the address of its object."""
    return {"type": entity, "url": f"/services/data/{version}/sobjects/{object_name or entity}/{record_id}"}


def address(field: Field, values: Sequence[Any]) -> dict[str, Any] | None:
    """An address put together from its parts; None when every part is empty."""
    parts = dict(zip(address_parts(field), values, strict=True))
    return None if all(each is None for each in values) else parts


def shaper(
    statement: Statement, schema: Schema, version: str, fetch: Fetch
) -> Callable[[Row], dict[str, Any]]:
    """A function from one row of the statement to one record of the answer; ``fetch`` runs SQL for children."""
    if statement.kind == "aggregate":
        setters = _leaves([(each.path[0], each) for each in statement.outputs])

        def grouped(row: Row) -> dict[str, Any]:
            return _filled({"attributes": {"type": "AggregateResult"}}, setters, row)

        return grouped
    setters = _level(statement, schema, version, ())
    setters += [_chosen(each, schema, version) for each in statement.choices]
    setters += [_children(each, schema, version, fetch) for each in statement.children]
    entity = statement.entity

    def plain(row: Row) -> dict[str, Any]:
        return _filled({"attributes": attributes(version, entity, row[0])}, setters, row)

    return plain


def fields_shaper(
    sobject: SObject, wanted: Iterable[Field], version: str
) -> tuple[str, Callable[[Row], dict[str, Any]]]:
    """The SQL columns behind fields of an object, the id first, and a function from a row of them to its record."""
    columns, outputs = ["Id"], list[tuple[str, Output]]()
    for field in {each.name: each for each in wanted}.values():
        outputs.append((field.name, Output((field.name,), field, len(columns))))
        parts = [field.name] if field.stored else address_parts(field).values()
        # Not every address has all of the parts that an address may have.
        columns += [quoted(each) if each in sobject.fields else "NULL" for each in parts]
    setters = _leaves(outputs)
    return ", ".join(columns), lambda row: _filled(
        {"attributes": attributes(version, sobject.name, row[0])}, setters, row
    )


def _filled(record: dict[str, Any], setters: Iterable[Setter], row: Row) -> dict[str, Any]:
    for each in setters:
        each(record, row)
    return record


def _level(statement: Statement, schema: Schema, version: str, above: tuple[str, ...]) -> list[Setter]:
    setters: list[Setter] = []
    done: set[str] = set()
    leaves: list[tuple[str, Output]] = []
    depth = len(above)
    for output in statement.outputs:
        if output.path[:depth] != above:
            continue
        name = output.path[depth]
        if len(output.path) == depth + 1:
            leaves.append((name, output))
        elif name not in done:
            done.add(name)
            setters += [*_leaves(leaves), _nested(statement, schema, version, (*above, name))]
            leaves = []
    return setters + _leaves(leaves)


def _leaves(wanted: Iterable[tuple[str, Output]]) -> list[Setter]:
    """Values of a record in their order; what stands in columns side by side is put there at once."""
    setters: list[Setter] = []
    for stored, group in groupby(wanted, key=lambda leaf: leaf[1].field.stored):
        if stored:
            setters.append(_columns(list(group)))
        else:
            setters += [_leaf(name, output) for name, output in group]
    return setters


def _columns(wanted: Sequence[tuple[str, Output]]) -> Setter:
    names, places = [name for name, _ in wanted], [output.at for _, output in wanted]
    written = [(name, output.at, write) for name, output in wanted if (write := _writer(output))]
    flags = [(name, at) for name, at, write in written if write is bool]
    # Nothing is shown as nothing, and most of a record is nothing.
    others = [each for each in written if each[2] is not bool]
    first, last = places[0], places[-1]
    side_by_side = places == list(range(first, last + 1))

    def put(record: dict[str, Any], row: Row) -> None:
        values = row[first : last + 1] if side_by_side else [row[at] for at in places]
        record.update(zip(names, values, strict=True))
        for name, at in flags:
            record[name] = bool(row[at])
        for name, at, write in others:
            value = row[at]
            if value is not None:
                record[name] = write(value)

    return put


def _writer(output: Output) -> Callable[[Any], Any] | None:
    return formatter(output.field) if output.formatted else writer(output.field)


def _leaf(name: str, output: Output) -> Setter:
    at, field = output.at, output.field
    if not field.stored:
        width = len(address_parts(field))
        return lambda record, row: record.__setitem__(name, address(field, row[at : at + width]))
    write = _writer(output)
    if write is None:
        return lambda record, row: record.__setitem__(name, row[at])
    return lambda record, row: record.__setitem__(name, write(row[at]))


def _nested(statement: Statement, schema: Schema, version: str, path: tuple[str, ...]) -> Setter:
    at, entity = statement.parent_ids[path]
    setters = _level(statement, schema, version, path)

    def put(record: dict[str, Any], row: Row) -> None:
        parent_id = row[at]
        if parent_id is None:
            record[path[-1]] = None
            return
        sobject = schema.of_id(parent_id)
        own = sobject.name if sobject else "Name"
        start = {"attributes": attributes(version, entity or own, parent_id, own)}
        record[path[-1]] = _filled(start, setters, row)

    return put


def _chosen(choice: Choice, schema: Schema, version: str) -> Setter:
    """A parent shown by the fields of its own object, and as a record of it."""
    branches = {
        name: _leaves([(each.path[0], each) for each in outputs]) for name, outputs in choice.branches.items()
    }
    otherwise = _leaves([(each.path[0], each) for each in choice.otherwise])

    def put(record: dict[str, Any], row: Row) -> None:
        parent_id = row[choice.at]
        if parent_id is None:
            record[choice.name] = None
            return
        sobject = schema.of_id(parent_id)
        own = sobject.name if sobject else "Name"
        start = {"attributes": attributes(version, own, parent_id)}
        record[choice.name] = _filled(start, branches.get(own, otherwise), row)

    return put


def _children(child: Child, schema: Schema, version: str, fetch: Fetch) -> Setter:
    """The children of each record as a result of their own; null where there is none."""
    shape = shaper(child.statement, schema, version, fetch)
    sql, values = child.of_parent(), child.statement.values

    def put(record: dict[str, Any], row: Row) -> None:
        found = [shape(each) for each in fetch(sql, (*values, row[0]))]
        whole = {"totalSize": len(found), "done": True, "records": found}
        record[child.name] = whole if found else None

    return put
