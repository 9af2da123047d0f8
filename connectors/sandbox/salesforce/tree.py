"""``POST /composite/tree/X``: up to 200 records with their children, all created or none.

Each record has a ``referenceId``; children stand under the relationship's name as ``{"records": [...]}``. Five
levels, five types (the documented limits of the resource, recalled).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.refusals import Refusal, RowRefused
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.side import Answer

MOST = 200
MOST_TYPES = 5
DEEPEST = 5
Item = dict[str, Any]
Node = tuple[
    SObject, Item, str | None, str | None
]  #: object, record, its parent's reference, field to the parent


def create(call: Call, name: str) -> Answer:
    """Answer with the id of each record; 400 with every error and nothing created where one is refused."""
    records = call.json_object().get("records")
    nodes = list(_nodes(call, call.sobject(name), records, None, None, 1))
    if len(nodes) > MOST:
        raise Refusal(400, "LIMIT_EXCEEDED", f"A tree cannot have more than {MOST} records")
    if len({sobject.name for sobject, *_ in nodes}) > MOST_TYPES:
        raise Refusal(400, "LIMIT_EXCEEDED", f"A tree cannot have more than {MOST_TYPES} types of records")
    references = [_reference(record) for _, record, *_ in nodes]
    if len(set(references)) != len(references):
        raise Refusal(400, "INVALID_INPUT", "Duplicate ReferenceId provided in the request.")
    who, db = call.writer(), call.org.store.db
    db.execute("SAVEPOINT tree")
    made, errors = _create_all(call, nodes, who)
    if errors:
        db.execute("ROLLBACK TO tree")
        call.org.undone()
    db.execute("RELEASE tree")
    if errors:
        return answer_json({"hasErrors": True, "results": errors}, 400)
    results = [{"referenceId": reference, "id": record_id} for reference, record_id in made.items()]
    return answer_json({"hasErrors": False, "results": results}, 201)


def _create_all(call: Call, nodes: list[Node], who: Writer) -> tuple[dict[str, str], list[Item]]:
    made: dict[str, str] = {}
    errors: list[Item] = []
    for sobject, record, parent, field in nodes:
        reference = _reference(record)
        values = {key: value for key, value in record.items() if key != "attributes" and not _is_list(value)}
        if parent is not None and parent not in made:
            continue  # what hangs on a refused record is not judged
        if parent is not None and field is not None:
            values[field] = made[parent]
        try:
            made[reference] = call.records.create(sobject.name, values, who)
        except RowRefused as refused:
            errors.append({"referenceId": reference, "errors": [refused.as_save_error()]})
    return made, errors


def _nodes(
    call: Call, sobject: SObject, records: Any, parent: str | None, field: str | None, level: int
) -> Iterator[Node]:
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise Refusal(400, "JSON_PARSER_ERROR", "records: a list of records is required")
    if level > DEEPEST:
        raise Refusal(400, "LIMIT_EXCEEDED", f"A tree cannot have more than {DEEPEST} levels")
    for record in records:
        yield sobject, record, parent, field
        for name, value in record.items():
            if not _is_list(value):
                continue
            child = call.org.seen.child(sobject.name, name)
            if child is None:
                raise Refusal(
                    400, "INVALID_FIELD", f"No such relationship '{name}' on entity '{sobject.name}'"
                )
            yield from _nodes(call, child[0], value["records"], _reference(record), child[1].name, level + 1)


def _is_list(value: Any) -> bool:
    return isinstance(value, dict) and "records" in value


def _reference(record: Item) -> str:
    given = record.get("attributes")
    reference = given.get("referenceId") if isinstance(given, dict) else None
    if not isinstance(reference, str) or not reference:
        raise Refusal(400, "INVALID_INPUT", "Include a reference ID for each record in the request.")
    return reference
