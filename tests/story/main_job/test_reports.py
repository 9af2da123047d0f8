"""The report of a small business that was really synced: the same numbers on every way out, in both languages."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHANNELS = """
[[channels]]
name = "Trade fairs"
kind = "offline"
when = "lead_source ILIKE '%messe%' OR source_detail ILIKE '%messe%'"

[[channels]]
name = "Paid search"
kind = "online"
when = "source_detail ILIKE 'sea-%' OR lead_source = 'Google Ads'"

[goals.autumn]
label = "Anfragen im Herbst"
from = 2026-09-01
to = 2026-11-15
number = 10
rate = 0.2

[goals.winter]
label = "Anfragen im Winter"
from = 2026-11-01
to = 2026-12-31
number = 40

[[costs]]
channel = "Trade fairs"
campaign = "Shop-Forum"
from = 2026-10-06
to = 2026-10-08
kind = "stand"
planned = 4000
spent = "4200.50"
"""
COSTS = "Kanal;Kampagne;Monat;Art;Geplant;Ausgegeben;Währung\nPaid search;SEA;10.2026;Anzeigen;1.000,00;900,00;EUR\n"


@pytest.fixture
def business(furnished: Any, begin: Callable[..., Any]) -> Any:
    """Six people from two channels, of whom one bought; with channels, goals and costs in the config."""
    begin(_business)
    return furnished


def _business(house: Any) -> None:
    for number in range(6):
        fair = number % 2 == 0
        house.couple(
            f"person{number}@shop{number}.example",
            {"firstname": "Anna", "lastname": f"Sommer{number}", "company": f"Shop {number}"},
            hubspot={
                "num_conversion_events": "1",
                "first_conversion_date": f"2026-10-{10 + number}T08:00:00Z",
                "recent_conversion_date": f"2026-10-{10 + number}T08:00:00Z",
                "hs_analytics_source_data_1": "sea-shop",
                "lifecyclestage": "customer" if number == 0 else "lead",
            },
            salesforce={"LeadSource": "Messe Köln" if fair else "Google Ads"},
        )
    _declare(house)
    house.sync()


def _declare(house: Any) -> None:
    """Channels, goals and costs of our own instead of those of ``init``."""
    policy = house.folder / "policy.toml"
    before = policy.read_text("utf-8").partition("# --- Where they come from")[0]
    policy.write_text(before + CHANNELS, encoding="utf-8")
    (house.folder / "costs.csv").write_text(COSTS, encoding="utf-8")
    house.rewrite("leadpact.toml", "[files]\n", '[files]\ncosts = "costs.csv"\n')


def _section(document: Any, key: str) -> Any:
    (found,) = [section for section in document["sections"] if section["key"] == key]
    return found


def _rows(document: Any, section: str, table: str) -> list[Any]:
    (found,) = [each for each in _section(document, section)["tables"] if each["key"] == table]
    return list(found["rows"])


def test_the_report_is_the_same_on_every_way_out_and_in_both_languages(business: Any, tmp_path: Path) -> None:
    house = business
    page, tables = tmp_path / "report.html", tmp_path / "tables"
    german = house.command("--json", "report", "--lang", "de", "--html", str(page), "--csv", str(tables))
    assert german.code == 0, german.err
    document = german.document
    assert _numbers(document) == _numbers(house.command("--json", "report", "--lang", "en").document)
    _told_as_hand_counted(document)

    html = page.read_text("utf-8")
    assert '<html lang="de">' in html
    assert "33 %" in html.replace("\u00a0", " ")
    assert "5.100 €" in html.replace("\u00a0", " ")
    assert "<svg " in html
    with (tables / "costs_by_channel.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert [(row["channel"], row["spent"]) for row in rows] == [
        ("Trade fairs", "4200,50"),
        ("Paid search", "900,00"),
    ]
    lines = house.command("report", "--lang", "en").out
    assert "Trade fairs\t33% (1 of 3)" in lines.replace("\t3\t", "\t")

    everything = german.out + html + lines + "".join(path.read_text("utf-8") for path in tables.iterdir())
    assert not [word for word in ("Sommer", "shop0.example", "person1@") if word in everything]


def _numbers(document: Any) -> Any:
    """The tables without their words."""
    numeric = ("count", "rate", "money", "days", "expected", "change", "percent", "date", "number")
    return [
        [
            [row[column["key"]] for column in table["columns"] if column["kind"] in numeric]
            for row in table["rows"]
        ]
        for section in document["sections"]
        for table in section["tables"]
    ]


def _told_as_hand_counted(document: Any) -> None:
    by_channel = {row["channel"]: row for row in _rows(document, "funnel_by_channel", "funnel_by_channel")}
    assert {name: row["leads"] for name, row in by_channel.items()} == {"Trade fairs": 3, "Paid search": 3}
    assert by_channel["Trade fairs"]["customers_of_leads"]["numerator"] == 1
    # HubSpot's source says search for everybody; Salesforce says fair for half of them.
    (unlike,) = _rows(document, "sources", "conflicting_sources")
    assert unlike == {"hubspot": "Paid search", "salesforce": "Trade fairs", "leads": 3}
    costs = {row["channel"]: row for row in _rows(document, "costs", "costs_by_channel")}
    assert costs["Trade fairs"]["per_customer"] == {"amount": "4200.50", "currency": "EUR"}
    assert costs["Paid search"]["per_lead"] == {"amount": "300.00", "currency": "EUR"}
    assert "Paid search" in _section(document, "costs")["warnings"][0]
    autumn, winter = _rows(document, "goals", "goals")
    assert (autumn["counted"], autumn["missing"], autumn["rate"]["denominator"]) == (6, 4, 6)
    assert (winter["counted"], winter["forecast"] is not None) == (0, True)


def test_a_closed_period_keeps_its_numbers_and_later_corrections_stand_apart(business: Any) -> None:
    house = business
    first = house.command("--json", "report").document
    assert [table["key"] for table in _section(first, "goals")["tables"]] == ["goals"]
    house.later(86_400)
    house.couple(
        "late@shop9.example",
        {"lastname": "Late", "company": "Shop 9"},
        hubspot={"num_conversion_events": "1", "first_conversion_date": "2026-10-20T08:00:00Z"},
        salesforce={"LeadSource": "Messe"},
    )
    house.sync()
    document = house.command("--json", "report").document
    autumn = _rows(document, "goals", "goals")[0]
    assert (autumn["counted"], autumn["rate"]["numerator"]) == (6, 1)
    (correction,) = _rows(document, "goals", "goal_corrections")
    assert (correction["counted_then"], correction["counted_change"]) == (6, 1)
    assert (correction["reached_then"], correction["reached_change"]) == (1, 0)


def test_what_cannot_be_counted_is_named_with_its_line_by_report_and_check(house: Any) -> None:
    _declare(house)
    house.rewrite("costs.csv", "Paid search", "Paid serach")
    told = house.command("report")
    assert told.code == 2
    assert "costs.csv:2" in told.err
    assert "did you mean Paid search?" in told.err

    house.rewrite("policy.toml", "to = 2026-11-15", "to = 2026-08-15")
    house.rewrite("policy.toml", 'channel = "Trade fairs"', 'channel = "Fairs"')
    told = house.command("report")
    assert told.code == 2
    assert "before it begins" in told.err
    assert "expected Trade fairs or Paid search, found 'Fairs'" in told.err
    checked = house.command("--json", "check").document["problems"]
    ours = [one["where"] for one in checked if "goals" in one["problem"] or "costs" in one["problem"]]
    assert len(ours) == 2
    assert all(where.startswith("policy.toml:") for where in ours)

    told = house.command("report", "--from", "2026-03-01", "--to", "2026-02-01")
    assert told.code == 2
    assert "--to lies before --from" in told.err


def test_campaigns_of_salesforce_bring_their_costs_and_the_last_one_gets_the_credit(business: Any) -> None:
    house = business
    fair, search = house.control(
        "salesforce",
        "load",
        {
            "object": "Campaign",
            "rows": [
                {
                    "Name": "Digitalmesse",
                    "Type": "Trade Show",
                    "StartDate": "2026-10-01",
                    "EndDate": "2026-10-31",
                    "BudgetedCost": 3100,
                    "ActualCost": 2000,
                },
                {"Name": "sea-herbst", "Type": "Advertisement", "StartDate": "2026-11-01", "ActualCost": 100},
                {"Name": "No day", "ActualCost": 5},
            ],
        },
    )["ids"][:2]
    leads = sorted(house.records("salesforce"))
    memberships = [(fair, leads[0]), (fair, leads[1]), (search, leads[0])]
    days = ("2026-10-02T00:00:00Z", "2026-10-02T00:00:00Z", "2026-11-02T00:00:00Z")
    rows = [
        {"CampaignId": campaign, "LeadId": lead, "_created": day}
        for (campaign, lead), day in zip(memberships, days, strict=True)
    ]
    house.control("salesforce", "load", {"object": "CampaignMember", "rows": rows})
    asked = {"LEADPACT_REPORTS__SALESFORCE_CAMPAIGNS": "true"}

    first = house.command("--json", "report", environ=asked).document
    spent = {row["channel"]: row["spent"]["amount"] for row in _rows(first, "costs", "costs_by_channel")}
    assert spent == {"Trade fairs": "6200.50", "Paid search": "1000.00"}
    campaigns = {row["campaign"]: row["leads"] for row in _rows(first, "costs", "costs_by_campaign")}
    assert (campaigns["Digitalmesse"], campaigns["sea-herbst"]) == (2, None)
    assert any("1 Kampagnen" in note for note in _section(first, "costs")["notes"])

    last = house.command(
        "--json", "report", environ={**asked, "LEADPACT_REPORTS__ATTRIBUTION": "last"}
    ).document
    campaigns = {row["campaign"]: row["leads"] for row in _rows(last, "costs", "costs_by_campaign")}
    assert (campaigns["Digitalmesse"], campaigns["sea-herbst"]) == (1, 1)


def test_the_handover_and_its_disputes_are_told_and_owners_only_where_it_is_allowed(
    furnished: Any, tmp_path: Path
) -> None:
    house = furnished
    hot = {
        "industry": "RETAIL",
        "annualrevenue": "40000000",
        "jobtitle": "Head of Marketing",
        "country": "Germany",
        "num_conversion_events": "3",
        "recent_conversion_date": "2026-11-19T10:00:00Z",
        "first_conversion_date": "2026-11-19T10:00:00Z",
        "hs_analytics_num_visits": "7",
        "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z",
    }
    pairs = [
        house.couple(f"p{number}@shop{number}.example", {"lastname": f"Sommer{number}"}, hubspot=hot)
        for number in range(3)
    ]
    house.sync()
    house.later(3600)
    lead = pairs[0][1]
    house.edit("salesforce", lead, Leadpact_Sales_Accepted__c="false", Leadpact_Rejection_Reason__c="zu früh")
    house.sync()
    house.later(60)

    page, tables = tmp_path / "review.html", tmp_path / "review"
    named = ("--handover-review", "--html", str(page), "--csv", str(tables))
    document = house.command("--json", "report", *named).document
    for file in (page, tables / "handover_review.csv"):
        assert "p0@shop0.example" in file.read_text("utf-8")
        assert file.stat().st_mode & 0o077 == 0, "a file that names people is its owner's alone"
    numbers = {row["what"]: row["rate"] for row in _rows(document, "handover", "handover")}
    assert numbers["Abgelehnt"]["numerator"] == 1
    assert numbers["Abgelehnt"]["denominator"] == 3
    (disputed,) = _rows(document, "handover_review", "handover_review")
    assert disputed["lead"].startswith("p0@shop0.example")
    assert "zu früh" in disputed["sales"]
    assert disputed["rule"].startswith("Regel")

    plain = house.command("--json", "report")
    assert "shop0.example" not in plain.out
    assert "funnel_by_owner" not in plain.out
    allowed = {
        "LEADPACT_PRIVACY__PER_PERSON_REPORTS": "true",
        "LEADPACT_REPORTS__SMALLEST_GROUP": "2",
    }
    page = tmp_path / "owners.html"
    told = house.command("--json", "report", "--html", str(page), environ=allowed).document
    by_owner = _rows(told, "funnel_by_owner", "funnel_by_owner")
    assert sum(row["leads"] for row in by_owner) == 3
    assert page.stat().st_mode & 0o077 == 0
