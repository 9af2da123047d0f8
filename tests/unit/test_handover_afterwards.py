"""The handover ledger after the answer: a deal that is lost later, and leads that chance handed over."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from mapping.qualification.handover import LEDGER, Advanced, advance, beside, left_lying
from tests.unit.ledger_moved import CLOCKS, DUE, FRIDAY, KEEP, MONDAY, MQL, SEEN, Told, berlin


def _accepted(told: Told) -> dict[str, Any]:
    """A lead that sales took on Monday."""
    told.at(FRIDAY)
    return told.at(berlin("23T10:00"), sales_accepted=True, stage="sql", stage_why="accepted")


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
    seen = told.at(berlin("30T12:00"), **loss)
    assert seen == {
        **before,
        "lost_on": noted,
        "lost_reason": loss.get("last_loss_reason") if noted else None,
    }
    assert [what for _, what in told.events].count("deal_lost") == (noted is not None)
    assert told.at(berlin("30T13:00")) == seen


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
    told.at(berlin(handed_over))
    row = told.at(berlin("23T10:00"), last_deal_lost_on=lost_on, last_loss_reason="competitor")
    assert row["lost_on"] == noted


def test_a_loss_without_a_day_of_its_own_is_of_the_teams_own_day() -> None:
    told = Told()
    _accepted(told)
    assert told.at(berlin("30T00:30"), last_loss_reason="competitor")["lost_on"] == date(2026, 11, 30)


def test_words_that_come_after_a_blank_was_read_are_a_loss() -> None:
    told = Told()
    told.at(FRIDAY, loss_words_read=False)
    told.at(berlin("24T10:00"), loss_words_read=True)
    assert told.at(berlin("25T10:00"), loss_words_read=False)["lost_then_known"] is True
    assert told.at(berlin("26T10:00"), last_loss_reason="competitor")["lost_on"] == date(2026, 11, 26)


def test_words_that_nobody_looked_for_at_the_handover_count_as_those_that_were_there() -> None:
    told = Told()
    told.at(FRIDAY, loss_words_read=False)
    told.at(berlin("23T10:00"), sales_accepted=True, stage="sql", stage_why="accepted")
    told.known["loss_words_read"] = True
    old = "lost to a competitor in 2019"
    row = told.at(berlin("30T12:00"), last_loss_reason=old)
    assert (row["lost_on"], row["lost_reason"], row["lost_then"]) == (None, None, old)
    events = len(told.events)
    assert told.at(berlin("30T13:00")) == row
    assert len(told.events) == events
    row = told.at(berlin("30T14:00"), last_loss_reason="lost to another competitor")
    assert (row["lost_on"], row["lost_reason"]) == (date(2026, 11, 30), "lost to another competitor")
    # A blank in between takes nothing back, and the old words are no news.
    assert told.at(berlin("30T15:00"), last_loss_reason=None)["lost_reason"] == row["lost_reason"]


def test_a_reason_that_is_told_later_joins_its_loss() -> None:
    told = Told()
    _accepted(told)
    told.at(berlin("27T12:00"), last_deal_lost_on=date(2026, 11, 27))
    row = told.at(berlin("30T12:00"), last_loss_reason="went to a competitor")
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
    told.at(berlin("27T12:00"), **lost, **back)
    row = told.at(berlin("30T09:00"), **MQL | {"cycle": 2})
    assert (row["cycle"], row["state"], row["lost_on"], row["lost_reason"]) == (2, "open", None, None)
    assert told.rows[1]["lost_reason"] == "competitor"
    assert told.rows[1]["state"] == "accepted"
    # The old words are still there, and are no news of the new cycle.
    assert told.at(berlin("30T10:00"), last_deal_lost_on=None)["lost_reason"] is None


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
    row = told.at(berlin("23T10:00"), drawn_share=0.5, last_contacted_at=berlin("23T09:30"))
    assert (row["state"], row["drawn_share"]) == ("touched", 0.05)
    row = told.at(berlin("23T12:00"), sales_accepted=True)
    assert (row["state"], row["cycle"]) == ("accepted", 0)


def test_a_lead_that_is_handed_over_by_its_points_says_so_and_has_no_draw() -> None:
    row = Told().at(FRIDAY)
    assert (row["handed_by"], row["drawn_share"], row["drawn_seed"]) == ("points", None, None)


def test_an_explored_lead_that_crosses_the_line_is_handed_over_by_its_points() -> None:
    told = Told()
    told.at(FRIDAY, **DRAWN)
    row = told.at(berlin("23T10:00"), **MQL)
    assert (row["cycle"], row["state"], row["handed_by"]) == (1, "open", "points")
    assert (told.rows[0]["state"], told.rows[0]["handed_by"]) == ("withdrawn", "exploration")


def test_a_rejected_exploration_is_no_obstacle_to_a_later_handover() -> None:
    told = Told()
    told.at(FRIDAY, **DRAWN)
    told.at(berlin("23T10:00"), sales_accepted=False, rejection_reason="kein Bedarf", stage="nurture")
    assert told.rows[0]["state"] == "rejected"
    gone = {"explored": False, "cycle": 1}
    assert told.at(berlin("23T11:00"), **gone)["state"] == "rejected"
    row = told.at(berlin("30T10:00"), **MQL | {"sales_accepted": None, "rejection_reason": None})
    assert (row["cycle"], row["state"]) == (1, "open")


def _advanced(facts: list[dict[str, Any]], ledger: pl.DataFrame, now: datetime) -> Advanced:
    leads = beside(pl.DataFrame(facts, schema=SEEN), ledger)
    return advance(leads.with_columns(left_lying(leads, KEEP, now)), CLOCKS, KEEP, now)


def test_what_happened_to_some_leads_of_a_slice_is_told_whatever_became_of_the_others() -> None:
    nobody = pl.DataFrame(schema=dict(LEDGER))
    handed_over = _advanced([{"lead_id": "A", **MQL}], nobody, FRIDAY).rows
    drawn = {**MQL, "stage": "lead", "explored": True, "cycle": 0}
    facts = [{"lead_id": "A", **MQL}, *({"lead_id": lead, **drawn} for lead in "BC")]

    events = _advanced(facts, handed_over, MONDAY).events

    assert events.filter(pl.col("what") == "drawn").select("lead_id", "who").rows() == [
        ("B", "chance"),
        ("C", "chance"),
    ]


def test_deals_that_are_lost_are_told_beside_a_handover_that_waits() -> None:
    nobody, taken = pl.DataFrame(schema=dict(LEDGER)), {"sales_accepted": True}
    facts = {lead: {"lead_id": lead, **MQL} for lead in "ABCD"}
    handed_over = _advanced(list(facts.values()), nobody, FRIDAY).rows
    facts |= {lead: {**facts[lead], **taken} for lead in "CD"}
    ended = _advanced(list(facts.values()), handed_over, MONDAY).rows
    ledger = pl.concat([handed_over.filter(~pl.col("lead_id").is_in(ended["lead_id"].implode())), ended])
    lost = {"last_deal_lost_on": date(2026, 11, 23), "last_loss_reason": "price"}
    facts |= {lead: {**facts[lead], **lost} for lead in "CD"}

    events = _advanced(list(facts.values()), ledger, MONDAY + timedelta(hours=5)).events

    assert events.filter(pl.col("what") == "deal_lost").select("lead_id", "why").rows() == [
        ("C", "2026-11-23: price"),
        ("D", "2026-11-23: price"),
    ]
