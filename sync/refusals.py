"""What the CRMs refused, grouped by cause, with what a person can do about each; and trying a class of it again.

Every sync tries every refused lead again by itself. ``retry_refused`` does it at once, for exactly one cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from sync.errors import WrongUse
from sync.run import Asked, perform
from sync.tally import Outcome
from sync.work import CRMS, Work

_OWN = "mend the value in the CRM that it comes from, or map another field"
_RIGHT = "grant the integration user access to the record and the field, for example with a permission set"
_RULE = "adapt the rule to the integration user, or mend the record so that the rule lets it pass"

#: (CRM, code) to a fix in words. Salesforce reference, section 4; HubSpot reference, section 9.
FIXES: Mapping[tuple[str, str], str] = {
    (
        "salesforce",
        "DUPLICATES_DETECTED",
    ): "merge the two records in Salesforce, or let the duplicate rule pass the integration user",
    ("salesforce", "DUPLICATE_VALUE"): "find the other record that has the value, and merge the two",
    (
        "salesforce",
        "CANNOT_UPDATE_CONVERTED_LEAD",
    ): "nothing to do: a converted lead is read-only in Salesforce",
    (
        "salesforce",
        "ENTITY_IS_DELETED",
    ): "restore the record from the recycle bin, or let it go in HubSpot too",
    ("salesforce", "ENTITY_IS_LOCKED"): "end the approval that locks the record",
    ("salesforce", "FIELD_CUSTOM_VALIDATION_EXCEPTION"): _RULE,
    ("salesforce", "FIELD_FILTER_VALIDATION_EXCEPTION"): _RULE,
    (
        "salesforce",
        "FIELD_INTEGRITY_EXCEPTION",
    ): "mend the values that contradict one another, often country and state",
    ("salesforce", "REQUIRED_FIELD_MISSING"): "fill the field in HubSpot, or name a stand-in under"
    " [salesforce.required]",
    ("salesforce", "STRING_TOO_LONG"): "shorten the text in HubSpot, or lengthen the field in Salesforce",
    ("salesforce", "NUMBER_OUTSIDE_VALID_RANGE"): _OWN,
    ("salesforce", "INVALID_TYPE_ON_FIELD_IN_RECORD"): _OWN,
    (
        "salesforce",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    ): "add the word to the picklist, or to the field's [values] table",
    ("salesforce", "INVALID_EMAIL_ADDRESS"): "correct the address in HubSpot",
    ("salesforce", "INVALID_FIELD_FOR_INSERT_UPDATE"): _RIGHT,
    ("salesforce", "INVALID_CROSS_REFERENCE_KEY"): "the record it refers to is gone: choose another one",
    ("salesforce", "INSUFFICIENT_ACCESS_OR_READONLY"): _RIGHT,
    ("salesforce", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"): _RIGHT,
    (
        "salesforce",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    ): "an Apex trigger failed: show its owner the message",
    ("salesforce", "CANNOT_EXECUTE_FLOW_TRIGGER"): "a flow failed: show its owner the message",
    ("salesforce", "TRANSFER_REQUIRES_READ"): "let the new owner read leads",
    ("salesforce", "INACTIVE_OWNER_OR_USER"): "give the record to an active user",
    (
        "salesforce",
        "CHANGED_MEANWHILE",
    ): "nothing to do: the next sync decides anew on what was set there since",
    ("hubspot", "STAGE_IGNORED"): "HubSpot kept its stage: look for a workflow that sets it back",
    (
        "hubspot",
        "PROPERTY_DOESNT_EXIST",
    ): "create the property (`leadpact setup` for ours), or correct the map",
    ("hubspot", "READ_ONLY_VALUE"): "HubSpot calculates the property: map it with direction to_salesforce",
    (
        "hubspot",
        "INVALID_OPTION",
    ): "add the option to the property, or the word to the field's [values] table",
    ("hubspot", "INVALID_EMAIL"): "correct the address in Salesforce",
    ("hubspot", "INVALID_DATE"): _OWN,
    ("hubspot", "INVALID_LONG"): _OWN,
    ("hubspot", "INVALID_INTEGER"): _OWN,
    ("hubspot", "CONFLICTING_UNIQUE_VALUE"): "find the other contact that has the value, and merge the two",
    ("hubspot", "CONFLICT"): "another contact has the address: merge the two in HubSpot",
    ("hubspot", "OBJECT_NOT_FOUND"): "the contact was deleted: restore it within 90 days, or let it go",
    ("hubspot", "VALIDATION_ERROR"): _OWN,
}
UNKNOWN_CODE = "the CRM's own message says what it wants; every later sync tries it again"


@dataclass(frozen=True, slots=True)
class Cause:
    """One code of one CRM. ``oldest``: when it was first refused; ``fields``: what the CRM complained about."""

    crm: str
    code: str
    leads: int
    oldest: datetime
    tries: int
    fields: tuple[str, ...]
    message: str
    fix: str
    sample: str  #: a lead


def refused_rows(work: Work, codes: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """What is refused now, the oldest first; only these codes where some are given."""
    return [row for row in work.store.journal.refused() if not codes or row["code"] in codes]


def by_cause(rows: list[dict[str, Any]]) -> list[Cause]:
    """The causes, the one with most leads first."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["crm"], row["code"]), []).append(row)
    causes = [
        Cause(
            crm,
            code,
            leads=len({row["lead_id"] for row in mine}),
            oldest=min(row["first_at"] for row in mine),
            tries=max(row["tries"] for row in mine),
            fields=tuple(sorted({name for row in mine for name in row["fields"].split(",") if name})),
            message=mine[0]["message"],
            fix=FIXES.get((crm, code), UNKNOWN_CODE),
            sample=mine[0]["lead_id"],
        )
        for (crm, code), mine in groups.items()
    ]
    return sorted(causes, key=lambda cause: (-cause.leads, cause.crm, cause.code))


def retry_refused(work: Work, codes: tuple[str, ...] = ()) -> Outcome:
    """Read exactly the refused leads again, those of these codes if any are given, and run them.

    Raises WrongUse where nothing is refused so, and what a run raises.
    """
    rows = refused_rows(work, codes)
    if not rows:
        raise WrongUse(
            f"nothing is refused with {', '.join(codes)}" if codes else "nothing is refused",
            fix="`leadpact refused` shows what is",
        )
    leads = pl.Series("lead_id", [row["lead_id"] for row in rows], dtype=pl.String).unique()
    links = work.store.leads.links_of_leads(leads)
    names = {crm: links.filter(pl.col("crm") == crm)["record_id"].to_list() for crm in CRMS}
    return perform(work, Asked("refused retry", names=names, waiting=False))
