"""One subscription: what was asked for, what is still owed, and what goes out next.

It knows nothing of gRPC: requests come in as values, answers go out as values.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from connectors.sandbox.salesforce.pubsub.events import Event, place_of
from connectors.sandbox.salesforce.pubsub.feed import Delivered, Feed
from connectors.sandbox.salesforce.pubsub.messages import CUSTOM, EARLIEST
from connectors.sandbox.salesforce.pubsub.refusals import Ended, Refused

MOST_PENDING = 100  #: events that can be owed at a time (Salesforce reference, section 8)
PATIENCE_SECONDS = 60.0  #: how long a subscriber may want nothing before the stream is closed
LOOK_SECONDS = 0.03  #: how often the change log is looked at while a subscriber waits


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request of a subscriber. Topic, preset and replay id count in the first one only."""

    topic: str
    preset: int
    replay_id: bytes
    count: int
    token: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer: events, or none as a sign of life. ``place`` is the latest in the stream."""

    events: list[Event]
    place: int
    owed: int


class Subscription:
    """Answers one stream of requests. ``inbox`` gives them as they come, and None when there are no more."""

    def __init__(
        self,
        feed: Feed,
        delivered: Delivered,
        token: str,
        inbox: queue.SimpleQueue[Fetch | None],
        is_open: Callable[[], bool],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed = feed
        self._delivered = delivered
        self._token = token
        self._inbox = inbox
        self._is_open = is_open
        self._seconds = seconds
        self._owed = 0
        self._no_more = False
        self._topic = ""

    def answers(self) -> Iterator[Given]:
        """The answers, until the stream is closed. Raises Ended."""
        first = self._inbox.get()
        if first is None:
            return
        self._topic, objects = first.topic, self._feed.objects_of(first.topic)
        if objects is None:
            raise Ended(Refused.TOPIC)
        self._take(first)
        place = self._start(first)
        said = wanted = self._seconds()
        while self._is_open():
            self._check()
            wanted = self._seconds() if self._owed else wanted
            # Taken before the look: what is committed in between is not behind it.
            quiet = self._feed.quiet_place()
            events = self._feed.after(place, objects, self._allowed()) if self._owed else []
            if events:
                place = events[-1].number
                self._owed -= len(events)
                self._delivered.add(self._feed.now(), len(events))
                yield Given(events, place, self._owed)
                said = self._seconds()
            elif self._no_more or self._seconds() - wanted >= PATIENCE_SECONDS:
                return
            elif self._seconds() - said >= self._feed.switches()["pubsub_keepalive_ms"] / 1000:
                # What nobody asked for yet has not been passed by.
                yield Given([], max(place, quiet) if self._owed else place, self._owed)
                said = self._seconds()
            self._listen(0 if events else LOOK_SECONDS)

    def _start(self, first: Fetch) -> int:
        if first.preset == EARLIEST:
            return 0
        if first.preset != CUSTOM:
            return self._feed.newest()
        if not first.replay_id:
            raise Ended(Refused.NO_REPLAY)
        place = place_of(first.replay_id)
        if place is None or not self._feed.is_kept(place):
            raise Ended(Refused.REPLAY)
        return place

    def _listen(self, seconds: float) -> None:
        """Take the requests that have come, waiting a moment for one."""
        if self._no_more:
            return
        try:
            while True:
                fetch = self._inbox.get(timeout=seconds) if seconds else self._inbox.get_nowait()
                if fetch is None:
                    self._no_more = True
                    return
                self._take(fetch)
                seconds = 0
        except queue.Empty:
            return

    def _take(self, fetch: Fetch) -> None:
        if fetch.topic not in ("", self._topic):
            raise Ended(Refused.OTHER_TOPIC)
        if fetch.count < 1:
            raise Ended(Refused.COUNT)
        self._token = fetch.token or self._token
        self._owed = min(self._owed + fetch.count, MOST_PENDING)

    def _check(self) -> None:
        if not self._feed.is_live(self._token):
            raise Ended(Refused.SESSION)
        down = self._feed.switches()["pubsub_down"]
        if down:
            raise Ended(Refused.DOWN)

    def _allowed(self) -> int:
        room = self._delivered.room(self._feed.now(), self._feed.switches()["daily_delivered_events"])
        if room == 0:
            raise Ended(Refused.ALLOCATION)
        return self._owed if room is None else min(self._owed, room)
