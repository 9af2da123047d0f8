"""``/query`` and ``/queryAll``: pages of 200 to 2,000 records, and cursors that live two days.

A cursor keeps the row numbers of its result, so its pages never overlap or leave a record out, whatever is
written in between (Salesforce reference, section 3).
"""

from __future__ import annotations

import re
import sqlite3
from array import array
from datetime import timedelta
from typing import Any

from connectors.sandbox.salesforce import moments, seed
from connectors.sandbox.salesforce.call import Call, answer_json, options
from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.soql.compile import Compiler
from connectors.sandbox.salesforce.soql.parse import parse
from connectors.sandbox.salesforce.soql.shape import shaper
from connectors.sandbox.salesforce.soql.statement import Statement
from connectors.sandbox.salesforce.soql.wrong import malformed, too_complicated
from connectors.sandbox.side import Answer

PAGE = 2_000
SMALLEST_PAGE = 200
LIFETIME = timedelta(days=2)
LOCATOR = re.compile(r"(01g\w{12,15})-(\d+)")


def query(call: Call, *, all_rows: bool) -> Answer:
    """Answer the first page of ``?q=``. Raises Refusal for a query that Salesforce would refuse."""
    soql = call.ask.first("q")
    if soql is None:
        raise malformed("A query string has to be specified")
    return answer_json(run(call, soql, all_rows))


def run(call: Call, soql: str, all_rows: bool) -> dict[str, Any]:
    """The body of the first page of a query. Raises Refusal as Salesforce would refuse the query."""
    try:
        return _run(call, soql, all_rows)
    except (sqlite3.OperationalError, RecursionError):  # deeper or wider than the file can work with
        raise too_complicated() from None


def _run(call: Call, soql: str, all_rows: bool) -> dict[str, Any]:
    statement = compiled(call, soql, all_rows)
    db = call.org.store.db
    if statement.kind == "count":
        inner = f"SELECT 1 {statement.source} {statement.where} {statement.paging}"
        total = db.execute(f"SELECT count(*) FROM ({inner})", statement.values).fetchone()[0]
        return {"totalSize": total, "done": True, "records": []}
    size = page_size(call)
    cursor = db.execute(statement.whole(), statement.values)
    rows = cursor.fetchmany(size + 1)
    cursor.close()
    shape = shaper(statement, call.org.seen, call.version, call.org.store.db.execute)
    if len(rows) <= size:
        return {"totalSize": len(rows), "done": True, "records": [shape(row) for row in rows]}
    if statement.kind == "aggregate":
        raise Refusal(
            400,
            "EXCEEDED_ID_LIMIT",
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
        )
    locator, total = _open_cursor(call, statement, size, all_rows)
    records = [shape(row) for row in rows[:size]]
    return {
        "totalSize": total,
        "done": False,
        "nextRecordsUrl": call.url(f"query/{locator}-{size}"),
        "records": records,
    }


def compiled(call: Call, soql: str, all_rows: bool) -> Statement:
    """The statement of a query as the integration user may ask it."""
    compiler = Compiler(call.org.seen, call.org.now(), seed.INTEGRATION_USER, all_rows, call.number)
    return compiler.compile(soql, parse(soql))


def page_size(call: Call) -> int:
    """The wanted page size, brought between 200 and 2,000."""
    wanted = options(call.header("sforce-query-options")).get("batchsize", "")
    return min(PAGE, max(SMALLEST_PAGE, int(wanted))) if wanted.isdigit() else PAGE


def _open_cursor(call: Call, statement: Statement, size: int, all_rows: bool) -> tuple[str, int]:
    store = call.org.store
    numbers = array("q", (row[0] for row in store.db.execute(statement.row_numbers(), statement.values)))
    locator = store.mint("01g")
    opened = call.org.now()
    store.db.execute("DELETE FROM _cursor WHERE opened < ?", (moments.kept(opened - LIFETIME),))
    store.db.execute(
        "INSERT INTO _cursor VALUES (?, ?, ?, ?, ?, ?, ?)",
        (locator, statement.soql, all_rows, size, len(numbers), moments.kept(opened), numbers.tobytes()),
    )
    return locator, len(numbers)


def query_more(call: Call, text: str) -> Answer:
    """Answer a later page. Raises Refusal (INVALID_QUERY_LOCATOR) for a cursor that is unknown or two days old."""
    match = LOCATOR.fullmatch(text)
    row = None
    if match is not None:
        row = call.org.store.db.execute(
            "SELECT rowid, soql, all_rows, size, total, opened FROM _cursor WHERE locator = ?", (match[1],)
        ).fetchone()
    if match is None or row is None or call.org.now() - moments.moment_of(row[5]) > LIFETIME:
        raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    key, soql, all_rows, size, total, _ = row
    start = int(match[2])
    if start >= total:
        raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    numbers = _numbers(call, key, start, size)
    statement = compiled(call, soql, bool(all_rows))
    shape = shaper(statement, call.org.seen, call.version, call.org.store.db.execute)
    found = {found[-1]: found for found in call.org.store.db.execute(statement.of_rows(numbers))}
    body: dict[str, Any] = {"totalSize": total, "done": start + size >= total}
    if not body["done"]:
        body["nextRecordsUrl"] = call.url(f"query/{match[1]}-{start + size}")
    body["records"] = [shape(found[number]) for number in numbers if number in found]
    return answer_json(body)


def _numbers(call: Call, key: int, start: int, size: int) -> array[int]:
    numbers = array("q")
    with call.org.store.db.blobopen("_cursor", "rows", key, readonly=True) as blob:
        blob.seek(start * numbers.itemsize)
        numbers.frombytes(blob.read(size * numbers.itemsize))
    return numbers
