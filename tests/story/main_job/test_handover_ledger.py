"""What becomes of a lead that sales get: over a weekend, touched in time, touched late, and not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sync.handover_told import review_rows

HOT = {
    **{
        "industry": "RETAIL",
        "annualrevenue": "40000000",
        "jobtitle": "Head of Marketing",
        "country": "Germany",
    },
    **{"num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}
HANDOVER = """
[handover]
when_overdue = "recycle"
hours = { monday = "09:00-18:00", tuesday = "09:00-18:00", friday = "09:00-18:00" }
"""
FIELDS = (
    *(
        ("leadpact_handover", "Leadpact_Handover__c"),
        ("leadpact_handed_over_at", "Leadpact_Handed_Over_At__c"),
    ),
    *(
        ("leadpact_handover_due", "Leadpact_Handover_Due__c"),
        ("leadpact_first_touch", "Leadpact_First_Touch__c"),
    ),
    *(("leadpact_handover_answer", "Leadpact_Handover_Answer__c"), ("leadpact_stage", "Leadpact_Stage__c")),
)


def _moment(text: str | None) -> datetime | str | None:
    """A time as both CRMs spell it, or the text itself."""
    if not text or not text[:1].isdigit() or "T" not in text:
        return text or None
    return datetime.fromisoformat(text.replace("+0000", "+00:00").replace("Z", "+00:00")).astimezone(UTC)


class Lead:
    """One lead in both CRMs, by what its records show."""

    def __init__(self, house: Any, email: str) -> None:
        self.house, self.email = house, email
        self.contact, self.lead = house.couple(email, hubspot=HOT)

    def shows(self) -> dict[str, Any]:
        """Our fields, by HubSpot's names; both CRMs have to show the same."""
        h, s = self.house.record("hubspot", self.contact), self.house.record("salesforce", self.lead)
        here = {ours: _moment(h.get(ours)) for ours, _ in FIELDS}
        assert here == {ours: _moment(s.get(theirs)) for ours, theirs in FIELDS}
        return here

    def touched(self) -> None:
        """Somebody in sales sets another status."""
        self.house.edit("salesforce", self.lead, Status="Working - Contacted")


@pytest.fixture
def friday(furnished: Any) -> tuple[Any, Lead, Lead, Lead]:
    """Three hot leads that sales get on Friday, 20 November 2026, at 17:50 in Berlin."""
    house = furnished
    path = house.folder / "leadpact.toml"
    text = path.read_text("utf-8")
    start = text.index("[handover]")
    end = text.index("[locale]")
    path.write_text(text[:start] + HANDOVER + "\n" + text[end:], encoding="utf-8")
    leads = [Lead(house, f"{name}@shop-{name}.example") for name in ("intime", "late", "never")]
    house.later(7 * 3600 + 50 * 60)
    house.sync()
    return house, *leads


def test_a_weekend_between_handover_and_first_touch_is_no_delay(friday: tuple[Any, Lead, Lead, Lead]) -> None:
    house, in_time, late, never = friday
    handed = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)
    due = datetime(2026, 11, 23, 9, 50, tzinfo=UTC)
    for lead in (in_time, late, never):
        shown = lead.shows()
        assert shown["leadpact_handover"] == "open"
        assert shown["leadpact_handed_over_at"] == handed
        assert shown["leadpact_handover_due"] == due

    house.later(48 * 3600)  # Sunday: nothing to do, and nothing to say
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)

    house.later(16 * 3600 + 40 * 60)  # Monday 10:30 in Berlin
    in_time.touched()
    house.later(19 * 60)  # 10:49
    house.sync()
    assert in_time.shows()["leadpact_handover"] == "touched"
    assert in_time.shows()["leadpact_first_touch"] == datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    assert late.shows()["leadpact_handover"] == "open"
    _reminds_once(house, never)

    house.later(2 * 60)  # 10:51, a minute late
    late.touched()
    house.later(60)
    # Nothing has changed in the records of the third; its time alone has run out.
    house.sync()
    assert late.shows()["leadpact_handover"] == "touched"
    shown = never.shows()
    assert shown["leadpact_handover"] == "recycled"
    assert shown["leadpact_stage"] == "nurture"

    house.later(60)
    mark = house.mark()
    house.sync()
    house.run("rescore")
    assert house.wrote_nothing(mark)
    agreed = house.command("--json", "agree").document
    assert (agreed["linked"], agreed["unexplained"]) == (3, 0)
    _is_told(house, in_time, late, never)


