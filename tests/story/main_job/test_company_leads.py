"""A company of which nobody is known is a lead, and waits for a person however warm it is."""

from __future__ import annotations

from typing import Any

HOT = {
    **{"industry": "RETAIL", "annualrevenue": "40000000", "country": "Germany"},
    **{"num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}


def test_a_company_without_a_person_is_held_as_a_company_lead_until_somebody_is_known(furnished: Any) -> None:
    house = furnished
    house.rewrite(
        "policy.toml", "hot = { total = 50, fit_at_least = 25 }", "hot = { total = 40, fit_at_least = 20 }"
    )
    [contact] = house.load("hubspot", {"email": "info@nordwind.example", "company": "Nordwind AG", **HOT})
    house.sync()
    told = house.explain("info@nordwind.example")
    assert told["company_lead"] is True
    assert told["stage"] == "lead"
    gates = {gate["name"]: gate["answer"] for gate in told["gates"]}
    assert gates["A person to talk to"] == "missed"
    assert "a company lead: no person of it is known" in house.command("explain", "info@nordwind.example").out

    house.edit("hubspot", contact, firstname="Ada", lastname="Winter")
    house.later(60)
    house.sync()
    told = house.explain("info@nordwind.example")
    assert told["company_lead"] is False
    assert told["stage"] == "mql"
