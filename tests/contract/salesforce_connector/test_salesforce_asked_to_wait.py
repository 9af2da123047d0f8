"""A token endpoint, or a gateway before the service, that is busy says how long, and is not asked before."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import RetryLater
from connectors.salesforce.convert import Conversion
from connectors.salesforce.crm import SalesforceCrm

#: A call of each way that we take to the service.
CALLS: dict[str, Any] = {
    "one page": lambda crm: crm.describe("Lead"),
    "a query": lambda crm: crm.lead_steps(),
}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "least"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0 "}, 0.0),
        # No seconds: the usual waits
        ({"Retry-After": "Sun, 22 Nov 2026 13:00:00 GMT"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_login_is_tried_again_no_sooner_than_the_endpoint_asks(
    org: Any, status: int, header: dict[str, str], least: float
) -> None:
    org.control("faults", match="/oauth2/token", status=status, body="busy", headers=header, times=1)
    connector = org.connect()
    assert connector.account().account_id
    (slept,) = org.slept
    assert least <= slept <= max(least * 1.25, 1.0)
    connector.close()


@pytest.mark.parametrize("status", [429, 503])
def test_a_login_that_has_to_wait_for_long_is_left_to_the_job(org: Any, status: int) -> None:
    org.control("faults", match="/oauth2/token", status=status, headers={"Retry-After": "600"}, times=1)
    connector = org.connect()
    with pytest.raises(RetryLater) as busy:
        connector.account()
    assert (busy.value.wait_seconds, busy.value.sent) == (600.0, False)
    assert org.slept == []
    assert len(org.requests()) == 1
    connector.close()


@pytest.mark.parametrize("call", CALLS)
def test_a_service_that_is_away_for_long_is_left_to_the_job(org: Any, crm: SalesforceCrm, call: str) -> None:
    assert crm.account().account_id
    org.forget_requests()
    org.control("faults", match="/services/", status=503, headers={"Retry-After": "1800"}, times=1)
    with pytest.raises(RetryLater) as away:
        CALLS[call](crm)
    assert away.value.wait_seconds == 1800.0
    assert org.slept == []
    assert len(org.requests()) == 1


def test_a_conversion_is_not_tried_again_before_the_service_wants_it(org: Any, crm: SalesforceCrm) -> None:
    (lead,) = org.load([{"LastName": "Nguyen", "Company": "Shop"}])
    assert crm.account().account_id
    org.control("faults", match="/services/Soap/", status=503, headers={"Retry-After": "1800"}, times=1)
    (result,) = crm.convert_leads([Conversion(lead, "Closed - Converted")])
    assert isinstance(result.failure, RetryLater)
    assert result.failure.wait_seconds == 1800.0
    assert org.slept == []


@pytest.mark.parametrize(("asked", "least"), [("7", 7.0), ("Sun, 22 Nov 2026 13:00:00 GMT", 0.0)])
def test_a_service_that_is_away_for_seconds_is_asked_again_no_sooner(
    org: Any, crm: SalesforceCrm, asked: str, least: float
) -> None:
    assert crm.account().account_id
    org.control("faults", match="/services/", status=503, headers={"Retry-After": asked}, times=1)
    assert crm.describe("Lead").fields
    (slept,) = org.slept
    assert least <= slept <= max(least * 1.25, 1.0)
