"""The Salesforce connector against a pretend organisation, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest
import requests

from connectors.crm import RECORD_ID, Cursor, Slab
from connectors.salesforce.crm import SalesforceCrm
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
FIELDS = ("LastName", "Company", "Email", "AnnualRevenue", "DoNotCall", "Status")


class Org:
    """One pretend organisation: its controls, what it holds, and connectors to it."""

    def __init__(self, serving: Serving) -> None:
        self.url = serving.salesforce_url
        #: The seconds its connectors asked to wait, each time; nobody waits.
        self.slept: list[float] = []

    def control(self, name: str, **wanted: Any) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def load(self, rows: Sequence[dict[str, Any]], object_name: str = "Lead") -> list[str]:
        ids: list[str] = self.control("load", object=object_name, rows=list(rows))["ids"]
        return ids

    def act(self, action: str, **more: Any) -> str:
        """A person does something to a lead, a row that is not committed yet being left alone."""
        answer = requests.post(
            f"{self.url}/_sandbox/people", json={"action": action, "object": "Lead", **more}, timeout=60
        )
        return str(answer.json().get("id", ""))

    def leads(self) -> dict[str, dict[str, Any]]:
        """What the organisation holds, deleted leads too, by id."""
        found: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            query = {"object": "Lead", "limit": "1000", **({"after": after} if after else {})}
            records = requests.get(f"{self.url}/_sandbox/state", params=query, timeout=60).json()["records"]
            if not records:
                return found
            found.update({each["Id"]: each for each in records})
            after = records[-1]["Id"]

    def cities(self) -> dict[str, tuple[str | None, bool]]:
        """Each lead's city, and whether it is deleted."""
        return {lead: (held["City"], held["IsDeleted"]) for lead, held in self.leads().items()}

    def requests(self) -> list[dict[str, Any]]:
        """The calls it got since ``forget_requests``, oldest first."""
        answer = requests.get(f"{self.url}/_sandbox/requests", timeout=60).json()
        logged: list[dict[str, Any]] = answer["requests"]
        return logged

    def forget_requests(self) -> None:
        requests.delete(f"{self.url}/_sandbox/requests", timeout=60)

    def connect(self, **more: Any) -> SalesforceCrm:
        """The product's connector, on the vendor's hard-coded https through the loopback detour."""
        wanted = {
            "login_url": "https://leadpact-sandbox.my.salesforce.com",
            "client_secret": "salesforce-sandbox-secret",
            "sleep": self.slept.append,
            **more,
        }
        session = open_session(loopback=urlsplit(self.url).netloc)
        return SalesforceCrm(session=session, client_id="leadpact-sandbox", **wanted)

    def joined(self, slabs: Iterator[Slab]) -> pl.DataFrame:
        """All that was read in one frame."""
        frames = [slab.frame for slab in slabs]
        return pl.concat(frames) if frames else pl.DataFrame({RECORD_ID: []}, schema={RECORD_ID: pl.String})

    def changed(
        self, crm: SalesforceCrm, since: Cursor | None, fields: Sequence[str] = FIELDS
    ) -> tuple[pl.DataFrame, Cursor]:
        """The leads that changed since, and the cursor after them."""
        reading = crm.changes("Lead", fields, since)
        return self.joined(reading.slabs), reading.cursor


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with sandbox() as running:
        yield running


@pytest.fixture
def org(serving: Serving) -> Org:
    """A new organisation at 2026-11-22 12:00:30 UTC, with nothing planned to go wrong."""
    fresh = Org(serving)
    fresh.control("reset")
    fresh.control("clock", now=NOON.isoformat())
    requests.delete(f"{fresh.url}/_sandbox/faults", timeout=60)
    fresh.forget_requests()
    return fresh


@pytest.fixture
def crm(org: Org) -> Iterator[SalesforceCrm]:
    """A connector to it."""
    connector = org.connect()
    yield connector
    connector.close()
