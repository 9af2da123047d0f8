"""Records that are no longer there: merged, archived or erased, as far as HubSpot tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.removed import Removed

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
VERSIONS = ("v3", "2026-03", "2026-09")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_merge_tells_where_each_old_id_lives_on_and_since_when(
    account: Any, version: Any, keeps: bool
) -> None:
    account.control("limits", merge_keeps_primary_id=keeps)
    ada, bob, eve = account.contacts("ada", "bob", "eve")
    account.control("clock", advance_seconds=60)
    merged = account.people("merge", id=ada, other=bob)
    old = [bob] if keeps else [ada, bob]
    assert (merged == ada) is keeps
    crm = account.connect(version)
    found = {one.record_id: one for one in crm.removed("contacts", NOW)}
    at = NOW + timedelta(seconds=60)
    assert found == {each: Removed(each, "merged", merged, at) for each in old}
    assert crm.removed("contacts", NOW + timedelta(minutes=5), [eve]) == []


def test_a_chain_of_merges_leads_to_the_record_that_is_there_now(account: Any) -> None:
    ada, bob, eve = account.contacts("ada", "bob", "eve")
    first = account.people("merge", id=ada, other=bob)
    account.control("clock", advance_seconds=60)
    last = account.people("merge", id=first, other=eve)
    found = {one.record_id: one.into for one in account.connect().removed("contacts", NOW)}
    assert found == {ada: last, bob: last, first: last, eve: last}


def test_archived_records_come_with_their_time_and_only_since_then(account: Any) -> None:
    ada, bob = account.contacts("ada", "bob")
    account.people("delete", id=ada)
    account.control("clock", advance_seconds=3_600)
    account.people("delete", id=bob)
    crm = account.connect()
    later = NOW + timedelta(hours=1)
    assert crm.removed("contacts", NOW) == [
        Removed(ada, "archived", at=NOW),
        Removed(bob, "archived", at=later),
    ]
    assert crm.removed("contacts", later) == [Removed(bob, "archived", at=later)]


def test_what_became_of_named_records_is_told_for_each(account: Any) -> None:
    names = ("live", "gone", "erased", "winner", "loser")
    live, gone, erased, winner, loser = account.contacts(*names)
    account.people("delete", id=gone)
    account.people("gdpr_delete", id=erased)
    merged = account.people("merge", id=winner, other=loser)
    after = NOW + timedelta(days=1)
    found = account.connect().removed("contacts", after, [live, gone, erased, winner, loser, live])
    fates = {one.record_id: (one.fate, one.into) for one in found}
    assert fates == {
        gone: ("archived", None),
        erased: ("erased", None),
        winner: ("merged", merged),
        loser: ("merged", merged),
    }


def test_merged_records_are_followed_where_batches_do_not_follow_them(account: Any) -> None:
    account.control("limits", merged_in_batch_read=False)
    ada, bob = account.contacts("ada", "bob")
    merged = account.people("merge", id=ada, other=bob)
    found = account.connect().removed("contacts", NOW + timedelta(days=1), [ada, bob])
    assert found == [Removed(ada, "merged", merged, NOW), Removed(bob, "merged", merged, NOW)]


@pytest.mark.parametrize("follows", [True, False])
def test_a_merge_is_told_although_its_survivor_was_archived_since(account: Any, follows: bool) -> None:
    account.control("limits", merged_in_batch_read=follows)
    ada, bob = account.contacts("ada", "bob")
    merged = account.people("merge", id=ada, other=bob)
    account.people("delete", id=merged)
    crm = account.connect()
    for found in (
        crm.removed("contacts", NOW),
        crm.removed("contacts", NOW + timedelta(days=1), [ada, bob, merged]),
    ):
        assert {one.record_id: (one.fate, one.into) for one in found} == {
            ada: ("merged", merged),
            bob: ("merged", merged),
            merged: ("archived", None),
        }


def test_a_record_that_was_archived_longer_than_ninety_days_ago_is_as_gone_as_an_erased_one(
    account: Any,
) -> None:
    [ada] = account.contacts("ada")
    account.people("delete", id=ada)
    account.control("clock", advance_seconds=91 * 86_400)
    crm = account.connect()
    assert crm.removed("contacts", NOW) == []
    assert crm.removed("contacts", NOW, [ada]) == [Removed(ada, "erased")]


def test_merged_companies_are_told_without_a_time(account: Any) -> None:
    made = [
        account.call("POST", "/crm/v3/objects/companies", {"properties": {"name": name}}, expect=201)["id"]
        for name in ("Acme", "Acme GmbH")
    ]
    merged = account.people("merge", object="companies", id=made[0], other=made[1])
    crm = account.connect()
    assert crm.removed("companies", NOW) == [Removed(each, "merged", merged) for each in made]
    account.people("delete", object="companies", id=merged)
    fates = {one.record_id: one.fate for one in crm.removed("companies", NOW)}
    assert fates == {**dict.fromkeys(made, "merged"), merged: "archived"}
    assert crm.removed("companies", NOW + timedelta(days=1)) == []
