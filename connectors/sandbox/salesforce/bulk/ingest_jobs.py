"""``/jobs/ingest``: create, upload once, close, look, and fetch what became of each row."""

from __future__ import annotations

import json
import random
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.bulk import jobs
from connectors.sandbox.salesforce.bulk.csvtext import BadFile, line, read
from connectors.sandbox.salesforce.bulk.ingest_rows import Loading, Outcome
from connectors.sandbox.salesforce.bulk.jobs import Job
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.multipart import is_multipart, parts_of
from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.usage import spend_bulk
from connectors.sandbox.side import Answer

OPERATIONS = ("insert", "update", "upsert", "delete")
BIGGEST = 100_000_000
BIGGEST_PART = 100_000
BATCH = 10_000
KINDS = {
    "successfulResults": "done",
    "failedResults": "failed",
    "unprocessedrecords": "left",
    "unprocessedRecords": "left",  # as simple-salesforce spells it
}
ID_IN_FAILED_SINCE = 53


def create(call: Call) -> Answer:
    """Answer ``POST /jobs/ingest``: a job to be filled, or in one multipart request a whole one."""
    content = None
    if is_multipart(call):
        parts = parts_of(call)
        content = parts.get("content")
        if "job" not in parts or content is None:
            raise Refusal(400, "INVALID_MULTIPART_REQUEST", "parts job and content are required")
        if len(content.decode("utf-8", "replace")) > BIGGEST_PART:
            raise jobs.job_refused("LIMIT_EXCEEDED", f"content: at most {BIGGEST_PART} characters")
        wanted = _json(parts["job"])
    else:
        wanted = call.json_object()
    stamp = call.org.stamp()
    job = Job(jobs.new_id(call.org), "ingest", "Open", stamp, stamp, _facts(call, wanted))
    if content is not None:
        _receive(call, job, content)
        job.state = "UploadComplete"
    jobs.keep(call.org, job)
    return answer_json(_told(call, job))


def _json(body: bytes) -> dict[str, Any]:
    try:
        wanted = json.loads(body)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise Refusal(400, "JSON_PARSER_ERROR", "job: an object is required")
    return wanted


def _facts(call: Call, wanted: dict[str, Any]) -> dict[str, Any]:
    operation = wanted.get("operation")
    if operation == "hardDelete":
        raise jobs.job_refused("FEATURENOTENABLED", "hardDelete needs the permission Bulk API Hard Delete")
    if operation not in OPERATIONS:
        raise jobs.job_refused("API_ERROR", f"operation: expected one of {', '.join(OPERATIONS)}")
    sobject = call.org.seen.find(str(wanted.get("object")))
    if sobject is None or not sobject.writable:
        text = f"Entity '{wanted.get('object')}' is not supported by the Bulk API."
        raise jobs.job_refused("INVALIDENTITY", text)
    key = wanted.get("externalIdFieldName")
    if operation == "upsert":
        key = _key(sobject, key)
    rule = wanted.get("assignmentRuleId")
    if rule is not None and (ids.to_18(rule) is None or sobject.name not in ("Lead", "Case")):
        raise jobs.job_refused("API_ERROR", f"Invalid assignment rule id: {rule}")
    facts = {"operation": operation, "object": sobject.name, "apiVersion": call.number}
    return {**facts, "externalIdFieldName": key, "assignmentRuleId": rule, **jobs.layout(wanted)}


def _key(sobject: SObject, name: object) -> str:
    field = sobject.find(str(name))
    if field is None or not (field.external_id or field.lookup):
        text = f"InvalidJob : Field name provided, {name} does not match an External ID, Salesforce Id, "
        raise jobs.job_refused("API_ERROR", text + f"or indexed field for {sobject.name}")
    return field.name


def _told(call: Call, job: Job) -> dict[str, Any]:
    facts = job.facts
    body = {**jobs.shown(job), "jobType": "V2Ingest"}
    if job.state == "Open":
        body["contentUrl"] = call.url(f"jobs/ingest/{job.id}/batches").lstrip("/")
    return {**body, "lineEnding": facts["lineEnding"], "columnDelimiter": facts["columnDelimiter"]}


def _info(call: Call, job: Job) -> dict[str, Any]:
    times = {"totalProcessingTime": job.processed, "apiActiveProcessingTime": job.processed}
    counts = {"numberRecordsProcessed": job.processed, "numberRecordsFailed": job.failed, "retries": 0}
    body = {**_told(call, job), **counts, **times, "apexProcessingTime": 0}
    if job.error:
        body["errorMessage"] = job.error
    return body


def every(call: Call) -> Answer:
    """Answer ``GET /jobs/ingest``."""
    return jobs.listed(call, "ingest", lambda job: _told(call, job))


def upload(call: Call, job_id: str) -> Answer:
    """Answer the one PUT of a job's rows."""
    job = jobs.find(call, "ingest", job_id)
    if job.state != "Open":
        raise jobs.wrong_state(f"The job is in state {job.state}; an upload needs the state Open")
    kind = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != "text/csv":
        raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Type not supported: {kind}")
    _receive(call, job, call.ask.body)
    return Answer(201, content_type=None)


