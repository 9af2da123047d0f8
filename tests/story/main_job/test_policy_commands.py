"""Marketing and sales try a policy before anybody is moved by it: on golden leads, and on their own."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "policies"
GOLDEN = """
now = 2026-11-22T09:00:00Z

[[lead]]
name = "A head of marketing of a shop"
facts = { email = "a@shop.example", company = "Shop", industry = "E-Commerce", job_title = "Head of Marketing" }
expect = { points = { "Head of marketing" = 15 }, stage = "prospect" }
"""


@pytest.fixture
def leads(furnished: Any, begin: Callable[..., Any]) -> Any:
    """Six linked people; two of them asked to be contacted, and are known to lead marketing."""
    begin(_leads)
    return furnished


def _leads(house: Any) -> None:
    for number in range(6):
        boss = {"jobtitle": "Head of Marketing", "num_conversion_events": "2"} if number < 2 else {}
        house.couple(
            f"person{number}@shop{number}.example",
            {"company": f"Shop {number}"},
            hubspot={**boss, "recent_conversion_date": "2026-11-19T08:00:00Z"} if boss else {},
            salesforce={"Title": "Head of Marketing"} if boss else {},
        )
    house.sync()


def test_golden_leads_beside_the_config_are_held_against_its_policy_without_a_crm(house: Any) -> None:
    (house.folder / "ours.golden.toml").write_text(GOLDEN, encoding="utf-8")
    mark = house.mark()
    told = house.command("--json", "policy", "test")
    assert told.code == 0, told.out + told.err
    assert told.document["leads"] == 1
    assert told.document["failures"] == 0
    assert house.mark() == mark
    assert not (house.folder / "data").exists()


def test_a_lead_that_stands_elsewhere_is_told_with_the_rule_and_ends_with_1(house: Any) -> None:
    path = house.folder / "ours.golden.toml"
    path.write_text(GOLDEN.replace('= 15 }, stage = "prospect"', '= 25 }, stage = "mql"'), encoding="utf-8")
    told = house.command("policy", "test", str(path))
    assert told.code == 1
    assert "stage: expected mql, came prospect" in told.out
    assert "points of “Head of marketing”: expected 25, came 15" in told.out
    assert "1 golden leads, 0 as expected, 1 not" in told.out


def test_a_mistake_in_a_golden_file_is_told_with_its_line(house: Any) -> None:
    path = house.folder / "ours.golden.toml"
    path.write_text(GOLDEN.replace("job_title =", "job_titel ="), encoding="utf-8")
    told = house.command("policy", "test", str(path))
    assert told.code == 2
    assert "ours.golden.toml:6" in told.err
    assert "did you mean job_title?" in told.err


def test_without_golden_leads_the_command_says_how_to_begin(house: Any) -> None:
    told = house.command("policy", "test")
    assert told.code == 2
    assert "there are no golden leads here" in told.err


def test_the_examples_can_be_held_against_another_policy(house: Any) -> None:
    for path in EXAMPLES.glob("software*.toml"):
        shutil.copy(path, house.folder)
    path = house.folder / "software.golden.toml"
    assert house.command("policy", "test", str(path)).code == 0
    stricter = house.folder / "stricter.toml"
    text = (house.folder / "software.toml").read_text(encoding="utf-8")
    stricter.write_text(text.replace("hot = { total = 80", "hot = { total = 300"), encoding="utf-8")
    told = house.command("policy", "test", "--policy", str(stricter), str(path))
    assert told.code == 1
    assert "expected mql, came nurture" in told.out


def lower_bar(house: Any) -> Path:
    """The policy in force with a lower bar for hot leads, as a file beside it."""
    other = Path(house.folder / "other.toml")
    text = (house.folder / "policy.toml").read_text(encoding="utf-8")
    bar = "hot = { total = 50, fit_at_least = 25 }"
    assert bar in text
    other.write_text(text.replace(bar, "hot = { total = 33, fit_at_least = 10 }"), encoding="utf-8")
    return other


def test_a_policy_that_would_move_people_is_seen_before_it_moves_anybody(leads: Any) -> None:
    other, mark = lower_bar(leads), leads.mark()

    told = leads.command("--json", "policy", "diff", str(other))

    assert told.code == 0, told.err
    document = told.document
    numbers = ("leads", "moved", "forward", "back", "mql_gained", "mql_lost")
    assert [document[name] for name in numbers] == [6, 2, 2, 0, 2, 0]
    assert document["stages"] == [{"from": "nurture", "to": "mql", "leads": 2}]
    assert document["changes"] == [{"what": "temperature changed", "leads": 2}]
    assert {row["because"] for row in document["sample"]} == {"temperature changed"}
    assert leads.wrote_nothing(mark)
    said = leads.command("policy", "diff", str(other), "--sample", "1").out
    assert "… and 1 more;" in said
    assert "6 leads, 2 would stand elsewhere: 2 forward, 0 back; 2 more MQLs, 0 fewer" in said
    assert "2 by temperature changed alone" in said


@pytest.mark.parametrize(
    ("language", "first"), [("de", "lead;hubspot;salesforce;stage;stage_then;"), ("en", "lead,hubspot,")]
)
def test_everybody_who_would_move_stands_in_a_spreadsheet_with_the_rule_that_does_it(
    leads: Any, language: str, first: str
) -> None:
    other, path = lower_bar(leads), leads.folder / "moved.csv"
    path.write_text("from before", encoding="utf-8")
    asked = ("policy", "diff", str(other), "--sample", "0", "--out", str(path))

    told = leads.command(*asked, environ={"LEADPACT_SYNC__LANGUAGE": language})

    assert told.code == 0, told.err
    assert told.out.startswith("2 leads would change stage\n")
    assert f"all 2 of them: {path}" in told.out
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8-sig")
    assert text.startswith(first)
    rows = list(csv.DictReader(text.splitlines(), delimiter=";" if language == "de" else ","))
    known = {str(record) for crm in ("hubspot", "salesforce") for record in leads.records(crm)}
    for row in rows:
        assert (row["stage"], row["stage_then"], row["because"]) == ("nurture", "mql", "temperature changed")
        assert {row["hubspot"], row["salesforce"]} <= known
        assert leads.explain(f"hubspot:{row['hubspot']}")["lead"] == row["lead"]
    assert len(rows) == 2
    # The ids lead to the records; nobody is named.
    assert "shop0.example" not in text
    assert "Sommer" not in text


def test_a_file_that_cannot_be_written_is_told_without_a_trace(leads: Any) -> None:
    told = leads.command(
        "policy", "diff", str(lower_bar(leads)), "--out", str(leads.folder / "no" / "such.csv")
    )
    assert told.code == 2
    assert "cannot be written" in told.err


@pytest.mark.parametrize(("most", "code"), [("1", 1), ("2", 0)])
def test_a_pull_request_can_fail_on_too_many_changes(leads: Any, most: str, code: int) -> None:
    told = leads.command("--json", "policy", "diff", str(lower_bar(leads)), "--fail-on-change", most)
    assert (told.code, told.document["stage_changes"]) == (code, 2)


def test_a_plan_says_how_many_leads_would_change_stage_and_a_first_verdict_is_no_change(leads: Any) -> None:
    assert "0 leads would change stage" in leads.command("plan").out
    lower_bar(leads).replace(leads.folder / "policy.toml")
    for number in range(2):
        contact = next(
            record
            for record, held in leads.records("hubspot").items()
            if held.get("email") == f"person{number}@shop{number}.example"
        )
        leads.edit("hubspot", contact, city="Köln")
    leads.couple("new@shop9.example", {"company": "Shop 9"})
    leads.later(60)
    told = leads.command("--json", "plan")
    assert told.document["stage_changes"] == 2, told.out
    assert "2 leads would change stage" in leads.command("plan").out


def test_the_policy_in_force_differs_from_itself_in_nothing(leads: Any) -> None:
    told = leads.command("--json", "policy", "diff", str(leads.folder / "policy.toml"))
    assert (told.code, told.document["moved"], told.document["leads"]) == (0, 0, 6)


def test_what_the_diff_promised_is_what_the_next_rescore_does(leads: Any) -> None:
    other = lower_bar(leads)
    promised = leads.command("--json", "policy", "diff", str(other)).document["sample"]
    assert len(promised) == 2
    other.replace(leads.folder / "policy.toml")
    leads.run("rescore", approve=True)
    for row in promised:
        told = leads.explain(row["lead_id"])
        assert (told["stage"], told["temperature"]) == (row["stage_then"], row["temperature_then"])
