"""How the pretend Salesforce answers one subscriber: as much as was asked for, signs of life, and no."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.pubsub.events import place_of, replay_id
from connectors.sandbox.salesforce.pubsub.feed import Delivered, Feed
from connectors.sandbox.salesforce.pubsub.messages import CUSTOM, EARLIEST, LATEST
from connectors.sandbox.salesforce.pubsub.refusals import Ended, Refused
from connectors.sandbox.salesforce.pubsub.subscription import Fetch, Given, Subscription
from connectors.sandbox.salesforce.records import Records
from connectors.sandbox.salesforce.seed import FIRST_SELLER

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEADS = "/data/LeadChangeEvent"
SELLER = Writer(user=FIRST_SELLER, api=False)


@dataclass
class Seconds:
    """A watch that moves by some seconds each time somebody looks at it."""

    step: float = 0.0
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@dataclass
class Line:
    """One subscriber's line to one organisation."""

    org: Org
    feed: Feed
    seconds: Seconds = field(default_factory=Seconds)
    inbox: queue.SimpleQueue[Fetch | None] = field(default_factory=queue.SimpleQueue)
    is_open: bool = True

    def ask(self, count: int, preset: int = EARLIEST, replay: bytes = b"", topic: str = LEADS) -> None:
        self.inbox.put(Fetch(topic, preset, replay, count))

    def answers(self, token: str = "live") -> Iterator[Given]:
        return Subscription(
            self.feed, Delivered(), token, self.inbox, lambda: self.is_open, self.seconds
        ).answers()

    def lead(self, name: str = "Byron") -> str:
        self.org.begin()
        return Records(self.org).create("Lead", {"LastName": name, "Company": "Engines"}, SELLER)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    clock = SandboxClock(None)
    clock.set(NOON)
    org = Org(tmp_path, clock)
    org.store.db.execute("INSERT INTO _token (token, used) VALUES ('live', '2026-11-22T12:00:00')")
    feed = Feed(org.file, org.now, lambda: org.seen)
    yield Line(org, feed)
    feed.close()
    org.store.close()


def test_as_many_events_come_as_were_asked_for_and_no_more(line: Line) -> None:
    for number in range(5):
        line.lead(f"L{number}")
    line.ask(2)
    answers = line.answers()
    first = next(answers)
    assert (len(first.events), first.owed) == (2, 0)
    line.ask(1)
    line.ask(9)
    second = next(answers)
    assert (len(second.events), second.owed) == (3, 7)
    assert first.place < second.place == second.events[-1].number


def test_more_than_a_hundred_are_never_owed(line: Line) -> None:
    line.lead()
    line.ask(90)
    line.ask(90)
    answers = line.answers()
    assert next(answers).owed == 89
    line.lead("second")
    assert next(answers).owed == 99
    line.ask(5000)
    line.lead("third")
    assert next(answers).owed == 99
    line.lead("fourth")
    assert next(answers).owed == 98


@pytest.mark.parametrize("hangs_up", [True, False])
def test_who_hangs_up_gets_what_is_there_and_then_the_end(line: Line, hangs_up: bool) -> None:
    line.lead()
    line.ask(10)
    answers = line.answers()
    next(answers)
    if hangs_up:
        line.inbox.put(None)
    else:
        line.is_open = False
    assert list(answers) == []


def test_who_never_asks_gets_nothing(line: Line) -> None:
    line.inbox.put(None)
    assert list(line.answers()) == []


def test_who_wants_nothing_for_a_minute_is_let_go(line: Line) -> None:
    line.lead()
    line.ask(1)
    answers = line.answers()
    assert next(answers).owed == 0
    line.seconds.step = 7
    assert list(answers) == []


