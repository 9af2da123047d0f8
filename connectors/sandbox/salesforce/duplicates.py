"""The duplicate rule of Lead and Contact, when the switch turns it on.

Records are alike with the same e-mail address, or with the same name at the same company. An ``alert`` rule can
be overridden by ``Sforce-Duplicate-Rule-Header: allowSave=true``, a ``block`` rule cannot; the admin may have
written another text. The matches are told by id, with ``includeRecordDetails=true`` by some fields too
(Salesforce reference, sections 2 and 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.store import Store

TEXT = "Use one of these records?"
SHOWN = ("Id", "Name", "Email", "Phone")  #: what the details of a match are
WATCHED = frozenset({"Email", "FirstName", "LastName", "Company", "AccountId"})


def check_duplicates(
    store: Store,
    object_name: str,
    record_id: str | None,
    row: Mapping[str, Any],
    rule: str,
    allow_save: bool,
    *,
    details: bool = False,
    text: str = TEXT,
) -> None:
    """Raise RowRefused (DUPLICATES_DETECTED) when a live record is alike and the rule stands in the way."""
    if object_name not in ("Lead", "Contact") or (rule == "alert" and allow_save):
        return
    group = "Company" if object_name == "Lead" else "AccountId"
    live = "IsDeleted = 0" + (" AND IsConverted = 0" if object_name == "Lead" else "")
    alike = store.rows(
        f"SELECT {', '.join(SHOWN)} FROM {object_name} WHERE {live} AND Id <> ? AND (Email = ? OR "
        f"(LastName = ? AND FirstName = ? AND {group} = ?)) ORDER BY Id LIMIT 5",
        (record_id or "", row.get("Email"), row.get("LastName"), row.get("FirstName"), row.get(group)),
    )
    if alike:
        found = [each if details else {"Id": each["Id"]} for each in alike]
        result = {**_result(object_name, found, rule == "alert"), "errorMessage": text}
        raise RowRefused("DUPLICATES_DETECTED", text, extra={"duplicateResult": result})


def _result(object_name: str, found: list[dict[str, Any]], allow_save: bool) -> dict[str, Any]:
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": object_name, "url": ""}, **each},
        }
        for each in found
    ]
    match = {
        "entityType": object_name,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": records,
        "rule": f"Standard_{object_name}_Match_Rule_v1_1",
        "size": len(found),
        "success": True,
    }
    return {
        "allowSave": allow_save,
        "duplicateRule": f"Standard_{object_name}_Duplicate_Rule",
        "duplicateRuleEntityType": object_name,
        "matchResults": [match],
    }
