"""Readers of other people on the pretend CRMs: each reads every record once, and every value as it is.

They are programs of their own, installed from the lock files in ``tests/contract/readers``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.detour import Detour, detour
from bench.outside import NotToBeHad, cache
from bench.readers import (
    Place,
    Read,
    read_by_dlt,
    read_by_meltano,
    read_by_tap_hubspot,
    read_by_tap_salesforce,
)
from connectors.sandbox.csvload import load_rows
from connectors.sandbox.generate import generate
from connectors.sandbox.remote import control, records
from connectors.sandbox.serving import Serving, sandbox

PEOPLE = 420
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PROPERTIES = ("email", "firstname", "lastname", "city", "annualrevenue", "lifecyclestage", "message")
CACHE = cache(os.environ)
Rows = dict[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Scene:
    """Both CRMs with people in them, and one record of each that was deleted."""

    serving: Serving
    deleted_contact: str
    deleted_lead: str

    def contacts(self) -> Rows:
        """What HubSpot's list is to show: everybody who is not archived."""
        held = dict(records(self.serving.hubspot_url, "contacts"))
        assert held.pop(self.deleted_contact)
        assert len(held) > 300
        return held


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Generated people, and one of each whose values are hard to carry."""
    odd = '1\n2\t3 \u2028 Zoë 日本 "7" \\ ,;'
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        people = list(generate(PEOPLE, 7, NOW))
        contacts = [one.hubspot for one in people if one.hubspot is not None]
        leads = [one.salesforce for one in people if one.salesforce is not None]
        ids = load_rows(running.hubspot_url, "contacts", [*contacts, {"lastname": "O'Neil", "message": odd}])
        named = {"LastName": "O'Neil", "Company": odd[:40], "Description": odd}
        more = load_rows(running.salesforce_url, "Lead", [*leads, named])
        control(running.hubspot_url, "people", {"action": "delete", "id": ids[3]})
        control(running.salesforce_url, "people", {"action": "delete", "object": "Lead", "id": more[3]})
        control(running.hubspot_url, "limits", {"ten_secondly": None})
        yield Scene(running, ids[3], more[3])


@pytest.fixture(scope="module")
def way(scene: Scene) -> Iterator[Detour]:
    with detour(scene.serving.hubspot_url, scene.serving.salesforce_url, CACHE / "detour") as running:
        yield running
        assert running.refused == []


@pytest.fixture
def place(way: Detour, tmp_path: Path) -> Place:
    return Place(CACHE, tmp_path, way)


def rows_of(read: Callable[[], Read]) -> list[dict[str, Any]]:
    """The rows that a reader read; the test is skipped where it cannot be installed."""
    try:
        return list(read().records())
    except NotToBeHad as reason:
        pytest.skip(f"readers of other people (tests/contract/readers): {reason}")


def by_id(rows: list[dict[str, Any]], key: str) -> Rows:
    found: Rows = {row[key]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_dlt_reads_every_contact_once(place: Place, scene: Scene) -> None:
    token, url = scene.serving.ready["hubspot_token"], scene.serving.hubspot_url
    found = by_id(rows_of(lambda: read_by_dlt(place, url, token, PROPERTIES)), "id")
    held = scene.contacts()
    assert set(found) == set(held)
    for id_, row in found.items():
        told = {name: row.get(f"properties__{name}") for name in PROPERTIES}
        assert told == {name: held[id_].get(name) for name in PROPERTIES}


def test_meltanos_tap_discovers_the_account_and_reads_every_contact_once(place: Place, scene: Scene) -> None:
    token = scene.serving.ready["hubspot_token"]
    found = by_id(rows_of(lambda: read_by_meltano(place, token)), "id")
    held = scene.contacts()
    assert set(found) == set(held)
    for id_, row in found.items():
        told = row["properties"]
        assert {name: told[name] for name in held[id_]} == held[id_]
        # Every property that the account defines was asked for, those without a value come as null.
        assert told["hs_object_id"] == id_
        assert "fax" in told


def test_the_tap_of_singer_reads_every_contact_once(place: Place, scene: Scene) -> None:
    token = scene.serving.ready["hubspot_token"]
    found = by_id(rows_of(lambda: read_by_tap_hubspot(place, token, PROPERTIES)), "id")
    held = scene.contacts()
    assert set(found) == set(held)
    for id_, row in found.items():
        told = {name: row[f"property_{name}"] for name in PROPERTIES}
        assert told == {name: held[id_].get(name) for name in PROPERTIES}


def test_the_tap_for_salesforce_discovers_the_org_and_reads_every_lead_once(
    place: Place, scene: Scene
) -> None:
    ready = scene.serving.ready
    approved = control(scene.serving.salesforce_url, "people", {"action": "approve"})
    client = (ready["salesforce_client_id"], ready["salesforce_client_secret"])
    rows = rows_of(lambda: read_by_tap_salesforce(place, client, approved["refresh_token"]))
    found, held = by_id(rows, "Id"), dict(records(scene.serving.salesforce_url, "Lead"))
    # It reads with queryAll, which shows what lies in the bin.
    assert set(found) == set(held)
    assert [id_ for id_, row in found.items() if row["IsDeleted"]] == [scene.deleted_lead]
    names = ("LastName", "Company", "Email", "Description", "AnnualRevenue", "Status", "NumberOfEmployees")
    for id_, row in found.items():
        assert {name: row[name] for name in names} == {name: held[id_].get(name) for name in names}
