"""The search endpoint (section 4.4)."""

from __future__ import annotations

from typing import Any

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
    table = f"{source(portal, 'search')} AS seen WHERE kind = ? AND archived IS NULL AND ({where})"
    bound = [kind.key, *values]
    total = portal.database.execute(f"SELECT count(*) FROM {table}", bound).fetchone()[0]
    rows = portal.database.execute(
        f"SELECT {records.COLUMNS} FROM {table} ORDER BY {order} LIMIT ? OFFSET ?",
        [*bound, min(limit, MOST_ROWS - after), after],
    ).fetchall()
    results = [rendering.read_body(portal, records.of_row(kind, row), names) for row in rows]
    found: dict[str, Any] = {"total": total, "results": results}
    if total > after + len(rows):
        found["paging"] = {"next": {"after": str(after + len(rows))}}
    return answer(200, found)


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
    wanted = sorts[0] if isinstance(sorts[0], dict) else {"propertyName": sorts[0]}
    name, direction = wanted.get("propertyName"), wanted.get("direction", "ASCENDING")
    found = known.get(name) if isinstance(name, str) else None
    if found is None:
        raise bad_request(f'Property "{name}" does not exist', propertyName=[str(name)])
    if direction not in ("ASCENDING", "DESCENDING"):
        raise bad_request(f"Invalid direction {direction}; valid are: ASCENDING, DESCENDING")
    sql = column(kind, found).sql
    way = "ASC" if direction == "ASCENDING" else "DESC"
    return f"{sql} {way}" if sql == "id" else f"{sql} {way}, id"
