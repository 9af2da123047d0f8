"""The generated rows and acts are what the pretend CRMs take, as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.generate import a_day_of_changes, campaigns, generate, newcomers
from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.salesforce.side import SalesforceSide

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


class StandingClock:
    def now(self) -> datetime:
        return NOW


Loaded = dict[str, tuple[Any, list[tuple[str, Any]]]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """Both CRMs with 600 people in them: the side, and (id, row) of each record."""
    folder: Path = tmp_path_factory.mktemp("sandbox")
    hubspot, salesforce = HubSpotSide(folder, StandingClock()), SalesforceSide(folder, StandingClock())
    people = list(generate(600, 1, NOW))
    contacts = [person.hubspot for person in people if person.hubspot]
    leads = [person.salesforce for person in people if person.salesforce]
    yield {
        "hubspot": (hubspot, list(zip(hubspot.load("contacts", contacts), contacts, strict=True))),
        "salesforce": (salesforce, list(zip(salesforce.load("Lead", leads), leads, strict=True))),
    }
    hubspot.close()
    salesforce.close()


@pytest.mark.parametrize(("crm", "object_name"), [("hubspot", "contacts"), ("salesforce", "Lead")])
def test_every_row_becomes_a_record(loaded: Loaded, crm: str, object_name: str) -> None:
    side, rows = loaded[crm]
    assert len({id_ for id_, _ in rows}) == len(rows)
    id_, row = rows[0]
    [record] = side.state({"object": object_name, "id": id_})["records"]
    shown = record.get("properties") or record.get("fields") or record
    name = "lifecyclestage" if crm == "hubspot" else "LastName"
    assert shown[name] == row[name]


def test_a_day_of_changes_is_taken_and_seen(loaded: Loaded) -> None:
    acts = a_day_of_changes(1, loaded["hubspot"][1], loaded["salesforce"][1], NOW)
    assert len(acts) > 40
    for act in acts:
        loaded[act.crm][0].people(act.body)
    signal = next(act for act in acts if act.body.get("signal") == "form")
    [record] = loaded["hubspot"][0].state({"object": "contacts", "id": signal.body["id"]})["records"]
    assert record["properties"]["recent_conversion_event_name"] == signal.body["name"]


def test_newcomers_and_campaigns_can_be_loaded_on_top(loaded: Loaded) -> None:
    fresh = newcomers(1, loaded["hubspot"][1], NOW, 12)
    contacts = [person.hubspot for person in fresh if person.hubspot]
    leads = [person.salesforce for person in fresh if person.salesforce]
    assert len(loaded["hubspot"][0].load("contacts", contacts)) == len(contacts)
    assert len(loaded["salesforce"][0].load("Lead", leads)) == len(leads)
    rows = campaigns(1, NOW)
    assert len(loaded["salesforce"][0].load("Campaign", rows)) == len(rows)
