"""Open opportunities that no contact role ties to a person: a list of what is missing in the data.

No stage in HubSpot can follow an opportunity that names nobody. A lead that was converted is its own evidence, and
waits for no role; what somebody opens at an account by hand is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

import polars as pl

from sync.errors import WrongUse
from sync.work import Work


@runtime_checkable
class HasOpportunities(Protocol):
    """A CRM that knows which opportunities nobody takes part in."""

    def deals_without_roles(self) -> Iterator[pl.DataFrame]: ...


@dataclass(frozen=True, slots=True)
class Roleless:
    """One open opportunity. ``amount`` in ``currency``, or in the organisation's own where that is None.

    ``leads``: those that a conversion brought to its account: the people to look at first.
    """

    opportunity: str
    name: str | None
    account: str | None
    owner: str | None
    stage: str | None
    amount: Decimal | None
    currency: str | None
    opened: datetime
    closes: date | None
    leads: Sequence[str] = ()


def roleless(work: Work) -> list[Roleless]:
    """Every open opportunity without a contact role, the oldest first.

    Raises WrongUse where the CRM keeps no opportunities, NeedsPerson where we may not see them or their roles.
    """
    crm = work.crms["salesforce"]
    if not isinstance(crm, HasOpportunities):
        raise WrongUse("this Salesforce keeps no opportunities", fix="connect the organisation that does")
    found = [row for frame in crm.deals_without_roles() for row in frame.iter_rows(named=True)]
    accounts = sorted({row["account_id"] for row in found if row["account_id"]})
    leads: dict[str, list[str]] = {}
    for account, lead in work.store.turned.leads_of_accounts(accounts):
        leads.setdefault(account, []).append(lead)
    told = [
        Roleless(
            *(row["_id"], row["name"], row["account_id"], row["owner_id"], row["stage"], row["amount"]),
            *(row["currency"], row["opened"], row["closes"]),
            leads=tuple(leads.get(row["account_id"], ())),
        )
        for row in found
    ]
    return sorted(told, key=lambda one: (one.opened, one.opportunity))
