"""The handover ledger moves as the teams agreed, once for each fact."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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
    shown,
)
from mapping.qualification.handover_facts import FACTS
from mapping.qualification.workclock import Clocks, Span, WorkClock

OFFICE = WorkClock({day: (Span(540, 1080),) for day in range(5)}, ZoneInfo("Europe/Berlin"))
YORK = WorkClock({day: (Span(540, 1020),) for day in range(5)}, ZoneInfo("America/New_York"))
CLOCKS = Clocks(OFFICE, {"kate": YORK})
KEEP, REASSIGN, RECYCLE = (Terms(when_overdue=what) for what in ("keep", "reassign", "recycle"))
FRIDAY = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)  # 17:50 in Berlin
DUE = datetime(2026, 11, 23, 9, 50, tzinfo=UTC)  # Monday 10:50 there

_FACTS = {
    **FACTS,
    **{name: pl.String() for name in ("stage", "stage_why", "temperature", "owner", "policy_version")},
    **{name: pl.Int32() for name in ("cycle", "score", "fit", "engagement")},
    **{"reached": pl.Boolean(), "explored": pl.Boolean()},
    **{"drawn_share": pl.Float64(), "drawn_seed": pl.Int64()},
}
MQL: dict[str, Any] = {
    **{"stage": "mql", "stage_why": "hot_gates_passed", "cycle": 1, "temperature": "hot", "reached": True},
    **{"score": 80, "fit": 40, "engagement": 40, "policy_version": "p1", "salesforce_stage": "lead"},
    **{"explored": False, "drawn_share": 0.05, "drawn_seed": 7, "loss_words_read": True},
}


class Told:
    """One lead and its ledger, moved on by what happens."""

    def __init__(self, terms: Terms = KEEP) -> None:
        self.terms = terms
        self.rows: dict[int, dict[str, Any]] = {}
        self.events: list[tuple[int, str]] = []
        self.known: dict[str, Any] = {"lead_id": "L1", **MQL}
        self.shown: dict[str, Any] = {}

    def at(self, now: datetime, **known: Any) -> dict[str, Any]:
        """What the newest row is, once these facts are seen at this moment."""
        self.known |= known
        facts = pl.DataFrame([self.known], schema=_FACTS)
        newest = [self.rows[max(self.rows)]] if self.rows else []
        leads = beside(facts, pl.DataFrame(newest, schema=dict(LEDGER)))
        lying = left_lying(leads, self.terms, now)
        if lying.item() and self.known["stage"] == "mql":
            # What the ladder does with a lead that sales did not take up.
            self.known |= {"stage": "nurture", "stage_why": "rejected", "cycle": self.known["cycle"] + 1}
            leads = leads.with_columns(
                pl.lit(self.known[name]).alias(name) for name in ("stage", "stage_why")
            )
            leads = leads.with_columns(pl.lit(self.known["cycle"], dtype=pl.Int32()).alias("cycle"))
        found = advance(leads.with_columns(lying), CLOCKS, self.terms, now)
        self.shown = {one.name: one[0] for one in shown(leads, found)}
        for row in found.rows.iter_rows(named=True):
            self.rows[row["cycle"]] = row
        self.events += found.events.select("cycle", "what").rows()
        return self.rows[max(self.rows)] if self.rows else {}


def _berlin(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


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
    later = _berlin("24T09:00")
    row = told.at(later, reached=True, engagement=55, score=95)
    assert (row["state"], row["mql_at"], row["handed_over_at"]) == ("open", FRIDAY, later)
    assert (row["due_at"], row["engagement"], row["score"]) == (_berlin("24T11:00"), 55, 95)


@pytest.mark.parametrize(
    ("touched", "seen", "late"),
    [("23T10:30", "23T10:35", False), ("23T10:50", "23T12:00", False), ("23T10:51", "23T10:52", True)],
)
def test_a_first_touch_is_in_time_or_late(touched: str, seen: str, late: bool) -> None:
    told = Told()
    told.at(FRIDAY)
    row = told.at(_berlin(seen), last_contacted_at=_berlin(touched))
    assert (row["state"], row["first_touch_at"], row["touched_by"]) == (
        "touched",
        _berlin(touched),
        "contacted",
    )
    assert (row["first_touch_at"] > row["due_at"]) is late
    assert told.events[-1] == (1, "first_touch")


MONDAY = _berlin("23T10:00")


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
        ({"salesforce_stage": "mql"}, "status", _berlin("23T12:00")),
        # A contact from the future is a wrong clock
        ({"last_contacted_at": _berlin("24T10:00")}, "contacted", _berlin("23T12:00")),
    ],
)
def test_a_touch_shows_in_what_the_crms_count(facts: dict[str, Any], by: str, at: datetime) -> None:
    told = Told()
    told.at(FRIDAY, sales_contacts=2)
    row = told.at(_berlin("23T12:00"), **facts)
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
    row = told.at(_berlin("24T10:00"), last_contacted_at=_berlin("24T09:30"))
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
        _berlin("25T10:00"),
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
        start = _berlin(f"{day}T09:00")
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
    leads = beside(pl.DataFrame([told.known], schema=_FACTS), pl.DataFrame([row], schema=dict(LEDGER)))
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
    assert told.at(FRIDAY)["due_at"] == _berlin("20T18:00")
    assert Told(Terms(sooner={"hot": 600})).at(FRIDAY, temperature="wavering")["due_at"] == DUE


def test_a_handover_that_no_record_took_has_not_happened() -> None:
    leads = beside(pl.DataFrame([{"lead_id": "L1", **MQL}], schema=_FACTS), pl.DataFrame(schema=dict(LEDGER)))
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


def _accepted(told: Told) -> dict[str, Any]:
    """A lead that sales took on Monday."""
    told.at(FRIDAY)
    return told.at(_berlin("23T10:00"), sales_accepted=True, stage="sql", stage_why="accepted")


@pytest.mark.parametrize(
    ("loss", "noted"),
    [
        ({"last_deal_lost_on": date(2026, 11, 27), "last_loss_reason": "competitor"}, date(2026, 11, 27)),
        # Nobody tells a reason; the loss is one all the same.
        ({"last_deal_lost_on": date(2026, 11, 27)}, date(2026, 11, 27)),
        # Lost before it was handed over: another opportunity
        ({"last_deal_lost_on": date(2026, 11, 19), "last_loss_reason": "competitor"}, None),
        # A CRM that tells the words and no day: it was no later than the day on which they are seen.
        ({"last_loss_reason": "competitor"}, date(2026, 11, 30)),
        ({}, None),
    ],
)
def test_a_loss_after_the_handover_is_noted_in_a_row_that_has_ended(
    loss: dict[str, Any], noted: date | None
) -> None:
    told = Told()
    before = _accepted(told)
    seen = told.at(_berlin("30T12:00"), **loss)
    assert seen == {
        **before,
        "lost_on": noted,
        "lost_reason": loss.get("last_loss_reason") if noted else None,
    }
    assert [what for _, what in told.events].count("deal_lost") == (noted is not None)
    assert told.at(_berlin("30T13:00")) == seen


@pytest.mark.parametrize(
    ("handed_over", "lost_on", "noted"),
    [
        # 00:30 in Berlin, where it is a day later than in UTC
        ("21T00:30", date(2026, 11, 20), None),
        ("21T00:30", date(2026, 11, 21), date(2026, 11, 21)),
        ("20T23:30", date(2026, 11, 20), date(2026, 11, 20)),
    ],
)
def test_the_day_of_a_loss_is_compared_with_the_teams_own_day(
    handed_over: str, lost_on: date, noted: date | None
) -> None:
    told = Told()
    told.at(_berlin(handed_over))
    row = told.at(_berlin("23T10:00"), last_deal_lost_on=lost_on, last_loss_reason="competitor")
    assert row["lost_on"] == noted


def test_a_loss_without_a_day_of_its_own_is_of_the_teams_own_day() -> None:
    told = Told()
    _accepted(told)
    assert told.at(_berlin("30T00:30"), last_loss_reason="competitor")["lost_on"] == date(2026, 11, 30)


def test_words_that_come_after_a_blank_was_read_are_a_loss() -> None:
    told = Told()
    told.at(FRIDAY, loss_words_read=False)
    told.at(_berlin("24T10:00"), loss_words_read=True)
    assert told.at(_berlin("25T10:00"), loss_words_read=False)["lost_then_known"] is True
    assert told.at(_berlin("26T10:00"), last_loss_reason="competitor")["lost_on"] == date(2026, 11, 26)


def test_words_that_nobody_looked_for_at_the_handover_count_as_those_that_were_there() -> None:
    told = Told()
    told.at(FRIDAY, loss_words_read=False)
    told.at(_berlin("23T10:00"), sales_accepted=True, stage="sql", stage_why="accepted")
    told.known["loss_words_read"] = True
    old = "lost to a competitor in 2019"
    row = told.at(_berlin("30T12:00"), last_loss_reason=old)
    assert (row["lost_on"], row["lost_reason"], row["lost_then"]) == (None, None, old)
    events = len(told.events)
    assert told.at(_berlin("30T13:00")) == row
    assert len(told.events) == events
    row = told.at(_berlin("30T14:00"), last_loss_reason="lost to another competitor")
    assert (row["lost_on"], row["lost_reason"]) == (date(2026, 11, 30), "lost to another competitor")
    # A blank in between takes nothing back, and the old words are no news.
    assert told.at(_berlin("30T15:00"), last_loss_reason=None)["lost_reason"] == row["lost_reason"]


def test_a_reason_that_is_told_later_joins_its_loss() -> None:
    told = Told()
    _accepted(told)
    told.at(_berlin("27T12:00"), last_deal_lost_on=date(2026, 11, 27))
    row = told.at(_berlin("30T12:00"), last_loss_reason="went to a competitor")
    assert (row["lost_on"], row["lost_reason"], row["state"]) == (
        date(2026, 11, 27),
        "went to a competitor",
        "accepted",
    )


def test_a_loss_belongs_to_the_cycle_in_which_it_happened() -> None:
    told = Told()
    _accepted(told)
    lost = {"last_deal_lost_on": date(2026, 11, 27), "last_loss_reason": "competitor"}
    back = {"stage": "nurture", "stage_why": "deal_lost", "cycle": 2, "sales_accepted": None}
    told.at(_berlin("27T12:00"), **lost, **back)
    row = told.at(_berlin("30T09:00"), **MQL | {"cycle": 2})
    assert (row["cycle"], row["state"], row["lost_on"], row["lost_reason"]) == (2, "open", None, None)
    assert told.rows[1]["lost_reason"] == "competitor"
    assert told.rows[1]["state"] == "accepted"
    # The old words are still there, and are no news of the new cycle.
    assert told.at(_berlin("30T10:00"), last_deal_lost_on=None)["lost_reason"] is None


DRAWN: dict[str, Any] = {
    **MQL,
    **{
        "stage": "lead",
        "stage_why": "cold",
        "cycle": 0,
        "temperature": "cold",
        "score": 20,
        "explored": True,
    },
}


def test_a_drawn_lead_is_handed_over_below_the_line_and_says_so() -> None:
    told = Told()
    row = told.at(FRIDAY, **DRAWN)
    assert (row["state"], row["cycle"], row["due_at"]) == ("open", 0, DUE)
    assert (row["handed_by"], row["drawn_share"], row["drawn_seed"], row["mql_at"]) == (
        "exploration",
        0.05,
        7,
        FRIDAY,
    )
    assert told.shown["handover_by"] == "exploration"
    assert told.events == [(0, "drawn"), (0, "handed_over")]
    # Another share from tomorrow on says nothing about this draw.
    row = told.at(_berlin("23T10:00"), drawn_share=0.5, last_contacted_at=_berlin("23T09:30"))
    assert (row["state"], row["drawn_share"]) == ("touched", 0.05)
    row = told.at(_berlin("23T12:00"), sales_accepted=True)
    assert (row["state"], row["cycle"]) == ("accepted", 0)


def test_a_lead_that_is_handed_over_by_its_points_says_so_and_has_no_draw() -> None:
    row = Told().at(FRIDAY)
    assert (row["handed_by"], row["drawn_share"], row["drawn_seed"]) == ("points", None, None)


def test_an_explored_lead_that_crosses_the_line_is_handed_over_by_its_points() -> None:
    told = Told()
    told.at(FRIDAY, **DRAWN)
    row = told.at(_berlin("23T10:00"), **MQL)
    assert (row["cycle"], row["state"], row["handed_by"]) == (1, "open", "points")
    assert (told.rows[0]["state"], told.rows[0]["handed_by"]) == ("withdrawn", "exploration")


def test_a_rejected_exploration_is_no_obstacle_to_a_later_handover() -> None:
    told = Told()
    told.at(FRIDAY, **DRAWN)
    told.at(_berlin("23T10:00"), sales_accepted=False, rejection_reason="kein Bedarf", stage="nurture")
    assert told.rows[0]["state"] == "rejected"
    gone = {"explored": False, "cycle": 1}
    assert told.at(_berlin("23T11:00"), **gone)["state"] == "rejected"
    row = told.at(_berlin("30T10:00"), **MQL | {"sales_accepted": None, "rejection_reason": None})
    assert (row["cycle"], row["state"]) == (1, "open")
