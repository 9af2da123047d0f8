"""Search filters as SQL conditions (HubSpot reference, section 4.4)."""

from __future__ import annotations

import fnmatch
import re
import sqlite3
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.sandbox.hubspot.definitions import Property
from connectors.sandbox.hubspot.errors import Refused, bad_request
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind, find_kind
from connectors.sandbox.hubspot.moments import kept, read_moment
from connectors.sandbox.hubspot.standard_contacts import ZERO

Condition = tuple[str, list[Any]]
MOST_GROUPS, MOST_PER_GROUP, MOST_FILTERS = 5, 6, 18
_ESCAPED = frozenset('%_"\\')  # what LIKE or JSON writes differently
_COMPARED = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "<>"}
OPERATORS = (*_COMPARED, "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY",
             "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN")  # fmt: skip


def register(database: sqlite3.Connection) -> None:
    """Give the database the two comparisons SQL lacks: case folding and token matching."""
    database.create_function("folded", 1, _folded, deterministic=True)
    database.create_function("has_token", 2, has_token, deterministic=True)


def _folded(text: str | None) -> str | None:
    return None if text is None else text.lower()


def has_token(text: str | None, pattern: str) -> bool:
    """Whether every word of ``pattern`` (``*`` stands for anything) is a word of ``text``, or the whole."""
    if not text:
        return False
    folded = text.lower()
    words = {folded, *folded.split(), *re.findall(r"\w+", folded)}
    return all(any(fnmatch.fnmatchcase(word, wanted) for word in words) for wanted in pattern.lower().split())


@dataclass(frozen=True, slots=True)
class Column:
    """Where a property stands in SQL and how its values are compared."""

    sql: str
    compared: str  #: "milliseconds", "number", "kept" (fixed-width instants), "date", "exact" or "folded"


def column(kind: Kind, found: Property) -> Column:
    """The SQL expression of a property."""
    places = {
        "hs_object_id": Column("id", "number"),
        kind.created: Column("created", "milliseconds"),
        kind.modified: Column("modified", "milliseconds"),
        "email": Column("email", "folded"),
    }
    if found.name in places and (found.name != "email" or kind is CONTACTS):
        return places[found.name]
    # Names are those of definitions: letters, digits and underscores.
    text = f"json_extract(data, '$.\"{found.name}\"')"
    if kind is CONTACTS and found.name in ZERO:
        text = f"coalesce({text}, '0')"
    if found.type == "number":
        return Column(f"CAST({text} AS REAL)", "number")
    compared = {"datetime": "kept", "date": "date", "enumeration": "exact", "bool": "exact"}
    return Column(text, compared.get(found.type, "folded"))


def conditions(kind: Kind, known: dict[str, Property], body: dict[str, Any]) -> Condition:
    """The condition of ``filterGroups``: groups are alternatives. Raises Refused for anything unsound."""
    groups = _group_lists(body)
    if sum(map(len, groups)) > MOST_FILTERS:
        raise bad_request(f"A search has at most {MOST_FILTERS} filters in total")
    alternatives: list[str] = []
    values: list[Any] = []
    for filters in groups:
        if len(filters) > MOST_PER_GROUP:
            raise bad_request(f"A filter group has at most {MOST_PER_GROUP} filters")
        parts = [one_filter(kind, known, item) for item in filters]
        alternatives.append(" AND ".join(f"({sql})" for sql, _ in parts) or "1")
        values += [value for _, bound in parts for value in bound]
    return " OR ".join(f"({sql})" for sql in alternatives) or "1", values


def _group_lists(body: dict[str, Any]) -> list[list[Any]]:
    groups = body.get("filterGroups") or []
    if not groups and body.get("filters"):
        groups = [{"filters": body["filters"]}]  # the short spelling for a single group
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise bad_request("filterGroups must be a list of objects")
    if len(groups) > MOST_GROUPS:
        raise bad_request(f"A search has at most {MOST_GROUPS} filter groups")
    lists = [group.get("filters") or [] for group in groups]
    if not all(isinstance(filters, list) for filters in lists):
        raise bad_request("filters must be a list")
    return lists


