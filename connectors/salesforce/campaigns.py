"""What people took part in: campaigns, and who was in them (Salesforce reference, section 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

import polars as pl

from connectors.crm import RECORD_ID
from connectors.errors import OurBug
from connectors.salesforce.calls import Calls
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen
from connectors.salesforce.listing import Listing, Row
from connectors.salesforce.schema import Schemas
from connectors.salesforce.values import moment_text
from connectors.slabs import times

#: One row a campaign, by id. ``spent`` and ``planned`` are its actual and budgeted cost, in ``currency`` where
#: the organisation has several, else in its own (then null); null where nobody said what it cost.
CAMPAIGN_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "name": pl.String(),
    "type": pl.String(),
    "status": pl.String(),
    "parent_id": pl.String(),
    "starts": pl.Date(),
    "ends": pl.Date(),
    "spent": pl.Decimal(38, 4),
    "planned": pl.Decimal(38, 4),
    "currency": pl.String(),
}

#: One row a person and campaign, oldest first for each person. ``joined``: when they became a member;
#: ``responded``: whether their status counts as a response, ``responded_on`` the day of the first one.
MEMBER_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "campaign_id": pl.String(),
    "status": pl.String(),
    "responded": pl.Boolean(),
    "responded_on": pl.Date(),
    "joined": pl.Datetime("us", "UTC"),
}

#: The field of a member that names the person; a converted lead's member names the lead and the contact.
PERSON: Mapping[str, str] = {"Lead": "LeadId", "Contact": "ContactId"}

_SMALLEST = Decimal("0.0001")


class _Campaign(Row):
    Name: str | None = None
    Type: str | None = None
    Status: str | None = None
    ParentId: str | None = None
    StartDate: date | None = None
    EndDate: date | None = None
    ActualCost: Decimal | None = None
    BudgetedCost: Decimal | None = None
    CurrencyIsoCode: str | None = None


class _Member(Row):
    CampaignId: str
    CreatedDate: str
    LeadId: str | None = None
    ContactId: str | None = None
    Status: str | None = None
    HasResponded: bool | None = None
    FirstRespondedDate: date | None = None


def read_campaigns(calls: Calls, schemas: Schemas) -> pl.DataFrame:
    """Every campaign: a frame of ``CAMPAIGN_SCHEMA``. Raises NeedsPerson where they are not visible to us."""
    rows = [row for page in Listing(calls, schemas, "Campaign", _Campaign).every() for row in page]
    return pl.DataFrame(
        {
            RECORD_ID: [eighteen(row.Id) for row in rows],
            "name": [row.Name for row in rows],
            "type": [row.Type for row in rows],
            "status": [row.Status for row in rows],
            "parent_id": [row.ParentId for row in rows],
            "starts": [row.StartDate for row in rows],
            "ends": [row.EndDate for row in rows],
            "spent": [amount(row.ActualCost) for row in rows],
            "planned": [amount(row.BudgetedCost) for row in rows],
            "currency": [row.CurrencyIsoCode for row in rows],
        },
        schema=dict(CAMPAIGN_SCHEMA),
    )


def read_members(
    calls: Calls, schemas: Schemas, object_name: str, ids: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """The memberships of the named leads or contacts: frames of ``MEMBER_SCHEMA``.

    Raises NeedsPerson where members are not visible to us, OurBug for another object.
    """
    person = PERSON.get(object_name)
    if person is None:
        raise OurBug(f"salesforce: a {object_name} cannot be in a campaign", crm=CRM)
    listing = Listing(calls, schemas, "CampaignMember", _Member, (person, "CampaignId"))
    for page in listing.of(person, ids):
        rows = sorted(page, key=lambda row: (getattr(row, person), row.CreatedDate, row.Id))
        yield pl.DataFrame(
            {
                RECORD_ID: [eighteen(getattr(row, person)) for row in rows],
                "campaign_id": [eighteen(row.CampaignId) for row in rows],
                "status": [row.Status for row in rows],
                "responded": [row.HasResponded for row in rows],
                "responded_on": [row.FirstRespondedDate for row in rows],
                "joined": times("joined", [moment_text(row.CreatedDate) for row in rows]),
            },
            schema=dict(MEMBER_SCHEMA),
        )


def amount(value: Decimal | None) -> Decimal | None:
    """An amount of money with four decimals, more than any field of an amount shows in describe."""
    return None if value is None else value.quantize(_SMALLEST)
