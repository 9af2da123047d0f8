"""What only a person or Apex can do to records: convert a lead, merge duplicates, bring back from the bin.

Salesforce reference, section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.sandbox.salesforce.duplicates import check_duplicates
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.records import Records, id_of
from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.schema import SObject

RELATED = {
    "Lead": (("CampaignMember", "LeadId"), ("Task", "WhoId"), ("Event", "WhoId")),
    "Contact": (
        ("CampaignMember", "ContactId"),
        ("OpportunityContactRole", "ContactId"),
        ("Task", "WhoId"),
        ("Event", "WhoId"),
        ("Contact", "ReportsToId"),
    ),
    "Account": (
        ("Contact", "AccountId"),
        ("Opportunity", "AccountId"),
        ("Account", "ParentId"),
        *((name, field) for name in ("Task", "Event") for field in ("WhatId", "AccountId")),
    ),
}
#: Of what a person can be part only once: after a merge the second of two ends.
ONCE = {"CampaignMember": "CampaignId", "OpportunityContactRole": "OpportunityId"}
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
    ``opportunity_id``, ``opportunity_name``, ``no_opportunity``, ``owner_id``, ``overwrite_source`` and
    ``by_api``. Raises RowRefused as ``convertLead`` would.

    A record that is there already is only filled where it is empty; ``overwrite_source`` replaces the lead
    source of an existing contact. ``by_api``: the duplicate rule is asked about a new contact, and an opportunity
    without a name is called like the company; the page that a person sees puts a dash behind it.
    """
    lead_object = org.full.objects["Lead"]
    records = Records(org)
    lead = records.live(lead_object, lead_id)
    if lead["IsConverted"]:
        raise RowRefused("CANNOT_UPDATE_CONVERTED_LEAD", "lead has already been converted")
    status = _converted_status(org, wanted.get("status"))
    _check_targets(wanted)
    owner = wanted.get("owner_id") or lead["OwnerId"]
    if str(owner).startswith(org.full.objects["Group"].prefix):
        raise RowRefused("INVALID_OWNER", "a lead that a queue owns needs an owner_id to be converted")
    account = _into(org, "Account", wanted.get("account_id"), lead, TO_ACCOUNT, {"OwnerId": owner}, writer)
    link = {"OwnerId": owner, "AccountId": account}
    if wanted.get("by_api") and wanted.get("contact_id") is None:
        _check_duplicates(org, {**lead, **link}, writer)
    contact = _into(org, "Contact", wanted.get("contact_id"), lead, TO_CONTACT, link, writer)
    if wanted.get("overwrite_source"):
        records.update("Contact", contact, {"LeadSource": lead["LeadSource"]}, writer)
    opportunity = _opportunity_of(org, lead, wanted, link, contact, writer)
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
    _move_activities(org, lead_id, {"WhoId": contact, "WhatId": opportunity or account}, writer)
    return {"id": lead_id, "account_id": account, "contact_id": contact, "opportunity_id": opportunity}


def _check_targets(wanted: Mapping[str, Any]) -> None:
    """Which existing records may be named together. Raises RowRefused."""
    opportunity = wanted.get("opportunity_name") or wanted.get("opportunity_id")
    if wanted.get("no_opportunity") and opportunity:
        raise RowRefused(
            "INVALID_FIELD",
            "One or more leads couldn't be converted. If doNotCreateOpportunity is true, opportunityName and "
            "opportunityId must be null.",
        )
    if wanted.get("opportunity_name") and wanted.get("opportunity_id"):
        raise RowRefused("INVALID_FIELD", "opportunityName and opportunityId exclude each other")
    if wanted.get("contact_id") and not wanted.get("account_id"):
        raise RowRefused("REQUIRED_FIELD_MISSING", "contactId needs an accountId", ["accountId"])
    if wanted.get("overwrite_source") and not wanted.get("contact_id"):
        raise RowRefused("REQUIRED_FIELD_MISSING", "overwriteLeadSource needs a contactId", ["contactId"])


def _check_duplicates(org: Org, row: Mapping[str, Any], writer: Writer) -> None:
    rule = org.switches["duplicate_rule"]
    if rule != "off":
        check_duplicates(org.store, "Contact", None, row, rule, writer.allow_save)


