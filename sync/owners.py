"""Who owns leads in both CRMs: the people of one joined with those of the other, and who is there to take a lead.

A person is known by the e-mail address that Salesforce has for them, since sales work there; where HubSpot knows
somebody by another address, ``handover.same_owner`` says so. HubSpot reference, section 6.3; Salesforce reference,
section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import polars as pl

from connectors.crm import Crm
from connectors.errors import OurBug
from sync.store.routing import OWNERS
from sync.work import Work, empty

#: How old what is known of the owners may be before it is read again.
FRESH = timedelta(hours=1)


class CrmOwner(Protocol):
    """An owner as both connectors tell one; Salesforce's may be a queue besides."""

    @property
    def id(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def first_name(self) -> str: ...
    @property
    def last_name(self) -> str: ...
    @property
    def archived(self) -> bool: ...


@runtime_checkable
class HasOwners(Protocol):
    """A CRM that tells its owners."""

    def owners(self) -> Sequence[CrmOwner]: ...


@runtime_checkable
class HasUser(Protocol):
    """A CRM that tells which user we are."""

    def user_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who may own leads, by ``key``: an e-mail address in lower case, or the name of a queue.

    The ids are those that records name; None: unknown in that CRM, or no longer active there.
    """

    key: str = field(repr=False)
    name: str = field(repr=False)
    salesforce: str | None
    hubspot: str | None
    queue: bool = False


@dataclass(frozen=True)
class Owners:
    """Everybody, of both CRMs. ``rows``: ``OWNERS``; ``same``: HubSpot's address of a person to Salesforce's."""

    rows: pl.DataFrame
    same: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_key(self) -> Mapping[str, Owner]:
        """Active people by address, and queues by their name in lower case."""
        found: dict[str, Owner] = {}
        hubspot = {self._key(row): row for row in reversed(self._of("hubspot")) if row["active"]}
        # Of two users with one address the first counts, as in the list of the CRM.
        for row in reversed(self._of("salesforce")):
            if row["active"] and not row["ours"]:
                key = self._key(row)
                theirs = None if row["queue"] else hubspot.get(key)
                found[key] = Owner(
                    key, row["name"], row["owner_id"], theirs["owner_id"] if theirs else None, row["queue"]
                )
        return found

    @cached_property
    def _ids(self) -> Mapping[tuple[str, str], str]:
        return {
            (crm, row["owner_id"]): self._key(row)
            for crm in ("hubspot", "salesforce")
            for row in self._of(crm)
        }

    @cached_property
    def gone(self) -> frozenset[str]:
        """Who worked in Salesforce once and no longer does."""
        left = {self._key(row) for row in self._of("salesforce") if not row["active"]}
        return frozenset(left - set(self.by_key))

    @cached_property
    def twice(self) -> frozenset[str]:
        """Addresses that two active users of Salesforce have."""
        active = [self._key(row) for row in self._of("salesforce") if row["active"] and not row["queue"]]
        return frozenset(key for key in active if active.count(key) > 1)

    def person(self, crm: str, owner_id: str | None) -> Owner | None:
        """The active person behind an owner id; None: a queue, ourselves, somebody who left, or nobody."""
        known = self.by_key.get(self._ids.get((crm, owner_id or ""), ""))
        return None if known is None or known.queue else known

    def has_left(self, crm: str, owner_id: str | None) -> bool:
        """Whether the id is that of somebody who works here no longer."""
        return self._ids.get((crm, owner_id or "")) in self.gone

    def _of(self, crm: str) -> list[dict[str, Any]]:
        return self._by_crm.get(crm, [])

    @cached_property
    def _by_crm(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows.iter_rows(named=True):
            found.setdefault(row["crm"], []).append(row)
        return found

    def _key(self, row: Mapping[str, Any]) -> str:
        said = str(row["name"] if row["queue"] else row["email"] or row["owner_id"]).lower()
        return self.same.get(said, said) if row["crm"] == "hubspot" else said


def owners_of(work: Work, same: Mapping[str, str], now: datetime) -> Owners:
    """Everybody as known, read from both CRMs where that is older than ``FRESH``. Raises the connectors' errors."""
    read_at = work.store.routing.owners_read_at()
    if read_at is None or now - read_at > FRESH or now < read_at:
        work.store.routing.keep_owners(read_owners(work.crms), now)
    return Owners(work.store.routing.owners(), same)


def read_owners(crms: Mapping[str, Crm]) -> pl.DataFrame:
    """``OWNERS`` of both CRMs. Raises the connectors' errors."""
    rows = []
    for name, crm in crms.items():
        if not isinstance(crm, HasOwners):
            raise OurBug(f"{name} does not tell its owners", crm=name, code="NO_OWNERS")
        us = crm.user_id() if isinstance(crm, HasUser) else None
        for one in crm.owners():
            rows.append(
                {
                    **{"crm": name, "owner_id": one.id, "email": one.email},
                    **{"name": f"{one.first_name} {one.last_name}".strip(), "active": not one.archived},
                    **{"queue": bool(getattr(one, "queue", False)), "ours": one.id == us},
                }
            )
    return pl.DataFrame(rows, schema=dict(OWNERS)) if rows else empty(OWNERS)
