"""A policy is held against what became of past leads: from a spreadsheet, from our own history, from a CRM's."""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
[fields.lead_source]
hubspot = "Lead Source"

[fields.visits]
hubspot = "TotalVisits"

[fields.seconds_on_site]
type = "integer"
hubspot = "Total Time Spent on Website"

[fields.tags]
type = "text"
hubspot = "Tags"

[policy]
interest = "visits >= 0"
temperature = { hot = { total = 30 }, wavering = { total = 15 } }
fit = [{ name = "Recommended", when = "lead_source = 'Reference'", points = 20 }]
engagement = [
  { name = "Long look", when = "seconds_on_site >= 600", points = 20 },
  { name = "Tag", when = "tags = 'Will revert'", points = 50 },
]
"""
DAY, HORIZON = 86_400, 30


def spreadsheet(
    path: Path, leads: int = 1_500, *, effect: float = 1.0, tags: bool = True, late: float = 0.0
) -> Path:
    """Made-up leads of an online course: who stays long or was recommended enrols more often.

    ``late``: how much likelier the last fifth enrols.
    """
    dice = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file)
        sheet.writerow(
            ["Lead Source", "TotalVisits", "Total Time Spent on Website", "Tags", "Created", "Converted"]
        )
        for number in range(leads):
            source, seconds = dice.choice(("Google", "Reference", "Chat")), int(dice.expovariate(1 / 500))
            chance = 0.12 + effect * (0.3 * (source == "Reference") + 0.3 * (seconds >= 600))
            enrolled = dice.random() < chance + late * (number >= leads * 0.8)
            tag = "Will revert" if enrolled else "Ringing"
            day = date(2025, 1, 1) + timedelta(days=number // 4)
            sheet.writerow([source, 3, seconds, tag if tags else "", day.isoformat(), int(enrolled)])
    return path


@pytest.fixture
def course(house: Any) -> Any:
    """A config of a few lines, and nothing else: no secrets, no CRM, no database."""
    house.config.write_text(CONFIG, encoding="utf-8")
    house.environ.clear()
    return house


def test_a_spreadsheet_tells_how_right_the_policy_would_have_been(course: Any) -> None:
    path = spreadsheet(course.folder / "leads.csv")
    asked = ("policy", "backtest", "--csv", str(path), "--outcome", "converted", "--time", "Created")
    told = course.command("--json", *asked, "--min-lift", "1.5")
    assert told.code == 0, told.err
    found = told.document
    assert (found["leads"], found["split"], found["test"]["leads"]) == (1_500, "time", 300)
    test = found["test"]
    assert test["roc_auc"] > 0.65
    assert [one["decile"] for one in test["lift_by_decile"]] == list(range(1, 11))
    assert test["lift_by_decile"][0]["lift_low"] > 1.0
    assert test["precision_at_mql"] > test["rate"]
    assert [one["temperature"] for one in test["bands"]] == ["hot", "wavering", "cold"]
    assert not (course.folder / "data").exists()

    assert course.command("--json", *asked, "--min-lift", "9").code == 1
    shown = course.command(*asked).out
    assert "1500 leads" in shown
    assert "looks like the outcome itself" in shown


@pytest.mark.parametrize(("late", "code"), [(0.0, 0), (0.4, 1)])
def test_rates_that_moved_end_with_1_where_that_is_asked_for(course: Any, late: float, code: int) -> None:
    path = spreadsheet(course.folder / "leads.csv", late=late)
    asked = (
        "--json",
        "policy",
        "backtest",
        "--csv",
        str(path),
        "--outcome",
        "Converted",
        "--time",
        "Created",
    )
    told = course.command(*asked, "--fail-on-drift")
    assert (told.code, bool(told.document["drift"])) == (code, bool(code)), told.err
    assert course.command(*asked).code == 0


def test_a_column_that_knows_the_outcome_is_named_and_changes_nothing(course: Any) -> None:
    asked = ("policy", "backtest", "--outcome", "Converted", "--time", "Created", "--csv")
    leaky = course.command("--json", *asked, str(spreadsheet(course.folder / "leaky.csv"))).document
    clean = course.command(
        "--json", *asked, str(spreadsheet(course.folder / "clean.csv", tags=False))
    ).document
    assert leaky["test"] == clean["test"]
    assert leaky["train"] == clean["train"]
    assert any("column Tags looks like the outcome itself" in text for text in leaky["warnings"])
    kept = course.command("--json", *asked, str(course.folder / "leaky.csv"), "--trust", "Tags").document
    assert kept["test"]["roc_auc"] > 0.99


def test_a_policy_is_learned_into_a_file_that_can_be_used_at_once(course: Any) -> None:
    path, out = spreadsheet(course.folder / "leads.csv"), course.folder / "learned.toml"
    asked = ("--csv", str(path), "--outcome", "Converted", "--time", "Created")
    told = course.command("--json", "policy", "learn", *asked, "--out", str(out))
    assert told.code == 0, told.err
    by_hand, learned = (told.document["test"][name] for name in ("by_hand", "learned"))
    again = course.command("--json", "policy", "backtest", *asked, "--policy", str(out))
    assert again.document["test"] == learned
    assert by_hand["leads"] == learned["leads"] == 300
    assert "# By hand +20 points. Of " in out.read_text("utf-8")

    assert course.command("policy", "learn", *asked, "--out", str(out)).code == 2
    assert course.command("policy", "learn", *asked, "--out", str(out.parent / "no" / "x.toml")).code == 2
    few, none = spreadsheet(course.folder / "few.csv", 120), course.folder / "none.toml"
    told = course.command("policy", "learn", "--csv", str(few), "--outcome", "Converted", "--out", str(none))
    assert told.code == 1
    assert "too few conversions" in told.out
    assert not none.exists()


def test_the_past_is_found_in_our_own_history_and_in_both_crms(furnished: Any) -> None:
    house = furnished
    asked = ("--json", "policy", "backtest", "--after", "5", "--horizon", str(HORIZON), "--test-share", "0.5")
    pairs = [
        house.couple(
            f"p{number}@shop{number}.example",
            {"jobtitle": "Head of Marketing"} if number % 2 and number != 9 else {},
            hubspot={"num_conversion_events": "1", "recent_conversion_date": "2026-11-19T08:00:00Z"},
        )
        for number in range(10)
    ]
    house.sync()
    house.control("salesforce", "limits", {"history": {"Lead": ["Title", "Status"]}})
    house.edit("salesforce", pairs[8][1], Title="Buyer")  # from here on changes of titles are known
    house.later(10 * DAY)
    for number, (contact, lead) in enumerate(pairs):
        if number == 1:
            house.control("salesforce", "people", {"action": "convert", "id": lead})
            house.edit("hubspot", contact, lifecyclestage="opportunity")
        elif number % 2 and number != 9:
            house.edit("hubspot", contact, lifecyclestage="opportunity")
        elif number != 8:
            house.edit("salesforce", lead, Status="Closed - Not Converted")
    # Known only afterwards: it must not count.
    house.edit("hubspot", pairs[0][0], jobtitle="Head of Marketing")
    house.sync()

    young = house.command(*asked).document
    assert (young["leads"], young["apart"]["open"] + young["apart"]["unworked"]) == (0, 10)

    house.later((HORIZON + 5) * DAY)
    mark = house.mark()
    # 8 is unworked. HubSpot does not know whom sales rejected in Salesforce, Salesforce not what became of 3, 5, 7.
    for source, outcomes, leads in (("own", 4, 9), ("hubspot", 4, 4), ("salesforce", 1, 6)):
        told = house.command(*asked, "--source", source)
        assert told.code == 0, told.err
        found = told.document
        assert (source, found["outcomes"], found["leads"]) == (source, outcomes, leads)
        assert found["apart"] == {"unworked": 10 - leads, "open": 0, "before": 0, "explored": 0}, source
        if source == "salesforce":
            assert any("history tells of Status, Title;" in text for text in found["warnings"])
        if source != "hubspot":
            assert {found[part]["roc_auc"] for part in ("train", "test")} <= {None, 1.0}
    _what_no_past_tells_is_named(house, asked)
    assert house.wrote_nothing(mark)


def _what_no_past_tells_is_named(house: Any, asked: tuple[str, ...]) -> None:
    when = "visits_in_week >= 3 OR company_visits > 2 OR deals_open > 0"
    rule = f'[[policy.fit]]\nname = "Beside the record"\npoints = 1\nwhen = "{when}"\n\n[[policy.fit]]'
    house.rewrite("policy.toml", "[[policy.fit]]", rule)
    notes = {
        source: [
            text
            for text in house.command(*asked, "--source", source).document["warnings"]
            if text[:3] == "not"
        ]
        for source in ("own", "hubspot", "salesforce")
    }
    assert notes["own"] == []
    of_hubspot = [text.split(" (")[0] for text in notes["hubspot"]]
    assert {"not replayed: company_visits", "not replayed: deals_open"} <= set(of_hubspot)
    assert not any("visits_in_week" in text for text in of_hubspot)
    assert "not replayed: company_visits (nobody kept who was of a company when)" in notes["salesforce"]
    assert any("visits_in_week" in text for text in notes["salesforce"])
    said = house.command("policy", "backtest", "--source", "hubspot").out
    assert "note: not replayed: deals_open" in said


def test_the_walk_through_of_the_page_works_as_it_is_written(house: Any) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "backtest.md").read_text("utf-8")
    config, head = (page.split(f"```{kind}\n", 1)[1].split("```", 1)[0] for kind in ("toml", "text"))
    assert len(config.splitlines()) <= 20
    house.config.write_text(config, encoding="utf-8")
    house.environ.clear()
    first, *rows = head.splitlines()
    (house.folder / "leads.csv").write_text("\n".join([first, *rows * 40, ""]), encoding="utf-8")
    leads = str(house.folder / "leads.csv")
    told = house.command("policy", "backtest", "--csv", leads, "--outcome", "Converted", "--time", "Created")
    assert told.code == 0, told.err
    assert "120 leads, 40 of them reached the outcome" in told.out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--csv", "leads.csv"), "--csv needs --outcome"),
        (("--outcome", "Converted"), "--outcome belongs to --csv"),
        (("--csv", "nowhere.csv", "--outcome", "Converted"), "nowhere.csv: the file cannot be read"),
    ],
)
def test_what_does_not_go_together_is_told_and_nothing_is_started(
    course: Any, asked: tuple[str, ...], said: str
) -> None:
    told = course.command("policy", "backtest", *asked)
    assert told.code == 2
    assert said in told.err
    assert not (course.folder / "data").exists()


def test_a_field_of_ones_own_that_is_called_like_a_part_of_a_case_is_refused(course: Any) -> None:
    course.rewrite("leadpact.toml", "[fields.tags]", "[fields.rep]")
    told = course.command("policy", "backtest", "--csv", "leads.csv", "--outcome", "Converted")
    assert told.code == 2
    assert "a field of your own is called rep" in told.err
