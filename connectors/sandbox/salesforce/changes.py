"""``updated`` and ``deleted``: which records changed in a span of time, and how far that is certain.

``latestDateCovered`` stays at the start of the oldest write that is still open, so that a reader who goes on
from there misses nothing (Salesforce reference, section 3).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.sandbox.salesforce import moments
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.side import Answer

LONGEST = timedelta(days=30)
BIN_DAYS = timedelta(days=15)
MOST_IDS = 600_000


def updated(call: Call, name: str) -> Answer:
    """Answer ``/sobjects/X/updated?start&end``. Raises Refusal for a span that Salesforce refuses."""
    sobject = call.sobject(name)
    start, end = _span(call)
    rows = call.org.store.db.execute(
        f"SELECT Id FROM {quoted(sobject.name)} WHERE {sobject.stamp} >= ? AND {sobject.stamp} < ?{_live(sobject)} "
        f"ORDER BY {sobject.stamp}, Id LIMIT {MOST_IDS + 1}",
        (moments.kept(start), moments.kept(end)),
    )
    found = [row[0] for row in rows]
    _check_count(len(found))
    return answer_json({"ids": found, "latestDateCovered": moments.shown(moments.kept(_covered(call, end)))})


def deleted(call: Call, name: str) -> Answer:
    """Answer ``/sobjects/X/deleted?start&end``; older than the recycle bin is INVALID_REPLICATION_DATE."""
    sobject = call.sobject(name)
    start, end = _span(call)
    oldest = call.org.now() - BIN_DAYS
    if start < oldest.replace(second=0, microsecond=0):
        raise Refusal(
            400,
            "INVALID_REPLICATION_DATE",
            "startDate before org replication enabled date or the deleted log",
        )
    rows = []
    if sobject.bin:
        rows = call.org.store.rows(
            f"SELECT Id, {sobject.stamp} AS stamp FROM {quoted(sobject.name)} WHERE IsDeleted = 1 "
            f"AND {sobject.stamp} >= ? AND {sobject.stamp} < ? ORDER BY {sobject.stamp}, Id",
            (moments.kept(start), moments.kept(end)),
        )
    if call.org.switches["deleted_keeps_purged"]:
        rows += call.org.store.rows(
            "SELECT id AS Id, stamp FROM _purged WHERE object = ? AND stamp >= ? AND stamp < ? ORDER BY stamp, id",
            (sobject.name, moments.kept(start), moments.kept(end)),
        )
    _check_count(len(rows))
    return answer_json(
        {
            "deletedRecords": [{"deletedDate": moments.shown(row["stamp"]), "id": row["Id"]} for row in rows],
            "earliestDateAvailable": moments.shown(moments.kept(oldest)),
            "latestDateCovered": moments.shown(moments.kept(_covered(call, end))),
        }
    )


def _live(sobject: SObject) -> str:
    return " AND IsDeleted = 0" if sobject.bin else ""


def _check_count(count: int) -> None:
    if count > MOST_IDS:
        raise Refusal(400, "EXCEEDED_ID_LIMIT", f"more than {MOST_IDS} ids; ask for a shorter span")


def _span(call: Call) -> tuple[datetime, datetime]:
    """The span asked for, cut to whole minutes. Raises Refusal."""
    start, end = (_moment(call, each) for each in ("start", "end"))
    if start >= end:
        raise Refusal(400, "INVALID_REPLICATION_DATE", "startDate is not at least one minute before endDate")
    if end - start > LONGEST or start < call.org.now() - LONGEST - timedelta(minutes=1):
        raise Refusal(400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
    return start, end


def _moment(call: Call, name: str) -> datetime:
    text = call.ask.first(name)
    moment = moments.parse_datetime(text or "")
    if moment is None:
        raise Refusal(
            400,
            "MALFORMED_QUERY" if text else "MISSING_ARGUMENT",
            f"{name}: a date and time with an offset is required",
        )
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _covered(call: Call, end: datetime) -> datetime:
    return min(end, call.org.covered())
