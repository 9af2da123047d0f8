"""A CRM's day that is shared: other integrations call in bursts, a backfill runs, and handovers are written meanwhile.

Few records in small parts and a tenth of the calls, so that the calls of a day are short and it takes more than one;
LEADPACT_TEST_SHARED_DAY=100000 is the whole: 15,000 calls a day, of which others use 12,000.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import RetryLater
from sync.app import opened
from sync.jobs_kinds import Given, do
from sync.status import status_of

RECORDS = int(os.environ.get("LEADPACT_TEST_SHARED_DAY", "120"))
WHOLE = RECORDS == 100_000
#: Calls a day; what others make of them; what a backfill never touches.
LIMIT, OTHERS, RESERVE = (15_000, 12_000, 1_000) if WHOLE else (1_500, 1_200, 100)
#: Hours of the day, in UTC, at which others call, and their parts of what they call a day.
BURSTS = {1: 0.15, 5: 0.05, 8: 0.25, 9: 0.1, 13: 0.2, 17: 0.15, 21: 0.1}
HALF_AN_HOUR = timedelta(minutes=30)
CRMS = ("hubspot", "salesforce")
#: The records of a part of a backfill that is written at once.
SLICE = 1_000 if WHOLE else 4
#: Seconds that a part takes: to be read, and to be written where it has anything to write.
TAKES = {
    "before intents": 50.0 if WHOLE else 600.0,
    "before salesforce update": 150.0 if WHOLE else 1_800.0,
}
#: Seconds between the people of one part and those of the next: to count few of them takes hardly more calls.
APART = 60 if WHOLE else 7_200
BACKFILL = {"crms": list(CRMS), "from": None, "to": None, "approve": True}
#: In the evening, so that it goes on for another day, and once three days of the others are known; the whole is done
#: within nine hours, of which some are to be those of work.
BEGINS = datetime(2026, 11, 24, 7, tzinfo=UTC) if WHOLE else datetime(2026, 11, 24, 20, tzinfo=UTC)
INTERESTING = {
    **{
        "industry": "RETAIL",
        "annualrevenue": "40000000",
        "jobtitle": "Head of Marketing",
        "country": "Germany",
    },
    **{"num_conversion_events": "3", "hs_analytics_num_visits": "7"},
}
#: Working hours between two leads that are handed over.
HANDED_OVER_EVERY = 1 if WHOLE else 2


@dataclass
class Org:
    """Two CRMs whose day others share, by the sandbox's clock; every call is made through the real budgets."""

    house: Any
    waiting: list[str]  #: contacts that are to be handed over, one after the other
    least: int = LIMIT  #: the fewest calls that were left at any time
    refused_to_others: int = 0
    delays: list[float] = field(default_factory=list)
    leads: dict[str, str] = field(default_factory=dict)
    each_hour: Callable[[], object] = list

    def now(self) -> datetime:
        return self.house.serving.clock.now()  # type: ignore[no-any-return]

    def used(self) -> dict[str, int]:
        nobody = {"action": "other_apps", "calls": 0}
        counted = {crm: self.house.control(crm, "people", nobody)["used"] for crm in CRMS}
        self.least = min(self.least, *(LIMIT - count for count in counted.values()))
        return counted

    def until(self, moment: datetime) -> None:
        """Time passes; in the middle of each hour others call, and ``each_hour`` is done."""
        while True:
            middle = _middle(self.now())
            if moment < middle:
                self.house.serving.clock.set(max(moment, self.now()))
                return
            self.house.serving.clock.set(middle)
            self.others_call()
            self.each_hour()

    def work_goes_on(self, point: str) -> None:
        """A backfill reads a part of its leads and writes what has changed, which takes its time."""
        if point in TAKES:
            self.until(self.now() + timedelta(seconds=TAKES[point]))

    def others_call(self) -> None:
        calls = round(OTHERS * BURSTS.get(self.now().hour, 0.0))
        for crm in CRMS if calls else ():
            made = self.house.control(crm, "people", {"action": "other_apps", "calls": calls})["made"]
            self.refused_to_others += calls - made
        self.used()

    def hand_over(self, live: Any) -> None:
        """Someone becomes interesting in HubSpot, which tells of it; by when is it in Salesforce?"""
        contact = self.waiting.pop()
        began, real, lately = self.now(), time.monotonic(), (self.now() - timedelta(hours=3)).isoformat()
        seen = {"recent_conversion_date": lately, "hs_analytics_last_visit_timestamp": lately}
        self.house.edit("hubspot", contact, **INTERESTING, **seen)
        do("look_at", Given(live, live.work(), "handover", {"crm": "hubspot", "records": [contact]}))
        assert self.house.record("salesforce", self.leads[contact])["Leadpact_Stage__c"] == "mql"
        self.delays.append((self.now() - began).total_seconds() + time.monotonic() - real)
        self.used()


