"""How the account's standard properties are written down, and what each becomes on the wire."""

from __future__ import annotations

from typing import Any, NamedTuple

from connectors.sandbox.hubspot.account import OPENED
from connectors.sandbox.hubspot.lifecycle import STAGES, stage_properties
from connectors.sandbox.hubspot.moments import wire

Options = tuple[tuple[str, str], ...]  # (value, label)

YES_NO: Options = (("true", "Yes"), ("false", "No"))
LEAD_STATUS: Options = (
    ("NEW", "New"),
    ("OPEN", "Open"),
    ("IN_PROGRESS", "In Progress"),
    ("OPEN_DEAL", "Open Deal"),
    ("UNQUALIFIED", "Unqualified"),
    ("ATTEMPTED_TO_CONTACT", "Attempted to Contact"),
    ("CONNECTED", "Connected"),
    ("BAD_TIMING", "Bad Timing"),
)
TRAFFIC: Options = (
    ("ORGANIC_SEARCH", "Organic Search"),
    ("PAID_SEARCH", "Paid Search"),
    ("EMAIL_MARKETING", "Email Marketing"),
    ("SOCIAL_MEDIA", "Organic Social"),
    ("REFERRALS", "Referrals"),
    ("OTHER_CAMPAIGNS", "Other Campaigns"),
    ("DIRECT_TRAFFIC", "Direct Traffic"),
    ("OFFLINE", "Offline Sources"),
    ("PAID_SOCIAL", "Paid Social"),
)


_REFERENCES = {"hubspot_owner_id": "OWNER", "associatedcompanyid": "COMPANY"}


class Standard(NamedTuple):
    """One standard property. ``flags``: r value is read only, o options are read only, x options come
    from outside, h hidden, c made by this account (not by HubSpot)."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    flags: str = ""
    options: Options = ()


def stage_dates(group: str) -> tuple[Standard, ...]:
    """The three date properties of every standard stage."""
    words = ("Became a {} Date", "Date entered '{}'", "Date exited '{}'")
    return tuple(
        Standard(name, word.format(label), "datetime", "calculation_read_time", group, "r")
        for stage, label in STAGES
        for name, word in zip(stage_properties(stage), words, strict=True)
    )


def option_rows(options: Options) -> list[dict[str, Any]]:
    """Options as a definition carries them."""
    return [
        {"label": label, "value": value, "displayOrder": place, "hidden": False}
        for place, (value, label) in enumerate(options)
    ]


def definition(row: Standard, place: int) -> dict[str, Any]:
    """A standard property in the recorded wire shape (HubSpot reference, section 6.1)."""
    made_here = "c" in row.flags
    metadata: dict[str, Any] = {"archivable": True, "readOnlyDefinition": not made_here}
    if "o" in row.flags:
        metadata["readOnlyOptions"] = True
    metadata["readOnlyValue"] = "r" in row.flags
    body = {
        "updatedAt": wire(OPENED),
        "createdAt": wire(OPENED),
        "name": row.name,
        "label": row.label,
        "type": row.type,
        "fieldType": row.field_type,
        "description": row.label,
        "groupName": row.group,
        "options": option_rows(row.options),
        "displayOrder": place,
        "calculated": False,
        "externalOptions": "x" in row.flags,
        "hasUniqueValue": row.name == "hs_object_id",
        "hidden": "h" in row.flags,
        "modificationMetadata": metadata,
        "formField": "r" not in row.flags and "h" not in row.flags,
        "dataSensitivity": "non_sensitive",
    }
    if row.name in _REFERENCES:
        body["referencedObjectType"] = _REFERENCES[row.name]
    return {**body, "archived": False} if made_here else {**body, "hubspotDefined": True}
