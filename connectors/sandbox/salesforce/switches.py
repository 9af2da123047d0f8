"""The limits and behaviours of the org that a control can change, with the values they start with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.side import ControlRefused

START: dict[str, Any] = {
    "daily": 100_000,
    "token_lifetime_s": 7_200,
    "late_commit_ms": 0,
    "duplicate_rule": "off",
    "assignment_rule": False,
    "row_locks": 0,
    "hidden_fields": {},
    "restricted_picklists": {},
    "default_status": "Open - Not Contacted",
    "bulk_polls": 1,
    "bulk_seconds": 60,
    "bulk_page_rows": 50_000,
    "bulk_charset": True,
    "bulk_empty_header": True,
    "bulk_moments": "Z",
    "bulk_fails_after": None,
    "daily_bulk_queries": 10_000,
    "daily_bulk_batches": 15_000,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    fits: Callable[[Any], bool]
    expected: str


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _names(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(each, list) and all(isinstance(one, str) for one in each) for each in value.values()
    )


RULES = {
    "daily": _Rule(lambda value: value is None or _whole(value, 0), "a whole number of calls, or null"),
    "token_lifetime_s": _Rule(lambda value: _whole(value, 1), "a whole number of seconds, at least 1"),
    "late_commit_ms": _Rule(lambda value: _whole(value, 0), "a whole number of milliseconds"),
    "duplicate_rule": _Rule(lambda value: value in ("off", "alert", "block"), "off, alert or block"),
    "assignment_rule": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "row_locks": _Rule(lambda value: _whole(value, 0), "how many of the next writes find the row locked"),
    "hidden_fields": _Rule(_names, "object names with lists of field names"),
    "restricted_picklists": _Rule(_names, "object names with lists of picklist names"),
    "default_status": _Rule(lambda value: isinstance(value, str), "the ApiName of a LeadStatus"),
    "bulk_polls": _Rule(lambda value: _whole(value, 0), "how many looks find a bulk job unfinished"),
    "bulk_seconds": _Rule(lambda value: _whole(value, 1), "the seconds after which a bulk job is over"),
    "bulk_page_rows": _Rule(lambda value: _whole(value, 1), "how many records a result page holds"),
    "bulk_charset": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "bulk_empty_header": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "bulk_moments": _Rule(lambda value: value in ("Z", "+0000"), "Z or +0000"),
    "bulk_fails_after": _Rule(
        lambda value: value is None or _whole(value, 0), "after how many rows ingest jobs fail, or null"
    ),
    "daily_bulk_queries": _Rule(lambda value: _whole(value, 0), "a whole number of query jobs"),
    "daily_bulk_batches": _Rule(lambda value: _whole(value, 0), "a whole number of batches"),
}


def checked(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The wanted switches, each known and of the right type. Raises ControlRefused naming the first that is not."""
    for name, value in wanted.items():
        rule = RULES.get(name)
        if rule is None:
            raise ControlRefused(f"unknown limit {name!r}; known: {', '.join(RULES)}")
        if not rule.fits(value):
            raise ControlRefused(f"{name}: expected {rule.expected}")
    return dict(wanted)