def _middle(now: datetime) -> datetime:
    """The next middle of an hour, a minute later each day.

    Of bursts that are a day apart to the second nobody can tell whether a rolling day holds both.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    late = HALF_AN_HOUR + timedelta(minutes=hour.day)
    return hour + late if now < hour + late else hour + late + 2 * HALF_AN_HOUR


def _begun(house: Any) -> dict[str, str]:
    """Half as many people as records, whom both CRMs know and whose city HubSpot alone knows; contact to lead."""
    numbers = range(RECORDS // 2)
    people = [{"lastname": f"Sommer{n}", "company": f"Shop {n}"} for n in numbers]
    contacts, leads = [], []
    for start in range(0, len(people), SLICE):
        part = range(start, min(start + SLICE, len(people)))
        contacts += house.load(
            "hubspot", *({"email": f"p{n}@shop{n}.example", "city": f"Town {n}", **people[n]} for n in part)
        )
        rows = ({"LastName": people[n]["lastname"], "Company": people[n]["company"]} for n in part)
        leads += house.load(
            "salesforce",
            *({"Email": f"p{n}@shop{n}.example", **row} for n, row in zip(part, rows, strict=True)),
        )
        house.later(APART)
    for _ in range(2):
        house.sync()
        house.later(3_600)
    return dict(zip(contacts, leads, strict=True))


@pytest.fixture
def org(furnished: Any) -> Org:
    house = furnished
    house.environ |= {
        "LEADPACT_GUARDS__MAX_STAGE_MOVES": str(RECORDS),
        "LEADPACT_GUARDS__MAX_UPDATES": str(RECORDS * 2),
        "LEADPACT_SYNC__SLICE_LEADS": str(SLICE),
    }
    path = house.folder / "fields.toml"
    text = path.read_text(encoding="utf-8")
    start = text.index("[fields.city]")
    end = text.index("\n[", start + 1)
    path.write_text(text[:start] + text[end + 1 :], encoding="utf-8")
    leads = _begun(house)
    path.write_text(path.read_text(encoding="utf-8") + "\n" + text[start:end] + "\n", encoding="utf-8")
    house.environ |= {
        f"LEADPACT_{crm.upper()}__{name}": str(value)
        for crm in CRMS
        for name, value in (("DAILY_SHARE", 1.0), ("DAILY_RESERVE", RESERVE))
    }
    for crm in CRMS:
        house.control(crm, "limits", {"daily": LIMIT})
    # One of each part after the other: handed over before the backfill, they leave it less to do.
    in_turn = [contact for place in range(SLICE) for contact in sorted(leads)[place::SLICE]]
    return Org(house, in_turn, leads=leads)


@contextmanager
def _apps(org: Org) -> Iterator[tuple[Any, Any]]:
    """An app that backfills, and one that hands over, as two workers have; in the first one time passes."""
    # Apps of their own clock ask the pretend CRMs the time only so often, and here an hour passes in less.
    settings = org.house.settings()
    with (
        opened(settings, clock=org.now, at_point=org.work_goes_on, lane="backfill") as slow,
        opened(settings, clock=org.now, lane="handover") as live,
    ):
        yield slow, live


def test_a_backfill_leaves_others_their_bursts_and_handovers_their_minute_and_ends_when_it_said(
    org: Org,
) -> None:
    house = org.house
    with _apps(org) as (slow, live):
        work, watching = slow.work(), live.work()

        def at_work() -> None:
            if WHOLE:
                do("incremental", Given(live, live.work(), "live", {}))
            else:
                # A tenth of a poll's calls, too; every answer that is none to a search says what the day stands at.
                for crm, record in zip(CRMS, next(iter(org.leads.items())), strict=True):
                    list(live.crms[crm].fetch(live.work().objects[crm], ("email",), [record]))
            if 7 <= org.now().hour < 18 and org.now().hour % HANDED_OVER_EVERY == 0:
                org.hand_over(live)

        org.each_hour = at_work
        org.until(BEGINS)
        org.delays.clear()
        mark, predicted, waits = house.mark(), list[tuple[datetime, datetime]](), 0
        while (left := _one_part(org, slow, work, watching)) is not None:
            waits += left.waited
            assert left.ends is not None
            predicted.append((org.now(), left.ends))
    assert org.least >= RESERVE
    assert org.refused_to_others == 0
    assert _refused(house, mark) == []
    assert waits or WHOLE, "the calls of a day were enough: nothing was tried"
    delays = sorted(org.delays)
    assert len(delays) >= 5
    assert delays[math.ceil(0.95 * len(delays)) - 1] < 60
    # Told again after each part, and right within a tenth of what was then to come; but for the last hour, in which
    # an hour's calls are a large part of it. Of the whole, which waits for nothing, the records of the second CRM are
    # a twelfth of the time, and what they take is not known before one part of them was read: a tenth of it all.
    ended, first = org.now(), predicted[0][0]
    of_note = [(at, ends) for at, ends in predicted if ended - at > 2 * HALF_AN_HOUR]
    assert len(of_note) >= 10
    far = [
        f"{at:%d %H:%M} told {ends:%d %H:%M}"
        for at, ends in of_note
        if abs(ends - ended) > 0.1 * (ended - (first if WHOLE else at))
    ]
    assert far == [], f"it ended {ended:%d %H:%M}"
    cities = [house.record("salesforce", lead)["City"] for lead in list(org.leads.values())[:: RECORDS // 40]]
    assert None not in cities


@dataclass(frozen=True)
class After:
    """After a part of a backfill: when `status` says that it ends, and whether it had to wait for calls before."""

    ends: datetime | None
    waited: bool


def _one_part(org: Org, slow: Any, work: Any, watching: Any) -> After | None:
    """One part of the backfill, as a worker does it; None when it was the last one."""
    waited = False
    while True:
        try:
            do("backfill", Given(slow, work, "backfill", BACKFILL))
            break
        except RetryLater as wait:
            if wait.not_before is None or wait.not_before > org.now() + timedelta(days=2):
                raise
            waited = True
            org.until(wait.not_before)
    org.used()
    left = status_of(watching).left
    if not left:
        return None
    seconds = left[0].seconds
    return After(None if seconds is None else org.now() + timedelta(seconds=seconds), waited)


def _refused(house: Any, mark: dict[str, int]) -> list[tuple[str, int]]:
    """What a CRM refused since a mark, for whatever limit."""
    found = []
    for crm in CRMS:
        after = mark[crm]
        while page := house.look(crm, "requests", after=str(after), limit="1000")["requests"]:
            found += [(one["path"], one["status"]) for one in page if one["status"] in (403, 429)]
            after = page[-1]["number"]
    return found
