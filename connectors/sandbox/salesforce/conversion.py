"""What only a person or Apex can do to records: convert a lead, merge duplicates, bring back from the bin.

Salesforce reference, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.records import Records, Writer, id_of
from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.schema import SObject

RELATED = {
    "Lead": (("CampaignMember", "LeadId"), ("Task", "WhoId")),
    "Contact": (("CampaignMember", "ContactId"), ("Task", "WhoId"), ("Contact", "ReportsToId")),
    "Account": (
        ("Contact", "AccountId"),
        ("Opportunity", "AccountId"),
        ("Account", "ParentId"),
        ("Task", "WhatId"),
    ),
}
TO_CONTACT = {
    **{
        name: name
        for name in ("Salutation", "FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone")
    },
    **{name: name for name in ("Fax", "LeadSource", "Description", "HasOptedOutOfEmail", "HasOptedOutOfFax")},
    **{name: f"Mailing{name}" for name in ("Street", "City", "State", "PostalCode", "Country")},
    "DoNotCall": "DoNotCall",
}
TO_ACCOUNT = {
    **{name: f"Billing{name}" for name in ("Street", "City", "State", "PostalCode", "Country")},
    **{name: name for name in ("Phone", "Fax", "Website", "Industry", "Rating", "AnnualRevenue")},
    "NumberOfEmployees": "NumberOfEmployees",
    "Company": "Name",
}


def convert(org: Org, lead_id: str, wanted: Mapping[str, Any], writer: Writer) -> dict[str, Any]:
    """Convert a lead; returns the ids. ``wanted`` may name ``status``, ``account_id``, ``contact_id``,
    ``opportunity_name``, ``no_opportunity`` and ``owner_id``. Raises RowRefused as ``convertLead`` would.

    An account or contact that is there already is only filled where it is empty.
    """
    lead_object = org.full.objects["Lead"]
    records = Records(org)
    lead = records.live(lead_object, lead_id)
    if lead["IsConverted"]:
        raise RowRefused("CANNOT_UPDATE_CONVERTED_LEAD", "lead has already been converted")
    status = _converted_status(org, wanted.get("status"))
    owner = wanted.get("owner_id") or lead["OwnerId"]
    if str(owner).startswith(org.full.objects["Group"].prefix):
        raise RowRefused("INVALID_OWNER", "a lead that a queue owns needs an owner_id to be converted")
    account = _into(org, "Account", wanted.get("account_id"), lead, TO_ACCOUNT, {"OwnerId": owner}, writer)
    link = {"OwnerId": owner, "AccountId": account}
    contact = _into(org, "Contact", wanted.get("contact_id"), lead, TO_CONTACT, link, writer)
    opportunity = None
    if not wanted.get("no_opportunity", False):
        opportunity = records.create("Opportunity", _opportunity(org, lead, wanted, link), writer)
    columns = {
        "IsConverted": 1,
        "Status": status,
        "ConvertedDate": org.now().date().isoformat(),
        "ConvertedAccountId": account,
        "ConvertedContactId": contact,
        "ConvertedOpportunityId": opportunity,
        "IsUnreadByOwner": 0,
    }
    records.save(lead_object, lead_id, lead, {**lead, **columns}, columns, writer)
    _move_members(org, lead_id, contact, writer)
    return {"id": lead_id, "account_id": account, "contact_id": contact, "opportunity_id": opportunity}


def _converted_status(org: Org, wanted: object) -> str:
    rows = org.store.rows("SELECT ApiName FROM LeadStatus WHERE IsConverted = 1 ORDER BY SortOrder")
    known = [str(row["ApiName"]) for row in rows]
    if wanted is None:
        return known[0]
    if wanted not in known:
        raise RowRefused("INVALID_STATUS", f"invalid convertedStatus: {wanted}")
    return str(wanted)


def _into(
    org: Org,
    name: str,
    given: object,
    lead: Mapping[str, Any],
    mapping: Mapping[str, str],
    link: Mapping[str, Any],
    writer: Writer,
) -> str:
    sobject = org.full.objects[name]
    custom = {each.name: each.name for each in sobject.fields.values() if each.custom and each.name in lead}
    values = {to: lead[source] for source, to in {**mapping, **custom}.items() if lead[source] is not None}
    records = Records(org)
    if given is None:
        return records.create(name, {**_unkept(values), **link}, writer)
    record_id = id_of(sobject, given)
    there = records.live(sobject, record_id)
    records.update(name, record_id, _unkept({k: v for k, v in values.items() if there[k] is None}), writer)
    return record_id


def _unkept(values: Mapping[str, Any]) -> dict[str, Any]:
    """Kept flags are 0 and 1; requests carry booleans."""
    flags = ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall")
    return {name: bool(value) if name in flags else value for name, value in values.items()}


def _opportunity(
    org: Org, lead: Mapping[str, Any], wanted: Mapping[str, Any], link: Mapping[str, Any]
) -> dict[str, Any]:
    today = org.now().date()
    quarter_end = (today.month - 1) // 3 * 3 + 3
    last_day = 31 if quarter_end in (3, 12) else 30
    return {
        "Name": wanted.get("opportunity_name") or f"{lead['Company']}-",
        "StageName": "Prospecting",
        "CloseDate": today.replace(month=quarter_end, day=last_day).isoformat(),
        "LeadSource": lead["LeadSource"],
        **link,
    }


def _move_members(org: Org, lead_id: str, contact: str, writer: Writer) -> None:
    sobject = org.full.objects["CampaignMember"]
    for row in org.store.rows("SELECT * FROM CampaignMember WHERE LeadId = ? AND IsDeleted = 0", (lead_id,)):
        row.pop("row")
        changed = {"ContactId": contact}
        Records(org).save(sobject, row["Id"], row, {**row, **changed}, changed, writer)


def merge(org: Org, sobject: SObject, winner: str, losers: Sequence[str], writer: Writer) -> dict[str, Any]:
    """Merge one or two records into a winner, which keeps its own values and fills its empty ones."""
    if sobject.name not in RELATED:
        raise RowRefused("INVALID_TYPE", f"{sobject.name} cannot be merged")
    if not 1 <= len(losers) <= 2 or winner in losers:
        raise RowRefused("INVALID_ID_FIELD", "a merge takes one or two other records")
    records = Records(org)
    kept = records.live(sobject, winner)
    gone = {each: records.live(sobject, each) for each in losers}
    filled: dict[str, Any] = {}
    for loser, row in gone.items():
        for field in sobject.fields.values():
            if field.stored and field.update and kept[field.name] is None and row[field.name] is not None:
                filled.setdefault(field.name, row[field.name])
        columns = {"IsDeleted": 1, "MasterRecordId": winner}
        records.save(sobject, loser, row, {**row, **columns}, columns, writer)
    records.save(sobject, winner, kept, {**kept, **filled}, filled, writer)
    for loser in losers:
        _move_related(org, sobject, loser, winner, writer)
    return {"id": winner, "merged": list(losers)}


def _move_related(org: Org, sobject: SObject, loser: str, winner: str, writer: Writer) -> None:
    """Records that point at a merged one point at the winner; a second membership of one campaign ends."""
    for other, field in RELATED[sobject.name]:
        for row in org.store.rows(f"SELECT * FROM {other} WHERE {field} = ? AND IsDeleted = 0", (loser,)):
            row.pop("row")
            changed: dict[str, Any] = {field: winner}
            if other == "CampaignMember" and org.store.rows(
                f"SELECT Id FROM CampaignMember WHERE CampaignId = ? AND {field} = ? AND IsDeleted = 0",
                (row["CampaignId"], winner),
            ):
                changed = {"IsDeleted": 1}
            Records(org).save(org.full.objects[other], row["Id"], row, {**row, **changed}, changed, writer)


def undelete(org: Org, sobject: SObject, record_id: str, writer: Writer) -> str:
    """Bring a record back from the recycle bin. Raises RowRefused when it is not there."""
    org.settle(record_id)
    row = org.store.row(sobject, record_id)
    if row is None or not row.get("IsDeleted"):
        raise RowRefused("UNDELETE_FAILED", "entity is not in the recycle bin")
    row.pop("row")
    Records(org).save(sobject, record_id, row, {**row, "IsDeleted": 0, **_unmerged(sobject)}, {}, writer)
    return record_id


def _unmerged(sobject: SObject) -> dict[str, None]:
    return {"MasterRecordId": None} if "MasterRecordId" in sobject.fields else {}
