"""How it ended: the opportunities of contacts and accounts (Salesforce reference, section 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import cast

import msgspec
import polars as pl

from connectors.crm import RECORD_ID
from connectors.errors import OurBug
from connectors.salesforce.calls import Calls
from connectors.salesforce.campaigns import amount
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen
from connectors.salesforce.listing import Listing, Row
from connectors.salesforce.schema import Schemas
from connectors.salesforce.values import moment_text
from connectors.slabs import times

#: One row a contact and opportunity, or an account and opportunity. ``role`` and ``primary`` say what a contact
#: is in it (null for accounts). ``outcome``: "won", "lost" or "open". ``closes``: the day it closed or is
#: expected to. ``amount`` in ``currency`` where the organisation has several, else in its own (then null).
#: ``name``: what people call it; null where we may not see it. ``loss_reason``: why it was lost, where a field says so.
DEAL_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "opportunity_id": pl.String(),
    "role": pl.String(),
    "primary": pl.Boolean(),
    "stage": pl.String(),
    "outcome": pl.String(),
    "amount": pl.Decimal(38, 4),
    "currency": pl.String(),
    "opened": pl.Datetime("us", "UTC"),
    "closes": pl.Date(),
    "name": pl.String(),
    "loss_reason": pl.String(),
}

#: One row a contact that takes part in an opportunity. ``_id``: the opportunity.
ROLE_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "contact_id": pl.String(),
    "role": pl.String(),
    "primary": pl.Boolean(),
}

_NEEDED = ("IsWon", "IsClosed")
#: What a field has to hold to say why a deal was lost (``FieldInfo.type``).
TYPES_OF_WORDS = frozenset({"text", "choice", "choices"})


class _Deal(Row):
    CreatedDate: str
    IsWon: bool
    IsClosed: bool
    AccountId: str | None = None
    StageName: str | None = None
    Amount: Decimal | None = None
    CurrencyIsoCode: str | None = None
    CloseDate: date | None = None
    Name: str | None = None
    LossReason: str | None = None


#: A field that is read anyhow is read once.
_ATTRIBUTES = frozenset(field.name for field in msgspec.structs.fields(_Deal)) - {"LossReason"}


class _Part(Row):
    ContactId: str
    OpportunityId: str
    Role: str | None = None
    IsPrimary: bool | None = None


_Link = tuple[str, _Deal, str | None, bool | None]


def _kind(loss_reason: str) -> type[_Deal]:
    """Opportunities whose ``LossReason`` is read from this field; Salesforce has none of its own for it."""
    if not loss_reason or loss_reason in _ATTRIBUTES:
        return _Deal
    told = [("LossReason", str | None, None)]
    named = {"LossReason": loss_reason}
    return cast(
        type[_Deal], msgspec.defstruct("_DealWithReason", told, bases=(_Deal,), rename=named, gc=False)
    )


def _of_words(schemas: Schemas, loss_reason: str) -> str:
    """The field that says why a deal was lost, where it holds words; else none."""
    info = schemas.of("Opportunity").schema.fields.get(loss_reason)
    return loss_reason if info is not None and info.type in TYPES_OF_WORDS else ""


def read_deals(
    calls: Calls, schemas: Schemas, object_name: str, ids: Sequence[str], loss_reason: str = ""
) -> Iterator[pl.DataFrame]:
    """The opportunities of the named contacts (by their roles) or accounts: frames of ``DEAL_SCHEMA``.

    ``loss_reason``: the field of Opportunity that says why one was lost; empty: none, nor where it is not visible
    to us, or holds anything but ``TYPES_OF_WORDS``. Deleted opportunities are left out. Raises NeedsPerson where
    opportunities, or contact roles, are not visible to us, OurBug for another object.
    """
    if object_name not in ("Account", "Contact"):
        raise OurBug(f"salesforce: a {object_name} has no opportunities of its own", crm=CRM)
    why = _of_words(schemas, loss_reason)
    if object_name == "Account":
        listing = Listing(calls, schemas, "Opportunity", _kind(why), (*_NEEDED, "AccountId"))
        for page in listing.of("AccountId", ids):
            yield _frame([(deal.AccountId or "", deal, None, None) for deal in page], why)
    else:
        deals = Listing(calls, schemas, "Opportunity", _kind(why), _NEEDED)
        parts = Listing(calls, schemas, "OpportunityContactRole", _Part, ("ContactId", "OpportunityId"))
        for some in parts.of("ContactId", ids):
            yield _frame(list(_joined(some, deals)), why)


def read_roles(calls: Calls, schemas: Schemas, ids: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Who takes part in the named opportunities: frames of ``ROLE_SCHEMA``; one that names nobody has no row.

    Raises NeedsPerson where contact roles are not visible to us.
    """
    parts = Listing(calls, schemas, "OpportunityContactRole", _Part, ("ContactId", "OpportunityId"))
    for some in parts.of("OpportunityId", ids):
        rows = [(eighteen(p.OpportunityId), eighteen(p.ContactId), p.Role, p.IsPrimary) for p in some]
        yield pl.DataFrame(rows, schema=dict(ROLE_SCHEMA), orient="row").sort(RECORD_ID, "contact_id")


def _joined(parts: Sequence[_Part], deals: Listing[_Deal]) -> Iterator[_Link]:
    wanted = list(dict.fromkeys(part.OpportunityId for part in parts))
    known = {deal.Id: deal for page in deals.of("Id", wanted) for deal in page}
    for part in parts:
        deal = known.get(part.OpportunityId)
        if deal is not None:
            yield part.ContactId, deal, part.Role, part.IsPrimary


def _frame(links: Sequence[_Link], why: str) -> pl.DataFrame:
    reason = why if why in _ATTRIBUTES else "LossReason"
    rows = sorted(links, key=lambda link: (link[0], link[1].CreatedDate, link[1].Id))
    deals = [deal for _, deal, _, _ in rows]
    return pl.DataFrame(
        {
            RECORD_ID: [eighteen(record_id) for record_id, *_ in rows],
            "opportunity_id": [eighteen(deal.Id) for deal in deals],
            "role": [role for _, _, role, _ in rows],
            "primary": [primary for *_, primary in rows],
            "stage": [deal.StageName for deal in deals],
            "outcome": ["won" if d.IsWon else "lost" if d.IsClosed else "open" for d in deals],
            "amount": [amount(deal.Amount) for deal in deals],
            "currency": [deal.CurrencyIsoCode for deal in deals],
            "opened": times("opened", [moment_text(deal.CreatedDate) for deal in deals]),
            "closes": [deal.CloseDate for deal in deals],
            "name": [deal.Name for deal in deals],
            "loss_reason": [getattr(deal, reason) for deal in deals],
        },
        schema=dict(DEAL_SCHEMA),
    )
