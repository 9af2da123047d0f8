"""Sales works opportunities; the policy hears of them, by contact role or by account, and judges the lead again."""

from __future__ import annotations

from typing import Any

import pytest

EVIDENCE = """
[[policy.evidence]]
stage = "opportunity"
name = "Open opportunity"
when = "deals_open > 0"

[[policy.evidence]]
stage = "customer"
name = "Won opportunity"
when = "deals_won > 0"

[[policy.evidence]]
stage = "nurture"
name = "Lost opportunity"
when = "deals_lost > 0 AND deals_open = 0"
"""


@pytest.fixture
def told(furnished: Any) -> Any:
    """A house whose policy asks for opportunities."""
    policy = furnished.folder / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + EVIDENCE, encoding="utf-8")
    # Here a conversion alone is sales' acceptance; what it comes to, the opportunities say.
    furnished.rewrite(
        "fields.toml",
        'opportunity = { salesforce = "Closed - Converted" }',
        'sql = { salesforce = "Closed - Converted" }',
    )
    return furnished


def _act(house: Any, action: str, name: str, **fields: Any) -> Any:
    body = {"action": action, "object": name, **fields}
    done = house.control("salesforce", "people", body)
    house.later(60)
    return done


def _converted(house: Any, email: str, **convert: Any) -> tuple[str, str, str]:
    """A synced person whose lead sales has converted: the key, the Contact and the Account."""
    contact, lead = house.couple(email, {"company": f"{email} GmbH"})
    turned = house.control("salesforce", "people", {"action": "convert", "id": lead, **convert})
    house.later(60)
    return f"hubspot:{contact}", str(turned["contact_id"]), str(turned["account_id"])


def test_a_deal_that_changes_moves_its_lead_although_no_record_of_the_lead_changed(told: Any) -> None:
    house = told
    key, person, account = _converted(house, "anna@sommer-versand.de", no_opportunity=True)
    colleague, _, _ = _converted(house, "ben@berg-shop.de", no_opportunity=True, account_id=account)
    house.sync()
    assert house.explain(key)["deals"] is None
    assert house.explain(key)["stage"] == "sql"

    fields = {"Name": "Hall 3", "StageName": "Prospecting", "CloseDate": "2026-12-31", "AccountId": account}
    deal = _act(house, "create", "Opportunity", fields=fields)["id"]
    house.sync()

    by_account = {"open": 1, "won": 0, "lost": 0, "by": "account", "opportunity": f"Hall 3 ({deal})"}
    for one in (key, colleague):
        found = house.explain(one)
        assert (found["stage"], found["deals"]) == ("opportunity", by_account)

    _act(house, "create", "OpportunityContactRole", fields={"OpportunityId": deal, "ContactId": person})
    house.sync()
    assert house.explain(key)["deals"] == {**by_account, "by": "contact role"}
    assert house.explain(colleague)["deals"] is None  # it names somebody by now, and not him

    _act(house, "edit", "Opportunity", id=deal, fields={"StageName": "Closed Won"})
    house.sync()
    won = house.explain(key)
    assert (won["stage"], won["deals"]["won"], won["why"]) == ("customer", 1, "ein Auftrag wurde gewonnen")
    said = house.command("explain", key).out
    assert f"opportunities: 1 won: Hall 3 ({deal}), by contact role" in said

    _act(house, "delete", "Opportunity", id=deal)
    house.sync()
    assert house.explain(key)["deals"] is None
    assert house.explain(key)["stage"] == "customer"  # what was won is not taken back by a deletion
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def test_leads_that_were_there_before_the_policy_asked_are_looked_at_once_and_nobody_is_asked_in_vain(
    furnished: Any,
) -> None:
    house = furnished
    key, _, _ = _converted(house, "anna@sommer-versand.de")
    mark = house.mark()
    house.sync()
    assert not _asked_for_deals(house, mark)
    policy = house.folder / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + EVIDENCE, encoding="utf-8")
    house.later(3600)

    house.sync()

    deals = house.explain(key)["deals"]
    assert (deals["open"], deals["by"]) == (1, "contact role")
    assert _asked_for_deals(house, mark)
    notes = house.command("--json", "check").document["problems"]
    assert any("signal deals" in note["problem"] and "contact role" in note["fix"] for note in notes)
    assert not any("can never fire" in note["problem"] and "deals" in note["problem"] for note in notes)


def _asked_for_deals(house: Any, mark: Any) -> bool:
    asked = house.look("salesforce", "requests", after=str(mark["salesforce"]), limit="1000")["requests"]
    return any("OpportunityContactRole" in str(one) for one in asked)
