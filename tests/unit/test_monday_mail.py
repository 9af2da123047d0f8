"""What the Monday mail counts, which leads it names, and how it says so in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from sync.mails.monday import Week, new_at, to_look_at
from sync.mails.monday_mail import monday_mail
from sync.reports.costs import Money
from sync.reports.goals import period_between
from sync.reports.journeys import HISTORY, JOURNEYS
from sync.store.alerts import RatesCompared

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)
WEEK = period_between(MONDAY - timedelta(days=7), MONDAY - timedelta(days=1), BERLIN)
#: The first moment of the week, and one of the week before.
IN, OUT = datetime(2026, 11, 15, 23, 0, tzinfo=UTC), datetime(2026, 11, 15, 22, 59, tzinfo=UTC)


def _journey(**known: Any) -> pl.DataFrame:
    row = {**dict.fromkeys(JOURNEYS), "interest_known": False, **known}
    return pl.DataFrame([row], schema=dict(JOURNEYS))


@pytest.mark.parametrize(
    ("known", "mql", "sql"),
    [
        # Seen to become one, on the first moment of the week.
        ({"first_seen": OUT, "since.mql": IN}, 1, 0),
        ({"first_seen": OUT - timedelta(days=1), "since.mql": OUT}, 0, 0),
        # Stood there when it was first seen: no news, unless it is known to have come in this week.
        ({"first_seen": IN, "since.mql": IN}, 0, 0),
        ({"first_seen": IN, "since.mql": IN, "first_interest": IN, "interest_known": True}, 1, 0),
        ({"first_seen": IN, "since.mql": IN, "first_interest": OUT, "interest_known": True}, 0, 0),
        # Both in one week count for both.
        ({"first_seen": OUT, "since.mql": IN, "since.sql": IN + timedelta(days=1)}, 1, 1),
        # The Sunday still belongs to it, the Monday does not.
        ({"first_seen": OUT, "since.sql": datetime(2026, 11, 22, 22, 59, tzinfo=UTC)}, 0, 1),
        ({"first_seen": OUT, "since.sql": datetime(2026, 11, 22, 23, 0, tzinfo=UTC)}, 0, 0),
    ],
)
def test_a_lead_is_new_where_it_was_seen_to_get_there_in_the_week(
    known: dict[str, Any], mql: int, sql: int
) -> None:
    assert new_at(_journey(**known), WEEK) == {"mql": mql, "sql": sql}


def _row(lead: str, score: int, due: str | None = "2026-11-20T10:00:00+00:00", **more: Any) -> dict[str, Any]:
    known = {"handed_over_at": "2026-11-19T10:00:00+00:00", "first_touch_at": None, "temperature": "hot"}
    return {"lead": lead, "score": score, "due_at": due, **known, **more}


def _history(*rows: tuple[str, int, str, int | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                **dict.fromkeys(HISTORY),
                "lead_id": lead,
                "decided_at": IN + timedelta(days=day),
                "stage": stage,
                "score": score,
                "temperature": temperature,
            }
            for lead, day, stage, score, temperature in rows
        ],
        schema=dict(HISTORY),
    )


def test_overdue_leads_come_first_then_those_that_wait_then_the_warmest_and_none_twice() -> None:
    history = _history(
        ("warm", 1, "mql", 90, "hot"),
        ("hottest", 1, "lead", 95, "hot"),
        ("late", 1, "mql", 99, "hot"),
        ("cooled", 1, "mql", 97, "hot"),
        ("cooled", 2, "mql", 20, "cold"),
        ("sold", 1, "customer", 99, "hot"),
        ("unscored", 1, "lead", None, None),
    )
    overdue = [_row("late", 99), _row("later", 10)]
    waiting = [
        _row("late", 99),
        _row("touched", 50, first_touch_at="2026-11-19T11:00:00+00:00"),
        _row("ripe", 80, None, handed_over_at=None),
    ]
    found = to_look_at(overdue, waiting, history, "hot")
    assert [(one.lead, one.why) for one in found] == [
        ("late", "overdue"),
        ("later", "overdue"),
        ("touched", "untold"),
        ("hottest", "warm"),
        ("warm", "warm"),
    ]


def test_five_leads_are_named_at_most() -> None:
    overdue = [_row(f"lead-{number}", number) for number in range(9)]
    assert len(to_look_at(overdue, [], _history(), "hot")) == 5


def _week(**more: Any) -> Week:
    given: dict[str, Any] = {
        "first": MONDAY - timedelta(days=7),
        "last": MONDAY - timedelta(days=1),
        "made": datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
        "new": {"mql": 1_234, "sql": 5},
        "before": {"mql": 900, "sql": 7},
        "overdue": 2,
        "week": Money(Decimal("1250.50"), "EUR"),
        "month": Money(Decimal(4000), "EUR"),
        "planned": Money(Decimal(6000), "EUR"),
        "goals": (),
        "leads": tuple(to_look_at([_row("late", 99)], [], _history(), "hot")),
        **more,
    }
    return Week(**given)


def test_numbers_money_and_days_are_in_the_readers_form() -> None:
    german, english = (monday_mail(_week(), language, BERLIN) for language in ("de", "en"))
    assert german.subject == "Leads der Woche: 1.234 neue MQLs, 5 neue SQLs"
    assert english.subject == "Leads of the week: 1,234 new MQLs, 5 new SQLs"
    told = german.text.replace("\u00a0", " ")
    assert "16.11.2026 bis 22.11.2026" in told
    assert "In der Woche 1.250 €; in diesem Monat bis 22.11.2026 4.000 € von geplanten 6.000 €." in told
    assert "- late (ohne Firma): überfällig seit 20.11.2026, 11:00, 99 Punkte" in told
    assert "Stand 23.11.2026, 07:00 (Europe/Berlin)." in told
    assert "€1,250 in the week" in english.text.replace("\u00a0", " ")


#: What the weekly look at the rates left: nothing moved, and one band did.
CALM = RatesCompared(datetime(2026, 11, 23, 4, 0, tzinfo=UTC), "opportunity", 1_400, 140, [])
_BEFORE = {"before": 25.0, "before_low": 19.6, "before_high": 31.3, "before_leads": 200}
_AFTER = {"after": 12.5, "after_low": 7.9, "after_high": 19.2, "after_leads": 136}
MOVED = RatesCompared(
    CALM.at, "customer", 136, 17,
    [{"name": "rates.band", "band": "glühend", "outcome": "customer", **_BEFORE, **_AFTER}],
)  # fmt: skip


def test_rates_that_moved_stand_in_the_mail_with_their_intervals_and_else_that_none_did() -> None:
    german, english = (
        monday_mail(_week(rates=MOVED), language, BERLIN).text.replace("\u00a0", " ")
        for language in ("de", "en")
    )
    assert (
        "- Von den Leads im Band glühend erreichten zuletzt 12,5 % (7,9 bis 19,2, 136 Leads) die Stufe Kunde,"
        " davor 25,0 % (19,6 bis 31,3, 200 Leads)."
    ) in german
    assert (
        "- of the leads in the band glühend 12.5% (7.9 to 19.2, 136 leads) reached the stage Customer lately,"
        " and 25.0% (19.6 to 31.3, 200 leads) before."
    ) in english
    calm = monday_mail(_week(rates=CALM), "en", BERLIN).text.replace("\u00a0", " ")
    assert "Of 1,400 leads 10% (8.5% – 12%) reached the stage Opportunity lately. Nothing moved" in calm
    assert "Not compared yet" in monday_mail(_week(), "en", BERLIN).text
    young = replace(CALM, leads=0, outcomes=0)
    assert "No lead is old enough yet" in monday_mail(_week(rates=young), "en", BERLIN).text


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(
    "week",
    [
        _week(),
        _week(overdue=None, week=None, month=None, planned=None, leads=()),
        _week(overdue=0, planned=None),
        _week(rates=CALM),
        _week(rates=MOVED),
    ],
    ids=["full", "empty", "unplanned", "calm", "moved"],
)
def test_text_and_html_say_the_same_and_leave_no_hole(week: Week, language: Any) -> None:
    mail = monday_mail(week, language, BERLIN)
    plain = " ".join(re.sub(r"<[^>]+>", " ", mail.html).replace("&amp;", "&").split())
    assert "{" not in mail.text + mail.html
    for line in mail.text.splitlines():
        words = " ".join(line.removeprefix("- ").split())
        assert not words.strip("-") or words in plain
