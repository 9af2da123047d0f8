"""Who wants which mail, and taking somebody off a list (HubSpot reference, section 14).

A withdrawal travels; a consent never does. HubSpot's older API cannot bring back somebody who left, the newer
one can: so every request passes ``neverback`` on its way out, which lets nothing through that could subscribe
anybody. Addresses travel in bodies, never in the address of a call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import orjson

from connectors.errors import OurBug
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.choices import Version
from connectors.hubspot.errors import CRM, Refusal

#: Addresses in one batch at most.
MOST = 100

#: The only channel that HubSpot's API knows (HubSpot reference, section 14).
CHANNEL = "EMAIL"
LEFT = "UNSUBSCRIBED"

LegalBasis = Literal[
    "CONSENT_WITH_NOTICE",
    "LEGITIMATE_INTEREST_CLIENT",
    "LEGITIMATE_INTEREST_OTHER",
    "LEGITIMATE_INTEREST_PQL",
    "NON_GDPR",
    "PERFORMANCE_OF_CONTRACT",
    "PROCESS_AND_STORE",
]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A kind of mail that people of this account can leave."""

    id: str
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What one person said about one kind of mail.

    ``unsubscribed`` is a withdrawal, ``subscribed`` a consent that HubSpot holds; both False: nothing was said.
    ``legal_basis`` and ``explanation`` are what was recorded with it, empty where nothing was.
    """

    email: str = field(repr=False)
    subscription: str
    subscribed: bool
    unsubscribed: bool
    legal_basis: str = ""
    explanation: str = ""


class _Definition(msgspec.Struct):
    id: str | int
    name: str = ""
    isActive: bool = True


class _Definitions(msgspec.Struct):
    # v3 names the list, v4 and the dated versions call it results.
    subscriptionDefinitions: list[_Definition] = []
    results: list[_Definition] = []


class _Status(msgspec.Struct):
    subscriptionId: str | int
    status: str
    legalBasis: str | None = None
    legalBasisExplanation: str | None = None


class _Person(msgspec.Struct):
    subscriberIdString: str
    statuses: list[_Status] = []


class _People(msgspec.Struct):
    results: list[_Person]
    errors: list[dict[str, Any]] = []


class _Set(msgspec.Struct):
    errors: list[dict[str, Any]] = []


class Consents:
    """The communication preferences of one account. ``version`` as of the connector.

    Scopes: ``communication_preferences.read_write``, and for batches
    ``communication_preferences.statuses.batch.read`` and ``.write``; without one, NeedsPerson names it.
    """

    def __init__(self, api: Api, version: Version) -> None:
        self._api = api
        self._version = version
        self._prefix = f"/communication-preferences/{'v4' if version == 'v3' else version}"

    def subscriptions(self) -> list[Subscription]:
        """The kinds of mail of this account. One call."""
        found = self._api.read(_decode_definitions, self._api.get, f"{self._prefix}/definitions")
        every = [*found.results, *found.subscriptionDefinitions]
        return [Subscription(str(one.id), one.name, one.isActive) for one in every]

    def standings(self, emails: Sequence[str]) -> Iterator[Standing]:
        """What these people said, kind by kind; addresses of nobody have no row or say nothing."""
        wanted = list(dict.fromkeys(email.strip().lower() for email in emails))
        path = f"{self._prefix}/statuses/batch/read?channel={CHANNEL}"
        for start in range(0, len(wanted), MOST):
            body = orjson.dumps({"inputs": wanted[start : start + MOST]})
            found = self._api.read(_decode_people, self._api.post, path, body)
            _check(found.errors)
            for person in found.results:
                yield from (_standing(person, status) for status in person.statuses)

    def unsubscribe(
        self,
        email: str,
        subscriptions: Sequence[str],
        legal_basis: LegalBasis | None = None,
        explanation: str | None = None,
    ) -> list[Standing]:
        """Take one person off these kinds of mail; returns how they stand afterwards, as HubSpot says.

        Whoever has left already stays so. Accounts with the data privacy settings on demand ``legal_basis``
        and ``explanation``. Safe to repeat. Raises OurBug where HubSpot refuses, or where it does not show
        the withdrawal afterwards.
        """
        address, wanted = email.strip().lower(), frozenset(subscriptions)
        gone = {s.subscription for s in self.standings([address]) if s.unsubscribed}
        refusals: list[Refusal] = []
        for subscription in sorted(wanted - gone):
            try:
                self._leave(address, subscription, legal_basis, explanation)
            except Refusal as refusal:
                # Somebody may have left in the meantime: what HubSpot shows below decides.
                refusals.append(refusal)
        after = [s for s in self.standings([address]) if s.subscription in wanted]
        if {s.subscription for s in after if s.unsubscribed} != wanted:
            if refusals:
                raise refusals[0].as_bug() from None
            raise OurBug("HubSpot does not show a withdrawal", crm=CRM, code="NOT_UNSUBSCRIBED")
        return after

    def leave_everything(self, emails: Sequence[str]) -> None:
        """Take these people off all mail of this account, 100 a call. Safe to repeat.

        The undated v3 cannot do that, so v4 is asked there. Raises the four kinds; OurBug where HubSpot answers
        with an error.
        """
        wanted = list(dict.fromkeys(email.strip().lower() for email in emails))
        path = f"{self._prefix}/statuses/batch/unsubscribe-all?channel={CHANNEL}"
        for start in range(0, len(wanted), MOST):
            body = orjson.dumps({"inputs": wanted[start : start + MOST]})
            _check(self._api.call(_decode_set, self._api.post, path, body).errors)

    def _leave(self, email: str, subscription: str, legal_basis: str | None, explanation: str | None) -> None:
        why = {"legalBasis": legal_basis, "legalBasisExplanation": explanation}
        given = {name: text for name, text in why.items() if text is not None}
        if self._version == "v3":
            body = {"emailAddress": email, "subscriptionId": subscription, **given}
            self._api.call(_nothing, self._api.preferences.unsubscribe, orjson.dumps(body))
            return
        row: dict[str, str | int] = {"subscriberIdString": email, "channel": CHANNEL, "statusState": LEFT}
        row["subscriptionId"] = int(subscription) if subscription.isdecimal() else subscription
        path, sent = f"{self._prefix}/statuses/batch/write", orjson.dumps({"inputs": [{**row, **given}]})
        _check(self._api.call(_decode_set, self._api.post, path, sent).errors)


def _standing(person: _Person, status: _Status) -> Standing:
    return Standing(
        email=person.subscriberIdString.lower(),
        subscription=str(status.subscriptionId),
        subscribed=status.status == "SUBSCRIBED",
        unsubscribed=status.status == LEFT,
        legal_basis=status.legalBasis or "",
        explanation=status.legalBasisExplanation or "",
    )


def _check(errors: Sequence[dict[str, Any]]) -> None:
    """A 200 can carry errors (HubSpot reference, section 1.3)."""
    if errors:
        code = str(errors[0].get("category") or "unknown")
        raise OurBug(f"HubSpot answered a question about consent with an error: {code}", crm=CRM, code=code)


def _decode_definitions(reply: Reply) -> _Definitions:
    return msgspec.json.decode(reply.data, type=_Definitions)


def _decode_people(reply: Reply) -> _People:
    return msgspec.json.decode(reply.data, type=_People)


def _decode_set(reply: Reply) -> _Set:
    return msgspec.json.decode(reply.data, type=_Set)


def _nothing(reply: Reply) -> None:
    msgspec.json.decode(reply.data)
