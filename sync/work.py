"""What one command works with: the CRMs, the memory, the map, the policy, and how far it may go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl

from connectors.crm import AtPoint, Crm, no_stop
from mapping.fieldmap import FieldMap
from mapping.lead import LEAD_FIELDS, LeadField, columns_of
from mapping.own import OWN_LEAD_FIELDS
from mapping.qualification.conditions import Condition
from mapping.qualification.declared import Policy
from mapping.qualification.truths import no_rows
from mapping.rules import CRMS as CRMS
from sync.handover_rules import Agreement
from sync.merge import MergeRule
from sync.pilot import Pilot
from sync.plan import Wanted, Writable
from sync.routing_rules import RoutingRules
from sync.snapshots import Snapshots
from sync.store.store import Store

#: What the person behind a Lead asks for, where the organisation keeps such wishes (Salesforce reference, section 6).
SHOULD_FORGET = "Individual.ShouldForget"
#: (CRM, object) to the fields that tell of merges, conversions and further addresses (HubSpot reference,
#: section 4.6; Salesforce reference, section 6).
OF_IDENTITY: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("hubspot", "contacts"): ("hs_merged_object_ids", "hs_additional_emails"),
    ("salesforce", "Contact"): ("MasterRecordId",),
    ("salesforce", "Lead"): (
        *("MasterRecordId", "IsConverted", SHOULD_FORGET),
        *("ConvertedContactId", "ConvertedAccountId", "ConvertedOpportunityId"),
    ),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Who is synced, in each direction, and who gets a record where there is none yet.

    None: everybody (``leads``, ``to_hubspot``, ``to_salesforce``), nobody (the others).
    """

    leads: Condition | None = None
    create_in_hubspot: Condition | None = None
    create_in_salesforce: Condition | None = None
    to_hubspot: Condition | None = None
    to_salesforce: Condition | None = None
    digest: str = ""  #: of all of it as configured, the pilot too; empty where nothing is


@dataclass(frozen=True, slots=True)
class Guards:
    """Caps that stop a run before its first write."""

    max_creates: int = 500
    max_updates: int = 100_000
    max_stage_moves: int = 500
    max_share_of_leads: float = 1.0
    pilot_size: int = 200  #: people on the pilot's list at most
    canary: int = 20  #: leads that are written and read back before the rest; 0: none


@dataclass(frozen=True)
class Work:
    """Everything a run is handed. ``app.build`` makes it; a test makes its own.

    ``objects``: CRM to the object that holds its leads. ``fields``: every lead field of the merged lead,
    custom ones included, ours not. ``required``: Salesforce field to the text that stands for "not known"
    there. ``at_point`` is told each named point of a run, in order; tests stop the process there.
    """

    crms: Mapping[str, Crm]
    objects: Mapping[str, str]
    store: Store
    field_map: FieldMap
    fields: Mapping[str, LeadField]
    policy: Policy
    rules: tuple[MergeRule, ...]
    scope: Scope
    guards: Guards
    mode: str
    clock: Callable[[], datetime]
    stage_words: Mapping[str, str]
    spill_folder: Path
    required: Mapping[str, str] = field(default_factory=dict)
    language: Literal["en", "de"] = "en"
    slice_leads: int = 25_000
    claim_seconds: float = 900.0
    at_point: AtPoint = no_stop
    pilot: Pilot | None = None
    lifecycle_alone: bool = False  #: a person has looked: nobody else writes lifecycle stages
    unscored: Condition | None = None  #: who gets no score and no temperature, and a stage by facts alone
    handover: Agreement | None = None  #: what marketing and sales agreed on; None: no ledger is kept
    routing: RoutingRules | None = None  #: who gets handed-over leads; None: nobody is given any

    def asked(self, crm: str) -> tuple[str, ...]:
        """The fields to ask a CRM for: those of the map, and those that tell what became of a record."""
        mapped = self.field_map.asked(crm, self.objects[crm])
        return tuple(dict.fromkeys((*mapped, *OF_IDENTITY.get((crm, self.objects[crm]), ()))))

    def reading(self, crm: str) -> str:
        """The name of a cursor. Mode own_fields has cursors of its own.

        It reads records without bringing their fields into agreement, so a full run still has to read them.
        """
        return f"{self.objects[crm]}:own_fields" if self.mode == "own_fields" else self.objects[crm]

    def lead_snapshots(self) -> Snapshots:
        """Stored leads: the merged values."""
        return Snapshots(columns_of(self.fields))

    def record_snapshots(self, crm: str) -> Snapshots:
        """Bases: what one CRM's record held, our own fields included."""
        return Snapshots(self.field_map.columns(crm))

    def wanted(self) -> Wanted:
        return Wanted(self.mode, self.policy.score_step)

    def needing(self, crm: str) -> dict[str, str]:
        """The lead fields that a CRM's record holds no value of while another one is blank there, and that one."""
        fields = self.crms[crm].describe(self.objects[crm]).fields
        sources = {name: rule.source(crm, self.objects[crm]) for name, rule in self.field_map.rules.items()}
        leads = {source: name for name, source in sources.items() if source is not None}
        needs = {
            name: fields[source].needs for name, source in sources.items() if source and source in fields
        }
        return {
            name: leads[needed] for name, needed in needs.items() if needed is not None and needed in leads
        }

    def writable(self) -> Writable:
        """What the live schemas let us write now."""
        schemas = {crm: self.crms[crm].describe(self.objects[crm]) for crm in CRMS}
        return Writable(
            objects=self.objects,
            updatable={
                crm: frozenset(name for name, info in schema.fields.items() if info.updatable)
                for crm, schema in schemas.items()
            },
            creatable={
                crm: frozenset(name for name, info in schema.fields.items() if info.creatable)
                for crm, schema in schemas.items()
            },
            stage_words=self.stage_words,
            stage_order=schemas["hubspot"].stages,
            required=self.required,
            needs={
                (crm, name): info.needs
                for crm, schema in schemas.items()
                for name, info in schema.fields.items()
                if info.needs is not None
            },
        )


def all_fields(custom: Mapping[str, LeadField]) -> dict[str, LeadField]:
    """Every field a map may name: the lead's, the config's own, and ours."""
    return {**LEAD_FIELDS, **custom, **OWN_LEAD_FIELDS}


def empty(schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A frame without rows."""
    return no_rows(schema)
