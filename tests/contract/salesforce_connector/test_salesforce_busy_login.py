"""A token endpoint that is busy says how long, and is not asked before."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import RetryLater


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