def test_a_sign_of_life_passes_by_nothing_that_was_not_asked_for(line: Line) -> None:
    line.org.change_switches({"pubsub_keepalive_ms": 1_000})
    line.lead("first")
    second = line.lead("second")
    line.ask(1)
    answers = line.answers()
    first = next(answers)
    line.seconds.step = 0.6
    alive = next(answers)
    assert (alive.events, alive.place, alive.owed) == ([], first.place, 0)
    line.ask(5)
    assert len(next(answers).events) == 1
    line.org.clock.advance(3600)  # type: ignore[attr-defined]
    alive = next(answers)
    assert alive.place > first.place
    assert second


@pytest.mark.parametrize(
    ("preset", "replay", "heard"),
    [
        (EARLIEST, lambda place: b"", 2),
        (LATEST, lambda place: b"", 0),
        (CUSTOM, lambda place: replay_id(place), 1),
        (CUSTOM, lambda place: replay_id(place - 1), 2),
        # Read in the first request only, and by the preset alone
        (EARLIEST, lambda place: replay_id(place), 2),
    ],
)
def test_a_stream_begins_where_it_was_told_to(
    line: Line, preset: int, replay: Callable[[int], bytes], heard: int
) -> None:
    line.lead("first")
    place = line.feed.newest()
    line.lead("second")
    line.ask(10, preset, replay(place))
    line.inbox.put(None)
    assert sum(len(each.events) for each in line.answers()) == heard


@pytest.mark.parametrize(
    ("fetch", "why"),
    [
        (Fetch("/data/Nope", EARLIEST, b"", 1), Refused.TOPIC),
        (Fetch(LEADS, EARLIEST, b"", 0), Refused.COUNT),
        (Fetch(LEADS, EARLIEST, b"", -5), Refused.COUNT),
        (Fetch(LEADS, CUSTOM, b"", 1), Refused.NO_REPLAY),
        (Fetch(LEADS, CUSTOM, b"abc", 1), Refused.REPLAY),
        (Fetch(LEADS, CUSTOM, b"\xff" * 8, 1), Refused.REPLAY),
        (Fetch(LEADS, CUSTOM, b"\x00" * 8, 1), Refused.REPLAY),
        (Fetch(LEADS, EARLIEST, b"", 1, token="dead"), Refused.SESSION),
    ],
)
def test_what_makes_no_sense_is_refused(line: Line, fetch: Fetch, why: Refused) -> None:
    line.inbox.put(fetch)
    with pytest.raises(Ended) as caught:
        next(line.answers())
    assert caught.value.why is why


def test_the_topic_of_a_stream_cannot_change(line: Line) -> None:
    line.ask(1)
    line.ask(1, topic="/data/ContactChangeEvent")
    with pytest.raises(Ended) as caught:
        next(line.answers())
    assert caught.value.why is Refused.OTHER_TOPIC


def test_a_token_can_be_replaced_on_the_way(line: Line) -> None:
    line.org.store.db.execute("INSERT INTO _token (token, used) VALUES ('fresh', '2026-11-22T12:00:00')")
    line.lead()
    line.ask(1)
    answers = line.answers()
    next(answers)
    line.inbox.put(Fetch(LEADS, EARLIEST, b"", 5, token="fresh"))
    line.lead("second")
    next(answers)
    line.org.store.db.execute("DELETE FROM _token WHERE token = 'live'")
    line.lead("third")
    assert len(next(answers).events) == 1
    line.org.store.db.execute("DELETE FROM _token")
    with pytest.raises(Ended) as caught:
        next(answers)
    assert caught.value.why is Refused.SESSION


def test_the_days_allocation_ends_a_stream(line: Line) -> None:
    line.org.change_switches({"daily_delivered_events": 2})
    for number in range(3):
        line.lead(f"L{number}")
    line.ask(10)
    answers = line.answers()
    assert len(next(answers).events) == 2
    with pytest.raises(Ended) as caught:
        next(answers)
    assert caught.value.why is Refused.ALLOCATION


def test_a_place_in_an_answer_is_one_to_go_on_from(line: Line) -> None:
    line.lead("first")
    line.ask(1)
    place = next(line.answers()).place
    assert place_of(replay_id(place)) == place
    assert line.feed.is_kept(place)
