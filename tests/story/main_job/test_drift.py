"""Drift: what no change log told about is found by reading everything, and repaired by an ordinary run.

The CRMs' clock is set back while somebody edits: the record is then stamped as older than the last reading, as after
a restored backup, and no incremental sync ever asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

LONG_AGO = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)


@contextmanager
def untold(house: Any) -> Iterator[None]:
    """What happens meanwhile is stamped so long ago that no change log brings it."""
    house.serving.clock.set(LONG_AGO)
    yield
    house.serving.clock.set(NOW)


@pytest.fixture
def people(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, list[tuple[str, str]]]:
    """Five linked people on whom both CRMs agree."""
    return furnished, begin(_agreed)


def _agreed(house: Any) -> list[tuple[str, str]]:
    pairs = [house.couple(f"p{n}@shop{n}.example", {"lastname": f"Sommer{n}"}) for n in range(5)]
    for _ in range(2):  # the second reads our own writes of the first
        house.later(3600)
        house.sync()
    house.serving.clock.set(NOW)
    return pairs


def test_right_after_a_sync_nothing_has_drifted(people: Any) -> None:
    house, _ = people
    told = house.command("--json", "drift")
    assert told.code == 0, told.out + told.err
    assert told.document["drifted"] == []
    assert all(one["same"] for one in told.document["slices"])
    assert sum(one["read"] for one in told.document["slices"]) == 10
    lines = house.command("drift").out.splitlines()
    assert lines[0] == "reading 10 records in 2 slices, with 1 calls to HubSpot and 1 to Salesforce"
    assert "Nothing drifted: 10 records compared." in lines


def test_what_the_other_crm_cannot_say_or_hubspot_cannot_keep_is_no_drift(furnished: Any) -> None:
    house = furnished
    house.couple("anna@sommer.example", {"phone": "+49301234567"}, salesforce={"Phone": "auf Anfrage"})
    company = {"company": "Winter GmbH", "phone": "+49301234568"}
    (contact,) = house.load("hubspot", {"firstname": "Otto", "lastname": "Winter", **company})
    named = {"FirstName": "Otto", "LastName": "Winter", "Company": "Winter GmbH", "Phone": "+49301234568"}
    house.load("salesforce", {**named, "HasOptedOutOfEmail": True})
    for _ in range(3):
        house.later(3600)
        house.sync()
    assert house.record("hubspot", contact).get("hs_email_optout") is None

    told = house.command("--json", "drift").document

    assert not [(one["crm"], one["fields"]) for one in told["drifted"]]
    assert told["expected"] == {"cannot_agree": 2}
    assert [one["drifted"] for one in told["slices"]] == [0, 0]


def test_a_change_that_no_log_told_about_is_found_and_repaired(people: Any) -> None:
    house, pairs = people
    with untold(house):
        house.edit("hubspot", pairs[1][0], jobtitle="Head of Sales")
        house.edit("salesforce", pairs[2][1], City="Köln")
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)

    told = house.command("--json", "drift")

    assert told.code == 1
    found = {(one["crm"], one["record_id"], tuple(one["fields"])) for one in told.document["drifted"]}
    assert found == {
        ("hubspot", pairs[1][0], ("job_title",)),
        ("salesforce", pairs[2][1], ("city",)),
    }
    assert told.document["repair"]["records"] == {"hubspot": 2, "salesforce": 2}
    assert house.wrote_nothing(mark)

    repaired = house.command("--json", "drift", "--repair")

    assert repaired.code == 0, repaired.out + repaired.err
    assert house.record("salesforce", pairs[1][1])["Title"] == "Head of Sales"
    assert house.record("hubspot", pairs[2][0])["city"] == "Köln"
    assert repaired.document["records_read"] == 4
    assert house.command("--json", "drift").document["counts"] == {}


def test_what_the_next_sync_will_read_is_expected_and_no_drift(people: Any) -> None:
    house, pairs = people
    house.edit("hubspot", pairs[0][0], jobtitle="Owner")
    told = house.command("--json", "drift")
    assert (told.code, told.document["counts"], told.document["expected"]) == (0, {}, {"changed_since": 1})
    assert "expected to: changed_since" in house.command("drift").out


def test_a_record_that_nobody_told_of_is_found_and_paired(people: Any) -> None:
    house, pairs = people
    with untold(house):
        contact, lead = house.couple("late@shop.example", hubspot={"jobtitle": "Head of Sales"})
    house.sync()

    found = house.command("--json", "drift").document
    assert found["counts"] == {"unknown": 2}
    assert house.command("--json", "drift", "--repair").code == 0

    assert house.record("salesforce", lead)["Title"] == "Head of Sales"
    assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    assert len(house.records("salesforce")) == len(pairs) + 1
    assert house.command("--json", "drift").document["counts"] == {}


def test_a_record_that_vanished_without_a_word_is_found(people: Any) -> None:
    house, pairs = people
    with untold(house):
        house.control("hubspot", "people", {"action": "gdpr_delete", "object": "contacts", "id": pairs[3][0]})
    found = house.command("--json", "drift").document
    assert [(one["kind"], one["crm"], one["record_id"]) for one in found["drifted"]] == [
        ("gone", "hubspot", pairs[3][0])
    ]
    repaired = house.command("--json", "drift", "--repair")
    assert repaired.code in (0, 1), repaired.out + repaired.err
    assert house.command("--json", "drift").document["counts"] == {}
    assert len(house.records("hubspot")) == len(pairs) - 1


def test_no_drift_is_looked_for_before_a_first_sync(furnished: Any) -> None:
    assert furnished.command("drift").code == 2
