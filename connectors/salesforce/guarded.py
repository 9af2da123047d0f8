"""Updates that are made only where nobody changed the record since it was read.

Salesforce tests the condition itself, but in calls for one row only; a collections call and a bulk job know none
(Salesforce reference, section 2). So a few updates go row by row. Of more than that the stamps are read once more
just before they are written, which leaves a moment in which somebody may still come between.

The grain of both is one second: two changes in one second are not told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

import polars as pl

from connectors.crm import CHANGED_MEANWHILE, MODIFIED_AT, RECORD_ID, Written
from connectors.errors import NeedsPerson, RecordRefused, RetryLater
from connectors.salesforce.calls import WRITING, Calls
from connectors.salesforce.errors import without_values
from connectors.salesforce.outgoing import Outgoing, row_body, sent_values, without_condition
from connectors.salesforce.reading import Reading
from connectors.salesforce.schema import Described

#: Updates up to which each has a call of its own, and with it a condition without a gap.
ROWS_AT_MOST = 10

#: What stops a call of its own, but in a collections call only its row: a lock, or a field that has gone.
_OF_THE_ROW = frozenset({"UNABLE_TO_LOCK_ROW", "INVALID_FIELD"})

_MOVED_ON = "the record was changed in Salesforce after it had been read"


def unchanged(
    described: Described, ready: Sequence[Outgoing], records: Reading, results: dict[str, Written]
) -> list[Outgoing]:
    """What is still to be written: where many updates have a condition, those whose records did not move on.

    The others stand in ``results`` as refused. Raises what the reading raises.
    """
    guarded = [item for item in ready if item.route.unless is not None]
    if len(guarded) <= ROWS_AT_MOST:
        return list(ready)
    stamps = _stamps(described, [str(item.body["id"]) for item in guarded], records)
    left: list[Outgoing] = []
    for item in ready:
        unless = item.route.unless
        if unless is None:
            left.append(item)
        elif stamps.get(str(item.body["id"]), unless) <= unless:
            # A record that is not there any more is refused by the write itself, in Salesforce's words.
            left.append(without_condition(item))
        else:
            results[item.write.trace] = _refused(item)
    return left


def send_row(calls: Calls, item: Outgoing) -> Written:
    """Update one record under its condition, and say what became of it.

    Not repeated where it may have been carried out: it would then fail its own condition. Raises the other kinds of
    ``connectors.errors`` where nothing was written.
    """
    assert item.route.unless is not None  # only updates with a condition come here
    headers = {**WRITING, "If-Unmodified-Since": http_date(item.route.unless)}
    trace, record = item.write.trace, item.write.record_id
    try:
        calls.send(item.route.method, item.route.path, row_body(item), repeatable=False, headers=headers)
    except RecordRefused as error:
        if error.code == "412":
            return _refused(item)
        said = without_values(error.said, sent_values(item.write)) or str(error)
        return Written(trace, "refused", record, code=error.code, message=said, fields=error.fields)
    except (RetryLater, NeedsPerson) as error:
        if error.code in _OF_THE_ROW:
            return Written(trace, "refused", record, code=error.code, message=str(error))
        if not (isinstance(error, RetryLater) and error.sent):
            raise
        return Written(trace, "unknown", record, code=error.code, message=str(error))
    return Written(trace, "written", str(item.body["id"]))


def http_date(moment: datetime) -> str:
    """A moment as HTTP writes it, in whole seconds."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _refused(item: Outgoing) -> Written:
    return Written(
        item.write.trace, "refused", item.write.record_id, code=CHANGED_MEANWHILE, message=_MOVED_ON
    )


def _stamps(described: Described, ids: Sequence[str], records: Reading) -> Mapping[str, datetime]:
    """When each record that is still there changed last, by its id in 18 characters."""
    slabs = records.fetch(records.wanted(described.schema.object, ()), ids)
    frames = [slab.frame.select(RECORD_ID, MODIFIED_AT).drop_nulls() for slab in slabs]
    return dict(pl.concat(frames).iter_rows()) if frames else {}
