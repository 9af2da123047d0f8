"""Lists through the connector: found, made, filled, emptied and read, in every family of paths."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from connectors.crm import RECORD_ID
from connectors.errors import NeedsPerson, OurBug
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.lists import MEMBER_SCHEMA, Enrolled

VERSIONS = ("v3", "2026-03", "2026-09")


def members(crm: HubSpotCrm, list_id: str) -> list[str]:
    return [each for frame in crm.lists.members(list_id) for each in frame[RECORD_ID]]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_list_is_made_filled_emptied_and_read(account: Any, version: Any) -> None:
    ada, bob, eve = account.contacts("ada", "bob", "eve")
    crm = account.connect(version)
    pilot = crm.lists.create("Pilot")
    assert (pilot.name, pilot.object_type, pilot.processing, pilot.size) == ("Pilot", "0-1", "MANUAL", 0)
    assert pilot.takes_members
    assert crm.lists.add(pilot.id, [ada, bob, ada, "999"]) == Enrolled(added=(ada, bob), missing=("999",))
    assert crm.lists.add(pilot.id, [bob, eve]) == Enrolled(added=(eve,))
    assert members(crm, pilot.id) == [ada, bob, eve]
    assert crm.lists.remove(pilot.id, [ada, "999"]) == Enrolled(removed=(ada,), missing=("999",))
    assert members(crm, pilot.id) == [bob, eve]
    assert crm.lists.of_record("contacts", bob) == [pilot.id]
    assert crm.lists.of_record("contacts", ada) == []
    found = crm.lists.get(pilot.id)
    assert found is not None
    assert found.size == 2


def test_the_members_come_in_pages_with_the_time_they_joined(account: Any) -> None:
    ids = account.contacts(*(f"p{n}" for n in range(520)))
    crm = account.connect()
    nurture = crm.lists.create("Nurture")
    crm.lists.add(nurture.id, ids)
    frames = list(crm.lists.members(nurture.id))
    assert [len(frame) for frame in frames] == [250, 250, 20]
    assert all(dict(frame.schema) == dict(MEMBER_SCHEMA) for frame in frames)
    whole = pl.concat(frames)
    assert sorted(whole[RECORD_ID]) == sorted(ids)
    assert whole["joined_at"].null_count() == 0
    assert list(crm.lists.members(crm.lists.create("Empty").id)) == []


def test_lists_are_found_by_a_part_of_their_name_over_several_pages(account: Any) -> None:
    crm = account.connect()
    for n in range(120):
        crm.lists.create(f"Campaign {n:03}")
    crm.lists.create("Pilot")
    assert len(list(crm.lists.find())) == 121
    assert [one.name for one in crm.lists.find("PILOT")] == ["Pilot"]
    assert list(crm.lists.find("nothing like it")) == []
    assert crm.lists.get("424242") is None


def test_a_dynamic_list_is_read_and_takes_nobody_from_us(account: Any) -> None:
    [ada] = account.contacts("ada")
    branch = {"filterBranchType": "OR", "filterBranches": [], "filters": []}
    wanted = {"name": "Hot", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch}
    made = account.call("POST", "/crm/v3/lists/", wanted)["list"]
    account.people("enrol", id=ada, list=made["listId"])
    crm = account.connect()
    assert members(crm, made["listId"]) == [ada]
    with pytest.raises(NeedsPerson, match="who is on a list") as refused:
        crm.lists.add(made["listId"], [ada])
    assert "by hand" in refused.value.fix
    assert not next(crm.lists.find("Hot")).takes_members
    account.people("strike", id=ada, list=made["listId"])
    assert members(crm, made["listId"]) == []


def test_a_name_is_taken_once_and_unknown_objects_have_no_lists(account: Any) -> None:
    crm = account.connect()
    crm.lists.create("Pilot")
    assert crm.lists.create("Pilot", "companies").object_type == "0-2"
    with pytest.raises(NeedsPerson, match="create the list"):
        crm.lists.create("Pilot")
    with pytest.raises(OurBug):
        crm.lists.create("Pilot", "butterflies")
    with pytest.raises(OurBug):
        list(crm.lists.members("424242"))


def test_a_token_without_the_scope_is_told_which(account: Any) -> None:
    crm = account.connect()
    account.control("limits", scopes=["crm.objects.contacts.read"])
    with pytest.raises(NeedsPerson) as refused:
        list(crm.lists.find())
    assert "crm.lists.read" in refused.value.fix


def test_members_follow_merges_and_leave_with_the_record(account: Any) -> None:
    ada, bob, eve = account.contacts("ada", "bob", "eve")
    crm = account.connect()
    pilot = crm.lists.create("Pilot")
    crm.lists.add(pilot.id, [ada, bob, eve])
    merged = account.people("merge", id=ada, other=bob)
    account.people("delete", id=eve)
    assert members(crm, pilot.id) == [merged]
