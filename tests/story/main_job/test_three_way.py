"""What happens when people change the same lead in both CRMs, or in one, or empty a field."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest


@pytest.fixture
def anna(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """A lead that both CRMs agree on, after its first sync: the house, her contact and her lead."""
    return furnished, *begin(_agreed)


def _agreed(house: Any) -> tuple[str, str]:
    both = {"jobtitle": "Einkauf", "phone": "+49 221 1234567", "country": "Germany"}
    found: tuple[str, str] = house.couple("anna@sommer.de", both)
    house.sync()
    house.later(3_600)
    return found


def test_a_title_from_hubspot_and_a_phone_from_salesforce_both_arrive(anna: Any) -> None:
    house, contact, lead = anna
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(1_800)
    house.edit("salesforce", lead, Phone="+49 30 7654321")
    house.later(1_800)

    house.sync()

    title = (house.record("hubspot", contact)["jobtitle"], house.record("salesforce", lead)["Title"])
    phone = (house.record("hubspot", contact)["phone"], house.record("salesforce", lead)["Phone"])
    assert title == ("Head of Marketing", "Head of Marketing")
    assert [number.replace(" ", "") for number in phone] == ["+49307654321", "+49307654321"]


def test_the_older_change_wins_where_only_one_side_changed(anna: Any) -> None:
    house, contact, lead = anna
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(86_400)
    house.edit("salesforce", lead, City="Bonn")

    house.sync()

    assert house.record("salesforce", lead)["Title"] == "Head of Marketing"


@pytest.mark.parametrize(
    ("rule", "stands"), [("salesforce", "Leiterin Vertrieb"), ("hubspot", "Head of Marketing")]
)
def test_where_both_changed_the_title_the_rule_decides_and_explain_names_all(
    anna: Any, rule: str, stands: str
) -> None:
    house, contact, lead = anna
    _title_rule(house, rule)
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(600)
    house.edit("salesforce", lead, Title="Leiterin Vertrieb")

    house.sync()

    assert house.record("hubspot", contact)["jobtitle"] == stands
    assert house.record("salesforce", lead)["Title"] == stands
    (conflict,) = (one for one in house.explain("anna@sommer.de")["conflicts"] if one["field"] == "job_title")
    assert conflict["winner"] == rule
    assert conflict["rule"] == rule
    assert conflict["hubspot_value"] == "Head of Marketing"
    assert conflict["salesforce_value"] == "Leiterin Vertrieb"
    assert conflict["hubspot_at"].startswith("2026-11-20T10:00:00")
    assert conflict["salesforce_at"].startswith("2026-11-20T10:10:00")
    assert (conflict["hubspot_record"], conflict["salesforce_record"]) == (contact, lead)
    said = house.command("explain", "anna@sommer.de").out
    assert (
        f"conflict on job_title: {rule} won by the rule {rule}; HubSpot {contact} had 'Head of Marketing'"
        in said
    )
    assert f"Salesforce {lead} 'Leiterin Vertrieb' (2026-11-20T10:10:00" in said


def test_after_a_merge_a_conflict_names_no_record_that_did_not_hold_the_value(anna: Any) -> None:
    house, contact, lead = anna
    _title_rule(house, "hubspot")
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(600)
    house.edit("salesforce", lead, Title="Leiterin Vertrieb")
    house.sync()
    (twin,) = house.load("hubspot", {"email": "a.sommer@sommer.de", "lastname": "Sommer"})
    house.later(600)
    body = {"action": "merge", "object": "contacts", "id": twin, "other": contact}
    assert house.control("hubspot", "people", body)
    house.sync()
    records = house.explain(f"salesforce:{lead}")["records"]
    assert contact not in {one["record"] for one in records if "state" not in one}

    # The run that met it wrote to the contact, too: its journal knows which one that was.
    assert _records_of_conflict(house, lead) == (contact, lead)
    assert f"HubSpot {contact} had 'Head of Marketing'" in house.command("explain", f"salesforce:{lead}").out
    # Where the journal has gone, nothing is said of it.
    with psycopg.connect(house.database) as connection:
        connection.execute("DELETE FROM journal")
    assert _records_of_conflict(house, lead) == (None, lead)
    assert "HubSpot had 'Head of Marketing'" in house.command("explain", f"salesforce:{lead}").out


def _records_of_conflict(house: Any, lead: str) -> tuple[str | None, str | None]:
    (found,) = (
        one for one in house.explain(f"salesforce:{lead}")["conflicts"] if one["field"] == "job_title"
    )
    return found["hubspot_record"], found["salesforce_record"]


def test_a_conflict_is_also_told_in_words(anna: Any) -> None:
    house, contact, lead = anna
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.edit("salesforce", lead, Title="Leiterin Vertrieb")
    house.sync()

    told = house.command("explain", "anna@sommer.de").out

    assert "Head of Marketing" in told
    assert "Leiterin Vertrieb" in told
    assert "salesforce" in told.lower()


def test_a_held_conflict_is_written_nowhere_listed_and_leaves_both_as_they_are(anna: Any) -> None:
    house, contact, lead = anna
    _title_rule(house, "hold")
    house.edit("hubspot", contact, jobtitle="Head of Marketing", city="Köln")
    house.edit("salesforce", lead, Title="Leiterin Vertrieb")

    told = house.command("--json", "sync")

    assert told.code == 1
    assert told.document["held"] == 2
    assert house.record("hubspot", contact)["jobtitle"] == "Head of Marketing"
    assert house.record("salesforce", lead)["Title"] == "Leiterin Vertrieb"
    assert house.record("salesforce", lead)["City"] == "Köln"
    (held,) = house.command("--json", "held").document["held"]
    assert (held["kind"], held["field"]) == ("conflict", "job_title")

    mark = house.mark()
    assert house.command("--json", "sync").code == 0, "held before is not held anew"
    assert house.wrote_nothing(mark)
    assert len(house.command("--json", "held").document["held"]) == 1


def test_a_held_conflict_is_settled_when_people_agree(anna: Any) -> None:
    house, contact, lead = anna
    _title_rule(house, "hold")
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.edit("salesforce", lead, Title="Leiterin Vertrieb")
    house.sync()
    house.later(3_600)
    house.edit("salesforce", lead, Title="Head of Marketing")

    house.sync()

    assert house.command("--json", "held").document["held"] == []


def _title_rule(house: Any, rule: str) -> None:
    before = 'salesforce = "Title"\nif_both_changed = "salesforce"'
    house.rewrite("fields.toml", before, f'salesforce = "Title"\nif_both_changed = "{rule}"')


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_an_emptied_field_never_erases_and_is_filled_again(anna: Any, crm: str) -> None:
    house, contact, lead = anna
    record, name = {"hubspot": (contact, "jobtitle"), "salesforce": (lead, "Title")}[crm]
    house.edit(crm, record, **{name: None})

    house.sync()

    assert house.record("hubspot", contact)["jobtitle"] == "Einkauf"
    assert house.record("salesforce", lead)["Title"] == "Einkauf"


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_an_emptied_field_erases_where_the_map_says_so(anna: Any, crm: str) -> None:
    house, contact, lead = anna
    before = 'salesforce = "Title"\nif_both_changed = "salesforce"'
    house.rewrite("fields.toml", before, before + '\nif_emptied = "clear"')
    record, name = {"hubspot": (contact, "jobtitle"), "salesforce": (lead, "Title")}[crm]
    house.edit(crm, record, **{name: None})

    house.sync()

    assert not house.record("hubspot", contact).get("jobtitle")
    assert not house.record("salesforce", lead)["Title"]
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def test_an_unsubscription_in_hubspot_reaches_salesforce_and_stays(anna: Any) -> None:
    house, contact, lead = anna
    house.unsubscribe("hubspot", contact)

    house.sync()

    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True
    house.later(3_600)
    house.edit("salesforce", lead, HasOptedOutOfEmail=False)
    house.sync()
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True


def test_an_opt_out_typed_in_salesforce_is_not_undone_by_hubspot(anna: Any) -> None:
    house, contact, lead = anna
    house.unsubscribe("salesforce", lead)

    house.sync()
    house.later(3_600)
    house.edit("hubspot", contact, city="Köln")
    house.sync()

    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True
    assert _believed(house)["email_opt_out"] is True


def test_an_opt_out_taken_back_in_salesforce_still_holds_in_both(anna: Any) -> None:
    house, contact, lead = anna
    house.unsubscribe("salesforce", lead)
    house.sync()
    house.later(3_600)
    house.edit("salesforce", lead, HasOptedOutOfEmail=False)

    house.sync()
    house.later(3_600)
    house.edit("hubspot", contact, city="Bonn")
    house.sync()

    assert _believed(house)["email_opt_out"] is True
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"


def _believed(house: Any) -> dict[str, Any]:
    """The values that Anna's verdict stands on."""
    with house.app() as app:
        work = app.memory()
        (lead_id,) = work.store.leads.named("anna@sommer.de")
        inputs = json.loads(work.store.leads.verdicts(lead_id, None, 1)[0]["inputs"])
    return dict(inputs["lead"])