def _receive(call: Call, job: Job, body: bytes) -> None:
    db = call.org.store.db
    if db.execute("SELECT 1 FROM _job_upload WHERE job = ?", (job.id,)).fetchone() is not None:
        text = f"Found multiple contents for job: <{job.id}>; the upload may be made only once for a job"
        raise jobs.wrong_state(text)
    if len(body) > BIGGEST:
        raise jobs.job_refused("LIMIT_EXCEEDED", f"An upload has at most {BIGGEST} bytes")
    db.execute("INSERT INTO _job_upload VALUES (?, ?)", (job.id, body))


def change(call: Call, job_id: str) -> Answer:
    """Answer PATCH: close the job for processing, or abort it."""
    job = jobs.find(call, "ingest", job_id)
    wanted = call.json_object().get("state")
    if wanted == "Aborted":
        _leave_all(call, job)
        jobs.abort(call.org, job)
    elif wanted == "UploadComplete":
        if job.state != "Open":
            raise jobs.wrong_state(f"The job is in state {job.state}; closing needs the state Open")
        job.state, job.touched = "UploadComplete", call.org.stamp()
        jobs.keep(call.org, job)
    else:
        raise jobs.job_refused("API_ERROR", "state: expected UploadComplete or Aborted")
    return answer_json(_told(call, job))


def info(call: Call, job_id: str) -> Answer:
    """Answer how a job gets on; each look may bring it further."""
    job = jobs.find(call, "ingest", job_id)
    if jobs.is_due(call.org, job):
        _work(call, job)
    return answer_json(_info(call, job))


def delete(call: Call, job_id: str) -> Answer:
    """Answer DELETE."""
    return jobs.delete(call, "ingest", job_id)


def results(call: Call, job_id: str, name: str) -> Answer:
    """Answer the rows that were written, that were refused, or that nobody got to."""
    job = jobs.find(call, "ingest", job_id)
    if job.state not in jobs.OVER:
        raise jobs.wrong_state(f"The job is in state {job.state}; results need a job that is over")
    kind = KINDS[name]
    rows = call.org.store.db.execute(
        "SELECT line FROM _job_row WHERE job = ? AND kind = ? ORDER BY number", (job.id, kind)
    )
    lines = [text for (text,) in rows]
    own = {"done": ["sf__Id", "sf__Created"], "failed": ["sf__Id", "sf__Error"], "left": []}[kind]
    if kind == "failed" and job.version < ID_IN_FAILED_SINCE:
        own = ["sf__Error"]
    head = job.delimiter.join([*(f'"{each}"' for each in own), *([job.header] if job.header else [])])
    if lines or call.org.switches["bulk_empty_header"]:
        lines.insert(0, head)
    return jobs.csv_answer(call.org, job.ending.join(lines))


def _upload_of(call: Call, job: Job) -> bytes:
    row = call.org.store.db.execute("SELECT body FROM _job_upload WHERE job = ?", (job.id,)).fetchone()
    return b"" if row is None else bytes(row[0])


def _leave_all(call: Call, job: Job) -> None:
    """Every row of a job that is aborted before its work began is unprocessed."""
    if job.state not in (*jobs.WORKING, "Open"):
        return
    try:
        header, rows = read(_upload_of(call, job), job.facts["columnDelimiter"], job.facts["lineEnding"])
    except BadFile:
        return  # nothing can be told apart in it
    job.header = job.delimiter.join(header)
    _keep_rows(call, job, [("left", line(row, job.delimiter)) for row in rows])


def _work(call: Call, job: Job) -> None:
    """Carry the job out. Rows fail one by one; a file that cannot be read fails as a whole."""
    try:
        header, rows = read(_upload_of(call, job), job.facts["columnDelimiter"], job.facts["lineEnding"])
        job.header = job.delimiter.join(header)
        loading = Loading(call, job, header)
    except BadFile as bad:
        _leave_all(call, job)
        jobs.end(call.org, job, "Failed", bad.text)
        return
    try:
        spend_bulk(call.org, "DailyBulkApiBatches", -(-len(rows) // BATCH))
    except Refusal as refused:
        _leave_all(call, job)
        jobs.end(call.org, job, "Failed", f"{refused.code} : {refused.message}")
        return
    stop = call.org.switches["bulk_fails_after"]
    cut = len(rows) if stop is None else min(stop, len(rows))
    outcomes = list(loading.rows(rows[:cut]))
    kept = [("done" if each.ok else "failed", _line(job, each)) for each in outcomes]
    kept += [("left", line(row, job.delimiter)) for row in rows[cut:]]
    random.Random(job.id).shuffle(kept)  # the order of the results is not that of the upload (section 5)
    _keep_rows(call, job, kept)
    job.processed, job.failed = len(outcomes), sum(not each.ok for each in outcomes)
    if stop is None:
        jobs.end(call.org, job, "JobComplete")
    else:
        jobs.end(call.org, job, "Failed", "TooManyLockFailure : The batch was retried too often")


def _line(job: Job, outcome: Outcome) -> str:
    cells = [outcome.id, ("true" if outcome.created else "false") if outcome.ok else outcome.error]
    if not outcome.ok and job.version < ID_IN_FAILED_SINCE:
        cells = cells[1:]
    return line([*cells, *outcome.cells], job.delimiter)


def _keep_rows(call: Call, job: Job, kept: list[tuple[str, str]]) -> None:
    call.org.store.db.executemany(
        "INSERT INTO _job_row (job, kind, line) VALUES (?, ?, ?)",
        ((job.id, kind, text) for kind, text in kept),
    )
    job.total = len(kept)
