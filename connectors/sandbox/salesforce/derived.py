"""Columns that Salesforce works out itself when a record is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from connectors.sandbox.salesforce.moments import kept, moment_of
from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.store import Store

# Stage name to probability in percent, forecast category and its label, closed, won: the defaults of a new org.
STAGES: dict[str, tuple[int, str, str, bool, bool]] = {
    "Prospecting": (10, "Pipeline", "Pipeline", False, False),
    "Qualification": (10, "Pipeline", "Pipeline", False, False),
    "Needs Analysis": (20, "Pipeline", "Pipeline", False, False),
    "Value Proposition": (50, "Pipeline", "Pipeline", False, False),
    "Id. Decision Makers": (60, "Pipeline", "Pipeline", False, False),
    "Perception Analysis": (70, "Pipeline", "Pipeline", False, False),
    "Proposal/Price Quote": (75, "Pipeline", "Pipeline", False, False),
    "Negotiation/Review": (90, "Pipeline", "Pipeline", False, False),
    "Closed Won": (100, "Closed", "Closed", True, True),
    "Closed Lost": (0, "Omitted", "Omitted", True, False),
}
PERSON_COLUMNS = (
    "Salutation",
    "FirstName",
    "LastName",
    "Name",
    "Title",
    "Email",
    "Phone",
    "Fax",
    "MobilePhone",
)
Row = Mapping[str, Any]


def person_name(row: Row) -> str:
    """First and last name with a space between."""
    return " ".join(each for each in (row.get("FirstName"), row.get("LastName")) if each)


def _person(_store: Store, row: Row, _changed: Row) -> dict[str, Any]:
    return {"Name": person_name(row)}


def _opportunity(_store: Store, row: Row, changed: Row) -> dict[str, Any]:
    made: dict[str, Any] = {}
    stage = STAGES.get(row.get("StageName") or "")
    if stage is not None and "StageName" in changed:
        probability, category, label, closed, won = stage
        made = {"ForecastCategory": category, "ForecastCategoryName": label}
        given = changed.get("Probability")
        made.update(IsClosed=int(closed), IsWon=int(won), Probability=probability if given is None else given)
    day = row.get("CloseDate")
    if day:
        quarter = (int(day[5:7]) + 2) // 3
        made.update(FiscalYear=int(day[:4]), FiscalQuarter=quarter, Fiscal=f"{day[:4]} {quarter}")
    if row.get("Amount") is not None:
        percent = made.get("Probability", row.get("Probability")) or 0
        made["ExpectedRevenue"] = row["Amount"] * percent / 100
    return made


def _account_of(store: Store, row: Row) -> str | None:
    """The account of an activity: that of what it is about, else that of the contact it is with."""
    for record_id in (row.get("WhatId"), row.get("WhoId")):
        prefix = str(record_id)[:3]
        if prefix == "001":
            return record_id
        table = {"006": "Opportunity", "003": "Contact"}.get(prefix)
        if table is not None:
            found = store.rows(f"SELECT AccountId FROM {table} WHERE Id = ?", (record_id,))
            return found[0]["AccountId"] if found else None
    return None


def _task(store: Store, row: Row, _changed: Row) -> dict[str, Any]:
    closed = row.get("Status") == "Completed"
    made: dict[str, Any] = {"IsClosed": int(closed), "IsHighPriority": int(row.get("Priority") == "High")}
    made["AccountId"] = _account_of(store, row)
    if closed and not row.get("IsClosed"):
        return {**made, "CompletedDateTime": row["LastModifiedDate"]}
    return made


def _event(store: Store, row: Row, changed: Row) -> dict[str, Any]:
    """Start, end and length of an event say the same thing in two ways; both are kept."""
    start = changed.get("StartDateTime") or changed.get("ActivityDateTime") or row.get("StartDateTime")
    if start is None:
        text = "Required fields are missing: [ActivityDateTime, DurationInMinutes]"
        raise RowRefused("REQUIRED_FIELD_MISSING", text, ["ActivityDateTime", "DurationInMinutes"])
    begin, minutes, end = moment_of(start), row.get("DurationInMinutes"), row.get("EndDateTime")
    if end is None or "DurationInMinutes" in changed:
        end = kept(begin + timedelta(minutes=minutes or 0))
    made = {"StartDateTime": start, "ActivityDateTime": start, "ActivityDate": start[:10], "EndDateTime": end}
    minutes = int((moment_of(end) - begin).total_seconds()) // 60
    return {**made, "DurationInMinutes": minutes, "AccountId": _account_of(store, row)}


def _campaign_member(store: Store, row: Row, changed: Row) -> dict[str, Any]:
    person = row.get("LeadId") or row.get("ContactId")
    if person is None:
        raise RowRefused("REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId or ContactId]")
    table = "Lead" if row.get("LeadId") else "Contact"
    found = store.rows(f"SELECT * FROM {table} WHERE Id = ?", (person,))
    if not found:
        raise RowRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if found[0].get("IsConverted") and row.get("ContactId") is None and "LeadId" in changed:
        raise RowRefused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    statuses = store.rows(
        "SELECT Label, HasResponded FROM CampaignMemberStatus WHERE CampaignId = ?", (row["CampaignId"],)
    )
    responded = {each["Label"]: each["HasResponded"] for each in statuses} or {"Sent": 0, "Responded": 1}
    made = {name: found[0].get(name) for name in PERSON_COLUMNS}
    made.update(
        LeadOrContactId=person,
        LeadOrContactOwnerId=found[0].get("OwnerId"),
        Type=table,
        CompanyOrAccount=found[0].get("Company"),
        LeadSource=found[0].get("LeadSource"),
        HasResponded=responded.get(row.get("Status") or "Sent", 0),
    )
    if made["HasResponded"] and not row.get("FirstRespondedDate"):
        made["FirstRespondedDate"] = row["LastModifiedDate"][:10]
    return made


DERIVED: dict[str, Callable[[Store, Row, Row], dict[str, Any]]] = {
    "Lead": _person,
    "Contact": _person,
    "User": _person,
    "Individual": _person,
    "Opportunity": _opportunity,
    "Task": _task,
    "Event": _event,
    "CampaignMember": _campaign_member,
}


def derived(store: Store, object_name: str, row: Row, changed: Row) -> dict[str, Any]:
    """What follows from a row about to be saved, of which ``changed`` is new. Raises RowRefused."""
    work_out = DERIVED.get(object_name)
    return {} if work_out is None else work_out(store, row, changed)
