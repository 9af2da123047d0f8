"""``/jobs/query``: a query whose whole result is written down once and fetched in pages.

The result is as of the moment the job ended, whatever is written afterwards, so a page can be fetched again.
"""

from __future__ import annotations

import base64
import binascii
import re
import sqlite3
from typing import Any

from connectors.sandbox.salesforce.bulk import jobs
from connectors.sandbox.salesforce.bulk.csvtext import line
from connectors.sandbox.salesforce.bulk.jobs import Job
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.queries import compiled
from connectors.sandbox.salesforce.refusals import Refusal, not_found
from connectors.sandbox.salesforce.schema import NUMBERS, Field
from connectors.sandbox.salesforce.soql import tree
from connectors.sandbox.salesforce.soql.measures import is_aggregate
from connectors.sandbox.salesforce.soql.parse import parse
from connectors.sandbox.salesforce.soql.statement import Statement
from connectors.sandbox.salesforce.soql.wrong import too_complicated
from connectors.sandbox.salesforce.usage import spend_bulk, spend_storage
from connectors.sandbox.side import Answer

PARALLEL = 5
PAGES_SINCE = 58
CELLS_TOGETHER = 50
WHOLE = re.compile(r"0*[1-9][0-9]{0,8}")


def create(call: Call) -> Answer:
    """Answer ``POST /jobs/query``. Raises Refusal for a query that Bulk API 2.0 does not take."""
    wanted = call.json_object()
    operation, soql = wanted.get("operation"), wanted.get("query")
    if operation not in ("query", "queryAll"):
        raise jobs.job_refused("API_ERROR", "operation: expected query or queryAll")
    if not isinstance(soql, str) or not soql.strip():
        raise jobs.job_refused("API_ERROR", "A query has to be specified")
    facts = {"operation": operation, "query": soql, "apiVersion": call.number, **jobs.layout(wanted)}
    facts["object"] = _checked(call, soql, operation == "queryAll").entity
    spend_bulk(call.org, "DailyBulkV2QueryJobs", 1)
    stamp = call.org.stamp()
    job = Job(jobs.new_id(call.org), "query", "UploadComplete", stamp, stamp, facts)
    jobs.keep(call.org, job)
    body = jobs.shown(job)
    return answer_json(
        {**body, "lineEnding": facts["lineEnding"], "columnDelimiter": facts["columnDelimiter"]}
    )


def _checked(call: Call, soql: str, all_rows: bool) -> Statement:
    query = parse(soql)
    expressions = [each.expression for each in query.items]
    if any(isinstance(each, tree.Query | tree.TypeOf) for each in expressions):
        raise _not_in_bulk("Nested queries and TYPEOF are not supported in Bulk V2 Query")
    if query.group or any(is_aggregate(each) for each in expressions if isinstance(each, tree.Call)):
        raise _not_in_bulk("Aggregate Relationships not supported in Bulk V2 Query with CSV content type")
    if query.offset:
        raise _not_in_bulk("OFFSET not supported in Bulk V2 Query")
    if any(
        isinstance(each, tree.Call) and str(each) in ("FIELDS(ALL)", "FIELDS(CUSTOM)") for each in expressions
    ):
        raise _not_in_bulk("FIELDS(ALL) and FIELDS(CUSTOM) not supported in Bulk V2 Query")
    statement = compiled(call, soql, all_rows)
    if not all(output.field.stored for output in statement.outputs):
        raise _not_in_bulk("Selecting compound data not supported in Bulk Query")
    if any(output.formatted for output in statement.outputs):
        raise _not_in_bulk("FORMAT not supported in Bulk V2 Query")
    return statement


def _not_in_bulk(text: str) -> Refusal:
    return jobs.job_refused("API_ERROR", text)


def every(call: Call) -> Answer:
    """Answer ``GET /jobs/query``."""
    return jobs.listed(call, "query", _info)


def info(call: Call, job_id: str) -> Answer:
    """Answer how a job gets on; each look may bring it further."""
    job = jobs.find(call, "query", job_id)
    if jobs.is_due(call.org, job):
        _work(call, job)
    return answer_json(_info(job))


