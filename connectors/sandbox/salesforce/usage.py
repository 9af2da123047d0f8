"""The daily budget of API calls: 24 hours that roll by the hour (Salesforce reference, section 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal

UNLIMITED_SHOWN = 100_000


def used(org: Org) -> int:
    """The calls of the last 24 hours."""
    oldest = (org.now() - timedelta(hours=23)).strftime("calls:%Y-%m-%dT%H")
    row = org.store.db.execute(
        "SELECT ifnull(sum(value), 0) FROM _counter WHERE name LIKE 'calls:%' AND name >= ?", (oldest,)
    ).fetchone()
    return int(row[0])


def spend(org: Org) -> None:
    """Count one call. Raises Refusal (403 REQUEST_LIMIT_EXCEEDED) when the budget is gone."""
    daily = org.switches["daily"]
    if daily is not None and used(org) >= daily:
        raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    org.store.next_number(org.now().strftime("calls:%Y-%m-%dT%H"))


def header(org: Org) -> dict[str, str]:
    """The header that every REST answer carries."""
    return {"Sforce-Limit-Info": f"api-usage={used(org)}/{_most(org)}"}


def _most(org: Org) -> int:
    daily = org.switches["daily"]
    return UNLIMITED_SHOWN if daily is None else int(daily)


def limits(org: Org) -> dict[str, Any]:
    """The body of ``/limits``: what is left of each allocation that the sandbox knows."""
    most = _most(org)
    left = {"DailyApiRequests": (most, max(0, most - used(org)))}
    full = {
        "DailyBulkApiBatches": 15_000,
        "DailyBulkV2QueryJobs": 10_000,
        "DailyBulkV2QueryFileStorageMB": 976_562,
        "DailyDeliveredPlatformEvents": 25_000,
        "DataStorageMB": 10_240,
        "FileStorageMB": 10_240,
    }
    left |= {name: (value, value) for name, value in full.items()}
    return {name: {"Max": value[0], "Remaining": value[1]} for name, value in left.items()}
