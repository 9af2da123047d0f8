"""Listening to changes while everything around it breaks: nothing is missed, and no place is given too early."""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import fastavro
import pytest

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.retry import Retry
from connectors.salesforce.errors import SessionExpired
from connectors.salesforce.pubsub.changes import Kind
from connectors.salesforce.pubsub.errors import ReplayGone
from connectors.salesforce.pubsub.listening import Batch, PubSub, Start, topic_of
from connectors.salesforce.pubsub.messages import message, preset
from connectors.salesforce.token import Token
from connectors.sandbox.salesforce.pubsub.shapes import Shape, shape_of
from connectors.sandbox.salesforce.schema import standard_schema

LEADS = "/data/LeadChangeEvent"
SHAPE: Shape = shape_of(standard_schema().objects["Lead"])


def token(name: str) -> Token:
    return Token(name, "https://x.my.salesforce.com", "00D" + "0" * 15, "005" + "0" * 15)


class Tokens:
    """Numbered tokens."""

    def __init__(self) -> None:
        self.number = 1

    def current(self) -> Token:
        return token(f"t{self.number}")

    def after(self, refused: Token) -> Token:
        if refused.access_token == f"t{self.number}":
            self.number += 1
        return self.current()


class Stream:
    """A subscription that answers what was planned: answers, errors, or None for silence."""

    def __init__(self, plan: list[Any], used: str) -> None:
        self.plan, self.used = deque(plan), used
        self.asked: list[Any] = []
        self.closed = False

    def ask(self, request: Any) -> None:
        self.asked.append(request)

    def take(self, seconds: float) -> Any:
        planned = self.plan.popleft() if self.plan else None
        if isinstance(planned, ConnectorError):
            raise planned
        return planned

    def close(self) -> None:
        self.closed = True


class Wire:
    """Streams by plan, and schemas."""

    def __init__(self, *plans: list[Any]) -> None:
        self.plans = deque(plans)
        self.streams: list[Stream] = []
        self.schema: Callable[[], Any] = lambda: message("SchemaInfo")(schema_json=SHAPE.schema_json)
        self.schemas_asked = 0
        self.is_open = True

    def stream(self, used: Token) -> Any:
        self.streams.append(Stream(self.plans.popleft() if self.plans else [], used.access_token))
        return self.streams[-1]

    def ask(self, used: Token, method: str, *more: Any) -> Any:
        if method == "GetTopic":
            return message("TopicInfo")(can_subscribe=self.is_open)
        self.schemas_asked += 1
        return self.schema()

    def close(self) -> None:
        self.plans.clear()


def event(number: int, **header: Any) -> Any:
    whole = {
        **{
            "entityName": "Lead",
            "recordIds": [f"00Q{number:012d}"],
            "changeType": "UPDATE",
            "changeOrigin": "",
        },
        **{
            "transactionKey": "t",
            "sequenceNumber": 1,
            "commitTimestamp": 1,
            "commitNumber": 1,
            "commitUser": "",
        },
        **{"nulledFields": [], "diffFields": [], "changedFields": []},
        **header,
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, json.loads(SHAPE.schema_json), {"ChangeEventHeader": whole})
    made = message("ProducerEvent")(schema_id="s", payload=out.getvalue())
    return message("ConsumerEvent")(event=made, replay_id=bytes([number]))


def answer(*numbers: int, latest: int = 0, owed: int = 50) -> Any:
    return message("FetchResponse")(
        events=[event(n) for n in numbers], latest_replay_id=bytes([latest]), pending_num_requested=owed
    )


def pubsub(wire: Wire, slept: list[float] | None = None, tokens: Tokens | None = None) -> PubSub:
    waits: list[float] = [] if slept is None else slept
    retry = Retry(sleep=waits.append, tries=3, jitter=lambda low, high: high)
    return PubSub(wire, tokens or Tokens(), retry=retry)  # type: ignore[arg-type]


def records(batch: Batch) -> list[int]:
    return [int(each.record_ids[0][3:15]) for each in batch.changes]


