"""What the reports read from people: channels, goals and costs, each problem named; and how they are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mapping.lead import LEAD_FIELDS
from sync.reports.channels import assign, sources
from sync.reports.costfile import read_costs
from sync.reports.costrows import kind_of, month_of
from sync.reports.costs import Expected, Money
from sync.reports.declared import Declared, read_declared
from sync.reports.document import Cell, Column, Table
from sync.reports.funnel import Rate, Spread
from sync.reports.goals import Counted, Frozen, Standing, count, stand
from sync.reports.journeys import JOURNEYS
from sync.reports.spreadsheets import as_csv
from sync.reports.voice import Voice
from sync.wrongconfig import WrongConfig

BERLIN = ZoneInfo("Europe/Berlin")
FAIR = {"name": "Fair", "kind": "offline", "when": "lead_source ILIKE '%messe%'"}
SEARCH = {"name": "Search", "kind": "online", "when": "source_detail ILIKE 'sea-%' OR lead_source = 'SEA'"}
AUTUMN = {"from": date(2026, 9, 1), "to": date(2026, 11, 30), "number": 10}


def _read(**tables: Any) -> tuple[Declared, list[str]]:
    found, problems = read_declared(tables, fields=LEAD_FIELDS, vocabularies={}, currency="EUR")
    return found, [str(one) for one in problems]


# --- channels ------------------------------------------------------------------------------------------------


def test_the_first_rule_that_is_true_gives_the_channel_and_unknown_is_not_unfit() -> None:
    found, _ = _read(channels=[FAIR, SEARCH])
    leads = pl.DataFrame(
        {
            "lead_id": list("abcde"),
            "lead_source": ["Messe Köln", None, "Web", None, "messe"],
            "source_detail": ["sea-shop", "sea-shop", "google", None, None],
        }
    )
    told = assign(leads, found.channels)
    assert told["channel"].to_list() == ["Fair", "Search", None, None, "Fair"]
    assert told["channel_missing"].to_list()[2:4] == ["unfit", "blank"]


def test_without_channels_nobody_has_one() -> None:
    told = assign(pl.DataFrame({"lead_id": ["a"]}), [])
    assert told.rows() == [(None, "blank")]


def test_sources_count_the_unknown_and_where_the_crms_disagree() -> None:
    found, _ = _read(channels=[FAIR, SEARCH])
    rows = [
        ("Fair", "", "Fair", "Fair", 1),
        ("Fair", "", "Search", "Fair", 2),
        ("Search", "", "Search", None, 1),
        (None, "blank", None, None, 1),
        (None, "unfit", None, None, 1),
        (None, "blank", None, None, 0),  # never was a lead
    ]
    columns = ["channel", "channel_missing", "hubspot_channel", "salesforce_channel", "reached"]
    told = sources(pl.DataFrame(rows, schema=columns, orient="row"), found.channels)
    assert told.by_channel == {"Fair": Rate(2, 5), "Search": Rate(1, 5)}
    assert (told.blank, told.unfit) == (Rate(1, 5), Rate(1, 5))
    assert told.disagreeing == Rate(1, 2)
    assert [(one.hubspot, one.salesforce, one.leads) for one in told.disagreements] == [("Search", "Fair", 1)]


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"channels": [{**FAIR, "kind": "ofline"}]}, "channels[0].kind: “Fair”: expected online or offline"),
        ({"channels": [{**FAIR, "when": "lead_sorce = 'x'"}]}, "did you mean lead_source?"),
        ({"channels": [FAIR, FAIR]}, "two channels are named “Fair”"),
        ({"channels": [{**FAIR, "color": "red"}]}, "there is no setting color"),
        ({"goals": {"g": {**AUTUMN, "to": date(2026, 8, 1)}}}, "goals.g.to: the period ends on 2026-08-01"),
        ({"goals": {"g": {"from": date(2026, 9, 1), "to": date(2026, 9, 2)}}}, "a goal needs number"),
        ({"goals": {"g": {**AUTUMN, "from": "soon"}}}, "goals.g.from: expected a day"),
        ({"goals": {"g": {**AUTUMN, "counted_by": "job_title"}}}, "expected first_interest or"),
        ({"goals": {"g": {**AUTUMN, "stage": "sql", "then": "mql"}}}, "mql comes before sql"),
        ({"goals": {"g": {**AUTUMN, "rate": 2}}}, "expected a number above 0 and up to 1"),
        ({"costs": [{"channel": "Fair", "month": "2026-03", "spent": 1}]}, "costs[0].channel: expected"),
        (
            {"channels": [FAIR], "costs": [{"channel": "Fair", "month": "March", "spent": 1}]},
            "expected a month",
        ),
        ({"channels": [FAIR], "costs": [{"channel": "Fair", "month": "2026-03"}]}, "a cost needs planned"),
        ({"channels": [FAIR], "costs": [{"channel": "Fair", "month": "2026-03", "spent": 1.5}]}, "found 1.5"),
        (
            {
                "channels": [FAIR],
                "costs": [{"channel": "Fair", "month": "2026-03", "spent": 1, "kind": "stnd"}],
            },
            "did you mean stand?",
        ),
    ],
)
def test_what_is_wrong_with_the_config_is_named(tables: dict[str, Any], says: str) -> None:
    _, problems = _read(**tables)
    assert len(problems) == 1
    assert says in problems[0]


def test_a_cost_of_the_config_is_read_to_the_cent() -> None:
    found, problems = _read(
        channels=[FAIR],
        costs=[
            {
                "channel": "Fair",
                "from": date(2026, 3, 1),
                "to": date(2026, 3, 2),
                "kind": "stand",
                "spent": "1200.5",
            },
            {"channel": "Fair", "month": "2026-02", "planned": 900, "currency": "chf"},
        ],
    )
    assert problems == []
    first, second = found.costs
    assert (first.kind, first.spent, first.currency) == ("stand", Decimal("1200.50"), "EUR")
    assert (second.first, second.last, second.currency) == (date(2026, 2, 1), date(2026, 2, 28), "CHF")


# --- the spreadsheet of costs --------------------------------------------------------------------------------


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "costs.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_german_and_an_english_spreadsheet_say_the_same(sheet: Any) -> None:
    german = "Kanal;Monat;Kostenart;Geplant;Ist\nFair;03.2026;Messestand;1.200,50;1.300 €\n"
    english = (
        'channel,from,to,kind,planned,spent,currency\nfair,2026-03-01,2026-03-31,stand,1200.50,"1,300",EUR\n'
    )
    (one,) = read_costs(sheet(german, "cp1252"), ["Fair"], "EUR")
    (other,) = read_costs(sheet(english), ["Fair"], "CHF")
    for row in (one, other):
        assert (row.channel, row.kind, row.currency) == ("Fair", "stand", "EUR")
        assert (row.first, row.last) == (date(2026, 3, 1), date(2026, 3, 31))
        assert (row.planned, row.spent) == (Decimal("1200.50"), Decimal("1300.00"))
    assert one.where == "costs.csv:2"


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("Kanal;Monat;Ist\nFare;03.2026;1\n", "costs.csv:2", "there is no channel “Fare”"),
        ("Kanal;Monat;Ist\nFair;13.2026;1\n", "costs.csv:2", "the month cannot be read"),
        ("Kanal;Monat;Ist\nFair;03.2026;viel\n", "costs.csv:2", "no amount that can be read"),
        ("Kanal;Monat;Ist\nFair;03.2026;-5\n", "costs.csv:2", "no amount that can be read"),
        ("Kanal;Monat;Ist\nFair;03.2026;\n", "costs.csv:2", "neither planned nor spent"),
        ("Kanal;Monat;Art;Ist\nFair;03.2026;Wurst;5\n", "costs.csv:2", "no kind of cost “Wurst”"),
        ("Kanal;Monat;Ist;Währung\nFair;03.2026;5;Euro\n", "costs.csv:2", "three letters"),
        ("Kanal;von;bis;Ist\nFair;05.03.2026;01.03.2026;5\n", "costs.csv:2", "end before they begin"),
        ("Kanal;Monatt;Ist\nFair;03.2026;5\n", "costs.csv:1", "the column Monatt"),
        ("Kanal;Ist\nFair;5\n", "costs.csv:1", "no column month"),
        ("Kanal;Monat\nFair;03.2026\n", "costs.csv:1", "a channel and an amount"),
        ("Kanal;Monat;Ist\n", "costs.csv", "no rows below the header"),
        ("Kanal;Monat;Ist\nFair;03.2026\n", "costs.csv:2", "another number of cells"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_line(
    sheet: Any, text: str, where: str, says: str
) -> None:
    with pytest.raises(WrongConfig) as caught:
        read_costs(sheet(text), ["Fair"], "EUR")
    assert [one for one in caught.value.problems if one["where"] == where and says in one["problem"]]


@pytest.mark.parametrize(
    ("text", "month"),
    [("2026-03", 3), ("03.2026", 3), ("3/2026", 3), ("2026-13", None), ("March", None), ("", None)],
)
def test_a_month_is_read(text: str, month: int | None) -> None:
    found = month_of(text)
    assert (found and found[0].month) == month


@pytest.mark.parametrize(
    ("word", "kind"), [("Landing_Page", "landing page"), ("Reisekosten", "travel"), ("x", None)]
)
def test_a_kind_of_cost_is_known_in_both_languages(word: str, kind: str | None) -> None:
    assert kind_of(word) == kind


# --- goals ---------------------------------------------------------------------------------------------------


def _goal(**more: Any) -> Any:
    found, problems = _read(goals={"g": {**AUTUMN, **more}})
    assert problems == []
    return found.goals[0]


def _rows(*leads: tuple[str | None, int, bool]) -> pl.DataFrame:
    """(time of first interest, highest rank, whether the goal's condition is true)."""
    moments = [None if at is None else datetime.fromisoformat(at) for at, _, _ in leads]
    blank = {name: pl.Series([None] * len(leads), dtype=dtype) for name, dtype in JOURNEYS.items()}
    return pl.DataFrame(
        {
            **blank,
            "first_interest": pl.Series(moments, dtype=pl.Datetime("us", "UTC")),
            "reached": pl.Series([rank for _, rank, _ in leads], dtype=pl.Int32),
            "goal.g": [fits for _, _, fits in leads],
            "last_contacted_at": pl.Series(moments, dtype=pl.Datetime("us", "UTC")),
        }
    )


def test_a_goal_counts_the_days_of_its_zone_its_condition_and_its_stage() -> None:
    rows = _rows(
        ("2026-08-31T21:59:59+00:00", 1, True),  # still August in Berlin
        ("2026-08-31T22:00:00+00:00", 5, True),
        ("2026-11-30T22:59:59+00:00", 1, True),
        ("2026-11-30T23:00:00+00:00", 1, True),  # December
        ("2026-10-01T00:00:00+00:00", 1, False),  # another source
        ("2026-10-01T00:00:00+00:00", 0, True),  # a prospect, no lead
    )
    assert count(_goal(), rows, BERLIN) == Counted(2, 1)
    assert count(_goal(stage="prospect", counted_by="last_contacted_at"), rows, BERLIN) == Counted(3, 1)


@pytest.mark.parametrize(
    ("now", "state", "forecast"),
    [
        (datetime(2026, 8, 1, tzinfo=UTC), "to come", None),
        # 45 of 91 days are gone: 20 so far come to 40, give or take.
        (datetime(2026, 10, 15, 22, tzinfo=UTC), "running", (40.4, 32.5, 51.6)),
        (datetime(2026, 12, 24, tzinfo=UTC), "closed", None),
    ],
)
def test_a_running_goal_is_foreseen_by_its_pace(now: datetime, state: str, forecast: Any) -> None:
    found = stand(_goal(), Counted(20, 1), None, now, BERLIN)
    assert found.state == state
    assert found.forecast == (forecast and pytest.approx(forecast, abs=0.2))


def test_frozen_numbers_count_and_corrections_are_the_difference() -> None:
    goal, later = _goal(), datetime(2026, 12, 24, tzinfo=UTC)
    frozen = Frozen(goal.digest, Counted(18, 2), later)
    found = stand(goal, Counted(19, 1), frozen, later, BERLIN)
    assert found.told == Counted(18, 2)
    assert found.corrected == (1, -1)
    # The same name with another condition is another goal: nothing of it was told before.
    other = _goal(of="country = 'DE'")
    assert stand(other, Counted(7, 0), frozen, later, BERLIN).told == Counted(7, 0)
    assert isinstance(found, Standing)


# --- how it is told ------------------------------------------------------------------------------------------

NUMBERS: list[tuple[str, Cell, str, str]] = [
    ("count", 12345, "12.345", "12,345"),
    ("change", -3, "−3", "−3"),
    ("change", 0, "±0", "±0"),
    ("rate", Rate(17, 1000), "1,7 % (17 von 1.000)", "1.7% (17 of 1,000)"),
    ("rate", Rate(0, 0), "– (0 von 0)", "– (0 of 0)"),
    ("percent", 0.02, "2 %", "2%"),
    ("money", Money(Decimal("1234.56"), "EUR"), "1.235 €", "€1,235"),
    ("money", Money(Decimal("9.99"), "EUR"), "9,99 €", "€9.99"),
    ("days", Spread(1.25, 30.0, 7), "1,2 / 30 Tage (n = 7)", "1.2 / 30 days (n = 7)"),
    ("days", Spread(None, None, 0), "–", "–"),
    ("date", date(2026, 3, 1), "01.03.2026", "1 Mar 2026"),
    ("expected", Expected(2.0, 1.0, 4.0, 9), "2 (1 bis 4)", "2 (1 to 4)"),
    ("expected", Expected(0.2, 0.0, 1.1, 1), "zu wenige (n = 1; 0 bis 1,1)", "too few (n = 1; 0 to 1.1)"),
    ("money", None, "–", "–"),
]


@pytest.mark.parametrize(("kind", "cell", "german", "english"), NUMBERS)
def test_a_number_has_the_form_of_its_reader(kind: Any, cell: Cell, german: str, english: str) -> None:
    column = Column("x", "X", kind)
    assert Voice("de", BERLIN).cell(column, cell).replace("\u00a0", " ") == german
    assert Voice("en", BERLIN).cell(column, cell).replace("\u00a0", " ") == english


def test_a_spreadsheet_gets_numbers_it_can_reckon_with_and_no_formula() -> None:
    columns = (
        Column("campaign", "Campaign"),
        Column("rate", "Rate", "rate"),
        Column("spent", "Spent", "money"),
        Column("begins", "Begins", "date"),
    )
    row: tuple[Cell, ...] = (
        '=HYPERLINK("x")',
        Rate(1, 8),
        Money(Decimal("1234.50"), "EUR"),
        date(2026, 3, 1),
    )
    table = Table("t", columns, (row, ("A; B", None, None, None)))
    german, english = (as_csv(table, language).splitlines() for language in ("de", "en"))
    assert german[0].split(";")[:3] == ["campaign", "rate", "rate_numerator"]
    assert german[1].startswith('"\'=HYPERLINK(""x"")";0,125;1;8;0,')
    assert german[1].endswith(";1234,50;EUR;01.03.2026")
    assert german[2].startswith('"A; B";;')
    assert english[1].endswith(",1234.50,EUR,2026-03-01")
