"""What a push named is read again, decided and written; and only then it leaves the inbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import requests

from connectors.errors import NeedsPerson, RetryLater
from sync.errors import GuardStopped
from sync.inbox import MOST_TRIES, Drained, drain
from sync.run import Asked, perform
from sync.status import status_of
from sync.store.inbox import Hint
from sync.store.persons import name_of_record
from sync.work import Work


@pytest.fixture
def people(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, list[tuple[str, str]]]:
    """Five linked people on whom both CRMs agree."""
    return furnished, begin(_people)


def _people(house: Any) -> list[tuple[str, str]]:
    pairs = [
        house.couple(f"p{number}@shop{number}.example", {"firstname": "Anna", "lastname": f"Sommer{number}"})
        for number in range(5)
    ]
    house.sync()
    house.later(3600)
    return pairs


def _tell(work: Work, crm: str, *records: str, erased: bool = False) -> None:
    keys = [(crm, work.objects[crm], record) for record in records]
    work.store.inbox.put(dict.fromkeys(keys, Hint(work.clock(), erased=erased)), work.clock())


def _noted(house: Any, drained: Drained) -> Drained:
    if drained.outcome is not None:
        names = ("targets", "written", "unchanged", "held", "refused")
        house.runs.append({name: getattr(drained.outcome.numbers, name) for name in names})
    return drained


def _waiting(work: Work) -> int:
    return sum(one.records for one in work.store.inbox.waiting())


def _a_new_person_finds_their_other_record(house: Any, work: Work) -> None:
    """And does not get a second one."""
    before = {crm: len(house.records(crm)) for crm in ("hubspot", "salesforce")}
    contact, lead = house.couple("new@shop.example", salesforce={"Title": "Buyer"})
    _tell(work, "hubspot", contact)
    assert _noted(house, drain(work)).done == 1
    assert work.store.leads.named(f"hubspot:{contact}") == work.store.leads.named(f"salesforce:{lead}")
    after = {crm: len(house.records(crm)) for crm in ("hubspot", "salesforce")}
    assert {crm: after[crm] - before[crm] for crm in after} == {"hubspot": 1, "salesforce": 1}
    assert house.record("hubspot", contact)["jobtitle"] == "Buyer"


def test_a_told_change_reaches_the_other_crm_and_an_untold_one_waits_for_the_next_sync(people: Any) -> None:
    house, pairs = people
    house.edit("hubspot", pairs[0][0], jobtitle="Head of E-Commerce")
    house.edit("salesforce", pairs[1][1], City="Ulm")
    house.edit("salesforce", pairs[2][1], City="Bonn")
    house.later(7)
    with house.app() as app:
        work = app.work()
        perform(work, Asked("rescore", from_memory=True))
        assert status_of(work).answers == [], "what is reckoned anew from memory answers nobody"
        _tell(work, "hubspot", pairs[0][0])
        _tell(work, "hubspot", pairs[0][0])
        _tell(work, "salesforce", pairs[1][1])
        drained = _noted(house, drain(work))
        assert (drained.taken, drained.done, drained.more, _waiting(work)) == (2, 2, False, 0)
        assert drain(work) == Drained()
        (live,) = status_of(work).answers
        assert (live.lane, live.leads) == ("live", 2)
        assert 5 < live.p50 < 9
        assert house.record("salesforce", pairs[0][1])["Title"] == "Head of E-Commerce"
        assert house.record("hubspot", pairs[1][0])["city"] == "Ulm"
        assert "city" not in house.record("hubspot", pairs[2][0])
        house.later(600)
        perform(work, Asked("sync"))
        (live,) = status_of(work).answers
        assert live.leads == 3
        assert 500 < live.p95 < 700
        _a_new_person_finds_their_other_record(house, work)
    told = house.command("status")
    assert re.search(
        r"lane live: \d changes of the last day reached the other CRM, half of them within", told.out
    )


def test_what_cannot_be_looked_at_now_stays_until_it_can(people: Any) -> None:
    house, pairs = people
    for contact, _ in pairs[:2]:
        house.edit("hubspot", contact, jobtitle="Buyer")
    with house.app() as app, house.app() as second:
        work, other = app.work(), second.work()
        (lead,) = work.store.leads.named(f"hubspot:{pairs[0][0]}")
        run = other.store.runs.start("sync", other.clock(), None)
        other.store.runs.claim(pl.Series("lead_id", [lead]), run, other.clock(), 900)
        _tell(work, "hubspot", pairs[0][0], pairs[1][0])

        house.control("hubspot", "faults", {"match": {"path": "/batch/read"}, "times": -1, "status": 401})
        with pytest.raises((RetryLater, NeedsPerson)):
            drain(work)
        assert _waiting(work) == 2
        requests.delete(f"{house.url('hubspot')}/_sandbox/faults", timeout=60)

        drained = _noted(house, drain(work))
        assert (drained.done, drained.later) == (1, 1), "the other lead is worked on by another run"
        second.close()
        house.later(3)
        drained = _noted(house, drain(work))
        assert (drained.done, drained.later) == (1, 0)
    assert [house.record("salesforce", lead)["Title"] for _, lead in pairs[:2]] == ["Buyer", "Buyer"]
    _many_small_runs_are_stopped_where_a_large_one_is(house, pairs)


def _many_small_runs_are_stopped_where_a_large_one_is(house: Any, pairs: list[tuple[str, str]]) -> None:
    house.later(600)
    for contact, _ in pairs:
        house.edit("hubspot", contact, jobtitle="Seller")
    with house.app({"LEADPACT_GUARDS__MAX_UPDATES": "3"}) as app:
        work = app.work()
        _tell(work, "hubspot", *(contact for contact, _ in pairs))
        assert _noted(house, drain(work, limit=2)).more
        with pytest.raises(GuardStopped, match="updates: the run would come to 4"):
            drain(work, limit=2)
        assert _waiting(work) == 3
        house.later(600)
        assert _noted(house, drain(work, limit=2)).done == 2


def test_who_was_deleted_for_privacy_is_forgotten_and_gone_and_merged_records_are_met(people: Any) -> None:
    house, pairs = people
    (contact, lead), gone, (winner, _), (loser, _) = pairs[:4]
    with house.app() as app:
        work = app.work()
        _tell(work, "hubspot", contact, erased=True)
        assert _noted(house, drain(work)).forgotten == 0
        assert work.store.leads.named(f"hubspot:{contact}"), "their record is still there"

        house.control("hubspot", "people", {"action": "gdpr_delete", "object": "contacts", "id": contact})
        house.control("hubspot", "people", {"action": "delete", "object": "contacts", "id": gone[0]})
        merged = house.control(
            "hubspot", "people", {"action": "merge", "object": "contacts", "id": winner, "other": loser}
        )
        _tell(work, "hubspot", contact, erased=True)
        leads = [name for pair in pairs[1:4] for name in work.store.leads.named(f"salesforce:{pair[1]}")]
        _tell(work, "hubspot", gone[0], winner, loser, str(merged["id"]))
        drained = _noted(house, drain(work))
        assert (drained.forgotten, _waiting(work)) == (1, 0)
        assert not work.store.leads.named(f"hubspot:{contact}")
        assert not work.store.persons.mentions(["p0@shop0.example", contact, lead])
        fates = work.store.identity.fates(pl.Series("lead_id", leads))
        found = {(row["record_id"], row["fate"]) for row in fates.iter_rows(named=True)}
        assert found >= {(gone[0], "gone"), (loser, "merged")}

        (stranger,) = house.load("hubspot", {"email": "stranger@shop.example"})
        house.control("hubspot", "people", {"action": "gdpr_delete", "object": "contacts", "id": stranger})
        _tell(work, "hubspot", stranger, erased=True)
        assert _noted(house, drain(work)).forgotten == 1
        barred = work.store.persons.barred()
        assert barred is not None
        assert name_of_record("hubspot", stranger) in barred, "whoever was never met is not taken in either"


def test_what_fails_again_and_again_is_tried_alone_and_parked_and_never_stops_the_others(people: Any) -> None:
    house, pairs = people
    house.edit("hubspot", pairs[1][0], jobtitle="Buyer")
    poison = pairs[0][0]

    class Poisoned:
        """Fails for one record, as a bug of ours would."""

        def __init__(self, crm: Any) -> None:
            self._crm = crm

        def __getattr__(self, name: str) -> Any:
            return getattr(self._crm, name)

        def fetch(self, object_name: str, fields: Any, ids: Any) -> Any:
            if poison in ids:
                raise ZeroDivisionError
            return self._crm.fetch(object_name, fields, ids)

    with house.app() as app:
        work = app.work()
        bad = _with_crm(work, Poisoned(work.crms["hubspot"]))
        _tell(work, "hubspot", poison, pairs[1][0])
        assert drain(bad).failed == 2
        for _ in range(MOST_TRIES * 2):
            house.later(timedelta(hours=1).total_seconds())
            _noted(house, drain(bad))
        assert [(one.records, one.parked) for one in work.store.inbox.waiting()] == [(0, 1)]
        _tell(work, "hubspot", poison)
        assert _noted(house, drain(work)).done == 1
    assert house.record("salesforce", pairs[1][1])["Title"] == "Buyer"


def _with_crm(work: Work, hubspot: Any) -> Work:
    return replace(work, crms={**work.crms, "hubspot": hubspot})
