"""The jobs themselves: what they are, in which state, and how they get on.

A job gets on when it is looked at (``bulk_polls`` looks find it unfinished) or when the sandbox's clock has
moved ``bulk_seconds`` past its closing. Jobs and their results stay for seven days.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.sandbox.salesforce import ids, moments, seed
from connectors.sandbox.salesforce.bulk.csvtext import DELIMITERS, ENDINGS
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.side import Answer

PREFIX = "750"
KEPT = timedelta(days=7)
OPEN_AT_MOST = timedelta(hours=24)
WORKING = ("UploadComplete", "InProgress")
OVER = ("JobComplete", "Failed", "Aborted")
LISTED_AT_ONCE = 1_000


@dataclass(slots=True)
class Job:
    """One job. ``facts`` holds what its creator said; ``first`` and ``total`` its rows in ``_job_row``."""

    id: str
    kind: str  #: "query" or "ingest"
    state: str
    created: str
    touched: str
    facts: dict[str, Any]
    looks: int = 0
    error: str = ""
    processed: int = 0
    failed: int = 0
    first: int = 0
    total: int = 0
    header: str = ""

    @property
    def version(self) -> float:
        """The API version that made it."""
        return float(self.facts["apiVersion"])

    @property
    def delimiter(self) -> str:
        """The character between two values."""
        return DELIMITERS[self.facts["columnDelimiter"]]

    @property
    def ending(self) -> str:
        """The characters between two records."""
        return ENDINGS[self.facts["lineEnding"]]


COLUMNS = (
    *("id", "kind", "state", "created", "touched", "facts", "looks"),
    *("error", "processed", "failed", "first", "total", "header"),
)


def new_id(org: Org) -> str:
    """An id for a new job."""
    return org.store.mint(PREFIX)


def keep(org: Org, job: Job) -> None:
    """Store a job as it is now."""
    values = {name: getattr(job, name) for name in COLUMNS} | {"facts": json.dumps(job.facts)}
    marks = ", ".join("?" * len(COLUMNS))
    org.store.db.execute(f"INSERT OR REPLACE INTO _job VALUES ({marks})", tuple(values.values()))


def find(call: Call, kind: str, job_id: str) -> Job:
    """The job of a path. Raises Refusal (404 NOT_FOUND) for one that is not there, or no longer."""
    forget_old(call.org)
    whole = ids.to_18(job_id)
    rows = call.org.store.rows("SELECT * FROM _job WHERE id = ? AND kind = ?", (whole, kind))
    if not rows:
        raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
    return _of_row(rows[0])


def _of_row(row: dict[str, Any]) -> Job:
    return Job(**{**row, "facts": json.loads(row["facts"])})


def forget_old(org: Org) -> None:
    """Remove jobs whose seven days are over, and give up ingest jobs that stayed open for a day."""
    oldest = moments.kept(org.now() - KEPT)
    for row in org.store.rows("SELECT id FROM _job WHERE created < ?", (oldest,)):
        remove(org, row["id"])
    org.store.db.execute(
        "UPDATE _job SET state = 'Aborted' WHERE state = 'Open' AND created < ?",
        (moments.kept(org.now() - OPEN_AT_MOST),),
    )


def remove(org: Org, job_id: str) -> None:
    """Remove a job with its rows."""
    for table in ("_job_row", "_job_upload"):
        org.store.db.execute(f"DELETE FROM {table} WHERE job = ?", (job_id,))
    org.store.db.execute("DELETE FROM _job WHERE id = ?", (job_id,))


def is_due(org: Org, job: Job) -> bool:
    """Note one look at a job under way; whether its work is done by now."""
    if job.state not in WORKING:
        return False
    job.looks += 1
    passed = org.now() - moments.moment_of(job.touched)
    if job.looks > org.switches["bulk_polls"] or passed >= timedelta(seconds=org.switches["bulk_seconds"]):
        return True
    job.state = "InProgress"
    keep(org, job)
    return False


def end(org: Org, job: Job, state: str, error: str = "") -> None:
    """Bring a job to one of its last states."""
    job.state, job.error, job.touched = state, error, org.stamp()
    keep(org, job)


def shown(job: Job) -> dict[str, Any]:
    """What every answer about a job begins with."""
    facts = job.facts
    body = {
        "id": job.id,
        "operation": facts["operation"],
        "object": facts["object"],
        "createdById": seed.INTEGRATION_USER,
        "createdDate": moments.shown(job.created),
        "systemModstamp": moments.shown(job.touched),
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": facts["apiVersion"],
    }
    for name in ("externalIdFieldName", "assignmentRuleId"):
        if facts.get(name):
            body[name] = facts[name]
    return body


def layout(wanted: dict[str, Any]) -> dict[str, str]:
    """Delimiter and line ending of a new job. Raises Refusal for unknown ones, or another content type."""
    if wanted.get("contentType", "CSV") != "CSV":
        raise job_refused("API_ERROR", "Unsupported content type, only CSV is supported")
    found = {}
    for name, known, usual in (("columnDelimiter", DELIMITERS, "COMMA"), ("lineEnding", ENDINGS, "LF")):
        value = wanted.get(name, usual)
        if not isinstance(value, str) or value not in known:
            raise job_refused("API_ERROR", f"{name}: expected one of {', '.join(known)}")
        found[name] = value
    return found


def job_refused(code: str, message: str, status: int = 400) -> Refusal:
    """A refusal of the job resources."""
    return Refusal(status, code, message)


def wrong_state(message: str) -> Refusal:
    """INVALIDJOBSTATE: the job is in a state that does not allow it."""
    return job_refused("INVALIDJOBSTATE", message)


def abort(org: Org, job: Job) -> None:
    """Stop a job. Raises Refusal when there is nothing left to stop."""
    if job.state == "JobComplete":
        raise wrong_state("Aborting already Completed Job not allowed")
    if job.state in OVER:
        raise wrong_state(f"Aborting already {job.state} Job not allowed")
    end(org, job, "Aborted")


def delete(call: Call, kind: str, job_id: str) -> Answer:
    """Answer DELETE of a job that is over. Raises Refusal (400 API_ERROR) for one that is not."""
    job = find(call, kind, job_id)
    if job.state not in OVER and not (kind == "ingest" and job.state == "UploadComplete"):
        raise job_refused("API_ERROR", f"Deleting a job in state {job.state} is not allowed")
    remove(call.org, job.id)
    return Answer(204, content_type=None)


def listed(call: Call, kind: str, show: Any) -> Answer:
    """Answer the list of all jobs of a kind, oldest first."""
    forget_old(call.org)
    after = call.ask.first("queryLocator") or ""
    rows = call.org.store.rows(
        "SELECT * FROM _job WHERE kind = ? AND id > ? ORDER BY id LIMIT ?", (kind, after, LISTED_AT_ONCE + 1)
    )
    found = [_of_row(row) for row in rows[:LISTED_AT_ONCE]]
    done = len(rows) <= LISTED_AT_ONCE
    more = None if done else call.url(f"jobs/{kind}?queryLocator={found[-1].id}")
    return answer_json({"done": done, "records": [show(job) for job in found], "nextRecordsUrl": more})


def csv_answer(org: Org, body: str, headers: dict[str, str] | None = None) -> Answer:
    """A CSV answer; a switch leaves its character set unsaid."""
    kind = "text/csv; charset=UTF-8" if org.switches["bulk_charset"] else "text/csv"
    return Answer(200, body.encode(), dict(headers or {}), kind)
