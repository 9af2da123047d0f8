"""The handover ledger moves as the teams agreed, once for each fact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.qualification.handover import (
    LEDGER,
    OPEN,
    STATES,
    Terms,
    advance,
    beside,
    left_lying,
    not_arrived,
)
from tests.unit.ledger_moved import (
    CLOCKS,
    DUE,
    FRIDAY,
    KEEP,
    MONDAY,
    MQL,
    REASSIGN,
    RECYCLE,
    SEEN,
    Told,
    berlin,
)


def test_a_qualified_lead_is_handed_over_with_its_time_in_working_hours() -> None:
    told = Told()
    row = told.at(FRIDAY)
    assert (row["state"], row["mql_at"], row["handed_over_at"]) == ("open", FRIDAY, FRIDAY)
    assert (row["due_at"], row["owner_due_at"]) == (DUE, DUE)
    assert row["escalate_at"] == DUE - timedelta(minutes=30)
    assert (row["score"], row["engagement"], row["temperature"]) == (80, 40, "hot")
    assert told.events == [(1, "qualified"), (1, "handed_over")]
    assert told.shown["handover_state"] == "open"
    assert told.shown["handover_due"] == DUE


def test_a_lead_that_sales_cannot_see_yet_is_qualified_and_has_no_clock() -> None:
    told = Told()
    row = told.at(FRIDAY, reached=False)
    assert (row["state"], row["mql_at"], row["due_at"]) == ("qualified", FRIDAY, None)
    later = berlin("24T09:00")
    row = told.at(later, reached=True, engagement=55, score=95)
    assert (row["state"], row["mql_at"], row["handed_over_at"]) == ("open", FRIDAY, later)
    assert (row["due_at"], row["engagement"], row["score"]) == (berlin("24T11:00"), 55, 95)


@pytest.mark.parametrize(
    ("touched", "seen", "late"),
    [("23T10:30", "23T10:35", False), ("23T10:50", "23T12:00", False), ("23T10:51", "23T10:52", True)],
)
def test_a_first_touch_is_in_time_or_late(touched: str, seen: str, late: bool) -> None:
    told = Told()
    told.at(FRIDAY)
    row = told.at(berlin(seen), last_contacted_at=berlin(touched))
    assert (row["state"], row["first_touch_at"], row["touched_by"]) == (
        "touched",
        berlin(touched),
        "contacted",
    )
    assert (row["first_touch_at"] > row["due_at"]) is late
    assert told.events[-1] == (1, "first_touch")


@pytest.mark.parametrize(
    ("facts", "by", "at"),
    [
        ({"last_contacted_at": MONDAY}, "contacted", MONDAY),
        ({"last_activity_at": MONDAY}, "activity", MONDAY),
        # Salesforce tells the day alone: no later than it was seen
        ({"last_activity_at": datetime(2026, 11, 23, tzinfo=UTC), "seen_at": MONDAY}, "activity", MONDAY),
        ({"sales_contacts": 3, "seen_at": MONDAY}, "counted", MONDAY),
        ({"salesforce_stage": "mql", "seen_at": MONDAY}, "status", MONDAY),
        ({"sales_accepted": True, "seen_at": MONDAY}, "answer", MONDAY),
        # Nothing says when: by now
        ({"salesforce_stage": "mql"}, "status", berlin("23T12:00")),
        # A contact from the future is a wrong clock
        ({"last_contacted_at": berlin("24T10:00")}, "contacted", berlin("23T12:00")),
    ],
)
def test_a_touch_shows_in_what_the_crms_count(facts: dict[str, Any], by: str, at: datetime) -> None:
    told = Told()
    told.at(FRIDAY, sales_contacts=2)
    row = told.at(berlin("23T12:00"), **facts)
    assert (row["touched_by"], row["first_touch_at"]) == (by, at)


@pytest.mark.parametrize(
    "facts",
    [
        {"last_contacted_at": FRIDAY - timedelta(days=3)},  # before the handover
        {"last_activity_at": datetime(2026, 11, 19, tzinfo=UTC)},
        {"sales_contacts": 2},
        {"salesforce_stage": "lead"},
        {"salesforce_stage": None},
    ],
)
def test_what_was_there_before_is_no_touch(facts: dict[str, Any]) -> None:
    told = Told()
    told.at(FRIDAY, sales_contacts=2)
    assert told.at(MONDAY, **facts)["first_touch_at"] is None


def test_the_status_that_a_new_record_starts_with_is_no_touch() -> None:
    told = Told()
    told.at(FRIDAY, salesforce_stage=None)
    assert told.at(MONDAY, salesforce_stage="lead")["state"] == "open"
    assert told.at(MONDAY, salesforce_stage="mql")["state"] == "touched"


def test_the_first_touch_stays_the_first() -> None:
    told = Told()
    told.at(FRIDAY)
    told.at(MONDAY, last_contacted_at=MONDAY)
    row = told.at(berlin("24T10:00"), last_contacted_at=berlin("24T09:30"))
    assert row["first_touch_at"] == MONDAY


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        ({"sales_accepted": True}, "accepted", None),
        ({"stage": "sql", "stage_why": "accepted"}, "accepted", None),
        ({"stage": "opportunity", "stage_why": "salesforce_says"}, "accepted", None),
        (
            {
                "sales_accepted": False,
                "rejection_reason": "not ready",
                "stage": "nurture",
                "stage_why": "rejected",
            },
            "rejected",
            "not ready",
        ),
        (
            {"stage": "disqualified", "stage_why": "rejected_for_good", "rejection_reason": "gone"},
            "rejected",
            "gone",
        ),
        ({"stage": "nurture", "stage_why": "rejected"}, "rejected", None),
        ({"stage": "nurture", "stage_why": "cooled"}, "withdrawn", "cooled"),
        ({"stage": "lead", "stage_why": "gate_lost"}, "withdrawn", "gate_lost"),
    ],
)
def test_an_answer_ends_the_cycle(facts: dict[str, Any], state: str, reason: str | None) -> None:
    told = Told()
    told.at(FRIDAY)
    row = told.at(MONDAY, seen_at=MONDAY, **facts)
    assert (row["state"], row["reason"], row["closed_at"]) == (state, reason, MONDAY)
    assert (row["answered_at"] is not None) is (state in ("accepted", "rejected"))
    assert told.events[-1] == (1, state)


def test_a_lead_taken_and_then_given_back_is_rejected_with_its_reason() -> None:
    told = Told()
    told.at(FRIDAY)
    told.at(MONDAY, sales_accepted=True, stage="sql", stage_why="accepted")
    row = told.at(
        berlin("25T10:00"),
        **{
            "sales_accepted": False,
            "rejection_reason": "no budget",
            "stage": "nurture",
            "stage_why": "rejected",
        },
        cycle=2,
    )
    assert (row["cycle"], row["state"], row["reason"]) == (1, "rejected", "no budget")
    assert [what for _, what in told.events] == [
        "qualified",
        "handed_over",
        "first_touch",
        "accepted",
        "rejected",
    ]


def test_a_lead_recycled_twice_has_three_cycles_with_clocks_and_reasons_of_their_own() -> None:
    told = Told()
    for cycle, (day, reason) in enumerate((("02", "not ready"), ("09", "no budget"), ("16", None)), start=1):
        start = berlin(f"{day}T09:00")
        row = told.at(start, **MQL | {"cycle": cycle, "sales_accepted": None, "rejection_reason": None})
        assert (row["cycle"], row["state"], row["due_at"]) == (cycle, "open", start + timedelta(hours=2))
        if reason:
            back = {
                "sales_accepted": False,
                "rejection_reason": reason,
                "stage": "nurture",
                "stage_why": "rejected",
            }
            told.at(start + timedelta(hours=1), **back, cycle=cycle + 1)
            told.at(start + timedelta(hours=3), **back | {"stage_why": "rejection_stands"})
    assert [row["reason"] for row in told.rows.values()] == ["not ready", "no budget", None]
    assert [row["state"] for row in told.rows.values()] == ["rejected", "rejected", "open"]
    assert len({row["due_at"] for row in told.rows.values()}) == 3


LATE = DUE + timedelta(seconds=1)


def test_a_late_lead_is_kept_and_overdue() -> None:
    told = Told(KEEP)
    told.at(FRIDAY)
    assert told.at(DUE)["state"] == "open"
    assert told.at(LATE)["state"] == "overdue"
    assert told.at(LATE + timedelta(days=5))["owner_due_at"] == DUE
    assert told.at(LATE + timedelta(days=5), last_contacted_at=LATE + timedelta(days=4))["state"] == "touched"
    assert [what for _, what in told.events[2:]] == ["overdue", "first_touch"]


def test_a_late_lead_goes_to_another_owner_who_gets_a_time_of_their_own() -> None:
    told = Told(REASSIGN)
    told.at(FRIDAY, owner="ole")
    row = told.at(LATE)
    assert (row["state"], row["reassigned"], row["due_at"]) == ("reassigned", 1, DUE)
    row = told.at(LATE + timedelta(minutes=5), owner="kate")
    # 10:55 in Berlin is before New York's day: until 11:00 there
    assert (row["state"], row["owner"], row["due_at"]) == ("reassigned", "kate", DUE)
    assert row["owner_due_at"] == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    assert told.at(datetime(2026, 11, 23, 16, 1, tzinfo=UTC))["reassigned"] == 2
    row = told.at(datetime(2026, 11, 30, tzinfo=UTC))
    assert (row["state"], row["reassigned"]) == ("overdue", 2)
    assert [what for _, what in told.events[2:]] == ["reassigned", "owner_changed", "reassigned", "overdue"]


def test_a_late_lead_goes_back_to_marketing_and_rests() -> None:
    told = Told(RECYCLE)
    told.at(FRIDAY)
    row = told.at(LATE)
    assert (row["cycle"], row["state"], row["closed_at"]) == (1, "recycled", LATE)
    assert (row["first_touch_at"], row["reason"]) == (None, None)
    assert told.known["cycle"] == 2
    leads = beside(pl.DataFrame([told.known], schema=SEEN), pl.DataFrame([row], schema=dict(LEDGER)))
    assert left_lying(leads, RECYCLE, LATE + timedelta(days=13)).to_list() == [True]
    assert left_lying(leads, RECYCLE, LATE + timedelta(days=15)).to_list() == [False]
    again = leads.with_columns(last_sign_at=pl.lit(LATE + timedelta(days=2)))
    assert left_lying(again, RECYCLE, LATE + timedelta(days=3)).to_list() == [False]
    taken = leads.with_columns(sales_accepted=pl.lit(value=True))
    assert left_lying(taken, RECYCLE, LATE + timedelta(days=3)).to_list() == [False]


@pytest.mark.parametrize(
    "facts", [{"last_contacted_at": MONDAY}, {"salesforce_stage": "mql"}, {"sales_accepted": True}]
)
def test_a_touched_lead_is_never_recycled(facts: dict[str, Any]) -> None:
    told = Told(RECYCLE)
    told.at(FRIDAY)
    assert told.at(LATE, **facts)["state"] in ("touched", "accepted")


def test_another_owner_keeps_the_clock_and_is_logged() -> None:
    told = Told()
    told.at(FRIDAY, owner="ole")
    row = told.at(MONDAY, owner="kate")
    assert (row["owner"], row["due_at"], row["owner_due_at"]) == ("kate", DUE, DUE)
    assert told.events[-1] == (1, "owner_changed")
    assert told.at(MONDAY, owner=None)["owner"] == "kate"


def test_an_owner_in_new_york_has_the_hours_of_new_york() -> None:
    assert Told().at(FRIDAY, owner="Kate")["due_at"] == datetime(2026, 11, 20, 18, 50, tzinfo=UTC)


def test_a_hot_lead_may_have_less_time() -> None:
    told = Told(Terms(sooner={"hot": 600}, escalate_before=300))
    assert told.at(FRIDAY)["due_at"] == berlin("20T18:00")
    assert Told(Terms(sooner={"hot": 600})).at(FRIDAY, temperature="wavering")["due_at"] == DUE


def test_a_handover_that_no_record_took_has_not_happened() -> None:
    leads = beside(pl.DataFrame([{"lead_id": "L1", **MQL}], schema=SEEN), pl.DataFrame(schema=dict(LEDGER)))
    found = advance(leads.with_columns(left_lying=pl.lit(value=False)), CLOCKS, KEEP, FRIDAY)
    back = not_arrived(found, ["L1"])
    assert back.rows.select("state", "handed_over_at", "due_at").row(0) == ("qualified", None, None)
    assert back.events["what"].to_list() == ["qualified"]
    assert not_arrived(found, ["L2"]).rows.equals(found.rows)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.fixed_dictionaries(
            {
                "stage": st.sampled_from(["mql", "mql", "mql", "nurture", "sql", "disqualified"]),
                "stage_why": st.sampled_from(["hot_gates_passed", "rejected", "cooled"]),
                "sales_accepted": st.sampled_from([None, None, True, False]),
                "salesforce_stage": st.sampled_from(["lead", "lead", "mql"]),
                "owner": st.sampled_from([None, "ole", "kate"]),
                "reached": st.booleans(),
            }
        ),
        st.booleans(),
    ),
    max_size=4,
)


@settings(max_examples=15, deadline=None)
@given(STEPS, st.sampled_from([KEEP, REASSIGN, RECYCLE]))
def test_whatever_happens_the_ledger_tells_a_story_that_can_be_true(steps: Any, terms: Terms) -> None:
    told, now = Told(terms), FRIDAY
    for hours, facts, next_cycle in steps:
        now += timedelta(hours=hours)
        told.at(now, **facts, cycle=told.known["cycle"] + next_cycle)
        events = len(told.events)
        before = dict(told.rows)
        told.at(now)
        # Asked again, nothing is new.
        assert (len(told.events), told.rows) == (events, before)
    for row in told.rows.values():
        assert row["state"] in STATES
        assert (row["closed_at"] is None) is (row["state"] in OPEN)
        assert (row["due_at"] is None) is (row["handed_over_at"] is None)
        times = [
            row[name] for name in ("mql_at", "handed_over_at", "first_touch_at", "closed_at") if row[name]
        ]
        assert times == sorted(times)
    closed = [cycle for cycle, row in told.rows.items() if row["state"] in OPEN]
    assert len(closed) <= 1
