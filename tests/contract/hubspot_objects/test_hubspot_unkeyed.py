"""Upserts in an account that has no unique properties on contacts."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.crm import FieldSpec, Write
from connectors.errors import NeedsPerson

KEY = "leadpact_lead_id"
SPEC = FieldSpec(KEY, "Leadpact ID", "text", unique=True)


@pytest.fixture
def plain(account: Any) -> Any:
    """An account whose key property exists, but is not unique."""
    account.control("limits", unique_contacts=False)
    assert account.connect().add_fields("contacts", [SPEC]) == [KEY]
    return account


def upsert(trace: str, key: str, **values: str | None) -> Write:
    return Write(trace, None, values, key=(KEY, key))


def held(account: Any) -> dict[str, str]:
    rows = account.call("GET", f"/crm/v3/objects/contacts?limit=100&properties=email,{KEY}")["results"]
    return {row["properties"]["email"] or row["id"]: row["properties"][KEY] for row in rows}


def test_setup_makes_the_key_without_uniqueness_and_is_content_with_it_later(plain: Any) -> None:
    crm = plain.connect()
    assert not crm.describe("contacts").fields[KEY].unique
    assert crm.add_fields("contacts", [SPEC]) == []


def test_a_key_of_somebody_else_that_is_not_unique_needs_a_person(account: Any) -> None:
    other = {
        "name": KEY,
        "label": "x",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
    }
    account.call("POST", "/crm/v3/properties/contacts", other, expect=201)
    with pytest.raises(NeedsPerson, match="unique"):
        account.connect().add_fields("contacts", [SPEC])


def test_a_record_is_made_once_and_updated_by_its_key_afterwards(plain: Any) -> None:
    crm = plain.connect()
    [made] = crm.write("contacts", [upsert("t", "lead-1", email="ada@acme.test", firstname="Ada")])
    assert (made.outcome, made.created) == ("written", True)
    [again] = crm.write("contacts", [upsert("t", "LEAD-1", email="ada@acme.test", firstname="Eva")])
    assert (again.outcome, again.created, again.record_id) == ("written", False, made.record_id)
    assert again.stored["firstname"] == "Eva"
    # Found by the key alone, where the address is another one now.
    [moved] = crm.write("contacts", [upsert("t", "lead-1", email="eva@acme.test")])
    assert moved.record_id == made.record_id
    assert held(plain) == {"eva@acme.test": "lead-1"}


def test_a_create_that_the_search_does_not_show_yet_is_found_by_its_address(plain: Any) -> None:
    plain.control("limits", search_lag_ms=60_000)
    crm = plain.connect()
    [made] = crm.write("contacts", [upsert("t", "lead-1", email="Ada@Acme.test")])
    [again] = crm.write("contacts", [upsert("t", "lead-1", email="ada@acme.test")])
    assert (again.outcome, again.record_id) == ("written", made.record_id)
    assert held(plain) == {"ada@acme.test": "lead-1"}


def test_an_address_that_a_record_with_another_key_has_is_refused_as_a_conflict(plain: Any) -> None:
    plain.contacts("bob")
    crm = plain.connect()
    crm.write("contacts", [upsert("t", "lead-1", email="ada@acme.test")])
    found = crm.write(
        "contacts",
        [
            upsert("other", "lead-2", email="ada@acme.test"),
            upsert("unknown", "lead-3", email="bob@acme.test"),
            upsert("new", "lead-4", email="eve@acme.test"),
        ],
    )
    assert [(w.outcome, w.code) for w in found] == [
        ("refused", "CONFLICT"),
        ("refused", "CONFLICT"),
        ("written", ""),
    ]
    assert all("acme" not in w.message for w in found)
    assert held(plain) == {"ada@acme.test": "lead-1", "bob@acme.test": None, "eve@acme.test": "lead-4"}


def test_a_key_that_several_records_hold_is_refused(plain: Any) -> None:
    ada, bob = plain.contacts("ada", "bob")
    crm = plain.connect()
    crm.write("contacts", [Write(each, each, {KEY: "lead-1"}) for each in (ada, bob)])
    [found] = crm.write("contacts", [upsert("t", "lead-1", firstname="Ada")])
    assert (found.outcome, found.code, found.fields) == ("refused", "DUPLICATE_KEY", (KEY,))


def test_many_at_once_with_bad_ones_among_them(plain: Any) -> None:
    crm = plain.connect()
    known = [upsert(f"k{n}", f"lead-{n}", email=f"p{n}@acme.test") for n in range(150)]
    assert {w.outcome for w in crm.write("contacts", known)} == {"written"}
    writes = [upsert(f"t{n}", f"lead-{n}", email=f"p{n}@acme.test", firstname="x") for n in range(200)]
    writes += [upsert("bad", "lead-bad", email="no address"), upsert("twice", "lead-7", firstname="y")]
    found = {w.trace: w for w in crm.write("contacts", writes)}
    assert {t for t, w in found.items() if w.outcome != "written"} == {"bad", "twice"}
    assert (found["bad"].code, found["twice"].code) == ("INVALID_EMAIL", "DUPLICATE_KEY")
    assert sum(w.created for w in found.values()) == 50
    assert len(held(plain)) == 100


def test_a_record_without_an_address_is_made_with_its_key(plain: Any) -> None:
    crm = plain.connect()
    [made] = crm.write("contacts", [upsert("t", "lead-1", lastname="Lovelace")])
    [again] = crm.write("contacts", [upsert("t", "lead-1", lastname="Byron")])
    assert (made.created, again.created, again.record_id) == (True, False, made.record_id)


def test_an_answer_that_was_lost_leaves_the_create_open_and_the_next_try_finds_it(plain: Any) -> None:
    crm = plain.connect()
    crm.describe("contacts")
    plain.control("faults", match={"path": "/crm/v3/objects/contacts/batch/create"}, times=1, truncate=10)
    [lost] = crm.write("contacts", [upsert("t", "lead-1", email="ada@acme.test")])
    assert lost.outcome == "unknown"
    [found] = crm.write("contacts", [upsert("t", "lead-1", email="ada@acme.test")])
    assert (found.outcome, found.created) == ("written", False)
    assert held(plain) == {"ada@acme.test": "lead-1"}
