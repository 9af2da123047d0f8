"""Open opportunities in which nobody takes part (Salesforce reference, section 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

import polars as pl

from connectors.crm import RECORD_ID
from connectors.salesforce.calls import Calls
from connectors.salesforce.campaigns import amount
from connectors.salesforce.ids import eighteen
from connectors.salesforce.listing import Listing, Row
from connectors.salesforce.schema import Schemas
from connectors.salesforce.values import moment_text
from connectors.slabs import times

#: One row an open opportunity without a contact role. ``amount`` in ``currency`` where the organisation has
#: several, else in its own (then null). ``closes``: the day on which it is expected to.
ROLELESS_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "name": pl.String(),
    "account_id": pl.String(),
    "owner_id": pl.String(),
    "stage": pl.String(),
    "amount": pl.Decimal(38, 4),
    "currency": pl.String(),
    "opened": pl.Datetime("us", "UTC"),
    "closes": pl.Date(),
}

_OPEN_AND_NOBODY = "IsClosed = false AND Id NOT IN (SELECT OpportunityId FROM OpportunityContactRole)"


class _Deal(Row):
    CreatedDate: str
    Name: str | None = None
    AccountId: str | None = None
    OwnerId: str | None = None
    StageName: str | None = None
    Amount: Decimal | None = None
    CurrencyIsoCode: str | None = None
    CloseDate: date | None = None


def read_roleless(calls: Calls, schemas: Schemas) -> Iterator[pl.DataFrame]:
    """Every open opportunity without a contact role: frames of ``ROLELESS_SCHEMA``, in the order of their ids.

    Raises NeedsPerson where opportunities, or contact roles, are not visible to us.
    """
    # Asked first by itself: inside the condition, an object that is hidden would be a query that cannot be read.
    Listing(calls, schemas, "OpportunityContactRole", Row, ("OpportunityId",))
    deals = Listing(calls, schemas, "Opportunity", _Deal, ("IsClosed",))
    for page in deals.every(_OPEN_AND_NOBODY):
        yield _frame(page)


def _frame(deals: list[_Deal]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            RECORD_ID: [eighteen(deal.Id) for deal in deals],
            "name": [deal.Name for deal in deals],
            "account_id": [deal.AccountId and eighteen(deal.AccountId) for deal in deals],
            "owner_id": [deal.OwnerId and eighteen(deal.OwnerId) for deal in deals],
            "stage": [deal.StageName for deal in deals],
            "amount": [amount(deal.Amount) for deal in deals],
            "currency": [deal.CurrencyIsoCode for deal in deals],
            "opened": times("opened", [moment_text(deal.CreatedDate) for deal in deals]),
            "closes": [deal.CloseDate for deal in deals],
        },
        schema=dict(ROLELESS_SCHEMA),
    )
