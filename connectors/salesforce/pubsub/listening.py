"""Listening to a topic: batches of changes, each with the place to go on from.

A place is kept by the caller once a batch has been worked off, and by nobody before. So whatever happens in
between, the same changes come again, and none is missed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, TypeVar

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.retry import Retry
from connectors.salesforce.errors import CRM, SessionExpired
from connectors.salesforce.pubsub.bitmaps import Unreadable
from connectors.salesforce.pubsub.changes import Change, EventSchema, Kind
from connectors.salesforce.pubsub.errors import broken
from connectors.salesforce.pubsub.messages import message, preset
from connectors.salesforce.pubsub.wire import Stream, Wire
from connectors.salesforce.token import Token, Tokens
from connectors.salesforce.watching import event_of

#: The topic of every object that is selected for Change Data Capture.
EVERY_OBJECT = "/data/ChangeEvents"

#: Events that may be on their way to us; Salesforce allows no more (Salesforce reference, section 8).
MOST_PENDING = 100

#: A quiet stream says so within 270 seconds (Salesforce reference, section 8); after this many it is dead.
SILENCE_SECONDS = 300.0

_IS_MISSING = re.compile(r"not[._]?found", re.IGNORECASE)

T = TypeVar("T")


class Start(Enum):
    """Where to begin without a place."""

    EARLIEST = "EARLIEST"  #: everything of the last 72 hours
    #: Only what comes from now on. Where the stream breaks before its first batch, which names the first
    #: place, it goes on from EARLIEST: more than was asked for, but nothing is missed.
    LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes in commit order. Without any it is a sign of life, and its place is worth keeping too.

    ``place``: from where to go on once these changes have been worked off; None where it is not known yet.
    """

    changes: tuple[Change, ...]
    place: str | None


@dataclass(frozen=True, slots=True)
class Topic:
    """What the organisation says of a topic. ``schema_id`` is empty for topics of several objects."""

    name: str
    schema_id: str
    may_subscribe: bool


def topic_of(object_name: str) -> str:
    """The topic of one object's changes: ``/data/LeadChangeEvent``, ``/data/Deal__ChangeEvent`` for ``Deal__c``."""
    return f"/data/{event_of(object_name)}"


