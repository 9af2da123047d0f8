"""The limits and behaviours of the org that a control can change, with the values they start with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce.currencies import are_rates
from connectors.sandbox.salesforce.duplicates import TEXT
from connectors.sandbox.side import ControlRefused

START: dict[str, Any] = {
    "daily": 100_000,
    "per_app_calls": None,
    "token_lifetime_s": 7_200,
    "jwt_longest_s": 300,
    "late_commit_ms": 0,
    "duplicate_rule": "off",
    "duplicate_message": TEXT,
    "assignment_rule": False,
    "row_locks": 0,
    "hidden_fields": {},
    "hidden_objects": [],
    "read_only_fields": {},
    "formula_fields": {},
    "deleted_keeps_purged": False,
    "deleted_status": 404,
    "edit_converted": False,
    "restricted_picklists": {},
    "default_status": "Open - Not Contacted",
    "validation_rules": [],
    "record_types": {},
    "currencies": {},
    "data_privacy": False,
    "history": {},
    "bulk_polls": 1,
    "bulk_seconds": 60,
    "bulk_page_rows": 50_000,
    "bulk_charset": True,
    "bulk_empty_header": True,
    "bulk_moments": "Z",
    "bulk_fails_after": None,
    "daily_bulk_queries": 10_000,
    "daily_bulk_batches": 15_000,
    "cdc_objects": ["Lead", "Contact", "Account", "Opportunity", "Task"],
    "cdc_entities": 5,
    "cdc_channels": {},
    "cdc_gaps": 0,
    "cdc_overflow_rows": 100_000,
    "cdc_merge": True,
    "daily_delivered_events": 25_000,
    "pubsub_keepalive_ms": 270_000,
    "pubsub_down": False,
}


#: What else an admin's work answers with: a lookup filter, an Apex trigger, a Flow, an approval (section 4).
ADMIN_CODES = (
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "FIELD_FILTER_VALIDATION_EXCEPTION",
    "FIELD_INTEGRITY_EXCEPTION",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "CANNOT_EXECUTE_FLOW_TRIGGER",
    "ENTITY_IS_LOCKED",
    "INSUFFICIENT_ACCESS_OR_READONLY",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    "TRANSFER_REQUIRES_READ",
    "STORAGE_LIMIT_EXCEEDED",
)
TRACKED = frozenset({"Lead", "Contact", "Account", "Opportunity"})
MOST_TRACKED = 20  #: fields of one object that have a history (Salesforce reference, section 6)


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


#: Objects of which change events can be asked for (Salesforce reference, section 8).
WATCHABLE = ("Account", "Campaign", "CampaignMember", "Contact", "Lead", "Opportunity", "Task")


def _watchable(value: Any) -> bool:
    return isinstance(value, list) and all(each in WATCHABLE for each in value)


def _validation_rules(value: Any) -> bool:
    """Rules as ``rules.py`` reads them."""
    return isinstance(value, list) and all(
        isinstance(each, Mapping)
        and set(each) <= {"object", "when", "message", "field", "code"}
        and each.get("code", ADMIN_CODES[0]) in ADMIN_CODES
        and isinstance(each.get("object"), str)
        and isinstance(each.get("message"), str)
        and isinstance(each.get("field", ""), str)
        and isinstance(each.get("when"), Mapping)
        and bool(each["when"])
        for each in value
    )


def _record_types(value: Any) -> bool:
    """Record types as ``record_types.py`` reads them."""
    return isinstance(value, Mapping) and all(
        isinstance(each, list) and all(_record_type(one) for one in each) for each in value.values()
    )


def _record_type(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) <= {"name", "values", "default", "available"}
        and isinstance(value.get("name"), str)
        and isinstance(value.get("default", False), bool)
        and isinstance(value.get("available", True), bool)
        and isinstance(value.get("values", {}), Mapping)
        and _names(value.get("values", {}))
    )


def _tracked(value: Any) -> bool:
    return (
        _names(value) and set(value) <= TRACKED and all(len(each) <= MOST_TRACKED for each in value.values())
    )


RULES = {
    "daily": _Rule(lambda value: value is None or _whole(value, 0), "a whole number of calls, or null"),
    "per_app_calls": _Rule(
        lambda value: value is None or _whole(value, 0),
        "how many calls the app of the session has for itself, which the header then tells, or null (unverified)",
    ),
    "jwt_longest_s": _Rule(
        lambda value: value in (180, 300), "180 or 300: how far ahead an assertion may end (sources disagree)"
    ),
    "token_lifetime_s": _Rule(lambda value: _whole(value, 1), "a whole number of seconds, at least 1"),
    "late_commit_ms": _Rule(lambda value: _whole(value, 0), "a whole number of milliseconds"),
    "duplicate_rule": _Rule(lambda value: value in ("off", "alert", "block"), "off, alert or block"),
    "duplicate_message": _Rule(lambda value: isinstance(value, str) and bool(value), "a text"),
    "assignment_rule": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "row_locks": _Rule(lambda value: _whole(value, 0), "how many of the next writes find the row locked"),
    "hidden_fields": _Rule(_names, "object names with lists of field names"),
    "hidden_objects": _Rule(
        lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
        "a list of object names",
    ),
    "read_only_fields": _Rule(_names, "object names with lists of field names"),
    "formula_fields": _Rule(_names, "object names with lists of field names"),
    "deleted_keeps_purged": _Rule(
        lambda value: isinstance(value, bool),
        "true or false: whether /deleted goes on naming what somebody took out of the recycle bin (undocumented)",
    ),
    "deleted_status": _Rule(
        lambda value: value in (400, 404),
        "404 or 400: the status of a call for a deleted record (unverified)",
    ),
    "edit_converted": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "restricted_picklists": _Rule(_names, "object names with lists of picklist names"),
    "default_status": _Rule(lambda value: isinstance(value, str), "the ApiName of a LeadStatus"),
    "validation_rules": _Rule(
        _validation_rules, "a list of {object, when: {field: value}, message, field?, code?}"
    ),
    "record_types": _Rule(
        _record_types,
        "object names with lists of {name, values?: {picklist: [values]}, default?, available?}",
    ),
    "currencies": _Rule(
        are_rates, "ISO codes with units for one of the corporate currency, which comes first with 1"
    ),
    "data_privacy": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "history": _Rule(
        _tracked, f"{', '.join(sorted(TRACKED))} with lists of at most {MOST_TRACKED} field names"
    ),
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
    "cdc_objects": _Rule(_watchable, f"a list of objects among {', '.join(WATCHABLE)}"),
    "cdc_channels": _Rule(
        lambda value: _names(value) and all(map(_watchable, value.values())),
        "channel names (NAME__chn) with lists of watched objects",
    ),
    "cdc_entities": _Rule(
        lambda value: value is None or _whole(value, 0), "how many objects a deployment may select, or null"
    ),
    "cdc_gaps": _Rule(lambda value: _whole(value, 0), "how many of the next changes come as gaps"),
    "cdc_overflow_rows": _Rule(
        lambda value: _whole(value, 0), "how many changes of one transaction come one by one"
    ),
    "cdc_merge": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "daily_delivered_events": _Rule(
        lambda value: value is None or _whole(value, 0), "a whole number of events, or null"
    ),
    "pubsub_keepalive_ms": _Rule(
        lambda value: _whole(value, 1), "a whole number of milliseconds, at least 1"
    ),
    "pubsub_down": _Rule(lambda value: isinstance(value, bool), "true or false"),
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
