"""What an answer of a pulled log comes to: which records are read again, what is lost, and from where it goes on."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.hubspot.events import Event, Kind
from connectors.hubspot.journal import Gap, JournalCursor, Page
from connectors.salesforce.pubsub.changes import Change
from connectors.salesforce.pubsub.changes import Kind as ChangeKind
from connectors.salesforce.pubsub.listening import Batch
from sync import pulllogs_hubspot, pulllogs_salesforce
from sync.inbox import Wanted
from sync.listeners import streams_of
from sync.pulllogs import LOST_PLACE, NO_DATA, OVERFLOW, Loss, noted
from sync.store.inbox import fold

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=10)
KNOWN = NOW - timedelta(hours=2)
WANTED = Wanted(
    {"hubspot": "contacts", "salesforce": "Lead"},
    {"hubspot": frozenset({"hs_email_optout"}), "salesforce": frozenset({"HasOptedOutOfEmail"})},
)
ONE, TWO = "00Q000000000001AAA", "00Q000000000002AAA"


def _change(kind: ChangeKind, *records: str, **more: Any) -> Change:
    return Change(
        kind, **{"object": "Lead", "record_ids": records, "fields": (), "committed_at": EARLIER, **more}
    )


def _step(*changes: Change, place: str | None = "0a") -> Any:
    return pulllogs_salesforce.step_of(Batch(changes, place), WANTED, KNOWN, NOW)


@pytest.mark.parametrize(
    ("change", "records", "gone", "urgent"),
    [
        (_change(ChangeKind.CREATED, ONE), [ONE], False, False),
        (_change(ChangeKind.UPDATED, ONE, TWO, fields=("City",)), [ONE, TWO], False, False),
        (_change(ChangeKind.UPDATED, ONE, fields=("HasOptedOutOfEmail",)), [ONE], False, True),
        # Which fields changed is not known: it may have been a consent.
        (_change(ChangeKind.UPDATED, ONE, fields=None), [ONE], False, True),
        (_change(ChangeKind.DELETED, ONE), [ONE], True, False),
        (_change(ChangeKind.UNDELETED, ONE), [ONE], False, False),
        (_change(ChangeKind.GAP, ONE, fields=None), [ONE], False, True),
        # Our own write may have set off a flow.
        (_change(ChangeKind.UPDATED, ONE, fields=("City",), client="leadpact"), [ONE], False, False),
        (_change(ChangeKind.UPDATED, "003000000000001AAA", object="Contact"), [], False, False),
        (_change(ChangeKind.LOST, fields=None), [], False, False),
    ],
)
def test_a_change_event_names_what_is_read_again(
    change: Change, records: list[str], gone: bool, urgent: bool
) -> None:
    hints = _step(change).hints
    assert sorted(hints) == [("salesforce", "Lead", record) for record in records]
    assert all(
        (hint.gone, hint.urgent, hint.happened_at) == (gone, urgent, EARLIER) for hint in hints.values()
    )


@pytest.mark.parametrize(
    ("changes", "losses"),
    [
        ([_change(ChangeKind.UPDATED, ONE)], []),
        ([_change(ChangeKind.GAP, ONE, TWO)], [Loss(NO_DATA, EARLIER, EARLIER, 2)]),
        # Its transaction began before anything of it was told.
        ([_change(ChangeKind.LOST)], [Loss(OVERFLOW, KNOWN, NOW)]),
        ([_change(ChangeKind.LOST), _change(ChangeKind.LOST)], [Loss(OVERFLOW, KNOWN, NOW)]),
        # One that cannot be read may be of any object.
        ([_change(ChangeKind.LOST, object="", committed_at=None)], [Loss(OVERFLOW, KNOWN, NOW)]),
        ([_change(ChangeKind.LOST, object="Contact")], []),
    ],
)
def test_what_change_events_do_not_tell_is_a_loss(changes: list[Change], losses: list[Loss]) -> None:
    assert list(_step(*changes).losses) == losses


def test_nothing_is_missing_up_to_the_last_commit_and_on_a_quiet_stream_up_to_now() -> None:
    assert _step(_change(ChangeKind.UPDATED, ONE)).known_until == EARLIER
    assert _step(_change(ChangeKind.UPDATED, ONE, committed_at=None)).known_until == KNOWN
    assert (
        _step(_change(ChangeKind.UPDATED, ONE, committed_at=KNOWN - timedelta(days=1))).known_until == KNOWN
    )
    assert _step().known_until == NOW
    assert _step(place="0b").place == {"replay": "0b"}
    assert _step(place=None).place is None


CHANGES = st.lists(
    st.builds(
        _change,
        st.sampled_from([ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.DELETED, ChangeKind.GAP]),
        st.sampled_from([ONE, TWO]),
        fields=st.sampled_from([(), ("City",), ("HasOptedOutOfEmail",), None]),
        committed_at=st.integers(0, 200_000).map(lambda seconds: NOW - timedelta(seconds=seconds)),
    ),
    max_size=12,
)


@settings(max_examples=50)
@given(CHANGES, st.randoms(use_true_random=False))
def test_events_that_come_twice_and_in_any_order_ask_for_the_same(
    changes: list[Change], chance: random.Random
) -> None:
    told = changes * 2
    chance.shuffle(told)
    apart: Any = {}
    for change in told:
        fold(apart, _step(change).hints.items())
    together = _step(*changes).hints
    asked = [
        {key: (hint.happened_at, hint.gone, hint.urgent) for key, hint in hints.items()}
        for hints in (apart, together)
    ]
    assert asked[0] == asked[1]


def _event(kind: Kind, record: str, **more: Any) -> Event:
    return Event("7", "contacts", record, kind, EARLIER, kind.value, **more)


def test_a_page_of_the_journal_carries_what_happened_to_each_record() -> None:
    page = Page(
        JournalCursor("further", NOW),
        (
            _event(Kind.CHANGED, "1", changes={"hs_email_optout": "true"}),
            _event(Kind.ARCHIVED, "2"),
            _event(Kind.ERASED, "3"),
            _event(Kind.MERGED, "4", gone_ids=("5",)),
        ),
    )
    step = pulllogs_hubspot.step_of(page, WANTED)
    found = {key[2]: (hint.urgent, hint.gone, hint.erased) for key, hint in step.hints.items()}
    assert found == {
        "1": (True, False, False),
        "2": (False, True, False),
        "3": (False, False, True),
        "4": (False, False, False),
        "5": (False, False, False),
    }
    assert (step.place, step.known_until, step.events) == (page.cursor.as_json(), NOW, 4)
    assert step.losses == ()


def test_a_gap_in_the_journal_is_a_loss_of_its_time() -> None:
    page = Page(JournalCursor("", NOW), gap=Gap(KNOWN, EARLIER))
    assert pulllogs_hubspot.step_of(page, WANTED).losses == (Loss(LOST_PLACE, KNOWN, EARLIER),)


@pytest.mark.parametrize(
    ("journal", "pubsub", "names"),
    [
        (False, False, []),
        (True, False, ["hubspot journal"]),
        (True, True, ["hubspot journal", "salesforce changes"]),
    ],
)
def test_a_log_is_pulled_where_the_config_says_so(journal: bool, pubsub: bool, names: list[str]) -> None:
    settings: Any = SimpleNamespace(
        hubspot=SimpleNamespace(journal=journal), salesforce=SimpleNamespace(pubsub=pubsub)
    )
    assert [stream.name for stream in streams_of(settings)] == names


@pytest.mark.parametrize(
    ("problem", "said", "waited"),
    [
        (OurBug("a bug"), "a bug", []),
        (NeedsPerson("no right", fix="give it"), "no right; give it", []),
        (RetryLater("busy"), "busy", [0.0]),
        (RetryLater("used up", wait_seconds=600.0), "used up", [600.0]),
        (RetryLater("used up", not_before=NOW + timedelta(minutes=3)), "used up", [180.0]),
        (RetryLater("used up", not_before=NOW + timedelta(days=3)), "used up", [3600.0]),
        (RetryLater("used up", not_before=NOW - timedelta(days=3)), "used up", [0.0]),
    ],
)
def test_what_breaks_a_log_off_is_noted_and_a_time_that_a_crm_names_is_waited_for(
    problem: Any, said: str, waited: list[float]
) -> None:
    noted_down: list[tuple[Any, ...]] = []
    waits: list[float] = []
    work: Any = SimpleNamespace(
        clock=lambda: NOW,
        store=SimpleNamespace(offsets=SimpleNamespace(note_problem=lambda *told: noted_down.append(told))),
    )
    stop: Any = SimpleNamespace(wait=waits.append)
    with pytest.raises(type(problem)), noted(work, "log", "hubspot", stop):
        raise problem
    assert noted_down == [("log", "hubspot", said, NOW)]
    assert waits == waited


class _Listening:
    """A subscription that ends in an error, or never says anything."""

    def __init__(self, *told: Any) -> None:
        self.told = list(told)
        self.asked = 0
        self.quiet = threading.Event()

    def __next__(self) -> Any:
        self.asked += 1
        if not self.told:
            self.quiet.wait()
            raise StopIteration
        one = self.told.pop(0)
        if isinstance(one, BaseException):
            raise one
        return one


def test_the_next_batch_is_asked_for_when_the_last_one_was_worked_off() -> None:
    listening: Any = _Listening(Batch((), "0a"), Batch((), "0b"), RetryLater("away"))
    batches = pulllogs_salesforce.batches_of(listening, threading.Event())
    assert next(batches).place == "0a"
    assert listening.asked == 1
    assert next(batches).place == "0b"
    with pytest.raises(RetryLater):
        next(batches)


def test_a_silent_stream_is_left_when_somebody_wants_to_stop() -> None:
    listening: Any = _Listening()
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    assert list(pulllogs_salesforce.batches_of(listening, stop)) == []
    listening.quiet.set()
