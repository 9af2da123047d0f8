"""A policy with four bands and labels of its own: from the config through to both CRMs that know three already."""

from __future__ import annotations

from typing import Any

import pytest

FIELDS = {"hubspot": "leadpact_temperature", "salesforce": "Leadpact_Temperature__c"}
BANDS = """hot = { total = 50, fit_at_least = 25 }
wavering = { total = 30 }
"""
#: Hot keeps its name under another label; wavering goes, and two bands come.
FOUR = """glowing = { total = 70, fit_at_least = 25 }
hot = { total = 50, fit_at_least = 25 }
lukewarm = { total = 5 }
"""
LABELS = """cold = "kalt"
wavering = "schwankend"
hot = "heiß"
"""
THEIRS = """cold = "eiskalt"
lukewarm = "lauwarm"
hot = "sehr heiß"
glowing = "glühend"
"""


@pytest.fixture
def leads(furnished: Any) -> Any:
    """Three people of different warmth, synced while the policy had its three bands."""
    asked = {"num_conversion_events": "2", "recent_conversion_date": "2026-11-19T08:00:00Z"}
    boss = {"jobtitle": "Head of Marketing", "industry": "RETAIL"}
    for number, known in enumerate(({**boss, **asked}, asked, {})):
        furnished.couple(f"p{number}@shop{number}.example", {"company": f"Shop {number}"}, hubspot=known)
    furnished.sync()
    return furnished


def options(house: Any) -> dict[str, dict[str, str]]:
    """What each CRM offers for the temperature: value to label, as the CRM itself tells it."""
    with house.app() as app:
        work = app.work()
        schemas = {crm: work.crms[crm].describe(work.objects[crm]) for crm in FIELDS}
        return {crm: dict(schemas[crm].fields[name].options) for crm, name in FIELDS.items()}


def shown(house: Any) -> dict[str, list[str]]:
    return {
        crm: sorted(str(record.get(name)) for record in house.records(crm).values())
        for crm, name in FIELDS.items()
    }


def problems(house: Any, text: str) -> list[str]:
    found = house.command("--json", "check").document["problems"]
    return [one["severity"] for one in found if text in one["problem"]]


def test_four_bands_with_labels_of_their_own_reach_fields_that_are_there_in_both_crms(leads: Any) -> None:
    before = shown(leads)
    assert before["hubspot"] == before["salesforce"]
    assert "wavering" in before["hubspot"], before
    leads.rewrite("policy.toml", BANDS, FOUR)
    leads.rewrite("policy.toml", LABELS, THEIRS)

    # Before anything is written: what would be refused, what people would read otherwise, what is no band any more.
    assert problems(leads, "lacks the option glowing") == ["error"] * 2
    assert problems(leads, "lacks the option lukewarm") == ["error"] * 2
    assert problems(leads, "calls hot “heiß”, the policy “sehr heiß”") == ["warning"] * 2
    assert problems(leads, "has the option wavering (schwankend), which is no band") == ["warning"] * 2
    told = leads.command("setup")
    assert "hubspot leadpact_temperature calls the option hot heiß, the policy sehr heiß." in told.out
    assert "Salesforce's Leadpact_Temperature__c has the option wavering (schwankend)" in told.out

    done = leads.command("--json", "setup", "--apply")
    assert done.code == 0, done.err
    assert len(done.document["labels"]) == 4
    assert (done.document["left"], done.document["labels_left"]) == ([], [])
    bands = {"cold": "eiskalt", "lukewarm": "lauwarm", "hot": "sehr heiß", "glowing": "glühend"}
    for offered in options(leads).values():
        # The option that went stays where records hold it; no record lost its value.
        assert {name: offered[name] for name in bands} == bands
        assert offered["wavering"] == "schwankend"
    assert shown(leads) == before

    leads.run("rescore", approve=True)
    now = shown(leads)
    assert now["hubspot"] == now["salesforce"]
    assert "lukewarm" in now["hubspot"]
    assert "wavering" not in now["hubspot"]
    agreed = leads.command("--json", "agree")
    assert agreed.code == 0, agreed.out
    assert agreed.document["unexplained"] == 0
    # What is left is to be taken out by a person, and nobody is judged so any more.
    assert problems(leads, "has the option wavering (schwankend), which is no band") == ["note"] * 2
    again = leads.command("setup", "--apply").out
    assert again.startswith("Everything was there already.")
    assert "take it out by hand once no record shows it" in again


def test_a_label_that_hubspot_refuses_to_change_is_named_with_what_to_do(leads: Any) -> None:
    leads.rewrite("policy.toml", 'hot = "heiß"', 'hot = "glühend"')
    body = '{"status":"error","message":"no","category":"VALIDATION_ERROR"}'
    place = "properties/contacts/leadpact_temperature"
    leads.control("hubspot", "faults", {"match": place, "status": 400, "body": body, "times": -1})
    told = leads.command("setup", "--apply")
    assert told.code != 0
    assert "hot (glühend)" in told.err


def test_a_band_under_a_new_name_and_the_old_label_can_be_told_from_the_one_that_went(leads: Any) -> None:
    leads.rewrite("policy.toml", "wavering = { total = 30 }", "lukewarm = { total = 30 }")
    leads.rewrite("policy.toml", 'wavering = "schwankend"', 'lukewarm = "schwankend"')
    alike = "calls wavering, which is no band of the policy, “schwankend”, as a band is called"
    assert problems(leads, alike) == ["warning"] * 2
    assert "it becomes schwankend (wavering)." in leads.command("setup").out
    assert "lukewarm" not in options(leads)["hubspot"], options(leads)

    done = leads.command("--json", "setup", "--apply")
    assert done.code == 0, done.err
    assert done.document["labels_left"] == []
    for offered in options(leads).values():
        assert (offered["lukewarm"], offered["wavering"]) == ("schwankend", "schwankend (wavering)")
        assert len(set(offered.values())) == len(offered)
    assert problems(leads, alike) == []
    assert leads.command("setup", "--apply").out.startswith("Everything was there already.")
