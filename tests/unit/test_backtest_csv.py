"""Leads of the past out of a spreadsheet: columns by the field map, cells as they come, and what is told about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mapping.qualification.backtest import backtest, judge_cases
from mapping.qualification.declared import Policy
from sync.backtest_csv import CsvAsked, Past, past_in_csv
from sync.compiled import file_map_of
from sync.errors import WrongUse
from sync.policy_files import policy_of_config
from sync.settings import load_settings

CONFIG = """
[fields.lead_source]
hubspot = "Lead Source"

[fields.visits]
salesforce = "TotalVisits"

[fields.seconds_on_site]
type = "integer"
hubspot = "Total Time Spent on Website"

[fields.industry]
hubspot = "Branch"
salesforce = "Sector"

[values.industry]
"E-Commerce" = { hubspot = ["Shop"], salesforce = ["Onlineshop"] }

[fields.annual_revenue]
hubspot = "Turnover"

[fields.last_visit_at]
hubspot = "Last Visit"

[policy]
interest = "visits >= 0"
temperature = { hot = { total = 30 } }
fit = [
  { name = "Shop", when = "industry = 'E-Commerce'", points = 20 },
  { name = "Large", when = "annual_revenue >= 1000000", points = 5 },
  { name = "Boss", when = "job_title ILIKE '%head%'", points = 5 },
]
engagement = [
  { name = "Long look", when = "seconds_on_site >= 600", points = 20 },
  { name = "Visited", when = "visits > 0", points = 10, since = "last_visit_at", half_life_days = 10 },
]
"""
Read = Callable[..., Past]


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    (tmp_path / "leadpact.toml").write_text(CONFIG, encoding="utf-8")
    return policy_of_config(load_settings(tmp_path / "leadpact.toml", {}))


@pytest.fixture
def read(tmp_path: Path, policy: Policy) -> Read:
    """Reads a spreadsheet with the map of ``CONFIG``."""
    field_map = file_map_of(load_settings(tmp_path / "leadpact.toml", {}))

    def past(text: str, **asked: object) -> Past:
        (tmp_path / "leads.csv").write_text(text, encoding="utf-8")
        given = {"outcome": "Won", **asked}
        return past_in_csv(CsvAsked(tmp_path / "leads.csv", **given), field_map, policy)  # type: ignore[arg-type]

    return past


def test_columns_are_renamed_by_the_map_whatever_their_case(read: Read, policy: Policy) -> None:
    past = read(
        "lead source,TOTALVISITS,total time spent on website,Branch,Turnover,job_title,Won\n"
        "Google,3,700,Shop,2000000,Head of Sales,1\n"
        "Google,0,10,Other,5,,0\n"
    )
    judged = judge_cases(past.cases, policy)
    assert judged["score"].to_list() == [50, 0]
    assert judged["outcome"].to_list() == [True, False]


def test_a_column_of_either_crm_is_read_in_that_crms_words(read: Read) -> None:
    assert read("Sector,Won\nOnlineshop,1\n").cases["industry"].to_list() == ["E-Commerce"]
    assert read("Branch,Won\nShop,1\n").cases["industry"].to_list() == ["E-Commerce"]


def test_a_german_spreadsheet_is_read_as_it_comes(read: Read, policy: Policy) -> None:
    past = read(
        "TotalVisits;Turnover;Last Visit;Stand;Won\n4;1.500.000,50;01.03.2026;11.03.2026;ja\n", time="stand"
    )
    assert past.cases["at"].to_list() == [datetime(2026, 3, 11, tzinfo=UTC)]
    judged = judge_cases(past.cases, policy)
    assert judged["score"][0] == 5 + 5  # the turnover, and half of ten points after one half-life


def test_a_blank_outcome_is_open_and_an_unworked_lead_is_no_failure(read: Read, policy: Policy) -> None:
    past = read("TotalVisits,Worked,Won\n1,yes,1\n1,yes,0\n1,yes,\n1,no,0\n", worked="worked")
    found = backtest(judge_cases(past.cases, policy), policy, test_share=0.5)
    assert (found.leads, found.outcomes) == (2, 1)
    assert (found.apart.open, found.apart.unworked) == (1, 1)


def test_other_words_can_mean_that_it_was_reached(read: Read) -> None:
    past = read("TotalVisits,Won\n1,Enrolled\n2,Lost\n3,\n4,paid\n", won=("enrolled", "Paid"))
    assert past.cases["outcome"].to_list() == [True, False, None, True]


@pytest.mark.parametrize(
    ("text", "asked", "said", "fix"),
    [
        (
            "TotalVisits,Convertd\n1,1\n",
            {"outcome": "Converted"},
            "no column Converted",
            "did you mean Convertd",
        ),
        ("TotalVisits,Won\n1,maybe\n", {}, "leads.csv:2: column Won says neither yes nor no", "--won"),
        ("TotalVisits,Won\n1,x\n", {"won": ("paid",)}, "no row has paid in column Won", "spelled"),
        (
            "TotalVisits,At,Won\n1,2026-01-01,1\n1,soon,1\n",
            {"time": "At"},
            "leads.csv:3: column At",
            "2026-03-31",
        ),
        ("TotalVisits,At,Won\n1,,1\n", {"time": "At"}, "leads.csv:2: column At holds no time", "2026-03-31"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line_and_a_fix(
    read: Read, text: str, asked: dict[str, object], said: str, fix: str
) -> None:
    with pytest.raises(WrongUse) as stopped:
        read(text, **asked)
    assert said in str(stopped.value)
    assert fix in stopped.value.fix


def test_cells_that_cannot_be_read_are_not_known_and_told_without_their_text(read: Read) -> None:
    past = read("TotalVisits,Won\n5,1\nmany,0\nsome,0\n")
    assert past.cases["visits"].to_list() == [5, None, None]
    (told,) = [text for text in past.warnings if "could not be read" in text]
    assert (
        told == "column TotalVisits: 2 cells could not be read as visits, the first in leads.csv:3; not known"
    )


def test_a_row_with_another_number_of_cells_is_left_out_and_told(read: Read) -> None:
    past = read("TotalVisits,Won\n5,1\n1,2,3\n4,0\n")
    assert past.cases.height == 2
    assert any("1 rows have another number of cells" in text and "line 3" in text for text in past.warnings)


def test_rules_that_the_file_cannot_answer_are_named(read: Read) -> None:
    told = " ".join(read("TotalVisits,Won\n5,1\n").warnings)
    assert "“Shop”, “Large”, “Boss”, “Long look”" in told
    assert "“Visited”" not in told


def test_a_file_without_contact_data_takes_everybody_for_reachable_and_says_so(read: Read) -> None:
    without = read("TotalVisits,Won\n5,1\n")
    assert without.cases["has_contact_data"].to_list() == [True]
    assert any("no contact data" in text for text in without.warnings)
    with_it = read("TotalVisits,email,Won\n5,,1\n5,a@b.example,0\n")
    assert with_it.cases["has_contact_data"].to_list() == [False, True]


def test_a_visit_after_the_rows_own_time_is_not_known(read: Read) -> None:
    past = read("Last Visit,At,Won\n2026-05-02,2026-05-01,1\n2026-05-01,2026-05-01,0\n", time="At")
    assert past.cases["last_visit_at"].is_null().to_list() == [True, False]


def _sheet(cell: Callable[[bool], str]) -> str:
    lines = [f"{number % 7},{cell(number % 4 == 0)},{int(number % 4 == 0)}" for number in range(200)]
    return "\n".join(["TotalVisits,Total Time Spent on Website,Won", *lines, ""])


def test_a_column_that_looks_like_the_outcome_is_left_out_unless_it_is_trusted(
    read: Read, policy: Policy
) -> None:
    leaky = _sheet(lambda won: "900" if won else "")
    past = read(leaky)
    assert past.cases["seconds_on_site"].null_count() == 200
    assert any(
        "column Total Time Spent on Website looks like the outcome itself" in text for text in past.warnings
    )
    without = read(_sheet(lambda _: ""))
    assert judge_cases(past.cases, policy)["score"].equals(judge_cases(without.cases, policy)["score"])
    kept = read(leaky, trusted=("total time spent on website",))
    assert kept.cases["seconds_on_site"].null_count() == 150
    assert any("It was kept, as asked" in text for text in kept.warnings)


def test_an_empty_cell_is_blank_and_every_column_a_policy_may_ask_for_is_there(
    read: Read, policy: Policy
) -> None:
    past = read("TotalVisits,Lead Source,Won\n1,,1\n")
    assert past.cases["lead_source"].to_list() == [None]
    assert policy.needed() <= set(past.cases.columns)
    assert past.cases.schema["at"] == pl.Datetime("us", "UTC")