def _info(job: Job) -> dict[str, Any]:
    body = {**jobs.shown(job), "jobType": "V2Query"}
    body.update(lineEnding=job.facts["lineEnding"], columnDelimiter=job.facts["columnDelimiter"])
    body.update(numberRecordsProcessed=job.processed, retries=0, totalProcessingTime=job.processed // 100)
    body["isPkChunkingSupported"] = " order by " not in job.facts["query"].lower()
    if job.error:
        body["errorMessage"] = job.error
    return body


def change(call: Call, job_id: str) -> Answer:
    """Answer PATCH: a query job can only be aborted."""
    job = jobs.find(call, "query", job_id)
    if call.json_object().get("state") != "Aborted":
        raise jobs.job_refused("API_ERROR", "state: a query job can only be Aborted")
    jobs.abort(call.org, job)
    return answer_json(_info(job))


def delete(call: Call, job_id: str) -> Answer:
    """Answer DELETE."""
    return jobs.delete(call, "query", job_id)


def _work(call: Call, job: Job) -> None:
    """Write the result down."""
    try:
        statement = compiled(call, job.facts["query"], job.facts["operation"] == "queryAll")
        job.header = line([".".join(each.path) for each in statement.outputs], job.delimiter)
        job.first, job.total = _stored_rows(call.org, job, statement)
    except Refusal as refused:  # a field or an object may have gone since the job was made
        jobs.end(call.org, job, "Failed", f"{refused.code}: {refused.message}")
        return
    except (sqlite3.OperationalError, RecursionError):
        jobs.end(call.org, job, "Failed", too_complicated().message)
        return
    job.processed = job.total
    spend_storage(call.org, _size(call.org, job))
    jobs.end(call.org, job, "JobComplete")


def _size(org: Org, job: Job) -> int:
    row = org.store.db.execute("SELECT ifnull(sum(length(line)), 0) FROM _job_row WHERE job = ?", (job.id,))
    return int(row.fetchone()[0])


def _stored_rows(org: Org, job: Job, statement: Statement) -> tuple[int, int]:
    """Every row as its line of text, made by the database itself; the first row's number, and how many."""
    db = org.store.db
    last = db.execute("SELECT ifnull(max(number), 0) FROM _job_row").fetchone()[0]
    cells = [_cell(statement.columns[each.at], each.field, org) for each in statement.outputs]
    text = "'\"'||" + _joined(cells, f"||'\"{job.delimiter}\"'||") + "||'\"'"
    parts = (statement.source, statement.where, statement.tail, statement.paging)
    sql = f"INSERT INTO _job_row (job, kind, line) SELECT ?, 'row', {text} {' '.join(parts)}"
    made = db.execute(sql, (job.id, *statement.values)).rowcount
    return last + 1, made


def _joined(cells: list[str], between: str) -> str:
    """Many cells as one expression, in groups: SQLite bounds how deeply an expression nests."""
    groups = [
        between.join(cells[start : start + CELLS_TOGETHER]) for start in range(0, len(cells), CELLS_TOGETHER)
    ]
    return between.join(f"({group})" for group in groups)


def _cell(column: str, field: Field, org: Org) -> str:
    """The SQL of one value as text: an empty text for null, every quote doubled."""
    if field.type == "boolean":
        return f"CASE WHEN {column} THEN 'true' ELSE 'false' END"
    if field.type == "datetime":
        offset = ".000Z" if org.switches["bulk_moments"] == "Z" else ".000+0000"
        return f"ifnull({column}||'{offset}','')"
    if field.type == "anyType":  # kept as JSON
        word = f"CASE WHEN json_type({column}) IN ('true','false') THEN json_type({column})"
        return f"ifnull(replace({word} ELSE json_extract({column},'$') END,'\"','\"\"'),'')"
    if field.type in NUMBERS:
        return f"ifnull(CAST({column} AS TEXT),'')"
    return f"ifnull(replace({column},'\"','\"\"'),'')"


def results(call: Call, job_id: str) -> Answer:
    """Answer one page of the result. Raises Refusal: 409 in another API version, 400 before the end."""
    job = _finished(call, job_id)
    start = _start(job, call.ask.first("locator"))
    count = min(_page_rows(call), job.total - start)
    rows = call.org.store.db.execute(
        "SELECT line FROM _job_row WHERE number >= ? AND number < ? ORDER BY number",
        (job.first + start, job.first + start + count),
    )
    lines = [text for (text,) in rows]
    if lines or call.org.switches["bulk_empty_header"]:
        lines.insert(0, job.header)
    after = start + count
    headers = {
        "Sforce-NumberOfRecords": str(count),
        "Sforce-Locator": _locator(after) if after < job.total else "null",
    }
    return jobs.csv_answer(call.org, "".join(each + job.ending for each in lines), headers)


def result_pages(call: Call, job_id: str) -> Answer:
    """Answer the addresses of up to five pages, to be fetched side by side."""
    if call.number < PAGES_SINCE:
        raise not_found()
    job = _finished(call, job_id)
    step = call.org.switches["bulk_page_rows"]
    start = _start(job, call.ask.first("locator"))
    starts = range(start, max(job.total, 1), step)
    base = call.url(f"jobs/query/{job.id}")
    pages = [{"resultUrl": f"{base}/results?locator={_locator(each)}"} for each in starts[:PARALLEL]]
    done = len(starts) <= PARALLEL
    more = None if done else f"{base}/resultPages?locator={_locator(starts[PARALLEL])}"
    return answer_json({"resultPages": pages, "nextRecordsUrl": more, "done": done})


def _finished(call: Call, job_id: str) -> Job:
    job = jobs.find(call, "query", job_id)
    if call.number != job.version:
        text = f"The job was created in API version {job.version}; use the same version to get its results"
        raise Refusal(409, "CONFLICT", text)
    if job.state != "JobComplete":
        raise jobs.wrong_state(f"The job is in state {job.state}; results need the state JobComplete")
    return job


def _page_rows(call: Call) -> int:
    wanted = call.ask.first("maxRecords")
    if wanted is None:
        return int(call.org.switches["bulk_page_rows"])
    if not WHOLE.fullmatch(wanted):
        raise jobs.job_refused("API_ERROR", "maxRecords: a whole number above 0 was expected")
    return int(wanted)


def _locator(start: int) -> str:
    """A place in the result; its form means nothing to a client."""
    return base64.urlsafe_b64encode(str(start).encode()).decode().rstrip("=")


def _start(job: Job, locator: str | None) -> int:
    if not locator:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except (binascii.Error, ValueError):
        start = -1
    if not 0 <= start < max(job.total, 1):
        raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return start
