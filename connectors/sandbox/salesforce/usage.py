"""The daily budget of API calls: 24 hours that roll (Salesforce reference, section 7), here to the minute."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal

UNLIMITED_SHOWN = 100_000
STORAGE_MB = 976_562

#: What is counted is kept under its minute: so many characters of a moment in UTC.
MINUTE = len("2026-01-05T09:10")

#: The allocations of bulk jobs: their counter, and the switch with their size.
BULK = {
    "DailyBulkV2QueryJobs": ("queries", "daily_bulk_queries"),
    "DailyBulkApiBatches": ("batches", "daily_bulk_batches"),
}

_USED = """
SELECT ifnull(sum(value), 0) FROM _counter WHERE (name >= ? AND name < ?) OR (name >= ? AND name < ?)
"""


def used(org: Org, counter: str = "calls") -> int:
    """The calls of the last 24 hours, or what else is counted by the minute."""
    return _used(org, counter, counter)


def of_all(org: Org) -> int:
    """The calls of the last 24 hours, those of other integrations included."""
    return _used(org, "calls", "others")


def _used(org: Org, one: str, other: str) -> int:
    """What is counted under one name or another; the same name twice is counted once."""
    oldest = (org.now() - timedelta(hours=24, minutes=-1)).isoformat()[:MINUTE]
    # A semicolon is what follows a colon.
    bounds = (f"{one}:{oldest}", f"{one};", f"{other}:{oldest}", f"{other};")
    row = org.store.db.execute(_USED, bounds).fetchone()
    return int(row[0])


def _this_minute(org: Org, counter: str) -> str:
    return f"{counter}:{org.now().isoformat()[:MINUTE]}"


def spend_of_others(org: Org, calls: int) -> int:
    """Other integrations make so many calls, as far as the budget lets them; returns how many it let."""
    daily = org.switches["daily"]
    made = calls if daily is None else min(calls, max(int(daily) - of_all(org), 0))
    if made:
        org.store.next_number(_this_minute(org, "others"), made)
    return made


def spend(org: Org) -> None:
    """Count one call. Raises Refusal (403 REQUEST_LIMIT_EXCEEDED) when the budget is gone."""
    daily = org.switches["daily"]
    if daily is not None and of_all(org) >= daily:
        raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    per_app = org.switches["per_app_calls"]
    if per_app is not None and used(org) >= per_app:
        raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    org.store.next_number(_this_minute(org, "calls"))


def spend_bulk(org: Org, allocation: str, count: int) -> None:
    """Count what a bulk job uses. Raises Refusal (400 LIMIT_EXCEEDED) when the allocation is gone."""
    counter, switch = BULK[allocation]
    if used(org, counter) + count > org.switches[switch]:
        raise Refusal(400, "LIMIT_EXCEEDED", f"{allocation} Limit exceeded.")
    org.store.next_number(_this_minute(org, counter), count)


def spend_storage(org: Org, size: int) -> None:
    """Count the bytes that a query job wrote down."""
    org.store.next_number(_this_minute(org, "stored"), size)


def header(org: Org) -> dict[str, str]:
    """The header that every REST answer carries; with the budget of the app too where it has one of its own."""
    told = f"api-usage={of_all(org)}/{_most(org)}"
    per_app = org.switches["per_app_calls"]
    if per_app is not None:
        told += f"; per-app-api-usage={used(org)}/{per_app}(appName=leadpact-sandbox)"
    return {"Sforce-Limit-Info": told}


def _most(org: Org) -> int:
    daily = org.switches["daily"]
    return UNLIMITED_SHOWN if daily is None else int(daily)


def limits(org: Org) -> dict[str, Any]:
    """The body of ``/limits``: what is left of each allocation that the sandbox knows."""
    most = _most(org)
    left = {"DailyApiRequests": (most, max(0, most - of_all(org)))}
    for name, (counter, switch) in BULK.items():
        left[name] = (org.switches[switch], max(0, org.switches[switch] - used(org, counter)))
    stored = used(org, "stored") // 1_000_000
    left["DailyBulkV2QueryFileStorageMB"] = (STORAGE_MB, max(0, STORAGE_MB - stored))
    full = {
        "DailyDeliveredPlatformEvents": 25_000,
        "DataStorageMB": 10_240,
        "FileStorageMB": 10_240,
    }
    left |= {name: (value, value) for name, value in full.items()}
    return {name: {"Max": value[0], "Remaining": value[1]} for name, value in left.items()}
