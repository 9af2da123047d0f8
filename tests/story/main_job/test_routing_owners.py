"""Who gets a lead: the turns of a route in both CRMs, two workers, somebody who leaves, and runs that die."""

from __future__ import annotations

from typing import Any

import pytest

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
SANA = "sana.okafor@leadpact-sandbox.example"
MATEO = "mateo.lindqvist@leadpact-sandbox.example"
INES = "ines.takahashi@leadpact-sandbox.example"
PIOTR = "piotr.former@leadpact-sandbox.example"
SVEN = "76500002"  #: Sana's name in HubSpot, which knows her by another address
ROUTES = f"""
escalate_to = "{INES}"
[handover.same_owner]
"sven.sales@leadpact.example" = "{SANA}"

[[handover.routes]]
name = "Key accounts"
accounts = "key.example"
to = "{INES}"

[[handover.routes]]
name = "Germany"
countries = "DE"
to = ["{SANA}", {{ owner = "{MATEO}", weight = 1 }}]

[locale]"""


class Sales:
    """The house, by who has which lead."""

    def __init__(self, house: Any) -> None:
        self.house = house
        users = house.look("salesforce", "state", object="User", limit="100")["records"]
        self.ids = {row["Email"]: row["Id"] for row in users}
        self.names = {row["Id"]: row["Email"] for row in users}

    def leads(self, *names: str, **salesforce: Any) -> dict[str, tuple[str, str]]:
        return {
            name: self.house.couple(f"{name}@shop-{name}.example", hubspot=HOT, salesforce=salesforce)
            for name in names
        }

    def owner(self, lead: tuple[str, str]) -> str:
        return str(self.names.get(self.house.record("salesforce", lead[1])["OwnerId"], "a queue"))

    def tasks(self) -> list[dict[str, Any]]:
        return list(self.house.look("salesforce", "state", object="Task", limit="100")["records"])


@pytest.fixture
def sales(furnished: Any) -> Sales:
    furnished.rewrite("leadpact.toml", "\n[locale]", ROUTES)
    return Sales(furnished)


def test_turns_go_round_over_runs(sales: Sales) -> None:
    house = sales.house
    leads = sales.leads("a", "b", "c")
    (key,) = sales.leads("d").values()
    house.sync()
    print({name: sales.owner(lead) for name, lead in leads.items()}, sales.owner(key))
    house.later(60)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
