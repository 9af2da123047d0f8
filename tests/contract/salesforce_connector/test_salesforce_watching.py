"""Selecting objects for Change Data Capture in the pretend Salesforce, by a deployment of our own."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import NeedsPerson, OurBug


def watched(org: Any) -> list[str]:
    found: list[str] = org.control("limits")["cdc_objects"]
    return found


@pytest.fixture
def deaf(org: Any) -> Any:
    """An organisation in which only contacts are selected, and a connector to it."""
    org.control("limits", cdc_objects=["Contact"])
    return org


def test_an_object_is_selected_once_and_what_was_there_stays(deaf: Any) -> None:
    crm = deaf.connect(login_url=deaf.url)
    assert crm.watch(["Lead", "Contact"]) == ["Lead"]
    assert sorted(watched(deaf)) == ["Contact", "Lead"]
    assert crm.watch(["Lead", "Contact"]) == []


def test_no_room_for_another_object_is_told_to_a_person(org: Any) -> None:
    with pytest.raises(NeedsPerson, match="more than the allowed number of entities") as refused:
        org.connect(login_url=org.url).watch(["Campaign"])
    assert "Change Data Capture" in refused.value.fix
    assert "Campaign" not in watched(org)


@pytest.mark.parametrize("code", ["INSUFFICIENT_ACCESS", ""])
def test_whoever_may_not_deploy_is_told_where_a_person_selects_it(deaf: Any, code: str) -> None:
    body = f'[{{"errorCode":"{code}","message":"no"}}]'
    deaf.control("faults", match="deployRequest", status=403, body=body, times=-1)
    with pytest.raises(NeedsPerson, match="may not select objects for Change Data Capture") as refused:
        deaf.connect(login_url=deaf.url).watch(["Lead"])
    assert "Setup, Change Data Capture" in refused.value.fix


def test_a_name_that_is_none_is_our_bug(deaf: Any) -> None:
    with pytest.raises(OurBug):
        deaf.connect(login_url=deaf.url).watch(["../Lead"])
