"""What waits in the inbox without a job is seen, and a parked drain that has nothing left to do is no trouble."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from sync.app import App
from sync.jobs import drain_inbox
from sync.jobs_watch import Watch
from sync.store.inbox import Hint


def _look(house: Any, app: App) -> list[tuple[str, str]]:
    """A worker that has just begun looks; the jobs that are then there."""
    Watch(app, house.settings().worker, {}, ZoneInfo("Europe/Berlin")).look()
    return sorted((row.what, row.state) for row in app.store.jobs.listed())


def test_a_parked_drain_leaves_nothing_unread_and_is_forgotten_once_it_is_read(furnished: Any) -> None:
    with furnished.app() as app:
        app.work()
        now, store = app.clock(), app.store
        store.inbox.put({("hubspot", "contacts", "101"): Hint(now)}, now)
        store.jobs.enqueue(drain_inbox("hubspot"))
        with psycopg.connect(furnished.database, autocommit=True) as connection:
            connection.execute("UPDATE procrastinate_jobs SET status = 'failed'")
        with store.inbox.take(9, now) as taken:
            # As if the drain had died here: what it had taken is still marked as taken.
            assert taken.hints.height == 1
        assert _look(furnished, app) == [("drain", "parked"), ("drain", "queued"), ("drain", "queued")]

        with store.inbox.take(9, now) as taken:
            taken.settle(taken.hints, taken.hints.clear(), now, now)
        assert _look(furnished, app) == [("drain", "queued"), ("drain", "queued")]
