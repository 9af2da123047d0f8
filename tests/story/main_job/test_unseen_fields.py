"""Not returned, not readable and blank are three things, and only a blank is a change.

The mistake to look for: a field that a CRM did not show is taken for empty, and wipes the other side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

PHONE = "+49 221 1234567"
BOTH = {"jobtitle": "Einkauf", "phone": PHONE, "city": "Köln", "country": "Germany"}


@pytest.fixture(params=["ignore", "clear"])
def anna(request: pytest.FixtureRequest, furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """A lead in agreement, under a map where a blank job title is ignored, and one where it clears."""
    return furnished, *begin(_agreed, request.param)


def _agreed(house: Any, if_emptied: str) -> tuple[str, str]:
    before = 'salesforce = "Title"\nif_both_changed = "salesforce"'
    house.rewrite("fields.toml", before, f'{before}\nif_emptied = "{if_emptied}"')
    found: tuple[str, str] = house.couple("anna@sommer.de", BOTH)
    house.sync()
    house.later(3_600)
    return found


def _untouched(house: Any, contact: str, lead: str) -> bool:
    """The title as it was, in both CRMs and in our own memory."""
    with house.app() as app:
        work = app.memory()
        (lead_id,) = work.store.leads.named("anna@sommer.de")
        inputs = work.store.leads.verdicts(lead_id, None, 1)[0]["inputs"]
    shown = (house.record("hubspot", contact)["jobtitle"], house.record("salesforce", lead)["Title"])
    return shown == ("Einkauf", "Einkauf") and "Einkauf" in inputs


def test_a_field_that_salesforce_hides_leaves_hubspot_as_it_is(anna: Any) -> None:
    house, contact, lead = anna
    house.control("salesforce", "limits", {"hidden_fields": {"Lead": ["Title"]}})
    house.edit("salesforce", lead, City="Bonn")

    done = house.sync()

    assert _untouched(house, contact, lead)
    assert house.record("hubspot", contact)["city"] == "Bonn"
    assert any(source == "salesforce.Title" for source, _ in done.problems), done.problems

    house.control("salesforce", "limits", {"hidden_fields": {}})
    house.later(3_600)
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.sync()
    assert house.record("salesforce", lead)["Title"] == "Head of Marketing"


def test_a_change_made_while_the_field_was_hidden_is_seen_when_it_is_shown_again(anna: Any) -> None:
    house, contact, lead = anna
    house.control("salesforce", "limits", {"hidden_fields": {"Lead": ["Title"]}})
    house.edit("salesforce", lead, Title="Leiterin Einkauf")
    house.sync()
    assert house.record("hubspot", contact)["jobtitle"] == "Einkauf"
    house.control("salesforce", "limits", {"hidden_fields": {}})
    house.later(3_600)
    house.edit("salesforce", lead, City="Bonn")

    house.sync()

    assert house.record("hubspot", contact)["jobtitle"] == "Leiterin Einkauf"


def test_an_archived_property_of_hubspot_leaves_salesforce_as_it_is(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple(
        "anna@sommer.de",
        hubspot={"leadpact_need": "Ratgeber"},
        salesforce={"Leadpact_Need__c": "Ratgeber"},
    )
    house.sync()
    house.later(3_600)
    gone = requests.delete(
        f"{house.url('hubspot')}/crm/v3/properties/contacts/leadpact_need",
        headers={"Authorization": f"Bearer {house.environ['LEADPACT_HUBSPOT__ACCESS_TOKEN']}"},
        timeout=60,
    )
    assert gone.status_code == 204
    house.edit("hubspot", contact, city="Bonn")

    done = house.sync()

    assert house.record("salesforce", lead)["Leadpact_Need__c"] == "Ratgeber"
    assert house.record("salesforce", lead)["City"] == "Bonn"
    assert any(source == "hubspot.leadpact_need" for source, _ in done.problems), done.problems
    assert '"need":"Ratgeber"' in _inputs(house).replace('": "', '":"')


def _inputs(house: Any) -> str:
    with house.app() as app:
        work = app.memory()
        (lead_id,) = work.store.leads.named("anna@sommer.de")
        return str(work.store.leads.verdicts(lead_id, None, 1)[0]["inputs"])


def test_a_value_that_hubspot_withholds_from_one_answer_is_not_a_blank(furnished: Any) -> None:
    # An account that sends explicit nulls leaves nothing out (HubSpot reference, section 4.2).
    house = furnished
    before = 'salesforce = "Title"\nif_both_changed = "salesforce"'
    house.rewrite("fields.toml", before, f'{before}\nif_emptied = "clear"')
    contact, lead = house.couple("anna@sommer.de", BOTH)
    house.sync()
    house.later(3_600)
    shown = {
        "email": "anna@sommer.de",
        "firstname": "Anna",
        "lastname": "Sommer",
        "city": "Bonn",
        "zip": None,
    }
    page = {
        "total": 1,
        "results": [
            {
                "id": contact,
                "properties": {**shown, "lastmodifieddate": "2026-11-20T09:59:00Z", "hs_object_id": contact},
                "createdAt": "2026-11-20T09:00:00Z",
                "updatedAt": "2026-11-20T09:59:00Z",
                "archived": False,
            }
        ],
    }
    house.control("hubspot", "faults", {"match": "contacts/search", "status": 200, "body": page, "times": -1})

    done = house.sync()

    assert house.record("salesforce", lead)["Title"] == "Einkauf"
    assert house.record("salesforce", lead)["City"] == "Bonn"
    assert ("hubspot.jobtitle", "not returned") in done.problems, done.problems


def test_an_account_that_never_sends_nulls_erases_nothing(furnished: Any) -> None:
    house = furnished
    house.control("hubspot", "limits", {"empty": "absent"})
    contact, lead = house.couple("anna@sommer.de", {"firstname": "Anna"}, salesforce={"Title": "Einkauf"})
    house.sync()
    house.later(3_600)
    house.edit("hubspot", contact, jobtitle=None, city="Bonn")

    house.sync()

    assert house.record("salesforce", lead)["Title"] == "Einkauf"
    assert house.record("hubspot", contact)["jobtitle"] == "Einkauf"
    assert house.record("salesforce", lead)["City"] == "Bonn"


@pytest.mark.parametrize(
    ("crm", "name", "bad", "other", "source"),
    [
        ("hubspot", "phone", "call me maybe", "Phone", "hubspot.phone"),
        ("salesforce", "Phone", "extension 12", "phone", "salesforce.Phone"),
        ("salesforce", "Industry", "Underwater Basketry", "industry", "salesforce.Industry"),
    ],
)
def test_a_value_that_cannot_be_read_leaves_the_other_side_as_it_is(
    furnished: Any, crm: str, name: str, bad: str, other: str, source: str
) -> None:
    house = furnished
    contact, lead = house.couple(
        "anna@sommer.de", BOTH, hubspot={"industry": "MACHINERY"}, salesforce={"Industry": "Machinery"}
    )
    house.sync()
    house.later(3_600)
    record, across = (contact, ("salesforce", lead)) if crm == "hubspot" else (lead, ("hubspot", contact))
    before = house.record(*across)[other]
    house.edit(crm, record, **{name: bad})

    done = house.sync()

    assert house.record(*across)[other] == before
    assert house.record(crm, record)[name] == bad, "a person's word is theirs to correct"
    assert any(where == source for where, _ in done.problems), done.problems


def test_a_bad_value_does_not_keep_the_rest_of_the_lead_from_travelling(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.de", BOTH)
    house.sync()
    house.later(3_600)
    house.edit("hubspot", contact, phone="call me maybe", jobtitle="Head of Marketing")

    house.sync()

    assert house.record("salesforce", lead)["Title"] == "Head of Marketing"
    assert house.record("salesforce", lead)["Phone"].replace(" ", "") == PHONE.replace(" ", "")
