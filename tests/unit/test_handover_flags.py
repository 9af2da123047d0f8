"""Suspicions about handovers, and their numbers, against cases worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mapping.qualification.handover import LEDGER
from mapping.qualification.handover_flags import Suspicions, flags
from mapping.qualification.handover_numbers import timing, with_times
from mapping.qualification.workclock import Clocks, Span, WorkClock

OFFICE = Clocks(WorkClock({day: (Span(540, 1080),) for day in range(5)}, ZoneInfo("Europe/Berlin")))
FRIDAY = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)
DUE = datetime(2026, 11, 23, 9, 50, tzinfo=UTC)
LATER = datetime(2026, 11, 30, tzinfo=UTC)
RULES = Suspicions(not_ready=("not ready", "zu früh"), competitor=("wettbewerb",))
OPEN: dict[str, Any] = {
    **{
        "lead_id": "L1",
        "cycle": 1,
        "state": "open",
        "mql_at": FRIDAY,
        "handed_over_at": FRIDAY,
        "due_at": DUE,
    },
    **{"owner_due_at": DUE, "reassigned": 0, "score": 80, "engagement": 40, "temperature": "hot"},
}


LOST: dict[str, Any] = {"lost_on": date(2027, 1, 14), "lost_reason": "Zum Wettbewerb gegangen"}


def _rows(*known: dict[str, Any]) -> pl.DataFrame:
    rows = [{**OPEN, "lead_id": f"L{number}", **one} for number, one in enumerate(known)]
    return pl.DataFrame(rows, schema=dict(LEDGER))


def _no(reason: str, days: int = 3) -> dict[str, Any]:
    answered = FRIDAY + timedelta(days=days)
    return {"state": "rejected", "reason": reason, "answered_at": answered, "closed_at": answered}


@pytest.mark.parametrize(
    ("row", "because"),
    [
        ({}, []),
        (_no("Noch ZU FRÜH, im Mai wieder"), ["rejected_as_not_ready"]),
        (_no("zu früh", days=14), ["rejected_as_not_ready"]),
        (_no("zu früh", days=15), []),
        (_no("no budget"), []),
        ({"engagement": 9}, ["hardly_engaged"]),
        ({"engagement": 10}, []),
        ({"engagement": 9, "state": "accepted"}, []),
        ({"engagement": None}, []),
        ({"hot_since": FRIDAY - timedelta(days=7)}, ["hot_for_long"]),
        ({"hot_since": FRIDAY - timedelta(days=6, hours=23)}, []),
        ({"last_sign_at": FRIDAY - timedelta(days=21)}, ["went_quiet"]),
        ({"last_sign_at": FRIDAY - timedelta(days=20)}, []),
        (_no("Ging zum Wettbewerber", days=40), ["lost_to_a_competitor"]),
        # Lost after sales had taken it, or while they had it: by what is said of the opportunity
        ({"state": "accepted", **LOST}, ["lost_to_a_competitor"]),
        ({"state": "touched", **LOST}, ["lost_to_a_competitor"]),
        ({"state": "accepted", **LOST, "lost_reason": "no budget"}, []),
        ({"state": "accepted", **LOST, "lost_reason": None}, []),
        (_no("Wettbewerb") | LOST, ["lost_to_a_competitor"]),
        ({"handed_over_at": None, "state": "qualified", **LOST}, []),
        (_no("zu früh") | {"engagement": 0}, ["rejected_as_not_ready", "hardly_engaged"]),
        ({"handed_over_at": None, "engagement": 0, "state": "qualified"}, []),
    ],
)
def test_a_handover_is_suspicious_or_not(row: dict[str, Any], because: list[str]) -> None:
    assert flags(_rows(row), RULES)["because"].to_list() == because


def test_a_suspicion_names_its_evidence() -> None:
    told = flags(_rows(_no("zu früh"), {"hot_since": FRIDAY - timedelta(days=9)}), RULES)
    assert told["evidence"].to_list() == [
        "sales said “zu früh” after 3 days",
        "hot for 9 days before it was handed over",
    ]


def test_its_evidence_is_said_in_german_where_people_read_german() -> None:
    rows = _rows(
        _no("zu früh"),
        _no("Wettbewerber", days=40),
        {
            "hot_since": FRIDAY - timedelta(days=9),
            "last_sign_at": FRIDAY - timedelta(days=30),
            "engagement": 3,
        },
    )
    assert flags(rows, RULES, "de")["evidence"].to_list() == [
        "der Vertrieb sagte „zu früh“, 3 Tage nach der Übergabe",
        "der Vertrieb sagte „Wettbewerber“; übergeben 20.11.2026, verloren 30.12.2026",
        "3 Punkte Interesse bei der Übergabe",
        "9 Tage heiß vor der Übergabe",
        "30 Tage ohne Lebenszeichen vor der Übergabe",
    ]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["sales said “zu früh” after 1 day", "1 point of engagement at the handover"]),
        (
            "de",
            ["der Vertrieb sagte „zu früh“, 1 Tag nach der Übergabe", "1 Punkt Interesse bei der Übergabe"],
        ),
    ],
)
def test_one_is_not_several(language: Any, said: list[str]) -> None:
    rows = _rows(_no("zu früh", days=1) | {"engagement": 1})
    assert flags(rows, RULES, language)["evidence"].to_list() == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            "sales said “Zum Wettbewerb gegangen”; hot since 17 Nov 2026, handed over 20 Nov 2026, first touched"
            " 24 Nov 2026, lost 14 Jan 2027",
        ),
        (
            "de",
            "der Vertrieb sagte „Zum Wettbewerb gegangen“; heiß seit 17.11.2026, übergeben 20.11.2026, Erstkontakt"
            " 24.11.2026, verloren 14.01.2027",
        ),
    ],
)
def test_a_loss_is_told_with_every_date_that_is_known(language: Any, said: str) -> None:
    touch = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)  # after midnight in Berlin
    row = {"state": "accepted", "hot_since": FRIDAY - timedelta(days=3), "first_touch_at": touch, **LOST}
    told = flags(_rows(row), RULES, language, ZoneInfo("Europe/Berlin"))
    assert told["evidence"].to_list() == [said]
    nothing = {**row, "hot_since": None, "first_touch_at": None, "lost_reason": "wettbewerb"}
    (evidence,) = flags(_rows(nothing), RULES, language)["evidence"]
    assert evidence.count(",") == 1


def test_without_words_no_reason_is_suspicious() -> None:
    assert flags(_rows(_no("zu früh"), _no("wettbewerb")), Suspicions()).is_empty()


MONDAY_1030, MONDAY_1051 = DUE - timedelta(minutes=20), DUE + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("row", "now", "seconds", "in_time"),
    [
        ({"first_touch_at": MONDAY_1030}, LATER, 6000, True),  # 1 h 40
        ({"first_touch_at": DUE}, LATER, 7200, True),
        ({"first_touch_at": MONDAY_1051}, LATER, 7260, False),
        ({}, MONDAY_1030, None, None),
        ({}, DUE, None, None),
        ({}, MONDAY_1051, None, False),
        # Taken back before it was due: neither kept nor broken
        ({"state": "withdrawn", "closed_at": MONDAY_1030}, LATER, None, None),
        ({"state": "recycled", "closed_at": MONDAY_1051}, LATER, None, False),
    ],
)
def test_a_promise_is_kept_broken_or_open(
    row: dict[str, Any], now: datetime, seconds: int | None, in_time: bool | None
) -> None:
    told = with_times(_rows(row), OFFICE, now).select("work_seconds", "in_time").row(0)
    assert told == (seconds, in_time)


def test_the_numbers_of_some_handovers() -> None:
    rows = _rows(
        {"first_touch_at": MONDAY_1030, "state": "accepted", "closed_at": MONDAY_1030},
        {"first_touch_at": MONDAY_1051, "state": "touched"},
        _no("zu früh") | {"first_touch_at": DUE},
        {"state": "recycled", "closed_at": MONDAY_1051, "reassigned": 1},
        {"handed_over_at": LATER, "due_at": LATER + timedelta(hours=10)},
        {"handed_over_at": None, "due_at": None, "state": "qualified"},
    )
    told = timing(rows, OFFICE, RULES, LATER)
    assert (told["handed_over"], told["qualified"], told["not_decided"]) == (5, 1, 1)
    assert (told["met"]["count"], told["met"]["of"], told["met"]["share"]) == (2, 4, 0.5)
    assert (told["breached"]["count"], told["breached"]["of"]) == (2, 4)
    assert (told["touched"], told["median_work_seconds"], told["p90_work_seconds"]) == (3, 7200.0, 7260)
    counted = {
        name: told[name]["count"] for name in ("accepted", "rejected", "recycled", "waiting", "reassigned")
    }
    assert counted == {"accepted": 1, "rejected": 1, "recycled": 1, "waiting": 2, "reassigned": 1}
    assert told["rejected_by_reason"] == [
        {"reason": "zu früh", "count": 1, "of": 1, "of_what": "rejected", "share": 1.0}
    ]
    assert (told["too_early"]["count"], told["too_late"]["count"]) == (1, 0)
    assert {told[name]["of_what"] for name in ("met", "accepted")} == {
        "handed over",
        "touched, or past the promised time",
    }


def test_explorations_are_counted_apart_and_never_suspected() -> None:
    chance = {"handed_by": "exploration", "engagement": 0, "cycle": 0}
    rows = _rows(
        {"first_touch_at": MONDAY_1030, "state": "accepted", "handed_by": "points"},
        chance | {"first_touch_at": MONDAY_1051, "state": "accepted"},
        chance | _no("zu früh"),
        chance | {"handed_over_at": None, "state": "qualified"},
    )
    told = timing(rows, OFFICE, RULES, LATER)
    assert (told["handed_over"], told["met"]["of"], told["too_early"]["count"], told["qualified"]) == (
        1,
        1,
        0,
        0,
    )
    explored = told["explored"]
    assert (explored["drawn"], explored["handed_over"]) == (3, 2)
    assert [explored[name]["count"] for name in ("touched", "accepted", "rejected")] == [1, 1, 1]
    assert explored["accepted"]["of_what"] == "handed over to explore"
    assert flags(rows, RULES).is_empty()


def test_where_nothing_was_handed_over_no_share_is_told() -> None:
    told = timing(_rows(), OFFICE, RULES, LATER)
    assert (told["met"]["share"], told["median_work_seconds"], told["p90_work_seconds"]) == (None, None, None)
