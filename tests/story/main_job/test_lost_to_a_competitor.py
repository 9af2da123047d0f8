"""A lead that sales accepted and then lost to a competitor: a suspicion that it came too late, with its evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.crm import FieldSpec

HOT = {
    **{"industry": "RETAIL", "annualrevenue": "40000000", "jobtitle": "Head of Marketing"},
    **{"country": "Germany", "num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}
EMAIL = "anna@sommer-versand.de"
DAY = 24 * 3600


def _accepted(house: Any) -> tuple[str, str, str]:
    """A hot lead that sales accepts late and converts: the contact's id, the Contact's and the opportunity's."""
    contact, lead = house.couple(EMAIL, hubspot=HOT)
    house.sync()
    house.later(4 * DAY)  # over the weekend, and long after the two hours that were promised
    house.edit("salesforce", lead, Leadpact_Sales_Accepted__c="true")
    house.later(60)
    house.sync()
    turned = house.control("salesforce", "people", {"action": "convert", "id": lead})
    house.later(60)
    house.sync()
    return contact, str(turned["contact_id"]), str(turned["opportunity_id"])


def _review(house: Any, language: str) -> str:
    """The one row of the review, as people read it."""
    document = house.command("--json", "report", "--handover-review", "--lang", language).document
    (section,) = [one for one in document["sections"] if one["key"] == "handover_review"]
    if not section["tables"]:
        return ""
    (row,) = section["tables"][0]["rows"]
    return f"{row['suspicion']} | {row['sales']} | {row['rule']}"


@pytest.fixture
def with_reasons(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str]:
    """A house whose opportunities have a field for the reason of a loss, and the one of an accepted lead."""
    return furnished, begin(_with_reasons)


def _with_reasons(house: Any) -> str:
    reason = FieldSpec("Loss_Reason__c", "Loss reason", "text", length=120)
    with house.app() as app:
        assert app.work().crms["salesforce"].add_fields("Opportunity", [reason]) == ["Loss_Reason__c"]
    house.rewrite("leadpact.toml", "[handover]", '[handover]\nloss_reason = "Loss_Reason__c"')
    _, _, deal = _accepted(house)
    return deal


def test_an_accepted_lead_that_a_competitor_won_is_suspected_with_dates_and_the_rule_in_numbers(
    with_reasons: tuple[Any, str],
) -> None:
    house, deal = with_reasons
    assert _review(house, "en") == ""

    fields = {
        "StageName": "Closed Lost",
        "CloseDate": "2026-11-26",
        "Loss_Reason__c": "Konkurrenz war schneller",
    }
    house.control(
        "salesforce", "people", {"action": "edit", "object": "Opportunity", "id": deal, "fields": fields}
    )
    house.later(2 * DAY)
    house.sync()

    (row,) = house.command("--json", "handovers", "--flagged").document["handovers"]
    assert (row["state"], row["lost_on"], row["lost_reason"]) == (
        "accepted",
        "2026-11-26",
        "Konkurrenz war schneller",
    )
    english, german = _review(house, "en"), _review(house, "de")
    assert (
        "Too late (suspected): lost to a competitor (sales said “Konkurrenz war schneller”; hot since"
        in english
    )
    assert "handed over 20 Nov 2026, first touched 24 Nov 2026, lost 26 Nov 2026)" in english
    assert "lost 26 Nov 2026: Konkurrenz war schneller" in english
    assert "promise “handover.respond_within”: 2 hours of working time, it took" in english
    assert (
        "Zu spät (Verdacht): an einen Mitbewerber verloren (der Vertrieb sagte „Konkurrenz war schneller“"
        in german
    )
    assert "übergeben 20.11.2026, Erstkontakt 24.11.2026, verloren 26.11.2026)" in german
    assert "Zusage „handover.respond_within“: 2 Stunden Arbeitszeit, es wurden" in german

    assert "lost on 2026-11-26: Konkurrenz war schneller" in house.command("explain", EMAIL).out
    events = house.explain(EMAIL)["handover"]["events"]
    assert [one["what"] for one in events][-1] == "deal_lost"
    assert events[-1]["why"] == "2026-11-26: Konkurrenz war schneller"
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
    assert len(house.explain(EMAIL)["handover"]["events"]) == len(events)


