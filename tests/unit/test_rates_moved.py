"""When rates that moved are found, how long that lasts, and with which numbers it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from mapping.identity import derive
from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.backtest import CASE, backtest, judge_cases
from mapping.qualification.declared import Policy
from mapping.qualification.policy import load_policy
from sync.mails.words_alerts import said
from sync.rates import Moved, moved_in

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
POLICY: dict[str, Any] = {
    "policy": {
        "interest": "forms > 0",
        "fit": [{"name": "Boss", "when": "job_title = 'Head of Marketing'", "points": 60}],
        "temperature": {"hot": {"total": 60}},
        "labels": {"hot": "glühend"},
    }
}


def _policy() -> Policy:
    return load_policy(POLICY, fields={**LEAD_FIELDS, **DERIVED_FIELDS}, vocabularies={})


def _people(leads: int, reached: int, *, hot: bool, day: int) -> list[dict[str, Any]]:
    """So many people, a minute each from that day on, the first of whom reached the outcome."""
    title = "Head of Marketing" if hot else "Student"
    return [
        {"at": NOW + timedelta(days=day, minutes=number), "outcome": number < reached, "job_title": title}
        for number in range(leads)
    ]


def _looked(*people: dict[str, Any], timed: bool = True) -> Moved:
    wanted = columns_of({**LEAD_FIELDS, **DERIVED_FIELDS})
    columns = {**wanted, **CASE}
    rows = [
        {"lead_id": str(number), "email": "a@b.example", "forms": 1, "worked": True, **one}
        for number, one in enumerate(people)
    ]
    if not timed:
        rows = [{**one, "at": NOW} for one in rows]
    frame = pl.DataFrame(
        [{name: row.get(name) for name in columns} for row in rows],
        schema=columns,
    )
    here = frame.with_columns(
        pl.lit(None, dtype=pl.Boolean).alias(name) for name in ("in_hubspot", "in_salesforce")
    )
    judged = judge_cases(derive(here), _policy())
    return moved_in(backtest(judged, _policy()), _policy(), "opportunity", NOW)


def _course(reached_lately: int) -> list[dict[str, Any]]:
    """800 leads of whom a tenth converted, and then 200, of the hot among whom so many did of 100."""
    return [
        *_people(400, 40, hot=True, day=0),
        *_people(400, 40, hot=False, day=100),
        *_people(100, reached_lately, hot=True, day=200),
        *_people(100, 10, hot=False, day=300),
    ]


@pytest.mark.parametrize(
    ("reached", "found", "lasting"),
    [
        # As before.
        (10, [], []),
        # More than chance brings once in twenty looks, and less than it brings once in a hundred: no alarm begins
        # here, and one that stands goes on.
        (19, [], ["band hot"]),
        (25, ["all leads", "band hot"], ["all leads", "band hot"]),
        (0, ["band hot"], ["band hot"]),
    ],
)
def test_what_is_found_and_what_lasts(reached: int, found: list[str], lasting: list[str]) -> None:
    moved = _looked(*_course(reached))
    assert [one.about for one in moved.found] == found
    assert [one.about for one in moved.lasting] == lasting
    assert (moved.after.leads, moved.after.outcomes) == (200, reached + 10)


def test_a_band_is_told_by_its_label_with_both_rates_their_intervals_and_numbers() -> None:
    (found,) = [one for one in _looked(*_course(0)).found if one.about == "band hot"]
    assert said(found.as_stored(), "en") == (
        "of the leads in the band glühend 0.0% (0.0 to 3.7, 100 leads) reached the stage Opportunity lately,"
        " and 10.0% (7.4 to 13.3, 400 leads) before"
    )
    assert said(found.as_stored(), "de") == (
        "Von den Leads im Band glühend erreichten zuletzt 0,0 % (0,0 bis 3,7, 100 Leads) die Stufe Verkaufschance,"
        " davor 10,0 % (7,4 bis 13,3, 400 Leads)"
    )


def test_without_times_nothing_can_have_moved() -> None:
    moved = _looked(*_course(0), timed=False)
    assert (moved.found, moved.lasting) == ((), ())
