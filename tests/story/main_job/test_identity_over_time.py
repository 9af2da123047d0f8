"""Records are merged, deleted, restored and converted; a lead stays one lead through all of it."""

from __future__ import annotations

from typing import Any

ANNA = {"firstname": "Anna", "lastname": "Sommer", "company": "Sommer Versand GmbH"}


def _merge(house: Any, crm: str, keep: str, other: str) -> str:
    """A person merges two records; returns the id of what is left."""
    name = "contacts" if crm == "hubspot" else "Lead"
    body = {"action": "merge", "object": name, "id": keep, "other": other}
    answer = house.control(crm, "people", body)
    return str(answer.get("id") or keep)


def _delete(house: Any, crm: str, record: str) -> None:
    name = "contacts" if crm == "hubspot" else "Lead"
    house.control(crm, "people", {"action": "delete", "object": name, "id": record})


def _states(told: Any) -> dict[str, str]:
    return {one["record"]: one.get("state", "live") for one in told["records"]}


def test_a_merge_of_contacts_moves_the_link_to_the_contact_that_is_left(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example")
    (twin,) = house.load(
        "hubspot", {"email": "a.sommer@old.example", "firstname": "Anna", "phone": "+49301234567"}
    )
    house.sync()
    before, other = house.explain(f"hubspot:{contact}")["lead"], house.explain(f"hubspot:{twin}")["lead"]
    assert before != other
    house.later(3600)
    left = _merge(house, "hubspot", contact, twin)
    house.later(60)

    house.sync()

    told = house.explain(f"salesforce:{lead}")
    assert told["lead"] == before
    assert _states(told) == {left: "live", lead: "live", contact: "merged", twin: "merged"}
    assert house.explain(other)["lead"] == before
    assert house.explain(f"hubspot:{twin}")["lead"] == before
    assert house.explain(other)["known_before_as"] == [other]
    assert house.record("salesforce", lead)["Leadpact_HubSpot_Id__c"] == left
    assert house.record("salesforce", lead)["Phone"] == "+49301234567"
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
    assert not house.command("--json", "held").document["held"]


def test_two_complete_leads_whose_contacts_were_merged_wait_for_the_same_merge_in_salesforce(
    furnished: Any,
) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example")
    twin, double = house.couple("anna.sommer@old.example", {"company": "Sommer Handel"})
    house.sync()
    leads = [house.explain(f"salesforce:{one}")["lead"] for one in (lead, double)]
    house.later(3600)
    left = _merge(house, "hubspot", contact, twin)
    house.later(60)
    house.sync()

    (waiting,) = house.command("--json", "held").document["held"]
    assert (waiting["kind"], waiting["lead_id"]) == ("merged", leads[1])
    assert len(house.records("hubspot")) == 1
    house.later(3600)
    _merge(house, "salesforce", lead, double)
    house.later(60)
    house.sync()

    assert not house.command("--json", "held").document["held"]
    told = house.explain(leads[1])
    assert told["lead"] == leads[0]
    assert {record for record, state in _states(told).items() if state == "live"} == {left, lead}
    assert house.command("--json", "agree").document["unexplained"] == 0


def test_a_deleted_record_is_gone_and_a_restored_one_is_taken_up_again(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example")
    house.sync()
    house.later(3600)
    _delete(house, "salesforce", lead)
    house.edit("hubspot", contact, jobtitle="Head of Sales")
    house.later(60)
    mark = house.mark()
    house.sync()

    assert not house.writes(mark)["salesforce"]
    assert _states(house.explain(f"hubspot:{contact}"))[lead] == "gone"
    assert "gone" in house.command("explain", f"hubspot:{contact}").out
    house.later(3600)
    house.control("salesforce", "people", {"action": "undelete", "object": "Lead", "id": lead})
    house.later(60)
    house.sync()
    assert _states(house.explain(f"hubspot:{contact}")) == {contact: "live", lead: "live"}
    assert house.record("salesforce", lead)["Title"] == "Head of Sales"


def test_a_contact_deleted_in_hubspot_is_not_made_anew(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example")
    house.sync()
    house.later(3600)
    _delete(house, "hubspot", contact)
    house.edit("salesforce", lead, Title="Head of Sales")
    house.later(60)
    house.sync()
    assert _states(house.explain(f"salesforce:{lead}"))[contact] == "gone"
    live = [row for row in house.records("hubspot").values() if row.get("email") == "anna@sommer.example"]
    assert len(live) <= 1
    house.later(3600)
    house.control("hubspot", "people", {"action": "restore", "object": "contacts", "id": contact})
    house.edit("hubspot", contact, city="Bonn")
    house.later(60)
    house.sync()
    assert _states(house.explain(f"salesforce:{lead}")) == {contact: "live", lead: "live"}
    assert house.record("hubspot", contact)["jobtitle"] == "Head of Sales"
    assert house.record("salesforce", lead)["City"] == "Bonn"


def test_a_converted_lead_is_an_opportunity_and_takes_no_more_writes(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example")
    house.sync()
    house.later(3600)
    house.control("salesforce", "people", {"action": "convert", "id": lead})
    house.edit("hubspot", contact, jobtitle="Head of Sales")
    house.later(60)
    mark = house.mark()

    outcome = house.sync()

    assert not house.writes(mark)["salesforce"]
    assert outcome.numbers.refused == 0
    told = house.explain(f"hubspot:{contact}")
    assert told["stage"] == "opportunity"
    (row,) = [one for one in told["records"] if one["crm"] == "salesforce"]
    assert row["state"] == "converted"
    assert {"Contact", "Account", "Opportunity"} <= set(row["became"])
    assert house.record("hubspot", contact)["lifecyclestage"] == "opportunity"
    assert house.command("--json", "agree").document["explained"] == {"converted": 1}


def test_a_changed_address_does_not_move_a_link_to_another_person(furnished: Any) -> None:
    """Mautic's users got a duplicate for every changed address; here an address is an attribute."""
    house = furnished
    contact, lead = house.couple("anna@sommer.example")
    house.couple("bernd@winter.example", {"firstname": "Bernd", "lastname": "Winter"})
    house.sync()
    house.later(3600)
    house.edit("hubspot", contact, email="anna@neu.example")
    house.later(60)
    house.sync()
    assert _states(house.explain(f"hubspot:{contact}")) == {contact: "live", lead: "live"}
    assert house.record("salesforce", lead)["Email"] == "anna@neu.example"
    assert len(house.records("hubspot")) == len(house.records("salesforce")) == 2


def test_a_second_address_of_a_contact_makes_a_candidate_and_no_duplicate(furnished: Any) -> None:
    house = furnished
    house.couple("anna@sommer.example", hubspot={"hs_additional_emails": "a.sommer@alt.example"})
    house.rewrite("leadpact.toml", 'create_in_hubspot = "', 'create_in_hubspot = "email IS NOT NULL" #')
    house.sync()
    house.later(3600)
    (lead,) = house.load(
        "salesforce",
        {
            "Email": "a.sommer@alt.example",
            "FirstName": "Anna",
            "LastName": "Sommer",
            "Company": "Sommer Versand GmbH",
        },
    )
    house.later(60)
    house.sync()
    (waiting,) = house.command("--json", "held").document["held"]
    assert (waiting["kind"], waiting["record_id"]) == ("ambiguous", lead)
    assert len(house.records("hubspot")) == 1