def test_batches_come_in_order_with_the_place_after_them() -> None:
    listening = pubsub(Wire([answer(1, 2), answer(3), answer(latest=9)])).listen(LEADS)
    assert [(records(b), b.place) for b in (next(listening), next(listening), next(listening))] == [
        ([1, 2], "02"),
        ([3], "03"),
        ([], "09"),
    ]


def test_a_sign_of_life_that_owes_nothing_does_not_move_the_place() -> None:
    listening = pubsub(Wire([answer(1), answer(latest=9, owed=0)])).listen(LEADS)
    assert [next(listening).place, next(listening).place] == ["01", "01"]


@pytest.mark.parametrize(
    ("place", "start", "expected"),
    [
        (None, Start.EARLIEST, ("EARLIEST", b"")),
        (None, Start.LATEST, ("LATEST", b"")),
        ("0a0b", Start.EARLIEST, ("CUSTOM", b"\x0a\x0b")),
        ("0a0b", Start.LATEST, ("CUSTOM", b"\x0a\x0b")),
    ],
)
def test_the_first_request_says_from_where(
    place: str | None, start: Start, expected: tuple[str, bytes]
) -> None:
    wire = Wire([answer(1)])
    next(pubsub(wire).listen(LEADS, place, start=start))
    first = wire.streams[0].asked[0]
    assert (first.replay_preset, first.replay_id) == (preset(expected[0]), expected[1])
    assert (first.topic_name, first.num_requested) == (LEADS, 100)


def test_events_are_asked_for_again_only_when_they_have_been_worked_off() -> None:
    wire = Wire([answer(1, 2, 3), answer(latest=4), answer(5)])
    listening = pubsub(wire).listen(LEADS, most_pending=10)
    next(listening)
    assert [each.num_requested for each in wire.streams[0].asked] == [10]
    next(listening)
    assert [each.num_requested for each in wire.streams[0].asked] == [10, 3]
    next(listening)
    # A sign of life has used up nothing.
    assert [each.num_requested for each in wire.streams[0].asked] == [10, 3]


def test_a_broken_stream_goes_on_from_the_last_place_that_was_handed_out() -> None:
    slept: list[float] = []
    wire = Wire([answer(1, 2), RetryLater("broke")], [answer(3)])
    listening = pubsub(wire, slept).listen(LEADS)
    assert [records(next(listening)), records(next(listening))] == [[1, 2], [3]]
    assert (wire.streams[1].asked[0].replay_preset, wire.streams[1].asked[0].replay_id) == (
        preset("CUSTOM"),
        b"\x02",
    )
    assert wire.streams[0].closed
    assert len(slept) == 1


def test_a_stream_from_now_that_breaks_before_its_first_batch_goes_on_from_everything() -> None:
    wire = Wire([RetryLater("broke")], [answer(3)])
    next(pubsub(wire).listen(LEADS, start=Start.LATEST))
    assert wire.streams[1].asked[0].replay_preset == preset("EARLIEST")


def test_a_refused_token_is_replaced_once() -> None:
    wire = Wire([answer(1), SessionExpired("dead")], [answer(2)])
    listening = pubsub(wire).listen(LEADS)
    next(listening)
    assert records(next(listening)) == [2]
    assert [each.used for each in wire.streams] == ["t1", "t2"]


def test_a_fresh_token_that_is_refused_too_needs_a_person() -> None:
    wire = Wire([SessionExpired("dead")], [SessionExpired("dead")])
    with pytest.raises(NeedsPerson):
        next(pubsub(wire).listen(LEADS))
    assert len(wire.streams) == 2


def test_a_token_may_die_many_times_in_a_long_life() -> None:
    plans = [[answer(n), SessionExpired("dead")] for n in range(1, 6)]
    listening = pubsub(Wire(*plans, [answer(6)])).listen(LEADS)
    assert [records(next(listening)) for _ in range(6)] == [[1], [2], [3], [4], [5], [6]]


def test_what_does_not_get_better_in_seconds_is_left_to_the_caller_who_may_go_on() -> None:
    wire = Wire([answer(1), RetryLater("a")], [RetryLater("b")], [RetryLater("c")], [answer(2)])
    listening = pubsub(wire).listen(LEADS)
    next(listening)
    with pytest.raises(RetryLater, match="c"):
        next(listening)
    assert records(next(listening)) == [2]
    assert wire.streams[-1].asked[0].replay_id == b"\x01"


