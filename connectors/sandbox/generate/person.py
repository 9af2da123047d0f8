"""What the generator hands out: one person, their records in two CRMs, and the truth about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["buyer", "student", "job_seeker", "competitor", "customer", "former_customer", "prospect"]
Outcome = Literal["won", "lost", "open", "unworked", "customer_before"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What no CRM shows. Times are aware, in UTC.

    ``outcome`` is ``won`` or ``lost`` for people whom sales worked and who have decided, ``open``
    while they have not decided yet, ``unworked`` for people whom nobody worked (they never decide),
    and ``customer_before`` for customers and former customers from before the first record. A repeat
    has the truth of the person it repeats, whatever its own record shows.
    """

    index: int  #: the place of this person in the stream
    person: int  #: the index under which this real person appeared first
    duplicate_of: int | None  #: set when the records repeat that earlier person
    shares_email_with: int | None  #: another person, met earlier, who uses the same address
    kind: Kind
    channel: str  #: a name of channels.toml, such as "trade_fair"
    company: int | None  #: the number of the company; people with one number are colleagues
    quality: float  #: the hidden part of the decision, in log-odds; no field shows it
    fit: float  #: 0 to 1: how much of the target group's description is true
    engagement: float  #: 0 to 1: interest shown up to the decision, or up to now
    chance: float  #: the probability of becoming a customer that was drawn against
    outcome: Outcome
    decided_at: datetime | None
    converted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Person:
    """One person as the two CRMs know them; at least one of the two records is there.

    ``hubspot`` has HubSpot's contact property names with string values; ``salesforce`` has Lead
    field names with the types of the REST API. Both carry ``_created`` and ``_modified`` (aware,
    UTC), and HubSpot's also ``_history``: property to a list of (time, value), oldest first.
    """

    truth: Truth
    hubspot: Mapping[str, Any] | None = field(repr=False)
    salesforce: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mix:
    """How the people are spread over the CRMs and how dirty the records are; shares are from 0 to 1.

    Raises ValueError for a share outside 0 to 1, or when ``both`` and ``hubspot_only`` exceed 1.
    What is left of 1 is known to Salesforce only. The split is of people met for the first time;
    with the repeats and shared addresses, which are records in one CRM, about 60 of 100 are in both.
    """

    both: float = 0.62
    hubspot_only: float = 0.24
    duplicates: float = 0.03
    shared_email: float = 0.015
    worked: float = 0.85

    def __post_init__(self) -> None:
        for name in ("both", "hubspot_only", "duplicates", "shared_email", "worked"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"Mix.{name} has to be from 0 to 1")
        if self.both + self.hubspot_only > 1.0 + 1e-9:
            raise ValueError("Mix.both and Mix.hubspot_only have to be at most 1 together")
