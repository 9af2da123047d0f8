"""What the logs of both CRMs told: once or several times, early or late, or not at all."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from connectors.errors import NeedsPerson
from connectors.hubspot.journal import JournalCursor, Page
from connectors.salesforce.pubsub.listening import Batch, topic_of
from sync import app_logs, pulllogs_hubspot, pulllogs_salesforce
from sync.jobs import scheduled
from sync.pulllogs import LOST_PLACE, NEW, NO_DATA, OVERFLOW, TOO_OLD, Loss, Step, take_in
from sync.store.inbox import Hint

Pairs = list[tuple[str, str]]
#: What both CRMs show of a person, by which the two days are compared.
SHOWN = {
    "hubspot": ("jobtitle", "city", "hs_email_optout", "leadpact_stage", "leadpact_score", "lifecyclestage"),
    "salesforce": ("Title", "City", "HasOptedOutOfEmail", "IsDeleted", "Leadpact_Stage__c"),
}
PEOPLE = 7


@pytest.fixture
def heard(furnished: Any, ears: Callable[[], Any]) -> tuple[Any, Pairs]:
    """Two times seven people on whom both CRMs agree, and logs that are read to their end."""
    house = furnished
    pairs = [
        house.couple(
            f"p{number}@shop{number}.example",
            {"firstname": "Anna", "lastname": f"Sommer{number}", "company": f"Shop {number} GmbH"},
        )
        for number in range(2 * PEOPLE)
    ]
    house.sync()
    house.later(60)
    found = ears()
    with found.listening():
        pass
    assert [gap.why for gap in found.gaps()] == [NEW, NEW]
    assert "gaps" in found.work_off(), "what happened before is read again, once"
    assert all(gap.read_at for gap in found.gaps())
    return found, pairs


class Disordered:
    """A real log whose events come twice and in any order, and are cut up anew."""

    def __init__(self, journal: Any, pubsub: Any) -> None:
        self.journal, self.pubsub = journal, pubsub
        self.chance = random.Random(7)

    def _twice(self, events: list[Any]) -> list[Any]:
        told = events * 2
        self.chance.shuffle(told)
        return told

    def read(self, cursor: JournalCursor) -> Iterator[Page]:
        pages = list(self.journal.read(cursor))
        for event in self._twice([event for page in pages for event in page.events]):
            yield Page(cursor, (event,))
        yield replace(pages[-1], events=())

    def listen(self, topic: str, place: str | None) -> Iterator[Batch]:
        with self.pubsub.listen(topic, place, idle_seconds=1.0) as listening:
            batches = list(listening)
        for change in self._twice([change for batch in batches for change in batch.changes]):
            yield Batch((change,), place)
        yield Batch((), batches[-1].place)


def _a_day(ears: Any, pairs: Pairs, after_each: Callable[[str], None]) -> None:
    """What people and programs do to seven people; ``after_each`` is told what comes next."""
    house = ears.house
    (buyer, _), (_, ulm), (stops, _), (_, winner), (_, loser), (erased, _), (_, deleted) = pairs
    house.edit("hubspot", buyer, jobtitle="Buyer")
    after_each("outage")
    house.edit("salesforce", ulm, City="Bonn")
    after_each("gap")
    house.edit("salesforce", ulm, City="Ulm")
    ears.person("hubspot", "unsubscribe", stops)
    house.edit("hubspot", buyer, jobtitle="Head of E-Commerce")
    after_each("overflow")
    ears.at_once([lead for _, lead in pairs[:3]], Title="Owner")
    after_each("ends")
    ears.person("salesforce", "merge", winner, losers=[loser])
    ears.person("salesforce", "delete", deleted)
    ears.person("hubspot", "gdpr_delete", erased)
    after_each("over")


def _shown(house: Any, pairs: Pairs) -> list[dict[str, Any]]:
    everybody = {crm: house.records(crm) for crm in SHOWN}
    return [
        {
            f"{crm}.{name}": everybody[crm].get(record, {}).get(name)
            for crm, record in zip(SHOWN, pair, strict=True)
            for name in SHOWN[crm]
        }
        for pair in pairs
    ]


def _disordered(ears: Any) -> None:
    """Both logs from where they were read to, each event twice and in any order."""
    app, stop = ears.app, threading.Event()
    work = app.recalled()
    with ExitStack() as stack:
        account = app.accounts()["hubspot"]
        journal, _ = app_logs.journal(app.settings, app.owned, account, stack)
        told: Any = Disordered(journal, app_logs.pubsub(app.settings, app.owned, stack))
        cursor = JournalCursor.of_json(work.store.offsets.of(pulllogs_hubspot.NAME).place)
        pulllogs_hubspot.read_on(work, told, cursor, stop)
        pulllogs_salesforce.follow(work, told, topic_of("Lead"), stop)


def test_a_day_told_twice_in_any_order_with_holes_ends_like_one_told_in_order(heard: Any) -> None:
    ears, pairs = heard
    house = ears.house
    first, second = pairs[:PEOPLE], pairs[PEOPLE:]
    mark = house.mark()
    with ears.listening():

        def at_once(comes: str) -> None:
            if comes in ("gap", "ends", "over"):
                ears.hear()
                ears.work_off()

        _a_day(ears, first, at_once)
    ordered = ears.written(mark)

    def with_holes(event: str) -> None:
        house.later({"outage": 3600}.get(event, 60))
        house.control("salesforce", "limits", {"cdc_gaps": int(event == "gap")})
        rows = 1 if event == "overflow" else 100_000
        house.control("salesforce", "limits", {"cdc_overflow_rows": rows})

    mark = house.mark()
    _a_day(ears, second, with_holes)
    _disordered(ears)
    assert {gap.why for gap in ears.gaps() if gap.why != NEW} == {OVERFLOW, NO_DATA}
    assert set(ears.work_off()) >= {"drain", "gaps"}

    assert _shown(house, second) == _shown(house, first)
    assert 0 < ears.written(mark) <= ordered
    everything = house.run("plan", since=dict.fromkeys(SHOWN), write=False)
    assert everything.changes is not None
    assert everything.changes.is_empty(), "both CRMs, read as a whole, ask for nothing more"
    _an_absence_of_more_than_three_days_is_told_and_read_again(ears, second)
    _a_place_that_is_lost_there_is_told_and_read_again(ears, second)
    _what_is_taken_in_and_where_to_go_on_are_kept_together(ears)
    _check_says_which_log_cannot_be_opened_and_status_why_it_is_not_heard(ears)


def _an_absence_of_more_than_three_days_is_told_and_read_again(ears: Any, pairs: Pairs) -> None:
    house = ears.house
    (buyer, _), (_, ulm) = pairs[:2]
    house.edit("hubspot", buyer, jobtitle="Owner")
    house.edit("salesforce", ulm, City="Hamm")
    house.later(80 * 3600)
    before = len(ears.gaps())
    with ears.listening():
        pass
    assert [gap.why for gap in ears.gaps()[before:]] == [TOO_OLD, TOO_OLD]
    told = house.command("status").out
    assert "hubspot journal does not tell what happened from" in told
    assert "it is being read again" in told
    assert "gaps" in ears.work_off()
    assert house.record("salesforce", pairs[0][1])["Title"] == "Owner"
    assert house.record("hubspot", pairs[1][0])["city"] == "Hamm"
    assert "it was read again by run" in house.command("status").out
    alerts = ears.ask("SELECT about, cleared_at IS NOT NULL FROM alert WHERE kind = 'gap'")
    assert set(alerts) == {("hubspot journal", True), ("salesforce changes", True)}


def _a_place_that_is_lost_there_is_told_and_read_again(ears: Any, pairs: Pairs) -> None:
    ((place,),) = ears.ask("SELECT place FROM pull_log WHERE crm = 'hubspot'")
    lost = {**json.loads(place), "offset": "00000000-0000-0000-0000-000000000000"}
    ears.ask("UPDATE pull_log SET place = %s WHERE crm = 'hubspot'", json.dumps(lost))
    ears.ask("UPDATE pull_log SET place = %s WHERE crm = 'salesforce'", json.dumps({"replay": "00"}))
    ears.house.edit("salesforce", pairs[1][1], City="Ulm")
    before = len(ears.gaps())
    with ears.listening():
        pass
    assert [gap.why for gap in ears.gaps()[before:]] == [LOST_PLACE, LOST_PLACE]
    # As when a guard stops the job: the next scheduled run that passes has it done.
    ears.ask("DELETE FROM procrastinate_jobs WHERE args->>'what' = 'gaps'")
    ears.app.work().store.jobs.enqueue(scheduled("incremental"))
    assert {"incremental", "gaps"} <= set(ears.work_off())
    assert all(gap.read_at for gap in ears.gaps())
    assert ears.house.record("hubspot", pairs[1][0])["city"] == "Ulm"


def _check_says_which_log_cannot_be_opened_and_status_why_it_is_not_heard(ears: Any) -> None:
    house = ears.house
    assert _log_problems(house, {}) == []
    house.control("salesforce", "limits", {"cdc_objects": ["Contact"]})
    journal, changes = _log_problems(house, {"LEADPACT_HUBSPOT__CLIENT_SECRET": "wrong"})
    assert "HubSpot gives no access token" in journal["problem"]
    assert "Check the client id and secret of the app" in journal["fix"]
    assert "there is no such topic" in changes["problem"]
    assert "select the object for Change Data Capture" in changes["fix"]
    with pytest.raises(NeedsPerson):
        pulllogs_salesforce.listen(ears.app, threading.Event())
    told = house.command("status").out
    assert "salesforce changes: heard" in told
    assert "it broke off: salesforce: " in told
    assert "select the object for Change Data Capture" in told


def _log_problems(house: Any, environ: dict[str, str]) -> list[Any]:
    found = house.command("--json", "check", environ=environ).document["problems"]
    return [one for one in found if "nobody will listen to it" in one["problem"]]


def _what_is_taken_in_and_where_to_go_on_are_kept_together(ears: Any) -> None:
    work = ears.app.work()
    before = work.store.offsets.of("hubspot journal")
    now = work.clock()
    hints = {("hubspot", "contacts", "1"): Hint(now)}
    # The database refuses the number of records, which is the last thing that it is told.
    step = Step({"offset": "further"}, now, hints, 1, (Loss(NO_DATA, now, now, records=2**40),))
    with pytest.raises(psycopg.DataError):
        take_in(work, "hubspot journal", "hubspot", step)
    assert work.store.offsets.of("hubspot journal") == before
    assert not work.store.inbox.waiting()
    assert not ears.ask("SELECT id FROM procrastinate_jobs WHERE status = 'todo'")
