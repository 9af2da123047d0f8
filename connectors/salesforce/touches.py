"""What was done with a person: calls, mails and meetings, from tasks and events.

A touch is done when its task is closed or its event has begun; what is only planned is told apart. Older
activities are archived, and only ``queryAll`` still finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from connectors.crm import RECORD_ID
from connectors.salesforce.calls import Calls
from connectors.salesforce.ids import eighteen
from connectors.salesforce.listing import Listing, Row
from connectors.salesforce.schema import Schemas
from connectors.salesforce.values import moment_text
from connectors.slabs import times

#: One row an activity. ``kind``: Salesforce's word for it ("Call", "Email", "Task", "Event"). ``at``: when a
#: closed task was completed, when an event begins, else when the activity is due (start of that day) or was
#: written down. ``owner``: whose activity it is.
TOUCH_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "activity_id": pl.String(),
    "kind": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "done": pl.Boolean(),
    "owner": pl.String(),
}

#: The first and the last thing done with each person, and how many there were.
SPAN_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "first": pl.Datetime("us", "UTC"),
    "first_kind": pl.String(),
    "last": pl.Datetime("us", "UTC"),
    "last_kind": pl.String(),
    "touches": pl.UInt32(),
}

_LIVE = "IsDeleted = false"


class _Activity(Row):
    CreatedDate: str
    WhoId: str
    OwnerId: str | None = None
    ActivityDate: str | None = None


class _Task(_Activity):
    IsClosed: bool = False
    CompletedDateTime: str | None = None
    TaskSubtype: str | None = None


class _Event(_Activity):
    ActivityDateTime: str | None = None
    StartDateTime: str | None = None
    EventSubtype: str | None = None


def read_touches(calls: Calls, schemas: Schemas, ids: Sequence[str], now: datetime) -> Iterator[pl.DataFrame]:
    """The activities of the named leads or contacts: frames of ``TOUCH_SCHEMA``, tasks first, then events.

    ``now`` is Salesforce's clock. A person who is not an activity's main one is not found. Raises NeedsPerson
    where tasks or events are not visible to us.
    """
    tasks = Listing(calls, schemas, "Task", _Task, ("WhoId", "IsClosed"))
    for some in tasks.of("WhoId", ids, _LIVE, deleted_too=True):
        yield _frame([(t, t.TaskSubtype or "Task", _of_task(t), t.IsClosed) for t in some])
    events = Listing(calls, schemas, "Event", _Event, ("WhoId",))
    asked = now.astimezone(UTC)
    for page in events.of("WhoId", ids, _LIVE, deleted_too=True):
        found = [(e, e.EventSubtype or "Event", _of_event(e)) for e in page]
        yield _frame([(e, kind, at, datetime.fromisoformat(at) <= asked) for e, kind, at in found])


def first_and_last(touches: pl.DataFrame) -> pl.DataFrame:
    """What was done first and last with each person: a frame of ``SPAN_SCHEMA`` by id. Plans do not count."""
    done = touches.filter("done").sort("at", "activity_id")
    spans = done.group_by(RECORD_ID).agg(
        first=pl.col("at").first(),
        first_kind=pl.col("kind").first(),
        last=pl.col("at").last(),
        last_kind=pl.col("kind").last(),
        touches=pl.len(),
    )
    return spans.sort(RECORD_ID).select(pl.col(name).cast(kind) for name, kind in SPAN_SCHEMA.items())


def _of_task(task: _Task) -> str:
    if task.IsClosed and task.CompletedDateTime is not None:
        return moment_text(task.CompletedDateTime)
    return _due(task)


def _of_event(event: _Event) -> str:
    begins = event.ActivityDateTime or event.StartDateTime
    return _due(event) if begins is None else moment_text(begins)


def _due(activity: _Activity) -> str:
    day = activity.ActivityDate
    return f"{day}T00:00:00.000Z" if day is not None else moment_text(activity.CreatedDate)


def _frame(rows: Sequence[tuple[_Activity, str, str, bool]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            RECORD_ID: [eighteen(activity.WhoId) for activity, *_ in rows],
            "activity_id": [eighteen(activity.Id) for activity, *_ in rows],
            "kind": [kind for _, kind, _, _ in rows],
            "at": times("at", [at for _, _, at, _ in rows]),
            "done": [done for *_, done in rows],
            "owner": [activity.OwnerId for activity, *_ in rows],
        },
        schema=dict(TOUCH_SCHEMA),
    )
