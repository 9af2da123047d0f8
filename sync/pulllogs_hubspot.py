"""HubSpot's Webhooks Journal, read for as long as there is a worker (HubSpot reference, section 10.4)."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from connectors.hubspot.journal import Journal, JournalCursor, Page
from connectors.hubspot.subscriptions import JournalSubscriptions
from sync import app_logs
from sync.app import App
from sync.inbox import Wanted, hints_of, wanted
from sync.pulllogs import LOST_PLACE, NEW, Loss, Step, begun, noted, take_in
from sync.work import Work

NAME, CRM = "hubspot journal", "hubspot"
#: The type ids of the objects that have a name in HubSpot's paths; others are their own id.
TYPE_IDS = {"contacts": "0-1"}


def listen(app: App, stop: threading.Event) -> None:
    """Read the journal until ``stop``, asking every ``hubspot.journal_seconds``. Raises the connectors' errors."""
    work = app.recalled()
    if work is None or app.owned is None:
        return
    with ExitStack() as stack, noted(work, NAME, CRM, stop):
        account = account_of(work)
        journal, subscriptions = app_logs.journal(app.settings, app.owned, account, stack)
        cursor = _start(work, subscriptions, account)
        while not stop.is_set():
            cursor = read_on(work, journal, cursor, stop)
            stop.wait(app.settings.hubspot.journal_seconds)


def _start(work: Work, subscriptions: JournalSubscriptions, account: str) -> JournalCursor:
    """Where to begin. What happened before HubSpot was asked to keep it is not in the journal."""
    type_id = TYPE_IDS.get(work.objects[CRM], work.objects[CRM])
    kept = work.store.offsets.of(NAME)
    was_kept = any(
        (one.account, one.object_type, one.type) == (account, type_id, "OBJECT")
        for one in subscriptions.all()
    )
    subscriptions.ensure(account, type_id, sorted(work.asked(CRM)))
    if kept is not None and not kept.is_new and not was_kept:
        now = work.clock()
        loss = Loss(NEW, kept.known_until, now)
        take_in(work, NAME, CRM, Step(kept.place, now, losses=(loss,)))
    log = begun(work, NAME, CRM)
    return JournalCursor("", log.known_until) if log.place is None else JournalCursor.of_json(log.place)


def read_on(work: Work, journal: Journal, cursor: JournalCursor, stop: threading.Event) -> JournalCursor:
    """Everything that is new, page by page; the cursor behind the last one that is kept."""
    asked = wanted(work)
    for page in journal.read(cursor):
        take_in(work, NAME, CRM, step_of(page, asked))
        cursor = page.cursor
        if stop.is_set():
            break
    return cursor


def step_of(page: Page, asked: Wanted) -> Step:
    """A page of the journal as what is to be kept of it. Pure."""
    gap = page.gap
    return Step(
        page.cursor.as_json(),
        page.cursor.known_until,
        hints_of(page.events, asked),
        len(page.events),
        () if gap is None else (Loss(LOST_PLACE, gap.start, gap.end),),
    )


def account_of(work: Work) -> str:
    """The portal id of this connection, from the memory."""
    number = work.store.runs.connection_id
    (portal,) = [row[1] for row in work.store.accounts() if row[0] == number]
    return str(portal)
