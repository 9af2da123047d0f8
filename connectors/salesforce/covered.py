"""Up to which moment everything that changed can be seen: the cursor of the change log.

A stamp is set inside a transaction, its record is seen when the transaction commits: a record can appear
behind any stamp already read. Salesforce says how far back such transactions reach (``latestDateCovered``,
Salesforce reference, section 3, "Change detection and safe overlap"), and the cursor never passes that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from connectors.crm import Cursor
from connectors.errors import ConnectorError, OurBug
from connectors.salesforce import soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.errors import CRM

#: What is asked about: how long a transaction may run (section 7: ten minutes a call). Where Salesforce does
#: not answer, the cursor stays so far behind its clock, as others who lost records do.
REACH = timedelta(minutes=10)

_MINUTE = timedelta(minutes=1)


def to_cursor(since: datetime) -> Cursor:
    """A moment as a cursor."""
    return {"since": soql.moment(since)}


def from_cursor(cursor: Cursor) -> datetime:
    """The moment of a cursor made by ``to_cursor``. Raises OurBug for anything else."""
    try:
        moment = datetime.fromisoformat(cursor["since"])
    except (KeyError, TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise OurBug("salesforce: that is not a cursor of this connector", crm=CRM)
    return moment.astimezone(UTC)


def next_cursor(
    calls: Calls, object_name: str, since: datetime | None, now: Callable[[], datetime]
) -> datetime:
    """Where the reading that begins now may say it has come to. Call before the first record is read.

    ``now`` is the CRM's clock as last heard. Never before ``since``, never later than what is covered.
    """
    asked = now()
    covered = _covered(calls, object_name, asked)
    heard = now()
    if heard - asked > _MINUTE:
        # The clock was an old answer's. The cursor would be right, but needlessly far back.
        asked, covered = heard, _covered(calls, object_name, heard)
    return covered if since is None else max(since, covered)


def _covered(calls: Calls, object_name: str, now: datetime) -> datetime:
    # Salesforce ignores the seconds: said with seconds, the end would not be the one we think it is.
    end = now.replace(second=0, microsecond=0)
    window = {"start": soql.moment(end - REACH), "end": soql.moment(end)}
    try:
        answer = calls.get(f"sobjects/{object_name}/updated", window)
        latest = datetime.fromisoformat(answer["latestDateCovered"])
    except (ConnectorError, KeyError, TypeError, ValueError):
        # Refused (an object that is not replicated, too many ids) or unreadable. If nothing works at all,
        # the query that follows says so.
        return now - REACH
    return min(latest.astimezone(UTC), end)
