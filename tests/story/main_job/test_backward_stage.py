"""HubSpot answers 200 to a lifecycle stage that moves back, and ignores it (HubSpot reference, section 7).

Ours arrive all the same: cleared, then set in a request of its own, then read back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

HOT = {
    "industry": "RETAIL",
    "annualrevenue": "40000000",
    "jobtitle": "Head of Marketing",
    "country": "Germany",
    "num_conversion_events": "3",
    "recent_conversion_date": "2026-11-19T10:00:00Z",
    "hs_analytics_num_visits": "7",
    "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z",
}


@pytest.fixture
def handed_over(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """A lead that both CRMs show as MQL, and that sales have just sent back: the house, contact and lead."""
    return furnished, *begin(_handed_over)


def _handed_over(house: Any) -> tuple[str, str]:
    contact, lead = house.couple("hot@shop.de", hubspot=HOT)
    house.sync()
    assert house.record("hubspot", contact)["lifecyclestage"] == "marketingqualifiedlead"
    house.later(3_600)
    house.edit("salesforce", lead, Leadpact_Sales_Accepted__c="false", Leadpact_Rejection_Reason__c="zu früh")
    return contact, lead


def _stage_writes(house: Any, mark: dict[str, int]) -> list[str]:
    """What each writing request to HubSpot since a mark said of the lifecycle stage, in order."""
    said = []
    for request in house.writes(mark)["hubspot"]:
        body = request["body"] if isinstance(request["body"], dict) else json.loads(request["body"])
        said += [
            row["properties"]["lifecyclestage"]
            for row in body["inputs"]
            if "lifecyclestage" in row["properties"]
        ]
    return said


def test_hubspot_says_yes_to_a_backward_write_and_ignores_it(handed_over: Any) -> None:
    house, contact, _lead = handed_over
    token = house.environ["LEADPACT_HUBSPOT__ACCESS_TOKEN"]

    answer = requests.patch(
        f"{house.url('hubspot')}/crm/v3/objects/contacts/{contact}",
        json={"properties": {"lifecyclestage": "lead"}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )

    assert answer.status_code == 200
    assert house.record("hubspot", contact)["lifecyclestage"] == "marketingqualifiedlead"


def test_our_backward_write_arrives_cleared_first_and_set_in_a_second_request(handed_over: Any) -> None:
    house, contact, lead = handed_over
    mark = house.mark()

    done = house.sync()

    assert house.record("hubspot", contact)["lifecyclestage"] == "lead"
    assert house.record("hubspot", contact)["leadpact_stage"] == "nurture"
    assert house.record("salesforce", lead)["Leadpact_Stage__c"] == "nurture"
    assert _stage_writes(house, mark) == ["", "lead"]
    assert len(house.writes(mark)["hubspot"]) == 2
    assert done.numbers.refused == 0
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def test_a_lead_that_sales_never_want_again_is_disqualified_in_both(handed_over: Any) -> None:
    house, contact, lead = handed_over
    house.edit("salesforce", lead, Leadpact_Rejection_Reason__c="never again")

    house.sync()

    assert house.record("hubspot", contact)["lifecyclestage"] == "other"
    assert house.record("salesforce", lead)["Leadpact_Stage__c"] == "disqualified"


def _swallow_the_clearing(house: Any, contact: str) -> None:
    """HubSpot takes the clearing of the stage, says so, and keeps its own."""
    kept = {
        "id": contact,
        "properties": {"lifecyclestage": "marketingqualifiedlead"},
        "createdAt": "2026-11-20T09:00:00Z",
        "updatedAt": "2026-11-20T10:00:00Z",
        "archived": False,
    }
    house.control(
        "hubspot",
        "faults",
        {
            "match": {"path": "batch/update", "body": r'"lifecyclestage":\s*""'},
            "status": 200,
            "times": 1,
            "body": {
                "status": "COMPLETE",
                "results": [kept],
                "startedAt": "2026-11-20T10:00:00Z",
                "completedAt": "2026-11-20T10:00:00Z",
            },
        },
    )


def test_a_stage_that_hubspot_still_keeps_counts_as_refused(handed_over: Any) -> None:
    house, contact, _lead = handed_over
    _swallow_the_clearing(house, contact)

    told = house.command("--json", "sync")

    assert told.code == 1
    assert told.document["refused"] == 1
    assert house.record("hubspot", contact)["lifecyclestage"] == "marketingqualifiedlead"
    assert [row["code"] for row in house.command("--json", "refused").document["refused"]] == [
        "STAGE_IGNORED"
    ]


def test_the_next_sync_tries_an_ignored_stage_again(handed_over: Any) -> None:
    house, contact, _lead = handed_over
    _swallow_the_clearing(house, contact)
    house.sync()
    house.later(3_600)

    again = house.sync()

    assert house.record("hubspot", contact)["lifecyclestage"] == "lead"
    assert again.numbers.refused == 0
    assert house.command("--json", "refused").document["refused"] == []


def test_a_stage_is_not_left_blank_where_salesforce_takes_no_handover_any_more(handed_over: Any) -> None:
    house, contact, _lead = handed_over
    house.couple("other@laden.de", hubspot=HOT)  # is handed over in the same sync
    house.control(
        "salesforce",
        "faults",
        {
            "match": {"path": "composite/sobjects|sobjects/Lead/", "method": "PATCH"},
            "status": 403,
            "times": 500,
            "body": [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}],
        },
    )

    house.command("sync")

    assert house.record("hubspot", contact)["lifecyclestage"] == "marketingqualifiedlead"