def one_filter(kind: Kind, known: dict[str, Property], item: Any) -> Condition:
    """The condition of one filter. A record without a value meets none but NOT_HAS_PROPERTY."""
    if not isinstance(item, dict):
        raise bad_request("a filter must be an object")
    name, operator = item.get("propertyName"), item.get("operator")
    if isinstance(name, str) and name.startswith("associations."):
        return _associated(name, item)
    found = known.get(name) if isinstance(name, str) else None
    if found is None:
        raise bad_request(f'Property "{name}" does not exist', propertyName=[str(name)])
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise bad_request(f"Invalid operator {operator}; valid are: {', '.join(OPERATORS)}")
    place = column(kind, found)
    sql = place.sql
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return f"{sql} IS {'NOT ' if operator == 'HAS_PROPERTY' else ''}NULL", []
    if operator in _COMPARED:
        value = operand(place, item, "value")
        return f"{_side(place, [value])} {_COMPARED[operator]} ?", [value]
    if operator == "BETWEEN":
        return f"{sql} BETWEEN ? AND ?", [operand(place, item, "value"), operand(place, item, "highValue")]
    if operator in ("IN", "NOT_IN"):
        return _membership(place, item, operator)
    negated = "NOT " if operator == "NOT_CONTAINS_TOKEN" else ""
    text = f"CAST({sql} AS TEXT)"
    return f"{text} IS NOT NULL AND {negated}has_token({text}, ?)", [_text(item, "value")]


def _associated(name: str, item: dict[str, Any]) -> Condition:
    """The pseudo property ``associations.{objectType}``: the records an object is associated with."""
    other, operator = find_kind(name.partition(".")[2]), item.get("operator")
    if other is None:
        raise bad_request(f'Property "{name}" does not exist', propertyName=[name])
    linked = "SELECT from_id FROM link WHERE to_kind = ?"
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return f"id {'NOT ' if operator.startswith('NOT') else ''}IN ({linked})", [other.key]
    if operator not in ("EQ", "IN"):
        raise bad_request(f"{name} takes EQ, IN, HAS_PROPERTY and NOT_HAS_PROPERTY")
    values = item.get("values") if operator == "IN" else [item.get("value")]
    if not isinstance(values, list) or not values:
        raise bad_request(f"{operator} needs values, a list")
    ids = [_number(str(value)) for value in values]
    return f"id IN ({linked} AND to_id IN ({', '.join('?' * len(ids))}))", [other.key, *ids]


def _side(place: Column, values: list[Any]) -> str:
    """The left side of a comparison without case; SQLite's own is far faster and knows ASCII."""
    if place.compared != "folded" or place.sql == "email":
        return place.sql
    if all(value.isascii() for value in values):
        return f"{place.sql} COLLATE NOCASE"
    return f"folded({place.sql})"


def _lowered(place: Column, values: list[Any]) -> str:
    if place.compared != "folded" or place.sql == "email":
        return place.sql
    # lower() leaves other letters alone, which changes nothing for values in ASCII.
    return f"{'lower' if all(value.isascii() for value in values) else 'folded'}({place.sql})"


def _membership(place: Column, item: dict[str, Any], operator: str) -> Condition:
    values = item.get("values")
    if not isinstance(values, list) or not values:
        raise bad_request(f"{operator} needs values, a list")
    if place.compared == "folded":
        # The values of a text list are taken as they are: upper case in them meets nothing
        # (HubSpot reference, section 4.4).
        bound: list[Any] = [str(value) for value in values]
    else:
        bound = [operand(place, {"value": value}, "value") for value in values]
    return f"{_lowered(place, bound)} {operator.replace('_', ' ')} ({', '.join('?' * len(bound))})", bound


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    if value is None or isinstance(value, dict | list):
        raise bad_request(f"the filter on {item.get('propertyName')} needs {key}")
    return "true" if value is True else "false" if value is False else str(value)


def operand(place: Column, item: dict[str, Any], key: str) -> Any:
    """A filter value in the form its column is compared in. Raises Refused."""
    text = _text(item, key)
    if place.compared == "number":
        return _number(text)
    if place.compared in ("milliseconds", "kept", "date"):
        ms = read_moment(text)
        if ms is None:
            raise bad_request(f"{text} is neither epoch milliseconds nor an ISO instant")
        return {"milliseconds": ms, "kept": kept(ms), "date": kept(ms)[:10]}[place.compared]
    return text.lower() if place.compared == "folded" else text


def _number(text: str) -> int | float:
    refusal: Refused = bad_request(f"{text} is not a number")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise refusal from None
    if not value.is_finite() or abs(value) > 9 * 10**18:
        raise refusal
    return int(value) if value == value.to_integral_value() else float(value)


def free_text(kind: Kind, known: dict[str, Property], text: str) -> Condition:
    """The condition of ``query``: every word stands somewhere in the searched properties."""
    columns = [column(kind, known[name]).sql for name in kind.searched if name in known]
    joined = " || ' ' || ".join(f"coalesce({sql}, '')" for sql in columns)
    sql: list[str] = []
    bound: list[str] = []
    for word in text.lower().split():
        if word.isascii() and word.isprintable() and not set(word) & _ESCAPED:
            # Most records do not have the word anywhere: SQLite sees that without taking the JSON apart.
            sql.append("data LIKE ?")
            bound.append(f"%{word}%")
        sql.append(f"instr(folded({joined}), ?) > 0")
        bound.append(word)
    return " AND ".join(sql) or "1", bound
