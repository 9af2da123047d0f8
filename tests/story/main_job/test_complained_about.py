"""What users of such syncs complain about, and does not happen here."""

from __future__ import annotations

import json
from typing import Any

from connectors.crm import FieldSpec

ANNA = {
    "Email": "anna@sommer.example",
    "FirstName": "Anna",
    "LastName": "Sommer",
    "Company": "Sommer Versand GmbH",
}


def test_a_second_record_with_the_address_is_held_and_the_link_stays_whoever_was_changed_last(
    furnished: Any,
) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example")
    house.sync()
    house.later(3600)
    (double,) = house.load("salesforce", {**ANNA, "Title": "Somebody else's title"})
    for turn, record in enumerate((double, lead, double)):
        house.edit("salesforce", record, City=f"Town {turn}")
        house.later(3600)
        house.sync()
        assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    assert house.record("hubspot", contact)["city"] == "Town 1"
    assert house.record("hubspot", contact).get("jobtitle") is None
    (waiting,) = house.command("--json", "held").document["held"]
    details = json.loads(waiting["details"])
    assert (waiting["kind"], waiting["record_id"]) == ("ambiguous", double)
    assert details["why"] == "it looks like a lead that has a record in this CRM already"
    assert details["suggestions"]


def test_a_touch_that_changes_no_mapped_field_costs_a_read_and_no_write(furnished: Any) -> None:
    house = furnished
    pairs = [house.couple(f"p{n}@shop{n}.example", {"lastname": f"Sommer{n}"}) for n in range(5)]
    house.sync()
    house.later(3600)
    for contact, lead in pairs:
        house.edit("hubspot", contact, fax="030 1234567")
        house.edit("salesforce", lead, Fax="030 7654321")
    house.later(60)
    mark = house.mark()

    outcome = house.sync()

    assert outcome.numbers.records_read == 10
    assert (outcome.numbers.written, outcome.numbers.unchanged) == (0, 10)
    assert house.wrote_nothing(mark)


def test_one_bad_record_of_a_batch_is_named_and_the_others_are_written(furnished: Any) -> None:
    house = furnished
    pairs = [house.couple(f"p{n}@shop{n}.example", {"lastname": f"Sommer{n}"}) for n in range(6)]
    house.sync()
    house.later(3600)
    for number, (contact, _) in enumerate(pairs):
        house.edit("hubspot", contact, firstname="R" * 60 if number == 2 else f"Rita {number}")
    house.later(60)
    mark = house.mark()

    outcome = house.sync()

    sent = [json.loads(each["body"])["records"] for each in house.writes(mark)["salesforce"]]
    assert [len(rows) for rows in sent] == [5], "what Salesforce would refuse for its length is not even sent"
    assert outcome.numbers.refused == 1
    assert [house.record("salesforce", lead)["FirstName"] for _, lead in pairs] == [
        *("Rita 0", "Rita 1", "Anna", "Rita 3", "Rita 4", "Rita 5")
    ]
    (refused,) = house.command("--json", "refused").document["refused"]
    assert (refused["record_id"], refused["code"]) == (pairs[2][1], "STRING_TOO_LONG")


def test_check_names_what_is_wrong_with_the_map_by_file_line_and_fix(furnished: Any) -> None:
    house = furnished
    with house.app() as app:
        short = FieldSpec("Slogan__c", "Slogan", "text", length=40)
        assert app.work().crms["salesforce"].add_fields("Lead", [short]) == ["Slogan__c"]
    wrong = {
        # A picklist without the word, and a lifecycle stage that is not there; below, a field of another object and
        # two that Salesforce fills itself
        'de = { hubspot = ["de", "de-de"': 'de = { hubspot = ["deutsch", "de-de"',
        'hubspot = "hs_language"\ndirection = "read_only"': 'hubspot = "hs_language"',
        'customer = "customer"': 'customer = "custommer"',
    }
    for old, new in wrong.items():
        house.rewrite("fields.toml", old, new)
    house.rewrite(
        "fields.toml",
        "[fields.salesforce_stage]",
        '[fields.nps]\ntype = "text"\nhubspot = "fax"\nsalesforce = "LastReferencedDate"\n\n'
        '[fields.assistant]\ntype = "text"\nhubspot = "degree"\nsalesforce = "AssistantName"\n\n'
        '[fields.word]\ntype = "text"\nhubspot = "twitterhandle"\nsalesforce = "Name"\n\n'
        '[fields.slogan]\ntype = "text"\nhubspot = "message"\nsalesforce = "Slogan__c"\n\n[fields.salesforce_stage]',
    )

    told = house.command("--json", "check")

    assert told.code == 1
    found = {one["problem"]: one for one in told.document["problems"] if one["severity"] == "error"}
    lines = (house.folder / "fields.toml").read_text("utf-8").splitlines()
    expected = {
        "hs_language has no option for 'de' spelled 'deutsch'": (
            "[values.language]",
            "did you mean 'de-ch'?",
        ),
        "HubSpot has no lifecycle stage 'custommer'": ('customer = "custommer"', "did you mean 'customer'"),
        "LastReferencedDate is read-only in Salesforce": ('salesforce = "LastReferencedDate"', "direction"),
        "Salesforce has no field AssistantName on Lead": (
            'salesforce = "AssistantName"',
            "give the integration user access",
        ),
        "Name is read-only in Salesforce": ('salesforce = "Name"', "direction"),
        "Slogan__c holds 40 characters in Salesforce": ('salesforce = "Slogan__c"', "widen Slogan__c"),
    }
    for words, (text, fix) in expected.items():
        (problem,) = [one for known, one in found.items() if words in known] or [None]
        assert problem is not None, (words, sorted(found))
        name, _, line = problem["where"].rpartition(":")
        assert name.endswith("fields.toml")
        assert text in lines[int(line) - 1], problem
        assert fix in problem["fix"], problem
