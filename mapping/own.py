"""Leadpact's own fields in both CRMs: what the verdict is shown in, and the id of the counterpart.

``setup`` creates them; ``own_fields`` mode writes nothing else. They are read like mapped fields, so that
what a CRM shows can be compared with the verdict in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from mapping.lead import FieldType, LeadField

CROSS_ID = "cross_id"


@dataclass(frozen=True, slots=True)
class OwnField:
    """One field of ours: its lead field, its name in each CRM, and the verdict column it shows."""

    lead: LeadField
    hubspot: str
    salesforce: str
    kind: Literal["text", "long_text", "number", "choice", "datetime"]
    label: Mapping[str, str]  #: by language
    verdict: str | None  #: column of the verdict frame; None: not a verdict
    unique: bool = False
    length: int = 255

    def name_in(self, crm: str) -> str:
        return self.hubspot if crm == "hubspot" else self.salesforce

    def said(self) -> pl.Expr:
        """What a CRM is told: the verdict's column as text, times in ISO 8601 (UTC). A ValueError for the others."""
        if self.verdict is None:
            raise ValueError(f"{self.lead.name} shows no verdict")
        column = pl.col(self.verdict)
        return column.dt.strftime("%Y-%m-%dT%H:%M:%SZ") if self.kind == "datetime" else column.cast(pl.String)


def _own(
    name: str,
    crm_name: str,
    kind: Literal["text", "long_text", "number", "choice", "datetime"],
    english: str,
    german: str,
    verdict: str,
) -> OwnField:
    types = {"number": FieldType.INTEGER, "datetime": FieldType.DATETIME}
    lead_type = types.get(kind, FieldType.TEXT)
    return OwnField(
        lead=LeadField(name, lead_type, english),
        hubspot=f"leadpact_{crm_name.lower()}",
        salesforce=f"Leadpact_{crm_name}__c",
        kind=kind,
        label={"en": english, "de": german},
        verdict=verdict,
    )


#: Tells people that chance handed a lead over, or its points.
HANDED_BY = _own(
    "shown_handover_by",
    "Handed_Over_By",
    "text",
    "Leadpact: handed over by points or exploration",
    "Leadpact: übergeben nach Punkten oder zur Probe",
    "handover_by",
)
#: The record in one CRM that stands for the same lead as the record in the other.
CROSS = OwnField(
    lead=LeadField(CROSS_ID, FieldType.TEXT, "Record id of the counterpart in the other CRM"),
    hubspot="leadpact_salesforce_id",
    salesforce="Leadpact_HubSpot_Id__c",
    kind="text",
    label={"en": "Leadpact: id in the other CRM", "de": "Leadpact: Kennung im anderen CRM"},
    verdict=None,
    unique=True,
    length=32,
)
#: In the order in which people read them.
OWN_FIELDS: tuple[OwnField, ...] = (
    _own("shown_stage", "Stage", "choice", "Leadpact stage", "Leadpact-Stufe", "stage"),
    _own("shown_temperature", "Temperature", "choice", "Leadpact temperature", "Leadpact-Temperatur", "temperature"),
    _own("shown_score", "Score", "number", "Leadpact score", "Leadpact-Punkte", "score"),
    _own("shown_fit", "Fit", "number", "Leadpact fit points", "Leadpact-Punkte Passung", "fit"),
    _own("shown_engagement", "Engagement", "number", "Leadpact engagement", "Leadpact-Punkte Interesse", "engagement"),
    _own("shown_grade", "Grade", "text", "Leadpact grade", "Leadpact-Note", "grade"),
    _own("shown_coverage", "Coverage", "number", "Leadpact coverage in %", "Leadpact-Abdeckung in %", "coverage"),
    _own("shown_reasons", "Reasons", "long_text", "Leadpact reasons", "Leadpact-Gründe", "reasons"),
    _own("shown_track", "Nurture_Track", "text", "Leadpact nurture track", "Leadpact-Pflegestrecke", "nurture_track"),
    _own("shown_question", "Nurture_Question", "text", "Leadpact question", "Leadpact-Frage", "nurture_question"),
    _own("shown_format", "Nurture_Format", "text", "Leadpact format", "Leadpact-Format", "nurture_format"),
    _own("shown_handover", "Handover", "choice", "Leadpact handover", "Leadpact-Übergabe", "handover_state"),
    _own("shown_handover_at", "Handed_Over_At", "datetime",
         "Leadpact: handed over at", "Leadpact: übergeben am", "handover_at"),
    _own("shown_handover_due", "Handover_Due", "datetime",
         "Leadpact: first touch due by", "Leadpact: Erstkontakt fällig bis", "handover_due"),
    _own("shown_handover_owner", "Handover_Owner", "text",
         "Leadpact: handed over to", "Leadpact: übergeben an", "handover_owner"),
    _own("shown_handover_touch", "First_Touch", "datetime",
         "Leadpact: first touch", "Leadpact: Erstkontakt", "handover_touch"),
    _own("shown_handover_answer", "Handover_Answer", "text",
         "Leadpact: reason sales gave", "Leadpact: Grund des Vertriebs", "handover_answer"),
    HANDED_BY,
    CROSS,
)  # fmt: skip