def test_a_deal_that_was_lost_for_another_reason_is_no_suspicion(with_reasons: tuple[Any, str]) -> None:
    house, deal = with_reasons
    fields = {"StageName": "Closed Lost", "CloseDate": "2026-11-26", "Loss_Reason__c": "Kein Budget"}
    house.control(
        "salesforce", "people", {"action": "edit", "object": "Opportunity", "id": deal, "fields": fields}
    )
    house.later(DAY)
    house.sync()
    assert house.command("--json", "handovers", "--flagged").document["handovers"] == []
    (row,) = house.command("--json", "handovers").document["handovers"]
    assert row["lost_reason"] == "Kein Budget"


def test_hubspots_reason_of_a_lost_deal_counts_where_the_contact_shows_it(furnished: Any) -> None:
    house = furnished
    with house.app() as app:
        reason = FieldSpec("closed_lost_reason", "Closed lost reason", "text")
        app.work().crms["hubspot"].add_fields("contacts", [reason])
    fields = house.folder / "fields.toml"
    mapped = '\n[fields.last_loss_reason]\nhubspot = "closed_lost_reason"\n'
    fields.write_text(fields.read_text("utf-8") + mapped, encoding="utf-8")
    contact, _, _ = _accepted(house)
    house.edit("hubspot", contact, closed_lost_reason="Chose a competitor")
    house.later(DAY)
    house.sync()
    (row,) = house.command("--json", "handovers", "--flagged").document["handovers"]
    assert [one["because"] for one in row["flags"]] == ["lost_to_a_competitor"]
    assert row["lost_reason"] == "Chose a competitor"


def test_words_that_were_there_before_anybody_read_them_are_no_loss_and_others_after_them_are(
    furnished: Any,
) -> None:
    house = furnished
    with house.app() as app:
        reason = FieldSpec("closed_lost_reason", "Closed lost reason", "text")
        app.work().crms["hubspot"].add_fields("contacts", [reason])
    contact, _, _ = _accepted(house)
    house.edit("hubspot", contact, closed_lost_reason="Chose a competitor in 2019")
    fields = house.folder / "fields.toml"
    mapped = '\n[fields.last_loss_reason]\nhubspot = "closed_lost_reason"\n'
    fields.write_text(fields.read_text("utf-8") + mapped, encoding="utf-8")
    # Judged from memory, which does not know the field yet, and then read.
    house.run("rescore", from_memory=True, approve=True)
    house.later(DAY)
    house.sync()
    assert house.command("--json", "handovers", "--flagged").document["handovers"] == []
    house.edit("hubspot", contact, closed_lost_reason="Chose another competitor")
    house.later(DAY)
    house.sync()
    (row,) = house.command("--json", "handovers", "--flagged").document["handovers"]
    assert row["lost_reason"] == "Chose another competitor"


def test_a_reason_field_that_holds_no_words_is_an_error_and_stops_no_sync(furnished: Any) -> None:
    house = furnished
    contact, _, deal = _accepted(house)
    house.rewrite("leadpact.toml", "[handover]", '[handover]\nloss_reason = "Amount"')
    (found,) = [
        one
        for one in house.command("--json", "check").document["problems"]
        if "Amount of Opportunity holds no words (number)" in one["problem"]
    ]
    assert (found["severity"], "text or picklist" in found["fix"]) == ("error", True)
    assert "leadpact.toml:" in found["where"]
    fields = {"StageName": "Closed Lost", "CloseDate": "2026-11-26", "Amount": "1000"}
    house.control(
        "salesforce", "people", {"action": "edit", "object": "Opportunity", "id": deal, "fields": fields}
    )
    house.edit("hubspot", contact, jobtitle="CEO")
    house.later(DAY)
    house.sync()
    (row,) = house.command("--json", "handovers").document["handovers"]
    assert (row["lost_on"], row["lost_reason"]) == ("2026-11-26", None)


def test_check_names_a_reason_field_that_is_not_there(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", "[handover]", '[handover]\nloss_reason = "NextStepp"')
    (found,) = [
        one
        for one in house.command("--json", "check").document["problems"]
        if "field NextStepp of Opportunity" in one["problem"]
    ]
    assert (found["severity"], found["fix"]) == ("warning", "did you mean NextStep?")
    assert ":" in found["where"]
