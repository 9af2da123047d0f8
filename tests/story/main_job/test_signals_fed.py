"""What a person did within a week, and what the people of a company did, reach the verdict; only where it is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

RULES = """
[[policy.engagement]]
name = "Three visits in a week"
when = "visits_in_week >= 3"
points = 7

[[policy.engagement]]
name = "The company looks around"
when = "company_visits >= 4 AND company_people >= 2"
points = 5
"""


@pytest.fixture
def asking(furnished: Any) -> Any:
    """A house whose policy asks how often in a week, and about the company."""
    policy = furnished.folder / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + RULES, encoding="utf-8")
    return furnished


def _visits(house: Any, contact: str, *days_ago: float) -> None:
    for days in days_ago:
        at = (house.serving.clock.now() - timedelta(days=days)).isoformat()
        body = {
            "action": "act",
            "object": "contacts",
            "id": contact,
            "signal": "visit",
            "pages": 2,
            "at": at,
        }
        house.control("hubspot", "people", body)
    house.later(60)


def _company(house: Any, *contacts: str) -> None:
    """A company of HubSpot with these people."""
    token = {"Authorization": f"Bearer {house.environ['LEADPACT_HUBSPOT__ACCESS_TOKEN']}"}
    made = requests.post(
        house.url("hubspot") + "/crm/v3/objects/companies",
        json={"properties": {"name": "Sommer"}},
        headers=token,
        timeout=60,
    ).json()
    for contact in contacts:
        path = f"/crm/v4/objects/contact/{contact}/associations/default/company/{made['id']}"
        answer = requests.put(house.url("hubspot") + path, headers=token, timeout=60)
        assert answer.status_code == 200, answer.text
    house.later(60)


def _points(house: Any, contact: str) -> set[str]:
    ours = {"Three visits in a week", "The company looks around"}
    return {point["rule"] for point in house.explain(f"hubspot:{contact}")["points"]} & ours


def _histories_read(house: Any, mark: Any) -> int:
    asked = house.look("hubspot", "requests", after=str(mark["hubspot"]), bodies="1", limit="1000")[
        "requests"
    ]
    return sum("propertiesWithHistory" in str(one) for one in asked)


def test_three_visits_in_a_week_and_colleagues_count_and_are_asked_for_only_when_something_moved(
    asking: Any,
) -> None:
    house = asking
    anna, _ = house.couple("anna@sommer-versand.de")
    ben, _ = house.couple("ben@sommer-versand.de", {"firstname": "Ben"})
    carl, _ = house.couple("carl@sommer-versand.de", {"firstname": "Carl"})
    _company(house, anna, ben)
    _visits(house, anna, 5, 3, 1)
    _visits(house, carl, 40, 20, 1)
    house.sync()
    assert [_points(house, one) for one in (anna, ben, carl)] == [{"Three visits in a week"}, set(), set()]

    mark = house.mark()
    house.later(3600)
    house.sync()
    assert _histories_read(house, mark) == 0

    _visits(house, ben, 0)
    house.sync()  # hears of Ben; Anna's own record has not changed, and she is looked at next
    house.later(3600)
    house.sync()
    assert _points(house, anna) == {"Three visits in a week", "The company looks around"}
    assert _points(house, ben) == {"The company looks around"}

    house.later(30 * 86400)
    _visits(house, anna, 0)
    house.sync()
    assert _points(house, anna) == {"The company looks around"}  # one visit in that week
    told = {one["problem"] for one in house.command("--json", "check").document["problems"]}
    assert "signal frequency: this account answers for it; 3 of 3 leads have it" in told
    assert "signal company: this account answers for it; 2 of 3 leads have it" in told
    assert "signal mails: this account answers for it; 0 of 3 leads have it" in told
