"""Whoever asks to be forgotten is found in no byte of Leadpact's: not in what waits, what failed, what was undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sync.jobs import look_at
from sync.store.inbox import Hint
from tests.story.searched import tables_with

EMAIL = "anna.sommer@sommer-versand.example"
FOREIGN = "France"


def _holding(house: Any, *words: str) -> set[str]:
    """The tables and files that hold one of the words; what our commands printed to the person is not ours."""
    tables = tables_with(house.database, *words)
    files = {
        str(path.relative_to(house.folder))
        for path in Path(house.folder).rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    }
    return tables | files


def test_a_person_leaves_no_byte_in_state_undo_dead_letters_plans_or_logs(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple(EMAIL, {"phone": "+49 221 4710815"})
    ben, _ = house.couple("ben@winter.example", {"firstname": "Ben", "lastname": "Winter"})
    house.sync()
    house.later(3_600)
    _has_been_undone(house, contact)
    _was_refused(house, lead, contact)
    _waits_in_the_inbox(house, contact)
    assert house.command("plan", "--out", str(house.folder / "plan.json")).code == 0
    logged = house.process("sync")
    (house.folder / "sync.log").write_text(logged.err + logged.out, encoding="utf-8")
    ours = house.explain(EMAIL)["lead"]
    knowing = _holding(house, EMAIL, contact, lead, ours)
    assert {
        "lead",
        "link",
        "base",
        "verdict",
        "journal",
        "undone",
        "refused",
        "inbox",
        "plan.json",
    } <= knowing
    assert EMAIL not in logged.err + logged.out

    told = house.command("--json", "forget", EMAIL, "--yes")

    assert told.code == 0, told.out + told.err
    assert _holding(house, EMAIL, "4710815") == set()
    # An id of a record is in the CRMs' own logs too, and names nobody once nothing here leads from it to a person.
    assert _holding(house, contact, lead, ours) <= {"sync.log"}
    _is_certified(told, knowing - {"plan.json", "sync.log"}, house)
    _is_not_taken_in_again(house, contact, lead, ben)


def _has_been_undone(house: Any, contact: str) -> None:
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(60)
    run = house.sync().run
    house.later(60)
    assert house.command("undo", str(run)).code == 0
    house.later(60)


def _was_refused(house: Any, lead: str, contact: str) -> None:
    rule = {"object": "Lead", "when": {"Email": EMAIL}, "message": "The region is missing."}
    house.control("salesforce", "limits", {"validation_rules": [rule]})
    house.edit("hubspot", contact, city="Köln")
    house.later(60)
    assert house.sync().numbers.refused == 1


def _waits_in_the_inbox(house: Any, contact: str) -> None:
    with house.app() as app:
        work = app.work()
        hints = {("hubspot", "contacts", contact): Hint(work.clock())}
        work.store.inbox.put(hints, work.clock())
        for job in look_at("hubspot", [contact]):
            work.store.jobs.enqueue(job)


def _is_certified(told: Any, knowing: set[str], house: Any) -> None:
    """It says how many rows of which table are gone, what lies elsewhere, and that a hash is kept; and names nobody."""
    document = told.document
    assert document["left"] == {}
    assert {name for name, rows in document["erased"].items() if rows} >= knowing
    assert document["plans"] == [str((house.folder / "plan.json").resolve())]
    assert document["not_erased_here"]
    assert "salted hashes" in document["still_personal_data"]
    assert EMAIL not in told.out


def _is_not_taken_in_again(house: Any, contact: str, lead: str, ben: str) -> None:
    house.later(3_600)
    house.edit("hubspot", contact, city="Bonn")
    house.edit("hubspot", ben, city="Ulm")
    mark = house.mark()
    house.sync()
    written = json.dumps(house.writes(mark), ensure_ascii=False)
    assert contact not in written
    assert lead not in written
    assert _holding(house, EMAIL, "4710815") == set()


def test_somebody_out_of_scope_who_unsubscribes_is_flagged_at_the_next_sync_and_stays_so(
    furnished: Any,
) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example", {"country": FOREIGN})
    house.sync()
    assert house.explain("anna@sommer.example")["scope"]["in"] is False
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is False
    house.later(3_600)
    house.unsubscribe("hubspot", contact)
    house.later(60)

    house.sync()

    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True
    house.later(3_600)
    house.edit("salesforce", lead, HasOptedOutOfEmail=False)
    house.later(60)
    house.sync()
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True
