"""A pretend HubSpot account with a connector on it, emptied before every test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from connectors.crm import Write
from connectors.hubspot.api import RATES, Version
from connectors.hubspot.crm import HubSpotCrm
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

NOW = "2026-11-22T08:00:00Z"


class Account:
    """The account, its controls, and connectors to it. ``slept`` are the waits of all of them, in seconds."""

    def __init__(self, served: Serving) -> None:
        self.url, self.token = served.hubspot_url, str(served.ready["hubspot_token"])
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        self.slept: list[float] = []

    def control(self, name: str, /, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        answer = self.http.request(method, self.url + path, json=body, timeout=60)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def people(self, action: str, /, **wanted: Any) -> str:
        return str(self.control("people", action=action, **wanted)["id"])

    def calls(self) -> list[dict[str, Any]]:
        found = self.http.get(f"{self.url}/_sandbox/requests", timeout=60).json()["requests"]
        return [dict(one) for one in found]

    def connect(self, version: Version = "v3", **more: Any) -> HubSpotCrm:
        ledger = MemoryLedger(lambda: sum(self.slept))
        quota = Quota(
            "hubspot", RATES, ledger=ledger, clock=lambda: datetime.now(UTC), sleep=self.slept.append
        )
        retry = Retry(sleep=self.slept.append)
        return HubSpotCrm(self.token, self.url, open_session(), quota, retry=retry, version=version, **more)

    def contacts(self, *names: str) -> list[str]:
        writes = [Write(name, None, {"email": f"{name}@acme.test"}) for name in names]
        return [str(w.record_id) for w in self.connect().write("contacts", writes)]

    def activity(self, kind: str, at: str, contact: str, **values: str) -> str:
        """An activity of a contact, made and associated as a phone system would do it."""
        made = self.call(
            "POST", f"/crm/v3/objects/{kind}", {"properties": {"hs_timestamp": at, **values}}, expect=201
        )
        path = f"/crm/v4/objects/{kind}/{made['id']}/associations/default/contacts/{contact}"
        self.call("PUT", path)
        return str(made["id"])


@pytest.fixture(scope="session")
def served() -> Iterator[Serving]:
    with sandbox() as serving:
        yield serving


@pytest.fixture
def account(served: Serving) -> Iterator[Account]:
    found = Account(served)
    found.control("reset")
    found.control("clock", now=NOW)
    found.control("limits", ten_secondly=None, secondly_search=None)
    found.http.delete(f"{found.url}/_sandbox/requests", timeout=60)
    yield found
    found.http.close()