def _opportunity_of(
    org: Org,
    lead: Mapping[str, Any],
    wanted: Mapping[str, Any],
    link: Mapping[str, Any],
    contact: str,
    writer: Writer,
) -> str | None:
    """The opportunity of the conversion: a new one, the one that is named, or none."""
    given = wanted.get("opportunity_id")
    if given is not None:
        found = _into(org, "Opportunity", given, lead, {"LeadSource": "LeadSource"}, link, writer)
        _add_role(org, found, contact, writer)
        return found
    if wanted.get("no_opportunity", False):
        return None
    made = Records(org).create("Opportunity", _opportunity(org, lead, wanted, link), writer)
    _add_role(org, made, contact, writer)
    return made


def _add_role(org: Org, opportunity: str, contact: str, writer: Writer) -> None:
    """The contact of a conversion plays a role in its opportunity, the first one as the primary contact."""
    roles = org.store.rows(
        "SELECT ContactId FROM OpportunityContactRole WHERE OpportunityId = ? AND IsDeleted = 0",
        (opportunity,),
    )
    if contact in {row["ContactId"] for row in roles}:
        return
    role = {"OpportunityId": opportunity, "ContactId": contact, "IsPrimary": not roles}
    Records(org).create("OpportunityContactRole", role, writer)


def _move_activities(org: Org, lead_id: str, links: Mapping[str, str], writer: Writer) -> None:
    """What was done with the lead was done with the contact; a lead's activity is about nothing else before."""
    for name in ("Task", "Event"):
        for row in org.store.rows(f"SELECT * FROM {name} WHERE WhoId = ? AND IsDeleted = 0", (lead_id,)):
            row.pop("row")
            changed = {field: value for field, value in links.items() if field == "WhoId" or not row[field]}
            Records(org).save(org.full.objects[name], row["Id"], row, {**row, **changed}, changed, writer)


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
    if "AccountId" in link and there["AccountId"] not in (None, link["AccountId"]):
        raise RowRefused("FIELD_INTEGRITY_EXCEPTION", f"the {name.lower()} belongs to another account")
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
        "Name": wanted.get("opportunity_name") or f"{lead['Company']}{'' if wanted.get('by_api') else '-'}",
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


def merge(
    org: Org,
    sobject: SObject,
    winner: str,
    losers: Sequence[str],
    writer: Writer,
    *,
    fill: bool = True,
    moved: list[str] | None = None,
) -> dict[str, Any]:
    """Merge one or two records into a winner, which keeps its own values and, with ``fill``, fills its empty ones.

    A person who merges chooses values field by field; the API leaves the winner's as they are. ``moved`` takes
    the ids of the records that pointed at a merged one. Raises RowRefused.
    """
    if sobject.name not in RELATED:
        raise RowRefused("INVALID_TYPE", f"{sobject.name} cannot be merged")
    if not 1 <= len(losers) <= 2 or winner in losers:
        raise RowRefused("INVALID_ID_FIELD", "a merge takes one or two other records")
    records = Records(org)
    kept = records.live(sobject, winner)
    gone = {each: records.live(sobject, each) for each in losers}
    filled = _from_losers(sobject, kept, gone.values()) if fill else {}
    for loser, row in gone.items():
        columns = {"IsDeleted": 1, "MasterRecordId": winner}
        records.save(sobject, loser, row, {**row, **columns}, columns, writer)
    records.save(sobject, winner, kept, {**kept, **filled}, filled, writer)
    for loser in losers:
        related = _move_related(org, sobject, loser, winner, writer)
        if moved is not None:
            moved.extend(related)
    return {"id": winner, "merged": list(losers)}


def _from_losers(
    sobject: SObject, kept: Mapping[str, Any], gone: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """What the winner lacks and a loser has, the first one's first."""
    filled: dict[str, Any] = {}
    for row in gone:
        for field in sobject.fields.values():
            if field.stored and field.update and kept[field.name] is None and row[field.name] is not None:
                filled.setdefault(field.name, row[field.name])
    return filled


def _move_related(org: Org, sobject: SObject, loser: str, winner: str, writer: Writer) -> list[str]:
    """Records that point at a merged one point at the winner; a second membership or role of one ends."""
    found: list[str] = []
    for other, field in RELATED[sobject.name]:
        for row in org.store.rows(f"SELECT * FROM {other} WHERE {field} = ? AND IsDeleted = 0", (loser,)):
            row.pop("row")
            changed: dict[str, Any] = {field: winner}
            once = ONCE.get(other)
            if once is not None and org.store.rows(
                f"SELECT Id FROM {other} WHERE {once} = ? AND {field} = ? AND IsDeleted = 0",
                (row[once], winner),
            ):
                changed = {"IsDeleted": 1}
            Records(org).save(org.full.objects[other], row["Id"], row, {**row, **changed}, changed, writer)
            found.append(row["Id"])
    return found


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