class PubSub:
    """The Pub/Sub API of one organisation. Every method raises only the four kinds of ``connectors.errors``."""

    def __init__(self, wire: Wire, tokens: Tokens, *, retry: Retry) -> None:
        self._wire = wire
        self._tokens = tokens
        self._retry = retry
        self._schemas: dict[str, EventSchema | None] = {}

    def topic(self, name: str) -> Topic:
        """What a topic is. Raises NeedsPerson where it does not exist or is not open to us."""
        return _topic(self._asked("GetTopic", "TopicRequest", "TopicInfo", topic_name=name))

    def schema(self, schema_id: str) -> EventSchema | None:
        """The schema with an id, asked for once; None where Salesforce has none that we can read."""
        if schema_id not in self._schemas:
            self._schemas[schema_id] = self._fetched(schema_id)
        return self._schemas[schema_id]

    def listen(
        self,
        topic: str = EVERY_OBJECT,
        place: str | None = None,
        *,
        start: Start = Start.EARLIEST,
        most_pending: int = MOST_PENDING,
        idle_seconds: float | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Listening:
        """Listen from a place on; without one from ``start``. Nothing is sent before the first batch is asked for.

        ``idle_seconds``: stop when no event came for so long; None listens until it is closed.
        ``silence_seconds``: open the stream anew when not even a sign of life came for so long.
        """
        asked = Wanted(topic, start, max(1, min(most_pending, MOST_PENDING)), idle_seconds, silence_seconds)
        return Listening(self, asked, place)

    def retried(self, call: Callable[[], T]) -> T:
        """``call`` under the one retry policy; listening changes nothing at Salesforce."""
        return self._retry(call, repeatable=True)

    def token(self, refused: Token | None) -> Token:
        """The token in use, or another one than that which was refused."""
        return self._tokens.current() if refused is None else self._tokens.after(refused)

    def stream(self, token: Token, topic: str) -> Stream:
        """A new subscription to a topic that is open to us. One try.

        The question before it makes the connection, so that the stream's silence is silence, and gets a
        refusal in words where there is one.
        """
        values = {"topic_name": topic}
        if not _topic(self._wire.ask(token, "GetTopic", "TopicRequest", "TopicInfo", values)).may_subscribe:
            raise NeedsPerson(
                "salesforce: the topic of changes is not open to us",
                crm=CRM,
                code="PERMISSION_DENIED",
                fix="give the integration user View All on the objects that it is to hear of",
            )
        return self._wire.stream(token)

    def close(self) -> None:
        """Close the channel and what listens on it."""
        self._wire.close()

    def _fetched(self, schema_id: str) -> EventSchema | None:
        try:
            said = self._asked("GetSchema", "SchemaRequest", "SchemaInfo", schema_id=schema_id)
            return EventSchema(said.schema_json)
        except (OurBug, Unreadable):
            return None
        except NeedsPerson as error:
            if not _IS_MISSING.search(error.code):
                raise
            return None

    def _asked(self, method: str, request: str, answer: str, **values: str) -> Any:
        return self.retried(lambda: self._once(method, request, answer, values))

    def _once(self, method: str, request: str, answer: str, values: dict[str, str]) -> Any:
        token = self._tokens.current()
        try:
            return self._wire.ask(token, method, request, answer, values)
        except SessionExpired:
            fresh = self._tokens.after(token)
        return self._wire.ask(fresh, method, request, answer, values)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody listens for; see ``PubSub.listen``."""

    topic: str
    start: Start
    most_pending: int
    idle_seconds: float | None
    silence_seconds: float


class Listening:
    """Batches as they come; an iterator, and a context manager that hangs up.

    Asking for the next batch says that the last one has been worked off: only then are as many events asked
    for again. Raises ``ReplayGone`` where the place is no longer kept, RetryLater where waiting seconds did
    not help; after either a new ``listen`` with the last kept place is in order.
    """

    def __init__(self, pubsub: PubSub, wanted: Wanted, place: str | None) -> None:
        self._pubsub = pubsub
        self._wanted = wanted
        self._place = place
        self._replay = b"" if place is None else _replay_of(place)
        self._stream: Stream | None = None
        self._start = wanted.start
        self._token: Token | None = None
        self._is_fresh = False
        self._worked_off = 0
        self._closed = False

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._closed:
            raise StopIteration
        try:
            answer = self._pubsub.retried(self._answer)
            if answer is None:
                self.close()
                raise StopIteration
            return self._batch(answer)
        except ConnectorError:
            # What was taken from the stream has not been handed out: it is asked for again from the place.
            self._hang_up()
            raise

    def __enter__(self) -> Listening:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. May be called twice; the next batch is then the end."""
        self._closed = True
        self._hang_up()

    def _answer(self) -> Any:
        """The next answer, or None at the end. One try, with one fresh token where the old one is refused."""
        try:
            self._go_on()
            answer = self._taken()
        except SessionExpired:
            self._hang_up()
            if self._is_fresh:
                self._is_fresh = False
                raise
            self._is_fresh = True
            self._pubsub.token(self._token)
            return self._answer()
        except RetryLater:
            self._hang_up()
            raise
        self._is_fresh = False
        return answer

    def _go_on(self) -> None:
        """Open the stream where there is none, and ask for as many events as have been worked off."""
        if self._stream is not None:
            if self._worked_off:
                self._stream.ask(self._fetch(self._worked_off))
                self._worked_off = 0
            return
        self._token = self._pubsub.token(None)
        self._stream = self._pubsub.stream(self._token, self._wanted.topic)
        self._worked_off = 0
        self._stream.ask(self._fetch(self._wanted.most_pending, first=True))

    def _fetch(self, count: int, *, first: bool = False) -> Any:
        request = message("FetchRequest")
        if not first:
            return request(topic_name=self._wanted.topic, num_requested=count)
        custom = bool(self._replay)
        return request(
            topic_name=self._wanted.topic,
            num_requested=count,
            replay_preset=preset("CUSTOM" if custom else self._start.value),
            replay_id=self._replay,
        )

    def _taken(self) -> Any:
        """The next answer of the stream; None where nothing came for as long as was said."""
        assert self._stream is not None  # _go_on opened it
        idle, silence = self._wanted.idle_seconds, self._wanted.silence_seconds
        deadline = None if idle is None else time.monotonic() + idle
        while True:
            left = silence if deadline is None else min(silence, deadline - time.monotonic())
            answer = self._stream.take(left)
            if answer is not None and (answer.events or deadline is None):
                return answer
            if answer is not None:
                # A sign of life moves the place, but somebody who waits for events goes on waiting.
                self._keep(answer)
            elif deadline is not None and time.monotonic() >= deadline:
                return None
            elif left >= silence:
                raise broken("the stream of changes fell silent")

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            # Nobody knows what comes until the stream is open again; with a place this is of no account.
            self._start = Start.EARLIEST

    def _batch(self, answer: Any) -> Batch:
        changes = tuple(self._change(each.event) for each in answer.events)
        self._keep(answer)
        self._worked_off += len(changes)
        return Batch(changes, self._place)

    def _keep(self, answer: Any) -> None:
        """The place after an answer. One that owes us nothing may stand behind events we did not ask for."""
        if answer.events:
            replay = answer.events[-1].replay_id
        else:
            replay = answer.latest_replay_id if answer.pending_num_requested else b""
        if replay:
            self._replay, self._place = replay, replay.hex()

    def _change(self, event: Any) -> Change:
        schema = self._pubsub.schema(event.schema_id)
        return Change(Kind.LOST, "", ()) if schema is None else schema.read(event.payload)


def _topic(said: Any) -> Topic:
    return Topic(said.topic_name, said.schema_id, said.can_subscribe)


def _replay_of(place: str) -> bytes:
    try:
        return bytes.fromhex(place)
    except ValueError:
        raise OurBug("a place in the stream of changes could not be read", crm=CRM) from None
