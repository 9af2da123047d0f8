"""The standard properties of the Leads object and its pipeline (HubSpot reference, section 6.5)."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.standard_shape import Standard

INFO = "leadinformation"
GROUPS = ((INFO, "Lead information"),)
PIPELINE = "lead-pipeline-id"
#: (id, label, whether a lead there is done with). The ids are those of the reference, the labels are ours.
STAGES = (
    ("new-stage-id", "New", False),
    ("attempting-stage-id", "Attempting", False),
    ("connected-stage-id", "Connected", False),
    ("qualified-stage-id", "Qualified", True),
    ("unqualified-stage-id", "Unqualified", True),
)
#: Account-editable; the values of an account are read, never known.
TYPES = (
    ("NEW_BUSINESS", "New business"),
    ("RE_ATTEMPTING", "Re-attempting"),
    ("UPSELL", "Upsell"),
)
LABELS = (("HOT", "Hot"), ("WARM", "Warm"), ("COLD", "Cold"))

PROPERTIES = (
    Standard("hs_lead_name", "Lead name", "string", "text", INFO),
    Standard("hs_lead_type", "Lead type", "enumeration", "radio", INFO, "", TYPES),
    Standard("hs_lead_label", "Lead label", "enumeration", "radio", INFO, "", LABELS),
    Standard("hs_pipeline", "Pipeline", "enumeration", "select", INFO, "x"),
    Standard(
        "hs_pipeline_stage",
        "Pipeline stage",
        "enumeration",
        "select",
        INFO,
        "",
        tuple((stage, label) for stage, label, _ in STAGES),
    ),
    Standard("hubspot_owner_id", "Lead owner", "enumeration", "select", INFO, "x"),
    Standard("hs_object_id", "Record ID", "number", "number", INFO, "r"),
    Standard("hs_object_source", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_id", "Record source ID", "string", "text", INFO, "rh"),
    Standard("hs_object_source_label", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_user_id", "Record source user ID", "number", "number", INFO, "rh"),
    Standard("hs_createdate", "Object create date/time", "datetime", "date", INFO, "r"),
    Standard("hs_lastmodifieddate", "Object last modified date/time", "datetime", "date", INFO, "r"),
    Standard("hs_merged_object_ids", "Merged record IDs", "enumeration", "checkbox", INFO, "rxh"),
)


def pipeline(opened: int) -> dict[str, Any]:
    """The pipeline of the Leads object as the pipelines API writes it; ``opened`` in milliseconds."""
    made = wire(opened)
    stages = [
        {
            "label": label,
            "displayOrder": place,
            "metadata": {"isClosed": "true" if closed else "false"},
            "id": stage,
            "createdAt": made,
            "updatedAt": made,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "archived": False,
        }
        for place, (stage, label, closed) in enumerate(STAGES)
    ]
    body = {"label": "Lead pipeline", "displayOrder": 0, "id": PIPELINE, "stages": stages}
    return {**body, "createdAt": made, "updatedAt": made, "archived": False}
