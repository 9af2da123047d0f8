"""The section [handover]: what people write, and what they are told when it cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sync.handover_rules import agreement_of
from sync.sections_handover import days_of, seconds_of, spans_of
from sync.settings import WrongConfig, load_settings


def _written(folder: Path, text: str) -> Path:
    path = folder / "leadpact.toml"
    path.write_text(f"[handover]\n{text}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('respond_within = "two hours"', "must be a length of time"),
        ('respond_within = "0m"', "must be longer than nothing"),
        ('time_zone = "Europe/Bielefeld"', "must be a time zone"),
        ('region = "DE-XX"', "must be a country or a part of one"),
        ('closed = "31.12."', "must be days"),
        ('closed = ["2026-12-31..2026-12-01"]', "must be days"),
        ('when_overdue = "shout"', "must be 'keep', 'reassign' or 'recycle'"),
        ('hours = { monday = "9-18" }', "must be hours"),
        ('hours = { monday = "" }', "must name hours for at least one day"),
        ('hours = { monday = "09:00-13:00, 12:00-18:00" }', "must be hours"),
        ('special = { "24.12." = "09:00-12:00" }', "must be a day"),
        ('owners = { kate = { time_zone = "Mars" } }', "has a time_zone that cannot be understood"),
        ('owners = { kate = { hours = "" } }', "must not be empty"),
        ("rest_days = -1", "must be at least 0"),
        ("reassing_at_most = 1", "did you mean reassign_at_most?"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(WrongConfig) as wrong:
        load_settings(_written(tmp_path, text), {})
    (problem,) = wrong.value.problems
    assert problem["where"] == "leadpact.toml:2"
    assert says in f"{problem['problem']} {problem['fix']}"


def test_what_is_written_is_what_is_reckoned_with(tmp_path: Path) -> None:
    text = """
respond_within = "1h 30m"
respond_within_when = { hot = "45m" }
closed = [2026-11-24, "12-31"]
region = ""
special = { "2026-11-25" = "10:00-11:00" }
hours = { monday = "09:00-12:00, 13:00-18:00", tuesday = "09:00-18:00" }
owners = { "Kate@x.example" = { time_zone = "America/New_York", region = "US-NY", hours = "10:00-12:00" } }
"""
    agreed = agreement_of(load_settings(_written(tmp_path, text), {}).handover)
    assert (agreed.terms.within("cold"), agreed.terms.within("hot")) == (5400, 2700)
    monday_noon = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # 12:00 in Berlin
    ours = agreed.clocks.of(None)
    assert ours.due(monday_noon, 5 * 3600) == datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    # Tuesday is closed, Wednesday has one hour of its own
    assert ours.due(monday_noon, 6 * 3600) == datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
    kates = agreed.clocks.of("kate@x.example")
    assert kates.due(monday_noon, 3600) == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


def test_an_empty_config_promises_two_hours_on_weekdays(tmp_path: Path) -> None:
    agreed = agreement_of(load_settings(_written(tmp_path, ""), {}).handover)
    friday = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # 16:00 in Berlin, until 17:00
    assert agreed.clocks.of(None).due(friday, agreed.terms.respond_within) == datetime(
        2026, 11, 23, 9, 0, tzinfo=UTC
    )
    assert agreed.terms.when_overdue == "keep"


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("30m", 1800), ("1h 30m", 5400), ("1h30m", 5400)]
)
def test_lengths_are_hours_and_minutes(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "2", "2d", "-2h", "1m 2h"])
def test_nothing_else_is_a_length(text: str) -> None:
    with pytest.raises(ValueError, match="length"):
        seconds_of(text)


def test_days_are_one_many_or_every_years() -> None:
    days = days_of("2026-12-28..2026-12-30, 12-31, 02-29")
    assert date(2026, 12, 29) in days
    assert date(2030, 12, 31) in days
    assert date(2028, 2, 29) in days
    assert date(2026, 12, 27) not in days


def test_a_day_off_has_no_spans() -> None:
    assert spans_of("") == ()
