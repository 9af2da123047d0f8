"""Writing records: full collections calls or bulk jobs, one result for each write, no create done twice.

Updates and keyed upserts may be repeated, so an unknown outcome is settled by asking again. A create
without a key may not: it is reported as unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from msgspec.structs import replace

from connectors.atonce import at_once, stop_if_interrupted
from connectors.crm import Write, Written
from connectors.errors import ConnectorError, NeedsPerson, RecordRefused, RetryLater
from connectors.salesforce import soql
from connectors.salesforce.bulk.jobs import NotInBulk
from connectors.salesforce.bulk.load import Load
from connectors.salesforce.bulk.rows import fits
from connectors.salesforce.calls import Calls, listed, unreadable
from connectors.salesforce.choices import WRITE_THREADS
from connectors.salesforce.codes import CODES, Kind
from connectors.salesforce.errors import CRM, field_names, without_values
from connectors.salesforce.guarded import send_row, unchanged
from connectors.salesforce.ids import eighteen
from connectors.salesforce.outgoing import (
    Outgoing,
    Preparing,
    Route,
    as_update,
    in_calls,
    request_body,
    rounds,
    sent_values,
)
from connectors.salesforce.reading import READ_AT_ONCE, Reading
from connectors.salesforce.reading import batches as lots
from connectors.salesforce.schema import Described, Schemas
from connectors.salesforce.values import texts

_log = logging.getLogger(__name__)

#: A record's own failures that pass in a moment: its row is sent again, the others are not.
BUSY_ROWS = frozenset(
    code for code, meaning in CODES.items() if meaning.kind is Kind.RETRY and not meaning.sent
)

Results = dict[str, Written]


class _RowsBusy(RetryLater):
    """Some rows of an answered call should be sent once more."""


class Writing:
    """Writes records of one organisation; at most ``threads`` calls are under way at the same time."""

    def __init__(
        self,
        calls: Calls,
        schemas: Schemas,
        records: Reading,
        *,
        read_back: bool,
        bulk: Load,
        threads: int = WRITE_THREADS,
    ) -> None:
        self._calls = calls
        self._schemas = schemas
        self._records = records
        self._read_back = read_back
        self._bulk = bulk
        self._threads = threads

    def write(self, object_name: str, writes: Sequence[Write]) -> list[Written]:
        """One result for each write, in order.

        Raises one of the four kinds where a whole call failed and nothing was written. Where something was, the
        rest comes back as refused with that error's code: nothing that was written is ever lost with an exception.
        After a failure no call is begun. "unknown" is only what may have been carried out.
        """
        described = self._schemas.of(object_name)
        results: Results = {}
        ready: list[Outgoing] = []
        preparing = Preparing(described)
        for write in writes:
            prepared = preparing.ready(write)
            if isinstance(prepared, Written):
                results[write.trace] = prepared
            else:
                ready.append(prepared)
        left = unchanged(described, ready, self._records, results)
        sent = self._send_all(described, left)
        if any(result.code == "INVALID_FIELD" for result in sent.values()):
            # A field has gone since it was described.
            self._schemas.forget(object_name)
        results.update(sent)
        if self._read_back:
            self._fill_stored(described, writes, results)
        return [results[write.trace] for write in writes]

    def _send_all(self, described: Described, ready: Sequence[Outgoing]) -> Results:
        """The results of all that is ready, whatever happens on the way."""
        results: Results = {}
        try:
            for some in rounds(ready, self._bulk.above):
                acts = [
                    partial(self._carry_out, described, batch, in_bulk, results) for batch, in_bulk in some
                ]
                at_once(acts, self._threads)
        except ConnectorError as error:
            if not results:
                raise
            rest = [item for item in ready if item.write.trace not in results]
            results.update((item.write.trace, _not_sent(item, error)) for item in rest)
        return results

    def _carry_out(
        self, described: Described, batch: Sequence[Outgoing], in_bulk: bool, results: Results
    ) -> None:
        """Send one batch of a round. Raises what concerns more than this batch."""
        stop_if_interrupted()
        try:
            if in_bulk:
                for some in in_calls(self._load(described, batch, results)):
                    self._carry_out(described, some, False, results)
            elif batch[0].route.unless is not None:
                results.update((item.write.trace, send_row(self._calls, item)) for item in batch)
            else:
                self._send(described, batch, results)
        except RecordRefused as error:
            rest = [item for item in batch if item.write.trace not in results]
            if len(rest) > 1 and error.code != "NOT_FOUND":
                # The whole call was refused because of a record in it: find that one, write the others.
                # (What is not found is the address of the call, the same for each of them.)
                middle = len(rest) // 2
                self._carry_out(described, rest[:middle], in_bulk, results)
                self._carry_out(described, rest[middle:], in_bulk, results)
            else:
                results.update((item.write.trace, _not_sent(item, error)) for item in rest)

    def _load(self, described: Described, batch: Sequence[Outgoing], results: Results) -> Sequence[Outgoing]:
        """Write one large batch by bulk jobs; what is left for collections calls is returned.

        That is what only JSON can say, rows that were locked, and everything where bulk is refused.
        """
        in_rows: list[Outgoing] = []
        apart: list[Outgoing] = []
        for item in batch:
            (in_rows if fits(item) else apart).append(item)
        try:
            self._bulk.send(described, in_rows, results)
        except NotInBulk as refused:
            _log.warning("%s is written 200 at a time: bulk says %s", described.schema.object, refused)
            return [item for item in batch if item.write.trace not in results]
        except NeedsPerson as error:
            if error.code == "INVALID_FIELD":
                self._schemas.forget(described.schema.object)
            raise
        codes = {
            item.write.trace: results[item.write.trace].code for item in batch if item.write.trace in results
        }
        busy = [item for item in batch if codes.get(item.write.trace) in BUSY_ROWS]
        for item in busy:
            del results[item.write.trace]
        if batch[0].route.key:
            lost = [item for item in batch if codes.get(item.write.trace) == "DUPLICATE_VALUE"]
            for some in in_calls(lost):
                self._after_lost_race(described, some, results)
        return [*busy, *apart]

    def _send(self, described: Described, batch: Sequence[Outgoing], results: Results) -> None:
        """One batch, until no row of it is worth another try. Settled rows are in ``results`` at any moment.

        Raises what failed for the rows that are not in ``results`` then.
        """
        pending = list(batch)
        route = batch[0].route
        busy: Results = {}

        def attempt() -> None:
            self._attempt(described, route, pending, results, busy)

        try:
            self._calls.retried(attempt, repeatable=route.repeatable)
        except _RowsBusy:
            # Still busy after all tries: refused with that code, as the last answer said.
            results.update(busy)
        except RetryLater as error:
            if error.sent:
                results.update((item.write.trace, _unknown(item, error)) for item in pending)
            elif busy:
                # The second try was not made; what the first said stands.
                results.update(busy)
            else:
                raise
        if route.key:
            self._after_lost_race(described, batch, results)

    def _attempt(
        self, described: Described, route: Route, pending: list[Outgoing], results: Results, busy: Results
    ) -> None:
        """One call for the rows in ``pending``; those that are settled leave it for ``results``."""
        body = request_body(described.schema.object, pending)
        answer = listed(self._calls.send_once(route.method, route.path, body), route.path)
        if len(answer) != len(pending):
            raise unreadable(route.path)
        # Results stand in the order of the records (Salesforce reference, section 4).
        written = [(item, saved(item, result)) for item, result in zip(pending, answer, strict=True)]
        busy.clear()
        busy.update((item.write.trace, result) for item, result in written if result.code in BUSY_ROWS)
        results.update((item.write.trace, result) for item, result in written if result.code not in BUSY_ROWS)
        pending[:] = [item for item, result in written if result.code in BUSY_ROWS]
        if pending:
            raise _RowsBusy(f"salesforce: {len(pending)} records are locked", crm=CRM)

    def _after_lost_race(self, described: Described, batch: Sequence[Outgoing], results: Results) -> None:
        """Somebody else created the record of a key while our upsert did: update theirs, once.

        Where that cannot be tried, the refusal stands.
        """
        lost = [item for item in batch if results[item.write.trace].code == "DUPLICATE_VALUE"]
        if not lost:
            return
        try:
            ids = self._ids_by_key(described, batch[0].route.key, lost)
            again = [as_update(item, ids[item.target[2]]) for item in lost if item.target[2] in ids]
            if again:
                second: Results = {}
                self._send(described, again, second)
                results.update(second)
        except ConnectorError as error:
            _log.warning("a lost race was not settled: %s", error.code)

    def _ids_by_key(self, described: Described, field: str, items: Sequence[Outgoing]) -> dict[str, str]:
        """The record that holds each key now, by the key without case."""
        keys = [item.write.key[1] for item in items if item.write.key is not None]
        literals = [soql.literal(described.types[field], key) for key in keys]
        prefix = soql.select(described.schema.object, list(dict.fromkeys(("Id", field)))) + f" WHERE {field}"
        found: dict[str, str] = {}
        for query in soql.in_chunks(prefix, [item for item in literals if item is not None]):
            for record in self._calls.few(query):
                key = texts(described.types[field], [record[field]])[0]
                found[str(key).casefold()] = eighteen(record["Id"])
        return found

    def _fill_stored(self, described: Described, writes: Sequence[Write], results: Results) -> None:
        """What was sent is not always what is stored: triggers, flows and rounding have their say."""
        written = {write.trace: write for write in writes if results[write.trace].outcome == "written"}
        asked: dict[str, AbstractSet[str]] = {}
        for trace, write in written.items():
            record_id, fields = str(results[trace].record_id), write.values.keys()
            asked[record_id] = asked[record_id] | fields if record_id in asked else fields
        stored: dict[str, Mapping[str, str | None]] = {}

        def read(some: Sequence[str]) -> None:
            these = {one: asked[one] for one in some}
            names = sorted(set().union(*these.values()))
            if names:
                stored.update(self._records.stored(described.schema.object, names, these))

        ids = list(asked)
        if len(ids) > READ_AT_ONCE:
            # A call names its fields for all its records: those of which much was sent are read by themselves.
            ids.sort(key=lambda one: len(asked[one]))
        try:
            at_once([partial(read, some) for some in lots(ids, READ_AT_ONCE)], self._threads)
        except ConnectorError as error:
            # The records are written; that they could not be read again changes nothing about it.
            _log.warning("what was stored could not be read back: %s", error.code)
        for trace, write in written.items():
            record = stored.get(str(results[trace].record_id), {})
            values = {name: record[name] for name in write.values if name in record}
            results[trace] = replace(results[trace], stored=values)


def saved(item: Outgoing, result: Any) -> Written:
    """One result of a collections call: ``{id, success, errors, created?}``."""
    trace, record_id = item.write.trace, item.write.record_id
    if not isinstance(result, Mapping) or not isinstance(result.get("success"), bool):
        return Written(trace, "unknown", record_id, message="the result could not be read")
    if result["success"]:
        created = bool(result.get("created", not item.route.repeatable))
        return Written(trace, "written", eighteen(str(result.get("id") or record_id)), created)
    errors = [error for error in result.get("errors") or () if isinstance(error, Mapping)]
    first: Mapping[str, Any] = errors[0] if errors else {}
    return Written(
        trace,
        "refused",
        record_id,
        code=str(first.get("statusCode", "")),
        message=without_values(str(first.get("message", "")), sent_values(item.write)),
        fields=field_names([name for error in errors for name in error.get("fields") or ()]),
    )


def _unknown(item: Outgoing, error: ConnectorError) -> Written:
    return Written(item.write.trace, "unknown", item.write.record_id, code=error.code, message=str(error))


def _not_sent(item: Outgoing, error: ConnectorError) -> Written:
    fields = error.fields if isinstance(error, RecordRefused) else ()
    return Written(
        item.write.trace, "refused", item.write.record_id, code=error.code, message=str(error), fields=fields
    )