def test_a_place_that_is_no_longer_kept_is_told_at_once() -> None:
    slept: list[float] = []
    wire = Wire([ReplayGone("gone")])
    with pytest.raises(ReplayGone):
        next(pubsub(wire, slept).listen(LEADS, "01"))
    assert (slept, len(wire.streams)) == ([], 1)


def test_a_place_that_is_none_is_our_bug() -> None:
    with pytest.raises(OurBug):
        pubsub(Wire()).listen(LEADS, "not hex")


def test_a_silent_stream_is_opened_anew() -> None:
    wire = Wire([answer(1), None], [answer(2)])
    listening = pubsub(wire).listen(LEADS)
    assert [records(next(listening)), records(next(listening))] == [[1], [2]]
    assert wire.streams[0].closed


def test_somebody_who_waits_for_events_only_stops_when_none_come() -> None:
    wire = Wire([answer(1), answer(latest=7), None, None])
    batches = list(pubsub(wire).listen(LEADS, idle_seconds=0.0))
    assert [records(each) for each in batches] == [[1]]
    assert wire.streams[0].closed


def test_after_closing_nothing_more_comes() -> None:
    wire = Wire([answer(1), answer(2)])
    with pubsub(wire).listen(LEADS) as listening:
        next(listening)
    assert list(listening) == []
    assert wire.streams[0].closed


def test_a_schema_is_asked_for_once() -> None:
    wire = Wire([answer(1), answer(2, 3)])
    listening = pubsub(wire).listen(LEADS)
    next(listening), next(listening)
    assert wire.schemas_asked == 1


def test_events_whose_schema_cannot_be_had_just_now_come_again() -> None:
    wire = Wire([answer(1), answer(2)], [answer(1)])
    tries: list[int] = []

    def broken_at_first() -> Any:
        tries.append(1)
        if len(tries) <= 3:
            raise RetryLater("busy")
        return message("SchemaInfo")(schema_json=SHAPE.schema_json)

    wire.schema = broken_at_first
    listening = pubsub(wire).listen(LEADS)
    with pytest.raises(RetryLater):
        next(listening)
    assert records(next(listening)) == [1]
    assert wire.streams[1].asked[0].replay_preset == preset("EARLIEST")


@pytest.mark.parametrize(
    "refusal",
    [
        NeedsPerson("x", code="NOT_FOUND"),
        NeedsPerson("x", code="sfdc.platform.eventbus.grpc.schema.not.found"),
        OurBug("x", code="INVALID_ARGUMENT"),
        None,
    ],
)
def test_events_that_nobody_can_read_are_a_loss_and_not_nothing(refusal: ConnectorError | None) -> None:
    wire = Wire([answer(1)])

    def refused() -> Any:
        if refusal is not None:
            raise refusal
        return message("SchemaInfo")(schema_json="no schema")

    wire.schema = refused
    batch = next(pubsub(wire).listen(LEADS))
    assert [each.kind for each in batch.changes] == [Kind.LOST]
    assert batch.place == "01"


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("Lead", "/data/LeadChangeEvent"),
        ("CampaignMember", "/data/CampaignMemberChangeEvent"),
        ("Deal__c", "/data/Deal__ChangeEvent"),
    ],
)
def test_each_object_has_a_topic(name: str, topic: str) -> None:
    assert topic_of(name) == topic


def test_a_topic_that_is_not_open_to_us_needs_a_person() -> None:
    wire = Wire([answer(1)])
    wire.is_open = False
    with pytest.raises(NeedsPerson, match="not open") as caught:
        next(pubsub(wire).listen(LEADS))
    assert "View All" in caught.value.fix
    assert wire.streams == []


def test_no_more_is_asked_for_than_salesforce_allows() -> None:
    wire = Wire([answer(1)])
    next(pubsub(wire).listen(LEADS, most_pending=5000))
    assert wire.streams[0].asked[0].num_requested == 100
