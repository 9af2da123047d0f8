"""Sales converts a lead: what the person does not want is then said on the Contact, and still holds in both CRMs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync.turned import CONTACT


@pytest.fixture
def converted(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str, str]:
    """A house with one synced person whose lead sales has converted; her contact, lead and Contact."""
    return furnished, *begin(_converted)


def _converted(house: Any) -> tuple[str, str, str]:
    contact, lead = house.couple("anna@sommer-versand.de", {"jobtitle": "Head of Marketing"})
    house.sync()
    house.later(3600)
    turned = house.control("salesforce", "people", {"action": "convert", "id": lead})
    house.later(60)
    house.sync()
    house.later(3600)
    return contact, lead, str(turned["contact_id"])


def _contact(house: Any, record: str) -> dict[str, Any]:
    (found,) = house.look("salesforce", "state", object=CONTACT, id=record)["records"]
    return dict(found)


def _say(house: Any, record: str, **fields: Any) -> None:
    wanted = {"action": "edit", "object": CONTACT, "id": record, "fields": fields}
    house.control("salesforce", "people", wanted)
    house.later(60)


def test_an_unsubscription_in_hubspot_reaches_the_contact_of_a_converted_lead(converted: Any) -> None:
    house, contact, lead, turned = converted
    house.unsubscribe("hubspot", contact)
    house.later(60)

    outcome = house.sync()

    assert outcome.numbers.refused == 0
    assert _contact(house, turned)["HasOptedOutOfEmail"] is True
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is False
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def test_an_opt_out_on_the_contact_of_a_converted_lead_reaches_hubspot_whatever_the_scope_says(
    converted: Any,
) -> None:
    house, contact, _, turned = converted
    house.rewrite("leadpact.toml", "leads = ", 'leads = "false" # ')
    _say(house, turned, HasOptedOutOfEmail=True)

    house.sync()

    assert house.record("hubspot", contact)["hs_email_optout"] == "true"
    house.later(3600)
    _say(house, turned, HasOptedOutOfEmail=False)
    house.sync()
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"
    assert _contact(house, turned)["HasOptedOutOfEmail"] is True


def test_a_contact_that_was_merged_is_followed_to_the_one_that_is_left(converted: Any) -> None:
    house, contact, _, turned = converted
    account = _contact(house, turned)["AccountId"]
    fields = {"LastName": "Sommer", "AccountId": account}
    made = house.control("salesforce", "people", {"action": "create", "object": CONTACT, "fields": fields})
    body = {"action": "merge", "object": CONTACT, "id": made["id"], "other": turned}
    house.control("salesforce", "people", body)
    house.later(60)
    house.sync()
    house.later(3600)
    _say(house, made["id"], HasOptedOutOfEmail=True)
    house.sync()
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"


def test_a_lead_that_was_converted_before_anybody_met_it_is_taken_for_what_it_is(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer-versand.de", {"jobtitle": "Head of Marketing"})
    house.edit("hubspot", contact, city="Bonn")
    turned = house.control("salesforce", "people", {"action": "convert", "id": lead})
    house.unsubscribe("hubspot", contact)
    house.later(60)
    mark = house.mark()

    outcome = house.sync()

    assert outcome.numbers.refused == 0
    assert not house.command("--json", "refused").document["refused"]
    assert not [one for one in house.writes(mark)["salesforce"] if lead in str(one)]
    told = house.explain(f"hubspot:{contact}")
    assert told["stage"] == "opportunity"
    (row,) = [one for one in told["records"] if one["crm"] == "salesforce"]
    assert (row["state"], row["became"]["Contact"]) == ("converted", turned["contact_id"])
    assert _contact(house, turned["contact_id"])["HasOptedOutOfEmail"] is True
    assert house.command("--json", "agree").document["unexplained"] == 0
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