OWN_LEAD_FIELDS: Mapping[str, LeadField] = {own.lead.name: own.lead for own in OWN_FIELDS}
SHOWN: Mapping[str, str] = {own.lead.name: own.verdict for own in OWN_FIELDS if own.verdict}

#: A verdict is written when one of these differs from what a CRM shows (or the score moved far enough).
DECISIVE = ("shown_stage", "shown_temperature", "shown_grade", "shown_track")

#: What a nurture track says beside its name; a policy can change it for leads that are on the track already.
CONTENT = ("shown_question", "shown_format")

#: The handover is written when any of it differs from what a CRM shows.
HANDOVER_FIELDS = tuple(own.lead.name for own in OWN_FIELDS if own.lead.name.startswith("shown_handover"))

#: What people read for each state of a handover, by language.
HANDOVER_LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "qualified": "Qualified, not handed over yet",
        "open": "Handed over, waits for a first touch",
        "touched": "In contact",
        "overdue": "Overdue",
        "reassigned": "Overdue, goes to another owner",
        "accepted": "Accepted by sales",
        "rejected": "Rejected by sales",
        "recycled": "Not taken up, back to marketing",
        "withdrawn": "Taken back by marketing",
    },
    "de": {
        "qualified": "Qualifiziert, noch nicht übergeben",
        "open": "Übergeben, wartet auf Erstkontakt",
        "touched": "In Kontakt",
        "overdue": "Überfällig",
        "reassigned": "Überfällig, geht an jemand anderen",
        "accepted": "Vom Vertrieb angenommen",
        "rejected": "Vom Vertrieb abgelehnt",
        "recycled": "Nicht aufgegriffen, zurück im Marketing",
        "withdrawn": "Vom Marketing zurückgenommen",
    },
}

#: What people read for each stage, by language.
STAGE_LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "visitor": "Visitor",
        "prospect": "Prospect",
        "lead": "Lead",
        "nurture": "Nurture",
        "mql": "MQL",
        "sql": "SQL",
        "opportunity": "Opportunity",
        "customer": "Customer",
        "former_customer": "Former customer",
        "disqualified": "Disqualified",
    },
    "de": {
        "visitor": "Besucher",
        "prospect": "Adresse ohne Interesse",
        "lead": "Lead",
        "nurture": "In Pflege",
        "mql": "MQL",
        "sql": "SQL",
        "opportunity": "Verkaufschance",
        "customer": "Kunde",
        "former_customer": "Ehemaliger Kunde",
        "disqualified": "Abgelehnt",
    },
}