def _reminds_once(house: Any, never: Lead) -> None:
    """Whoever is to be reminded before the time is up is named once for each lead."""
    with house.app() as app:
        work = app.memory()
        ledger, now = work.store.handovers, app.clock()
        (lead_id,) = work.store.leads.named(never.email)
        assert len(ledger.to_escalate(now)) == 2
        assert not ledger.to_escalate(datetime(2026, 11, 23, 9, 19, 59, tzinfo=UTC))
        ledger.escalated(lead_id, 1, "told nobody in particular", None, now)
        (left,) = ledger.to_escalate(now)
        assert left["lead_id"] != lead_id


def _is_told(house: Any, in_time: Lead, late: Lead, never: Lead) -> None:
    """The list, its numbers, the explanation and the review say what happened."""
    told = house.command("--json", "handovers").document
    by_email = {row["email"]: row for row in told["handovers"]}
    assert {
        email: (row["state"], row["work_seconds"], row["in_time"]) for email, row in by_email.items()
    } == {
        in_time.email: ("touched", 6000, True),
        late.email: ("touched", 7260, False),
        never.email: ("recycled", None, False),
    }
    assert told["timing"]["met"] == {
        **{"count": 1, "of": 3, "share": 1 / 3, "of_what": "touched, or past the promised time"}
    }
    assert not house.command("--json", "handovers", "--overdue").document["handovers"]
    shown = house.command("handovers", "--open")
    assert shown.code == 0
    assert "1 of 3 touched in time" in shown.out

    explained = house.explain(never.email)
    assert explained["stage"] == "nurture"
    assert "nicht rechtzeitig aufgegriffen" in explained["why"]
    assert explained["reproduced"]
    ledger = explained["handover"]
    assert [row["state"] for row in ledger["cycles"]] == ["recycled"]
    assert [row["what"] for row in ledger["events"]] == ["qualified", "handed_over", "escalated", "recycled"]

    house.rewrite("leadpact.toml", "[handover]", "[handover]\ntoo_early_engagement = 1000")
    assert len(house.command("--json", "handovers", "--flagged").document["handovers"]) == 3
    with house.app() as app:
        (disputed,) = [row for row in review_rows(app.memory(), None, None) if row["email"] == never.email]
    assert disputed["sales"]["state"] == "recycled"
    points = {point["rule"]: point["points"] for point in disputed["marketing"]["points"]}
    assert sum(points.values()) == disputed["marketing"]["score"]
    assert disputed["rule"]["points"] == points[disputed["rule"]["name"]]


def test_each_rejection_has_a_cycle_a_clock_and_a_reason_of_its_own(furnished: Any) -> None:
    house = furnished
    lead = Lead(house, "again@shop.example")
    for reason in ("zu früh", "kein Budget"):
        house.sync()
        assert lead.shows()["leadpact_handover"] == "open"
        house.later(600)
        house.edit(
            "salesforce", lead.lead, Leadpact_Sales_Accepted__c="false", Leadpact_Rejection_Reason__c=reason
        )
        house.later(60)
        house.sync()
        shown = lead.shows()
        assert (shown["leadpact_handover"], shown["leadpact_handover_answer"]) == ("rejected", reason)
        assert shown["leadpact_stage"] == "nurture"
        house.later(600)
        house.edit(
            "salesforce", lead.lead, Leadpact_Sales_Accepted__c=None, Leadpact_Rejection_Reason__c=None
        )
        house.later(60)
    house.sync()

    cycles = house.explain(lead.email)["handover"]["cycles"]
    told = [(one["cycle"], one["state"], one["reason"]) for one in reversed(cycles)]
    assert told == [(1, "rejected", "zu früh"), (2, "rejected", "kein Budget"), (3, "open", None)]
    assert len({one["due_at"] for one in cycles}) == 3
    shown = lead.shows()
    assert (shown["leadpact_handover"], shown["leadpact_handover_answer"]) == ("open", None)
    flagged = house.command("--json", "handovers", "--flagged").document["handovers"]
    assert [(one["cycle"], one["flags"][0]["because"]) for one in flagged] == [(1, "rejected_as_not_ready")]
