"""What is remembered, in a real PostgreSQL: whole, once, and for its own pair of accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from sync.errors import DatabaseAway
from sync.halfdone import OPEN_INTENTS
from sync.store.journal import CONFLICTS, HELD, INTENTS, REFUSED, RESULTS
from sync.store.leads import BASES, LINKS, NEW_LEADS, NEW_LINKS, NEW_VERDICTS, RECORDS
from sync.store.runs import Numbers
from sync.store.store import Store
from tests.story.ended import remembered

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
Open = Callable[..., Store]

RECORD = {"crm": "hubspot", "object": "contacts", "record_id": "101"}
LINK = {**RECORD, "lead_id": "L1", "how": "alone", "email_key": "anna@shop.de", "name_key": "anna berg"}
LEAD = {
    **{"lead_id": "L1", "lead_values": '{"email":"anna@shop.de"}', "email_key": "anna@shop.de"},
    **{"score": 40, "fit": 25, "engagement": 15, "coverage": 80, "temperature": "wavering", "stage": "lead"},
    **{"stage_why": "new", "highest_stage": "lead", "cycle": 1, "policy_version": "p1", "decided_at": NOW},
}
INTENT = {
    **{"lead_id": "L1", **RECORD, "field": "job_title", "crm_field": "jobtitle", "before": None, "after": ""},
    **{"why": "Salesforce changed it", "lane": "live", "kind": "set"},
}
CONFLICT = {
    **{"lead_id": "L1", "field": "job_title", "rule": "hold", "winner": "nobody"},
    **{"hubspot_value": "CEO", "salesforce_value": "CTO", "hubspot_at": NOW, "salesforce_at": None},
}
HELD_ROW = {
    **{
        "held_key": "conflict:L1:job_title",
        "kind": "conflict",
        "lead_id": "L1",
        **RECORD,
        "field": "job_title",
    },
    "details": "{}",
}
REFUSAL = {"lead_id": "L1", **RECORD, "code": "INVALID", "message": "no such city", "fields": "city,state"}


def _frame(schema: Mapping[str, pl.DataType], *rows: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


def _ids(*lead_ids: str) -> pl.Series:
    return pl.Series("lead_id", lead_ids, dtype=pl.String)


def _run(store: Store) -> int:
    return store.runs.start("sync", NOW, "p1")


def _looked_at(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"crm": ["hubspot"] * len(ids), "record_id": list(ids)})


def _whole(store: Store, remember: Callable[..., Any], *what: Any) -> Any:
    """Remember in a transaction of its own."""
    with store.transaction():
        return remember(*what)


def _remember_all(store: Store, run: int) -> None:
    store.journal.intend(_frame(INTENTS, INTENT), run, NOW)
    store.leads.remember_links(_frame(NEW_LINKS, LINK), run, NOW)
    store.leads.remember_bases(_frame(BASES, {**RECORD, "record_values": "{}"}), run, NOW)
    store.leads.remember_leads(_frame(NEW_LEADS, LEAD))
    store.leads.remember_verdicts(_frame(NEW_VERDICTS, {**LEAD, "inputs": "{}"}), run)
    store.journal.remember_conflicts(_frame(CONFLICTS, CONFLICT), run, NOW)
    store.journal.hold(_frame(HELD, HELD_ROW), _looked_at("101"), run, NOW)
    store.journal.refuse(_frame(REFUSED, REFUSAL), run, NOW)
    store.runs.move_cursor("hubspot", "contacts", {"at": "2026-11-22"}, run, NOW)


def _everything(store: Store) -> tuple[Any, ...]:
    return (
        store.leads.links_of_leads(_ids("L1")).rows(),
        store.leads.bases(_frame(RECORDS, RECORD)).rows(),
        store.leads.of(_ids("L1")).rows(),
        store.leads.verdicts("L1", None, 9),
        store.journal.changes_of_lead("L1", 9),
        store.journal.conflicts_of_lead("L1", 9),
        store.journal.open_held(),
        store.journal.refused(),
        list(store.runs.cursors().items()),
    )


def test_everything_is_remembered_together(store: Store, another: Open) -> None:
    run = _run(store)
    with store.transaction():
        _remember_all(store, run)
        assert not any(_everything(another()))
    assert all(len(part) == 1 for part in _everything(another()))


def test_a_failure_leaves_nothing_behind(store: Store) -> None:
    run = _run(store)

    def stopped_halfway() -> None:
        with store.transaction():
            _remember_all(store, run)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_halfway()
    assert not any(_everything(store))


def test_each_pair_of_accounts_has_its_own_memory(store: Store, another: Open) -> None:
    _whole(store, _remember_all, store, _run(store))
    assert not any(_everything(another(portal="102")))
    assert not any(_everything(another(organisation="00D2")))
    assert all(_everything(another()))


def test_using_a_pair_of_accounts_again_adds_none(store: Store, another: Open) -> None:
    another()
    assert [(row[1], row[2]) for row in store.accounts()] == [("101", "00D1")]


def test_a_database_that_is_not_there_is_told_with_a_fix(database: str) -> None:
    with pytest.raises(DatabaseAway) as away:
        Store(database.replace("/test_", "/missing_"))
    assert "cannot be reached" in str(away.value)
    assert away.value.fix


class TestOvertaken:
    """What a run read of a lead is older than what another one remembered since."""

    def _remembers(self, store: Store, run: int, values: str) -> None:
        base = _frame(BASES, {**RECORD, "record_values": values})
        _whole(store, store.leads.remember_bases, base, run, NOW)

    def test_by_a_run_that_lived_beside_it_or_began_later(self, store: Store, another: Open) -> None:
        before, other = _run(store), another()
        _whole(store, _remember_all, store, before)
        mine = _run(other)
        assert other.runs.overtaken(_ids("L1"), _ids("L1"), mine) == (set(), set()), "before it began"
        self._remembers(store, before, '{"a":0}')
        assert other.runs.overtaken(_ids("L1"), _ids("L1"), mine) == ({"L1"}, set())
        assert store.runs.overtaken(_ids("L2"), _ids(), before) == (set(), set())
        self._remembers(other, mine, '{"a":1}')
        assert store.runs.overtaken(_ids("L1"), _ids("L1"), before) == ({"L1"}, set())
        assert not store.runs.was_alone(before)
        assert not other.runs.was_alone(mine)

    def test_not_by_one_that_had_ended(self, store: Store, another: Open) -> None:
        before = _run(store)
        _whole(store, _remember_all, store, before)
        store.runs.end(before, "done", Numbers(), NOW)
        other = another()
        mine = _run(other)
        assert other.runs.was_alone(mine)
        _run(store)
        assert not other.runs.was_alone(mine)
        assert other.runs.overtaken(_ids("L1"), _ids("L1"), mine) == (set(), set())

    def test_who_is_forgotten_since_is_gone_and_who_is_new_is_not(self, store: Store, another: Open) -> None:
        before, other = _run(store), another()
        _whole(store, _remember_all, store, before)
        mine = _run(other)
        assert other.runs.overtaken(_ids("L2", "L3"), _ids("L2"), mine) == (set(), {"L2"})
        linked = {**LINK, "lead_id": "L2", "record_id": "102"}
        _whole(store, store.leads.remember_links, _frame(NEW_LINKS, linked), before, NOW)
        assert other.runs.overtaken(_ids("L2"), _ids("L2"), mine) == (set(), set()), (
            "linked by a person just now"
        )


class TestLeads:
    """Links, bases, leads and verdicts."""

    def test_a_link_never_moves_and_its_keys_are_renewed(self, store: Store) -> None:
        run = _run(store)
        _whole(store, store.leads.remember_links, _frame(NEW_LINKS, LINK), run, NOW)
        moved = {**LINK, "lead_id": "L9", "email_key": "anna@new.de", "name_key": None}
        _whole(store, store.leads.remember_links, _frame(NEW_LINKS, moved), run, NOW)
        known = store.leads.links_of_records(_frame(RECORDS, RECORD))
        assert known["lead_id"].to_list() == ["L1"]
        found = store.leads.links_by_email(pl.Series(["anna@new.de", None]))
        assert found.select("lead_id", "name_key").rows() == [("L1", None)]
        assert store.leads.links_by_email(pl.Series(["anna@shop.de"])).is_empty()

    def test_what_is_not_known_is_simply_absent(self, store: Store) -> None:
        unknown = _frame(RECORDS, {**RECORD, "record_id": "999"})
        assert store.leads.links_of_records(unknown).is_empty()
        assert store.leads.bases(unknown).is_empty()
        assert store.leads.of(_ids("L404")).is_empty()
        assert store.leads.links_by_email(pl.Series([None], dtype=pl.String)).is_empty()

    def test_among_many_who_is_linked_is_found_from_the_first_link_on(self, store: Store) -> None:
        many = pl.concat(
            [
                _frame(RECORDS, RECORD),
                *(_frame(RECORDS, {**RECORD, "record_id": f"x{n}"}) for n in range(2_000)),
            ]
        )
        addresses = pl.Series([f"x{n}@shop.de" for n in range(2_000)] + [LINK["email_key"]])
        assert store.leads.links_of_records(many).rows() == []
        assert store.leads.links_by_email(addresses).columns == list(LINKS)
        _whole(store, store.leads.remember_links, _frame(NEW_LINKS, LINK), _run(store), NOW)
        assert store.leads.links_of_records(many)["lead_id"].to_list() == ["L1"]
        assert store.leads.links_by_email(addresses)["lead_id"].to_list() == ["L1"]

    def test_the_newest_base_counts(self, store: Store) -> None:
        run = _run(store)
        for values in ('{"a":1}', '{"a":2}'):
            _whole(
                store,
                store.leads.remember_bases,
                _frame(BASES, {**RECORD, "record_values": values}),
                run,
                NOW,
            )
        assert store.leads.bases(_frame(RECORDS, RECORD))["record_values"].to_list() == ['{"a":2}']

    def test_a_mark_alone_is_put_beside_its_base_and_is_no_new_agreement(
        self, store: Store, migrated_database: str
    ) -> None:
        run, later = _run(store), NOW + timedelta(days=1)
        agreed = {**RECORD, "record_values": '{"a":1}'}
        _whole(store, store.leads.remember_bases, _frame(BASES, agreed), run, NOW)
        then = remembered(migrated_database)["base"]
        _whole(store, store.leads.remember_bases, _frame(BASES, {**agreed, "record_mark": -7}), run, later)
        assert remembered(migrated_database)["base"] == then
        assert store.leads.bases(_frame(RECORDS, RECORD))["record_mark"].to_list() == [-7]

    def test_a_lead_is_read_back_as_it_was_stored(self, store: Store) -> None:
        _whole(store, store.leads.remember_leads, _frame(NEW_LEADS, LEAD))
        kept = store.leads.of(_ids("L1")).row(0, named=True)
        assert kept == {name: LEAD.get(name) for name in kept}

    @pytest.mark.parametrize(
        "key",
        ["L1", "hubspot:101", "anna@shop.de", " Anna@Shop.DE "],
        ids=["id", "record", "mail", "spelling"],
    )
    def test_a_key_names_a_lead(self, store: Store, key: str) -> None:
        _whole(store, store.leads.remember_leads, _frame(NEW_LEADS, LEAD))
        _whole(store, store.leads.remember_links, _frame(NEW_LINKS, LINK), _run(store), NOW)
        assert store.leads.named(key) == ["L1"]

    @pytest.mark.parametrize("key", ["L2", "hubspot:999", "salesforce:101", "otto@shop.de", "%", ""])
    def test_a_key_of_nobody_names_nobody(self, store: Store, key: str) -> None:
        _whole(store, store.leads.remember_leads, _frame(NEW_LEADS, LEAD))
        _whole(store, store.leads.remember_links, _frame(NEW_LINKS, LINK), _run(store), NOW)
        assert store.leads.named(key) == []

    def test_every_lead_comes_once_slice_by_slice(self, store: Store) -> None:
        rows = [{**LEAD, "lead_id": f"L{n}"} for n in range(7)]
        _whole(store, store.leads.remember_leads, _frame(NEW_LEADS, *rows))
        seen: list[str] = []
        while len(found := store.leads.ids_after(seen[-1] if seen else "", 3)):
            seen += found.to_list()
        assert seen == [f"L{n}" for n in range(7)]
        assert store.leads.count() == 7

    def test_verdicts_are_kept_and_asked_as_of_a_time(self, store: Store) -> None:
        run = _run(store)
        for day, score in enumerate((40, 30, 20)):
            verdict = {**LEAD, "inputs": "{}", "score": score, "decided_at": NOW + timedelta(days=day)}
            _whole(store, store.leads.remember_verdicts, _frame(NEW_VERDICTS, verdict), run)
        assert [row["score"] for row in store.leads.verdicts("L1", None, 9)] == [20, 30, 40]
        assert [row["score"] for row in store.leads.verdicts("L1", NOW + timedelta(days=1), 1)] == [30]


class TestJournal:
    """What was set out to be written, and what became of it."""

    def test_an_intent_is_there_before_and_settled_after(self, store: Store) -> None:
        run = _run(store)
        store.journal.intend(_frame(INTENTS, INTENT), run, NOW)
        assert store.journal.changes_of_run(run)[0]["state"] == "intent"
        _whole(store, store.journal.settle, _frame(RESULTS, {**INTENT, "state": "written"}), run, NOW)
        (change,) = store.journal.changes_of_run(run)
        assert (change["state"], change["before"], change["after"]) == ("written", None, "")

    def test_a_created_record_gets_its_id_when_it_is_settled(self, store: Store) -> None:
        run = _run(store)
        store.journal.intend(_frame(INTENTS, {**INTENT, "record_id": None}), run, NOW)
        made = {**INTENT, "record_id": "777", "state": "written"}
        _whole(store, store.journal.settle, _frame(RESULTS, made), run, NOW)
        assert store.journal.changes_of_run(run)[0]["record_id"] == "777"

    def test_what_a_dead_run_set_out_to_do_ends_as_unknown(self, store: Store) -> None:
        dead, living = _run(store), _run(store)
        stage = {
            **INTENT,
            "field": "stage",
            "crm_field": "lifecyclestage",
            "before": "lead",
            "after": "customer",
        }
        store.journal.intend(_frame(INTENTS, stage), dead, NOW)
        store.runs.end(dead, "failed", Numbers(), NOW)
        found = store.journal.open_intents(OPEN_INTENTS)
        assert found.rows() == [("L1", "hubspot", "101", "stage", "lifecyclestage", "lead", "customer")]
        _whole(store, store.journal.abandon, _ids("L1"), living, NOW)
        assert store.journal.changes_of_run(dead)[0]["state"] == "unknown"
        assert store.journal.open_intents(OPEN_INTENTS).is_empty()

    def test_what_another_run_has_written_since_is_not_half_done(self, store: Store) -> None:
        dead, later = _run(store), _run(store)
        store.journal.intend(_frame(INTENTS, INTENT), dead, NOW)
        store.runs.end(dead, "failed", Numbers(), NOW)
        store.journal.intend(_frame(INTENTS, INTENT), later, NOW)
        for state, left in (("refused", 1), ("written", 0)):
            again = {**INTENT, "state": state}
            _whole(store, store.journal.settle, _frame(RESULTS, again), later, NOW)
            assert store.journal.open_intents(OPEN_INTENTS).height == left
            store.journal.intend(_frame(INTENTS, INTENT), later, NOW)

    def test_our_own_intents_are_not_abandoned(self, store: Store) -> None:
        run = _run(store)
        store.journal.intend(_frame(INTENTS, INTENT), run, NOW)
        _whole(store, store.journal.abandon, _ids("L1"), run, NOW)
        assert store.journal.changes_of_run(run)[0]["state"] == "intent"

    def test_a_conflict_is_noted_once_however_often_it_is_met(self, store: Store) -> None:
        for _ in range(2):
            _whole(store, store.journal.remember_conflicts, _frame(CONFLICTS, CONFLICT), _run(store), NOW)
        assert len(store.journal.conflicts_of_lead("L1", 9)) == 1

    def test_a_conflict_that_a_dead_run_met_is_not_another_one_since_its_own_write(
        self, store: Store
    ) -> None:
        dead = _run(store)
        store.journal.intend(_frame(INTENTS, INTENT), dead, NOW)
        _whole(store, store.journal.remember_conflicts, _frame(CONFLICTS, CONFLICT), dead, NOW)
        moved = {**CONFLICT, "hubspot_at": NOW + timedelta(minutes=5)}
        _whole(store, store.journal.remember_conflicts, _frame(CONFLICTS, moved), _run(store), NOW)
        assert len(store.journal.conflicts_of_lead("L1", 9)) == 1

    def test_a_later_conflict_about_the_same_field_is_another_one(self, store: Store) -> None:
        later = {**CONFLICT, "hubspot_at": NOW + timedelta(hours=1)}
        _whole(store, store.journal.remember_conflicts, _frame(CONFLICTS, CONFLICT, later), _run(store), NOW)
        assert len(store.journal.conflicts_of_lead("L1", 9)) == 2


class TestHeld:
    """What waits for a person, once, until it is settled."""

    def test_it_is_new_once(self, store: Store) -> None:
        run, row = _run(store), _frame(HELD, HELD_ROW)
        assert [_whole(store, store.journal.hold, row, _looked_at("101"), run, NOW) for _ in range(2)] == [
            1,
            0,
        ]
        assert len(store.journal.open_held()) == 1

    def test_looked_at_and_no_longer_held_it_is_settled(self, store: Store) -> None:
        run = _run(store)
        _whole(store, store.journal.hold, _frame(HELD, HELD_ROW), _looked_at("101"), run, NOW)
        _whole(store, store.journal.hold, _frame(HELD), _looked_at("102"), run, NOW)
        assert len(store.journal.open_held()) == 1
        _whole(store, store.journal.hold, _frame(HELD), _looked_at("101"), run, NOW)
        assert store.journal.open_held() == []

    def test_held_again_after_it_was_settled_it_is_new_again(self, store: Store) -> None:
        run, row = _run(store), _frame(HELD, HELD_ROW)
        _whole(store, store.journal.hold, row, _looked_at("101"), run, NOW)
        _whole(store, store.journal.hold, _frame(HELD), _looked_at("101"), run, NOW)
        assert _whole(store, store.journal.hold, row, _looked_at("101"), run, NOW) == 1


class TestRefused:
    """What a CRM rejected, until it passes."""

    def test_it_is_new_once_and_its_tries_are_counted(self, store: Store) -> None:
        run, row = _run(store), _frame(REFUSED, REFUSAL)
        assert [_whole(store, store.journal.refuse, row, run, NOW) for _ in range(2)] == [1, 0]
        (kept,) = store.journal.refused()
        assert (kept["code"], kept["fields"], kept["tries"]) == ("INVALID", "city,state", 2)

    def test_a_lead_that_passed_is_struck_off(self, store: Store) -> None:
        run = _run(store)
        _whole(store, store.journal.refuse, _frame(REFUSED, REFUSAL, {**REFUSAL, "lead_id": "L2"}), run, NOW)
        _whole(store, store.journal.strike_refused, pl.DataFrame({"lead_id": ["L1"], "crm": ["hubspot"]}))
        assert [row["lead_id"] for row in store.journal.refused()] == ["L2"]

    def test_a_success_in_the_other_crm_does_not_count(self, store: Store) -> None:
        _whole(store, store.journal.refuse, _frame(REFUSED, REFUSAL), _run(store), NOW)
        _whole(store, store.journal.strike_refused, pl.DataFrame({"lead_id": ["L1"], "crm": ["salesforce"]}))
        assert len(store.journal.refused()) == 1


class TestRuns:
    """Runs, cursors, policies and approval."""

    def test_the_newest_run_comes_first_with_its_numbers(self, store: Store, another: Open) -> None:
        first, second = _run(another()), _run(store)
        numbers = Numbers(9, 8, 1, 5, 1, 1, 3, 4)
        store.runs.end(second, "done", numbers, NOW, fingerprint="f", note="n")
        newest = store.runs.newest(5)
        assert [row.run for row in newest] == [second, first]
        assert (newest[0].state, newest[0].numbers, newest[0].note) == ("done", numbers, "n")
        assert newest[1].state == "running"

    def test_a_cursor_is_where_it_was_moved_last(self, store: Store) -> None:
        run = _run(store)
        for place in ({"at": "1"}, {"at": "2", "ids": ["a"]}):
            store.runs.move_cursor("hubspot", "contacts", place, run, NOW)
        assert store.runs.cursors() == {("hubspot", "contacts"): {"at": "2", "ids": ["a"]}}

    def test_the_first_form_of_a_policy_is_kept(self, store: Store) -> None:
        store.runs.keep_policy("p1", {"fit": [1]}, NOW)
        store.runs.keep_policy("p1", {"fit": [2]}, NOW)
        assert store.runs.policy("p1") == {"fit": [1]}
        assert store.runs.policy("p2") is None

    def test_approval_is_remembered_for_its_pair_of_accounts_only(self, store: Store, another: Open) -> None:
        assert store.runs.approved_at is None
        store.runs.approve(_run(store), NOW)
        store.runs.approve(_run(store), NOW + timedelta(days=1))
        assert another().runs.approved_at == NOW
        assert another(portal="102").runs.approved_at is None
