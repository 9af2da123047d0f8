"""Limits of associations, searches and days, and an account that is being moved: as the connector meets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.errors import RetryLater


def test_a_full_window_of_associations_is_waited_for(account: Any) -> None:
    [ada] = account.contacts("ada")
    account.control("limits", ten_secondly_associations=2)
    crm = account.connect()
    for _ in range(2):
        list(crm.links("contacts", "companies", [ada]))
    assert account.slept == []
    with pytest.raises(RetryLater) as refused:
        list(crm.links("contacts", "companies", [ada]))
    assert refused.value.code == "TEN_SECONDLY_ROLLING"
    # As long as the window, before every new try; other calls do not wait for it.
    assert all(wait >= 9.9 for wait in account.slept)
    waited = len(account.slept)
    list(crm.fetch("contacts", ["email"], [ada]))
    assert len(account.slept) == waited


def test_a_day_of_associations_that_is_used_up_stops_associations_alone(account: Any) -> None:
    [ada] = account.contacts("ada")
    account.control("limits", daily_associations=1)
    crm = account.connect()
    list(crm.links("contacts", "companies", [ada]))
    with pytest.raises(RetryLater) as refused:
        list(crm.links("contacts", "companies", [ada]))
    assert refused.value.code == "DAILY"
    assert refused.value.not_before is not None
    assert account.slept == []
    assert len(list(crm.fetch("contacts", ["email"], [ada]))) == 1


def test_associations_are_paced_by_the_smallest_plan_before_any_answer_tells(account: Any) -> None:
    [ada] = account.contacts("ada")
    crm = account.connect()
    for _ in range(105):
        list(crm.links("contacts", "companies", [ada]))
    assert account.slept
    assert sum(account.slept) >= 9


def test_an_account_that_is_being_moved_is_left_to_the_job(account: Any) -> None:
    crm = account.connect()
    crm.account()
    account.control("limits", moving_s=7_200)
    with pytest.raises(RetryLater) as refused:
        crm.describe("contacts")
    assert refused.value.code == "477"
    assert refused.value.not_before is not None
    assert refused.value.not_before - crm.now() > timedelta(hours=1)
    assert account.slept == []
