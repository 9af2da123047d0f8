"""SOQL text. Names come from describe and are checked again here; values are escaped by the vendor's own
``format_soql`` (Salesforce reference, section 3, "Escapes")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote_plus

from simple_salesforce.format import format_soql

from connectors.errors import NeedsPerson, OurBug
from connectors.salesforce.errors import CRM
from connectors.salesforce.schema import TYPES
from connectors.salesforce.values import NotOfType, plain

#: Bytes of a percent-encoded query. Address and headers together may have 16,384 (section 2); the rest is
#: for the host, the token and the other headers.
QUERY_BYTES = 14_000

#: Characters of one string in a condition (section 3).
STRING_CHARACTERS = 4_000

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*){0,5}")


def encoded_bytes(soql: str) -> int:
    """How many bytes a query has in the address."""
    return len(quote_plus(soql))


def select(object_name: str, columns: Sequence[str], where: str = "", order: str = "") -> str:
    """A query over names that have the form of names. Raises OurBug for any other, and for a field twice."""
    for name in (object_name, *columns):
        if not _NAME.fullmatch(name):
            raise OurBug("salesforce: a query names something that cannot be a name", crm=CRM)
    if len(set(columns)) != len(columns):
        raise OurBug("salesforce: a query names a field twice", crm=CRM)
    soql = f"SELECT {','.join(columns)} FROM {object_name}"
    if where:
        soql += f" WHERE {where}"
    if order:
        soql += f" ORDER BY {order}"
    return soql


def moment(value: datetime) -> str:
    """An aware time as an unquoted SOQL literal, in UTC and whole seconds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: str) -> str:
    """A text as a quoted and escaped SOQL literal."""
    return str(format_soql("{}", value))


def literal(sf_type: str, value: str) -> str | None:
    """A value to compare with, escaped; None where no record can have it.

    A text beyond 4,000 characters is one: no condition can hold it, and no field that can be
    filtered by is so long.
    """
    kind = TYPES.get(sf_type, "other")
    if kind not in ("number", "boolean", "date", "datetime"):
        return text(value) if len(value) <= STRING_CHARACTERS else None
    try:
        literal = plain(sf_type, value)
    except NotOfType:
        return None
    return moment(datetime.fromisoformat(literal)) if kind == "datetime" else literal


def shown(name: str) -> str:
    """A name as it may stand in an error's text: one that cannot be a name may be anything, even a value."""
    return name if _NAME.fullmatch(name) else "(not a name)"


def everything(object_name: str, columns: Sequence[str], where: str = "") -> Callable[[str | None], str]:
    """Makes the query for all records, or those of a condition, in the order of their ids, behind a given id."""

    def query(behind: str | None) -> str:
        beyond = f"Id > {text(behind)}" if behind else ""
        return select(object_name, columns, " AND ".join(filter(None, (where, beyond))), "Id")

    return query


def created_within(start: datetime | None, end: datetime | None) -> str:
    """The condition for what was created at ``start`` or later and before ``end``; none where both are open."""
    bounds = [
        f"CreatedDate >= {moment(start)}" if start else "",
        f"CreatedDate < {moment(end)}" if end else "",
    ]
    return " AND ".join(filter(None, bounds))


def count(object_name: str, where: str = "") -> str:
    """The query that only counts; its answer is the total of a page without records."""
    return select(object_name, ["Id"], where).replace("SELECT Id FROM", "SELECT COUNT() FROM", 1)


def changed_since(
    object_name: str, columns: Sequence[str], since: datetime
) -> Callable[[tuple[str, str] | None], str]:
    """Makes the query for what changed at ``since`` or later, oldest first, behind a given (stamp, id).

    Not-before, not after: many records share one second, and each of them has to come (Salesforce
    reference, section 3, "Change detection and safe overlap"). There is no upper end: what changed a
    second ago comes now, and again the next time.
    """

    def query(behind: tuple[str, str] | None) -> str:
        where = f"SystemModstamp >= {moment(since)}"
        if behind is not None:
            stamp = moment(datetime.fromisoformat(behind[0]))
            last = text(behind[1])
            where = f"(SystemModstamp = {stamp} AND Id > {last}) OR SystemModstamp > {stamp}"
        return select(object_name, columns, where, "SystemModstamp,Id")

    return query


def in_chunks(prefix: str, literals: Sequence[str]) -> Iterator[str]:
    """Queries ``prefix IN (…)`` over all the literals, each below the limit on an address.

    Raises NeedsPerson where not even one value fits beside the prefix.
    """
    most = QUERY_BYTES - encoded_bytes(f"{prefix} IN ()")
    chunk: list[str] = []
    size = 0
    for item in literals:
        more = encoded_bytes(item + ",")
        if more > most:
            raise NeedsPerson(
                "salesforce: more fields are asked for than fit into the address of a query",
                crm=CRM,
                fix="map fewer fields of this object",
            )
        if chunk and size + more > most:
            yield f"{prefix} IN ({','.join(chunk)})"
            chunk, size = [], 0
        chunk.append(item)
        size += more
    if chunk:
        yield f"{prefix} IN ({','.join(chunk)})"
