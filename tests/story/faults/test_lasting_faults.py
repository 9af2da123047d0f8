"""Faults that do not pass by themselves: the sync stops and says so, or goes on and names what was refused."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest

CONTACTS, DATA = r"^/crm/v3/objects/contacts", r"^/services/data/v\d+\.0"
CALLS: Mapping[str, tuple[str, str, str]] = {
    "what changed in HubSpot": ("hubspot", "POST", CONTACTS + "/search$"),
    "creates in HubSpot": ("hubspot", "POST", CONTACTS + "/batch/upsert$"),
    "updates in HubSpot": ("hubspot", "POST", CONTACTS + "/batch/update$"),
    "everything of HubSpot": ("hubspot", "", r"^/(crm|account-info)/"),
    "what changed in Salesforce": ("salesforce", "GET", DATA + r"/queryAll/"),
    "creates in Salesforce": (
        "salesforce",
        "PATCH",
        DATA + "/composite/sobjects/Lead/Leadpact_HubSpot_Id__c$",
    ),
    "updates in Salesforce": ("salesforce", "PATCH", DATA + "/composite/sobjects$"),
    "everything of Salesforce": ("salesforce", "", DATA),
}
#: (what does not work, what goes wrong with it, the exit code of the sync)
STOPS: tuple[tuple[str, Mapping[str, Any], int], ...] = (
    ("what changed in HubSpot", {"drop": "before"}, 4),
    ("what changed in HubSpot", {"html": 503}, 4),
    ("creates in HubSpot", {"status": 423}, 4),
    ("creates in HubSpot", {"status": 429, "body": {"policyName": "TEN_SECONDLY_ROLLING"}}, 4),
    ("updates in HubSpot", {"status": 429, "body": {"policyName": "DAILY"}}, 3),
    ("everything of HubSpot", {"status": 401}, 4),
    ("what changed in Salesforce", {"truncate": 60}, 4),
    ("what changed in Salesforce", {"html": 200}, 4),
    ("creates in Salesforce", {"status": 420}, 4),
    ("updates in Salesforce", {"status": 403, "body": [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]}, 3),
    ("everything of Salesforce", {"status": 401, "body": [{"errorCode": "INVALID_SESSION_ID"}]}, 4),
)
#: (what does not work, what goes wrong with it): whether a lost write was carried out is not known, a refused one not
REFUSES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("creates in HubSpot", {"drop": "after"}),
    ("updates in HubSpot", {"drop": "before"}),
    ("updates in HubSpot", {"status": 500}),
    ("updates in HubSpot", {"status": 400, "body": {"category": "VALIDATION_ERROR"}}),
    ("creates in Salesforce", {"drop": "after"}),
    ("updates in Salesforce", {"html": 503}),
    ("updates in Salesforce", {"status": 400, "body": [{"errorCode": "STRING_TOO_LONG"}]}),
)


#: A usual run tries every other one of them.
STEP = 1 if os.environ.get("LEADPACT_TEST_ALL_FAULTS") else 2


def _break(scene: Any, what: str, fault: Mapping[str, Any]) -> str:
    crm, method, path = CALLS[what]
    scene.control(
        crm, "faults", match={"path": path, **({"method": method} if method else {})}, times=-1, **fault
    )
    return crm


def _ends_the_same(scene: Any, start: Any, crm: str) -> None:
    """The fault is over: one more run makes good, and the one after it has nothing left to do."""
    scene.repair(crm)
    scene.let_the_day_pass()
    assert scene.sync().code in (0, 1)
    assert scene.state(start.known).created == start.expected.created
    if scene.differs(start.expected, start.known, at_once=False):
        scene.sync()
        assert not scene.differs(start.expected_next, start.known, at_once=False)


@pytest.mark.parametrize(("what", "fault", "code"), STOPS[::STEP], ids=str)
def test_a_fault_that_lasts_stops_the_sync_with_a_word_and_the_next_one_makes_good(
    starts: Mapping[str, Any], again: Any, what: str, fault: Mapping[str, Any], code: int
) -> None:
    start = starts["later"]
    with again(start) as scene:
        crm = _break(scene, what, fault)
        ended = scene.sync()
        assert ended.code == code, ended
        assert crm in ended.said.lower()
        _ends_the_same(scene, start, crm)


@pytest.mark.parametrize(("what", "fault"), REFUSES[::STEP], ids=str)
def test_writes_that_fail_again_and_again_are_refused_and_named_until_they_pass(
    starts: Mapping[str, Any], again: Any, what: str, fault: Mapping[str, Any]
) -> None:
    start = starts["later"]
    with again(start) as scene:
        crm = _break(scene, what, fault)
        ended = scene.sync()
        assert ended.code == 1, ended
        named = [
            json.loads(row)
            for row in set(scene.state(start.known).tables["refused"]) - set(start.expected.tables["refused"])
        ]
        assert named
        assert all(lead and row_crm == crm and code for lead, row_crm, _, _, code, *_ in named)
        assert ended.outcome.numbers.refused >= len(named)
        _ends_the_same(scene, start, crm)
