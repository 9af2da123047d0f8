"""Writing many records by ingest jobs: upload once, close, wait, and read what became of each row."""

from __future__ import annotations

import csv
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from connectors.atonce import stop_if_interrupted
from connectors.crm import Written
from connectors.errors import ConnectorError, RecordRefused, RetryLater
from connectors.salesforce.bulk import rows
from connectors.salesforce.bulk.jobs import Ended, Jobs
from connectors.salesforce.bulk.rows import Sent
from connectors.salesforce.calls import Calls, unreadable
from connectors.salesforce.errors import CRM
from connectors.salesforce.outgoing import Outgoing
from connectors.salesforce.schema import Described

_log = logging.getLogger(__name__)

#: Salesforce itself draws the line between collections and bulk here (Salesforce reference, section 0).
BULK_ABOVE_WRITES = 2_000

#: Bytes of one upload: 100 MB may be sent, and its last row may be as long as a record can be (section 5).
UPLOAD_BYTES = 95_000_000

#: How often rows are uploaded anew where nobody knows whether the upload before came through.
UPLOADS = 3

Results = dict[str, Written]
Tell = Callable[[Outgoing, Mapping[str, str]], Written]


class Load:
    """Ingest jobs of one organisation, for more than ``above`` records of one kind; None: for none."""

    def __init__(self, calls: Calls, jobs: Jobs, above: int | None = BULK_ABOVE_WRITES) -> None:
        self._calls = calls
        self._jobs = jobs
        self.above = above

    def send(self, described: Described, items: Sequence[Outgoing], results: Results) -> None:
        """Write ``items``, all of one route and each to a record of its own; results by trace as they come.

        Raises NotInBulk where Salesforce makes no such job, and one of the four kinds where a job failed and
        nothing of it can have been written; what is not in ``results`` then was not sent. "unknown" is what
        may have been written: the job was closed, and could not be asked any more.
        """
        columns = rows.columns_of(items) if items else []
        for lot, lines in _lots(rows.in_lock_order(items), columns):
            stop_if_interrupted()
            with tempfile.TemporaryFile() as file:
                file.write(rows.heading(columns))
                file.writelines(lines)
                job_id = self._uploaded(described, lot[0], file)
            self._carried_out(job_id, lot, columns, results)

    def _uploaded(self, described: Described, like: Outgoing, file: IO[bytes]) -> str:
        """A job that holds the rows and is not closed yet.

        Until it is closed nothing of it is written. So where an upload may or may not have come through, the
        job is given up for another one: a second upload to the same one would be refused.
        """
        wanted = {"object": described.schema.object, "contentType": "CSV", "operation": "insert"}
        if like.route.key:
            wanted.update(operation="upsert", externalIdFieldName=like.route.key)
        elif like.write.record_id is not None:
            wanted.update(operation="update")
        lost: RetryLater | None = None
        for _ in range(UPLOADS):
            job_id = self._jobs.create("ingest", wanted)
            try:
                self._calls.upload(f"jobs/ingest/{job_id}/batches", file)
                return job_id
            except RetryLater as error:
                self._jobs.abort("ingest", job_id)
                if not error.sent:
                    raise
                lost = error
            except BaseException:
                self._jobs.abort("ingest", job_id)
                raise
        raise lost or unreadable("jobs/ingest")

    def _carried_out(
        self, job_id: str, lot: Sequence[Outgoing], columns: Sequence[str], results: Results
    ) -> None:
        """Close the job and map what became of its rows."""
        sent = Sent(lot, columns)
        try:
            ended = self._closed(job_id)
        except _NotClosed as failure:
            self._jobs.abort("ingest", job_id)
            raise failure.error from None
        except ConnectorError as error:
            results.update((item.write.trace, _unknown(item, job_id, error)) for item in lot)
            return
        found: Results = {}
        try:
            self._hear(job_id, "successfulResults", sent, rows.written, found)
            self._hear(job_id, "failedResults", sent, rows.refused, found)
        except ConnectorError as error:
            _log.warning("the results of bulk job %s could not be read: %s", job_id, error.code)
            found.update((item.write.trace, _unknown(item, job_id, error)) for item in sent.rest())
        else:
            self._settle_rest(ended, sent, found)
        results.update(found)

    def _closed(self, job_id: str) -> Ended:
        """The job, closed and over. Raises _NotClosed where it certainly was not closed."""
        try:
            self._jobs.set_state("ingest", job_id, "UploadComplete")
        except ConnectorError as error:
            if not isinstance(error, RetryLater) or not error.sent:
                raise _NotClosed(error) from None
            raise
        try:
            return self._jobs.wait("ingest", job_id)
        except RetryLater as error:
            if error.code != "JOB_SLOW":
                raise
            # It was stopped: what it had done until then stands in its results.
            return self._jobs.look("ingest", job_id)

    def _settle_rest(self, ended: Ended, sent: Sent, found: Results) -> None:
        """The rows that no result names: not processed where the job failed, unknown where it says it is done."""
        rest = list(sent.rest())
        if not rest:
            return
        if ended.state == "JobComplete":
            error = RetryLater(
                f"salesforce: bulk job {ended.id} tells nothing of it", crm=CRM, code="JOB_RESULT"
            )
            found.update((item.write.trace, _unknown(item, ended.id, error)) for item in rest)
            return
        failure = ended.failure()
        if not found:
            raise failure
        found.update((item.write.trace, _not_done(item, failure)) for item in rest)

    def _hear(self, job_id: str, name: str, sent: Sent, tell: Tell, found: Results) -> None:
        """One list of a job's results, each row mapped back to its write."""
        broken = False
        with tempfile.TemporaryFile() as file:
            self._calls.download(f"jobs/ingest/{job_id}/{name}", file)
            try:
                for row in rows.read_rows(file, sent.asked):
                    item = sent.take(row)
                    if item is not None:
                        found[item.write.trace] = tell(item, row)
            except (csv.Error, UnicodeDecodeError):
                broken = True
        if broken:
            raise unreadable(name)


class _NotClosed(Exception):
    """The job still waits to be closed, so nothing of it was written."""

    def __init__(self, error: ConnectorError) -> None:
        super().__init__(error.code)
        self.error = error


def _lots(items: Sequence[Outgoing], columns: Sequence[str]) -> Iterator[tuple[list[Outgoing], list[bytes]]]:
    """The writes of one job each with their lines, so that its file is not too large."""
    lot: list[Outgoing] = []
    lines: list[bytes] = []
    size = 0
    for item, line in zip(items, rows.lines(items, columns), strict=True):
        if lot and size + len(line) > UPLOAD_BYTES:
            yield lot, lines
            lot, lines, size = [], [], 0
        lot.append(item)
        lines.append(line)
        size += len(line)
    if lot:
        yield lot, lines


def _unknown(item: Outgoing, job_id: str, error: ConnectorError) -> Written:
    text = f"{error} (bulk job {job_id})"
    return Written(item.write.trace, "unknown", item.write.record_id, code=error.code, message=text)


def _not_done(item: Outgoing, error: ConnectorError) -> Written:
    fields = error.fields if isinstance(error, RecordRefused) else ()
    trace, record_id = item.write.trace, item.write.record_id
    return Written(trace, "refused", record_id, code=error.code, message=str(error), fields=fields)
