"""One job of Bulk API 2.0: made, waited for, stopped.

Every look at a job costs a call of the day's budget (Salesforce reference, section 5), so the looks become
rarer the longer it takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from connectors.atonce import attentive
from connectors.errors import ConnectorError, NeedsPerson, RecordRefused, RetryLater
from connectors.salesforce.calls import Calls, part, unreadable
from connectors.salesforce.codes import CODES
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import looks_like_id

_log = logging.getLogger(__name__)

Kind = Literal["query", "ingest"]

#: Seconds before the second look; each wait is half as long again as the one before, up to the longest.
FIRST_WAIT = 0.5
LONGEST_WAIT = 20.0

#: Seconds of waiting after which a job is stopped and left for another time.
PATIENCE = 6 * 3_600.0

OVER = frozenset({"JobComplete", "Failed", "Aborted"})


class NotInBulk(Exception):
    """Bulk API 2.0 does not take this object or query, or takes no more today: the other way is still open."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is over. ``state`` is JobComplete, Failed or Aborted; ``error`` holds a Salesforce text."""

    id: str
    state: str
    error: str = ""

    def failure(self) -> ConnectorError:
        """Why the job did not get through, as one of the four kinds. The text is ours: theirs may hold values."""
        if "INVALID_FIELD" in self.error or "Field name not found" in self.error:
            return NeedsPerson(
                f"salesforce: bulk job {self.id} names a field that is not there, or not visible to us",
                crm=CRM,
                code="INVALID_FIELD",
                fix="grant the integration user access to it, for example with a permission set",
            )
        if "LIMIT_EXCEEDED" in self.error:
            used_up = CODES["LIMIT_EXCEEDED"]
            text = f"salesforce: bulk job {self.id}: {used_up.says}"
            return NeedsPerson(text, crm=CRM, code="LIMIT_EXCEEDED", fix=used_up.fix)
        return RetryLater(f"salesforce: bulk job {self.id} ended as {self.state}", crm=CRM, code="JOB_FAILED")


class Jobs:
    """The jobs of one organisation. ``sleep`` takes seconds. Threads may share it."""

    def __init__(self, calls: Calls, sleep: Callable[[float], None]) -> None:
        self._calls = calls
        self._sleep = attentive(sleep)

    def create(self, kind: Kind, wanted: Mapping[str, Any]) -> str:
        """Make a job and return its id. Raises NotInBulk where Salesforce refuses it.

        May be repeated: a job that nobody closes does nothing, and a query job changes nothing.
        """
        path = f"jobs/{kind}"
        body = orjson.dumps({**wanted, "columnDelimiter": "COMMA", "lineEnding": "LF"})
        try:
            answer = self._calls.send("POST", path, body, repeatable=True)
        except RetryLater:
            raise
        except ConnectorError as error:
            if error.code in ("REQUEST_LIMIT_EXCEEDED", "DAILY", "INVALID_SESSION_ID"):
                raise
            raise NotInBulk(error.code) from error
        job_id = str(part(answer, "id", path))
        if not looks_like_id(job_id):
            raise unreadable(path)
        return job_id

    def wait(self, kind: Kind, job_id: str) -> Ended:
        """The job once it is over. It is stopped where waiting for it fails or takes too long.

        A dropped connection does not matter: the job is looked up again by its id.
        """
        waited, pause = 0.0, FIRST_WAIT
        try:
            while (ended := self.look(kind, job_id)).state not in OVER:
                if waited >= PATIENCE:
                    raise RetryLater(
                        f"salesforce: bulk job {job_id} takes too long", crm=CRM, code="JOB_SLOW"
                    )
                self._sleep(pause)
                waited, pause = waited + pause, min(pause * 1.5, LONGEST_WAIT)
        except BaseException:
            self.abort(kind, job_id)
            raise
        return ended

    def look(self, kind: Kind, job_id: str) -> Ended:
        """The job as it is now, over or not. Raises RetryLater where it is not there any more."""
        path = f"jobs/{kind}/{job_id}"
        gone: RecordRefused
        try:
            answer = self._calls.get(path)
        except RecordRefused as error:
            gone = error
        else:
            return Ended(job_id, str(part(answer, "state", path)), str(answer.get("errorMessage") or ""))
        raise RetryLater(f"salesforce: bulk job {job_id} is gone", crm=CRM, code=gone.code, sent=True)

    def set_state(self, kind: Kind, job_id: str, state: Literal["UploadComplete", "Aborted"]) -> None:
        """Close or stop a job. Where the answer is lost, the job itself is asked; so it may be repeated."""
        path = f"jobs/{kind}/{job_id}"
        body = orjson.dumps({"state": state})
        try:
            self._calls.send("PATCH", path, body, repeatable=False)
        except RetryLater as error:
            if not error.sent:
                raise
            if self._is_open(kind, job_id, error):
                self._calls.send("PATCH", path, body, repeatable=False)

    def _is_open(self, kind: Kind, job_id: str, doubt: RetryLater) -> bool:
        """Whether a job still waits to be closed. Where that cannot be told, the doubt is what is raised."""
        try:
            return self.look(kind, job_id).state == "Open"
        except ConnectorError:
            raise doubt from None

    def abort(self, kind: Kind, job_id: str) -> None:
        """Stop a job as far as that is possible; it never fails."""
        try:
            self.set_state(kind, job_id, "Aborted")
        except ConnectorError as error:
            _log.info("bulk job %s was not stopped: %s", job_id, error.code)
