"""A sync that finds nothing to do writes nothing, and time alone writes exactly what it changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

DAY = 86_400
WARM = {
    "num_conversion_events": "3",
    "recent_conversion_date": "2026-11-18T10:00:00Z",
    "hs_analytics_num_visits": "7",
    "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z",
}
SHOP = {"industry": "RETAIL", "annualrevenue": "40000000", "jobtitle": "Head of Marketing"}


def _settle(house: Any) -> dict[str, tuple[str, str]]:
    """Four leads that differ in what ages: everything, the visit alone, nothing, and one without a pair."""
    leads = {
        "warm": house.couple("warm@shop.de", hubspot={**SHOP, **WARM, "country": "Germany"}),
        "visits": house.couple(
            "visits@shop.de",
            hubspot={
                "hs_analytics_num_visits": "5",
                "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z",
            },
        ),
        "still": house.couple("still@shop.de", {"jobtitle": "Geschäftsführer", "country": "Austria"}),
    }
    house.load("hubspot", {"email": "alone@hub.de", "firstname": "Ole", "lastname": "Hub", **WARM})
    house.sync()
    return leads


def test_a_second_sync_right_after_writes_nothing_in_both_crms(furnished: Any) -> None:
    _settle(furnished)
    mark = furnished.mark()

    again = furnished.sync()

    assert again.numbers.written == 0
    assert again.changes.is_empty()
    assert furnished.wrote_nothing(mark), furnished.writes(mark)


def test_a_number_and_an_address_that_would_be_read_otherwise_each_time_are_written_once(
    furnished: Any,
) -> None:
    odd = {"phone": "+49(0)0002126", "website": "www.www.mueller.de"}
    contact, lead = furnished.couple("odd@mueller.de", hubspot=odd)
    furnished.sync()
    sent = furnished.record("salesforce", lead)
    assert (sent["Phone"], sent["Website"]) == ("+492126", "https://mueller.de")
    mark = furnished.mark()

    for _ in range(2):
        furnished.later(60)
        furnished.sync()
    assert furnished.wrote_nothing(mark), furnished.writes(mark)
    assert odd.items() <= furnished.record("hubspot", contact).items()


def test_reading_everything_again_an_hour_later_writes_nothing(furnished: Any) -> None:
    _settle(furnished)
    furnished.later(3_600)
    mark = furnished.mark()

    again = furnished.run("sync", approve=True, since={"hubspot": None, "salesforce": None})

    assert again.numbers.records_read >= 7
    assert furnished.wrote_nothing(mark), furnished.writes(mark)


def _points_at(inputs: dict[str, Any], now: datetime) -> int:
    """The demo policy's score of these leads, worked out by hand from what is stored about them.

    Round half up, per rule: points that age are points * 2 ** (-days / half life), days being whole.
    """

    def aged(points: int, half_life: int, since: str) -> int:
        days = (now - datetime.fromisoformat(inputs[since])).days
        return int(points * 2 ** (-days / half_life) + 0.5)

    total = 5 if inputs.get("country") in ("DE", "AT", "CH") else 0
    title = (inputs.get("job_title") or "").casefold()
    total += 15 if "head of marketing" in title else 0
    total += 10 if "geschäftsführ" in title else 0
    if inputs.get("industry") == "E-Commerce" and inputs.get("annual_revenue"):
        total += 25
    if (inputs.get("forms") or 0) > 0:
        total += aged(20, 120, "last_form_at")
    if (inputs.get("visits") or 0) >= 3:
        total += aged(10, 60, "last_visit_at")
    return total


def _stored(house: Any) -> dict[str, tuple[dict[str, Any], int, str]]:
    """By e-mail: the inputs of the newest stored verdict, the score and the temperature it came to."""
    newest = """
        SELECT DISTINCT ON (lead_id) inputs, score, temperature FROM verdict
         ORDER BY lead_id, verdict_id DESC
    """
    with psycopg.connect(house.database) as connection:
        rows = connection.execute(newest).fetchall()
    found = {}
    for inputs, score, temperature in rows:
        lead = (inputs if isinstance(inputs, dict) else json.loads(inputs))["lead"]
        found[lead["email"]] = (lead, score, temperature)
    return found


def _band(total: int, fit: int, before: str) -> str:
    """Hot from 50 with 25 of fit, wavering from 30, and five points below before a lead falls."""
    if total >= (45 if before == "hot" else 50) and fit >= 25:
        return "hot"
    return "wavering" if total >= (25 if before in ("hot", "wavering") else 30) else "cold"


@pytest.mark.parametrize(
    ("days", "who"),
    [(30, {"warm@shop.de", "alone@hub.de"}), (60, {"warm@shop.de", "visits@shop.de", "alone@hub.de"})],
)
def test_a_rescore_a_month_or_two_later_writes_exactly_what_age_changed(
    furnished: Any, days: int, who: set[str]
) -> None:
    leads = _settle(furnished)
    stored = _stored(furnished)
    furnished.later(days * DAY)
    now = datetime(2026, 11, 20, 9, 0, tzinfo=UTC) + timedelta(days=days)
    expected = {email: _points_at(inputs, now) for email, (inputs, _, _) in stored.items()}
    moved = {email for email, (_, score, _) in stored.items() if abs(score - expected[email]) >= 5}
    assert moved == who
    mark = furnished.mark()

    done = furnished.run("rescore", from_memory=True, approve=True)

    assert {email: score for email, (_, score, _) in _stored(furnished).items()} == expected
    for name, (contact, lead) in leads.items():
        shown = furnished.record("hubspot", contact)["leadpact_score"]
        email = f"{name}@shop.de"
        # What moved by less than the score step stays as it was written.
        assert float(shown) == (expected[email] if email in who else stored[email][1])
        assert float(furnished.record("salesforce", lead)["Leadpact_Score__c"]) == float(shown)
    writes = furnished.writes(mark)
    assert [request["records"] for request in writes["hubspot"]] == [len(who)]
    assert [request["records"] for request in writes["salesforce"]] == [len(who) - 1]
    assert done.numbers.records_read == 0
    warm = stored["warm@shop.de"]
    band = _band(expected["warm@shop.de"], 45, warm[2])
    assert furnished.record("hubspot", leads["warm"][0])["leadpact_temperature"] == band

    mark = furnished.mark()
    furnished.run("rescore", from_memory=True, approve=True)
    furnished.sync()
    assert furnished.wrote_nothing(mark), furnished.writes(mark)


@pytest.mark.parametrize("days", [1, 3])
def test_a_decay_smaller_than_the_score_step_is_not_written(furnished: Any, days: int) -> None:
    # The MQL among them was handed over: its time must not run out here, for that is written.
    furnished.environ["LEADPACT_HANDOVER__RESPOND_WITHIN"] = "400h"
    _settle(furnished)
    furnished.later(days * DAY)
    mark = furnished.mark()

    furnished.run("rescore", from_memory=True, approve=True)

    assert furnished.wrote_nothing(mark), furnished.writes(mark)
