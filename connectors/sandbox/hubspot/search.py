"""The search endpoint (HubSpot reference, section 4.4)."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.sandbox.hubspot import records, rendering
from connectors.sandbox.hubspot.call import Call, answer, text_list
from connectors.sandbox.hubspot.definitions import Property
from connectors.sandbox.hubspot.errors import bad_request
from connectors.sandbox.hubspot.filters import column, conditions, free_text
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.visibility import source
from connectors.sandbox.side import Answer

LONGEST_BODY = 3000  # characters
PAGE, MOST_ROWS = 200, 10_000
MANY_HITS = 20_000
#: The orders that need no more of a record than its id, and whether they fall.
_BY_ID = {"id ASC": False, "id DESC": True}


def search(portal: Portal, call: Call) -> Answer:
    """``POST /objects/{type}/search``."""
    kind = call.kind
    if len(call.ask.body.decode("utf-8", "replace")) > LONGEST_BODY:
        raise bad_request(f"The request body is longer than {LONGEST_BODY} characters")
    body = call.json()
    known = portal.definitions.of(kind)
    where, values = conditions(kind, known, body)
    if body.get("query"):
        text, more = free_text(kind, known, str(body["query"]))
        where, values = f"({where}) AND ({text})", [*values, *more]
    limit, after = _whole(body, "limit", 10), _whole(body, "after", 0)
    if not 1 <= limit <= PAGE:
        raise bad_request(f"limit must be from 1 to {PAGE}")
    if after >= MOST_ROWS:
        raise bad_request(f"The offset {after} is not below the maximum of {MOST_ROWS}")
    order = _order(kind, known, body)
    names = text_list(body, "properties")
    table = source(portal, "search")
    # The plus keeps SQLite from the index of the list, which knows nothing of times and addresses.
    condition = f"kind = ? AND +archived IS NULL AND ({where})"
    bound = [kind.key, *values]
    few = portal.database.execute(
        f"SELECT id FROM {table} AS seen WHERE {condition} LIMIT {MANY_HITS + 1}", bound
    ).fetchall()
    span = (min(limit, MOST_ROWS - after), after)
    if len(few) > MANY_HITS:
        total, ids = _walked(portal, table, condition, bound, order, span)
    else:
        total, ids = len(few), _sorted(portal, table, [row[0] for row in few], order, span)
    rows = _rows(portal, table, ids)
    reading = rendering.Reading(portal, kind, names)
    results = [reading.body_of_row(row) for row in rows]
    found: dict[str, Any] = {"total": total, "results": results}
    if total > after + len(rows):
        found["paging"] = {"next": {"after": str(after + len(rows))}}
    return answer(200, found)


def _sorted(portal: Portal, table: str, hits: list[int], order: str, span: tuple[int, int]) -> list[int]:
    """One page of a few hits."""
    if order in _BY_ID:
        hits.sort(reverse=_BY_ID[order])
        return hits[span[1] : span[1] + span[0]]
    found = portal.database.execute(
        f"SELECT id FROM {table} AS seen WHERE id IN (SELECT value FROM json_each(?))"
        f" ORDER BY {order} LIMIT ? OFFSET ?",
        [orjson.dumps(hits).decode(), *span],
    )
    return [row[0] for row in found]


def _walked(
    portal: Portal, table: str, condition: str, bound: list[Any], order: str, span: tuple[int, int]
) -> tuple[int, list[int]]:
    """The number of very many hits and one page of them, found along the index of the order."""
    count = f"SELECT count(*) FROM {table} AS seen WHERE {condition}"
    total = portal.database.execute(count, bound).fetchone()[0]
    # Walking the ids finds a page sooner than sorting what an index on something else hands over.
    walk = "NOT INDEXED" if order.startswith("id ") and table == "record" else ""
    found = portal.database.execute(
        f"SELECT id FROM {table} AS seen {walk} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?",
        [*bound, *span],
    )
    return total, [row[0] for row in found]


def _rows(portal: Portal, table: str, ids: list[int]) -> list[tuple[object, ...]]:
    """The rows of a page, in its order. Taken after the sort, so that the sort carries ids alone."""
    marks = ", ".join("?" * len(ids))
    found = portal.database.execute(
        f"SELECT {records.COLUMNS} FROM {table} AS seen WHERE id IN ({marks})", ids
    )
    by_id = {row[0]: row for row in found}
    return [by_id[id_] for id_ in ids]


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if value in (None, ""):
        return default
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal() or len(text) > 12:
        raise bad_request(f"{name} must be a whole number")
    return int(text)


def _order(kind: Kind, known: dict[str, Property], body: dict[str, Any]) -> str:
    sorts = body.get("sorts") or []
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise bad_request("A search has at most one sort")
    if not sorts:
        return "created, id"
    wanted = _spelled_out(sorts[0])
    name, direction = wanted.get("propertyName"), wanted.get("direction", "ASCENDING")
    found = known.get(name) if isinstance(name, str) else None
    if found is None:
        raise bad_request(f'Property "{name}" does not exist', propertyName=[str(name)])
    if direction not in ("ASCENDING", "DESCENDING"):
        raise bad_request(f"Invalid direction {direction}; valid are: ASCENDING, DESCENDING")
    sql = column(kind, found).sql
    way = "ASC" if direction == "ASCENDING" else "DESC"
    return f"{sql} {way}" if sql == "id" else f"{sql} {way}, id"


def _spelled_out(sort: Any) -> dict[str, Any]:
    """A sort with its name and direction.

    A bare name rises and "-name" falls: HubSpot's own Node client documents both beside the object.
    """
    if isinstance(sort, dict):
        return sort
    if isinstance(sort, str) and sort.startswith("-"):
        return {"propertyName": sort[1:], "direction": "DESCENDING"}
    return {"propertyName": sort}
