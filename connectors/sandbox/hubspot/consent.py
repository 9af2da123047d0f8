"""Who wants which mail: kept by address, shown in the contact's properties (HubSpot reference, section 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connectors.sandbox.hubspot import records
from connectors.sandbox.hubspot.account import API, OPENED
from connectors.sandbox.hubspot.kinds import CONTACTS
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.writing import change

Status = Literal["SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED"]
STATUSES: tuple[Status, ...] = ("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED")
LEGAL_BASES = (
    "CONSENT_WITH_NOTICE",
    "LEGITIMATE_INTEREST_CLIENT",
    "LEGITIMATE_INTEREST_OTHER",
    "LEGITIMATE_INTEREST_PQL",
    "NON_GDPR",
    "PERFORMANCE_OF_CONTRACT",
    "PROCESS_AND_STORE",
)
OPTOUT = "hs_email_optout"


@dataclass(frozen=True, slots=True)
class Type:
    """One subscription type."""

    id: int
    name: str
    description: str
    purpose: str


TYPES = (
    Type(146_200_001, "Marketing Information", "Offers and news about what we sell.", "Marketing"),
    Type(146_200_002, "Customer Service Communication", "Answers to what you asked us.", "Customer service"),
)


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of one address and subscription. ``wide``: the person left every mail at once."""

    status: Status
    at: int = OPENED
    basis: str | None = None
    explanation: str | None = None
    wide: bool = False


def held(portal: Portal, email: str, subscription: int) -> Held:
    """The status in force: the contact's opt-outs before anything that was said through the API."""
    row = portal.database.execute(
        "SELECT status, at, basis, explanation FROM subscription WHERE email = ? AND id = ?",
        (email, subscription),
    ).fetchone()
    said = Held(*row) if row else Held("NOT_SPECIFIED")
    contact = _contact(portal, email)
    if left_all(portal, email):
        return Held("UNSUBSCRIBED", said.at, said.basis, said.explanation, wide=True)
    if contact is not None and contact.values.get(f"{OPTOUT}_{subscription}") == "true":
        return Held("UNSUBSCRIBED", said.at, said.basis, said.explanation)
    return said


def left_all(portal: Portal, email: str) -> bool:
    """Whether the person left every mail at once."""
    contact = _contact(portal, email)
    if contact is not None and contact.values.get(OPTOUT) == "true":
        return True
    row = portal.database.execute(
        "SELECT 1 FROM subscription WHERE email = ? AND id = 0", (email,)
    ).fetchone()
    return row is not None


def put(
    portal: Portal, email: str, subscription: int, status: Status, basis: str | None, explanation: str | None
) -> None:
    """Set the status of one subscription; the contact's property follows."""
    portal.database.execute(
        "INSERT OR REPLACE INTO subscription VALUES (?, ?, ?, ?, ?, ?)",
        (email, subscription, status, portal.now(), basis, explanation),
    )
    _show(portal, email, {f"{OPTOUT}_{subscription}": "true" if status == "UNSUBSCRIBED" else "false"})


def leave_all(portal: Portal, email: str) -> None:
    """Unsubscribe from every mail at once."""
    portal.database.execute(
        "INSERT OR REPLACE INTO subscription VALUES (?, 0, 'UNSUBSCRIBED', ?, NULL, NULL)",
        (email, portal.now()),
    )
    _show(portal, email, {OPTOUT: "true", **{f"{OPTOUT}_{type_.id}": "true" for type_ in TYPES}})


def come_back(portal: Portal, email: str) -> None:
    """Undo ``leave_all``: what v4 can do, and nobody should ask it for."""
    portal.database.execute("DELETE FROM subscription WHERE email = ? AND id = 0", (email,))
    _show(portal, email, {OPTOUT: "false"})


def _contact(portal: Portal, email: str) -> Record | None:
    found = records.holder(portal.database, CONTACTS, "email", email)
    return None if found is None else records.find(portal.database, CONTACTS, found)


def _show(portal: Portal, email: str, values: dict[str, str]) -> None:
    contact = _contact(portal, email)
    if contact is not None:
        change(portal, contact, values, API, None)
