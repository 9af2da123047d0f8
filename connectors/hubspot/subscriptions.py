"""What the Webhooks Journal is to hold: subscriptions and snapshots (HubSpot reference, section 10.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from connectors.errors import NeedsPerson
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import CRM, Refusal

VERSION = "2026-03"
_ROOT = "/webhooks-journal"

#: What the token of the app is to be allowed: reading, and everything that this file does.
JOURNAL_SCOPES = (
    "developer.webhooks_journal.read",
    "developer.webhooks_journal.subscriptions.read",
    "developer.webhooks_journal.subscriptions.write",
    "developer.webhooks_journal.snapshots.read",
    "developer.webhooks_journal.snapshots.write",
)

Action = Literal["CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"]
EVERY_ACTION: tuple[Action, ...] = ("CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE")


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the journal tells of one object type ("0-1") of one account. ``properties`` concern updates."""

    id: int
    account: str
    type: str
    object_type: str
    actions: tuple[str, ...]
    properties: tuple[str, ...]


class JournalSubscriptions:
    """What the journal is to hold: one subscription an object type, and its privacy deletions beside it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def all(self) -> list[Subscription]:
        """Every subscription of the app."""
        path = f"{_ROOT}/subscriptions/{VERSION}"
        return [row.value() for row in self._api.read(_decode_subscriptions, self._api.get, path)]

    def ensure(self, account: str, object_type: str, properties: Sequence[str]) -> list[Subscription]:
        """Subscribe to one object type of an account, unless that is so already; returns what was made.

        A subscription that lacks some of the properties is replaced: there is no call that changes one.
        Raises NeedsPerson where HubSpot refuses it.
        """
        have = [s for s in self.all() if (s.account, s.object_type) == (account, object_type)]
        made = []
        changes = [s for s in have if s.type == "OBJECT"]
        enough = any(
            set(properties) <= set(s.properties) and set(EVERY_ACTION) <= set(s.actions) for s in changes
        )
        if not enough:
            names = sorted({*properties, *(name for s in changes for name in s.properties)})
            made.append(self._make("OBJECT", account, object_type, EVERY_ACTION, names))
            for old in changes:
                # After the new one is there: in between an event comes twice, which is harmless.
                self.remove(old.id)
        if not any(s.type == "GDPR_PRIVACY_DELETION" for s in have):
            made.append(self._make("GDPR_PRIVACY_DELETION", account, object_type, ("GDPR_DELETE",), None))
        return made

    def remove(self, id_: int) -> None:
        """End a subscription."""
        self._api.read(_nothing, self._api.delete, f"{_ROOT}/subscriptions/{VERSION}/{id_}")

    def _make(
        self, type_: str, account: str, object_type: str, actions: Sequence[str], names: Sequence[str] | None
    ) -> Subscription:
        wanted: dict[str, Any] = {
            "subscriptionType": type_,
            "objectTypeId": object_type,
            "portalId": int(account),
            "actions": list(actions),
        }
        if names is not None:
            # The specification wants both lists even where they name nothing in particular.
            wanted |= {"properties": list(names), "objectIds": []}
        path = f"{_ROOT}/subscriptions/{VERSION}"
        try:
            body = msgspec.json.encode(wanted)
            return self._api.call(_decode_subscription, self._api.post, path, body, repeatable=False).value()
        except Refusal as refusal:
            raise NeedsPerson(
                f"HubSpot refuses a subscription to its journal: {refusal.code}",
                crm=CRM,
                code=refusal.code,
                correlation=refusal.correlation,
                fix="The journal needs a project app, installed in this account with the right to read it.",
            ) from None

    def snapshot(
        self, account: str, object_type: str, ids: Sequence[str], properties: Sequence[str]
    ) -> list[str]:
        """Ask for the present values of records to be put into the journal; returns ids for ``state_of``."""
        wanted = [
            {
                "portalId": int(account),
                "objectId": int(i),
                "objectTypeId": object_type,
                "properties": [*properties],
            }
            for i in ids
        ]
        body = msgspec.json.encode({"snapshotRequests": wanted})
        path = f"{_ROOT}/snapshots/{VERSION}/crm"
        return self._api.read(_decode_snapshots, self._api.post, path, body)

    def state_of(self, snapshot: str) -> str:
        """``PENDING``, ``IN_PROGRESS``, ``COMPLETED``, ``FAILED`` or ``EXPIRED``."""
        path = f"{_ROOT}/journal/{VERSION}/status/{snapshot}"
        return self._api.read(_decode_status, self._api.get, path)


class _Row(msgspec.Struct):
    id: int
    subscriptionType: str
    objectTypeId: str | None = None
    portalId: int | None = None
    actions: list[str] = []
    properties: list[str] | None = None

    def value(self) -> Subscription:
        return Subscription(
            id=self.id,
            account="" if self.portalId is None else str(self.portalId),
            type=self.subscriptionType,
            object_type=self.objectTypeId or "",
            actions=tuple(self.actions),
            properties=tuple(self.properties or ()),
        )


class _Rows(msgspec.Struct):
    results: list[_Row]


class _Snapshot(msgspec.Struct):
    snapshotStatusId: str


class _Snapshots(msgspec.Struct):
    snapshotResponses: list[_Snapshot]


class _Status(msgspec.Struct):
    status: str


def _decode_subscription(reply: Reply) -> _Row:
    return msgspec.json.decode(reply.data, type=_Row)


def _decode_subscriptions(reply: Reply) -> list[_Row]:
    return msgspec.json.decode(reply.data, type=_Rows).results


def _decode_snapshots(reply: Reply) -> list[str]:
    return [
        one.snapshotStatusId for one in msgspec.json.decode(reply.data, type=_Snapshots).snapshotResponses
    ]


def _decode_status(reply: Reply) -> str:
    return msgspec.json.decode(reply.data, type=_Status).status


def _nothing(_reply: Reply) -> None:
    return None
