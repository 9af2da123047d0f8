"""The steps that leads and opportunities pass, as the organisation defines them (Salesforce reference, section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from connectors.salesforce.calls import Calls
from connectors.salesforce.listing import Listing, Row
from connectors.salesforce.schema import Schemas


@dataclass(frozen=True, slots=True)
class LeadStep:
    """One value of a lead's Status. ``converted``: what a conversion sets; several may be, and setting one of
    them does not convert. ``default``: what a new lead has."""

    value: str
    label: str
    converted: bool
    default: bool


@dataclass(frozen=True, slots=True)
class DealStage:
    """One value of an opportunity's StageName; ``probability`` in percent."""

    value: str
    label: str
    closed: bool
    won: bool
    probability: Decimal | None


class _Step(Row):
    ApiName: str
    MasterLabel: str | None = None
    SortOrder: int | None = None


class _Status(_Step):
    IsConverted: bool = False
    IsDefault: bool = False


class _Stage(_Step):
    IsClosed: bool = False
    IsWon: bool = False
    IsActive: bool = True
    DefaultProbability: Decimal | None = None


S = TypeVar("S", bound=_Step)


def lead_steps(calls: Calls, schemas: Schemas) -> list[LeadStep]:
    """The values of a lead's Status in their order. Raises NeedsPerson where they are not visible to us."""
    rows = _in_order(_all(Listing(calls, schemas, "LeadStatus", _Status, ("ApiName", "IsConverted"))))
    return [LeadStep(r.ApiName, r.MasterLabel or r.ApiName, r.IsConverted, r.IsDefault) for r in rows]


def deal_stages(calls: Calls, schemas: Schemas) -> list[DealStage]:
    """The stages of opportunities in use, in their order. Raises NeedsPerson where they are not visible to us."""
    rows = _in_order(
        _all(Listing(calls, schemas, "OpportunityStage", _Stage, ("ApiName", "IsWon", "IsClosed")))
    )
    return [
        DealStage(r.ApiName, r.MasterLabel or r.ApiName, r.IsClosed, r.IsWon, r.DefaultProbability)
        for r in rows
        if r.IsActive
    ]


def _all(listing: Listing[S]) -> list[S]:
    return [row for page in listing.every() for row in page]


def _in_order(rows: Iterable[S]) -> list[S]:
    return sorted(rows, key=lambda row: (row.SortOrder is None, row.SortOrder or 0, row.Id))
