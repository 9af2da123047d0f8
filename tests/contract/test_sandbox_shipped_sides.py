"""The shipped HubSpot and Salesforce sides behind the kernel: what both of them owe to the controls."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.csvload import LoadRefused, load_csv, load_rows
from connectors.sandbox.detached import attach
from connectors.sandbox.folder import read_json, started_at
from connectors.sandbox.serving import Serving
from tests.contract.either import CRMS, Crm

MARCH = datetime(2026, 3, 1, 8, tzinfo=UTC)


def state(url: str, crm: Crm, **wanted: Any) -> dict[str, Any]:
    answer = requests.get(f"{url}/_sandbox/state", params={"object": crm.people, **wanted})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_new_account_has_no_people(url: str, crm: Crm) -> None:
    assert state(url, crm)["records"] == []


def test_loaded_rows_are_records_with_the_ids_given(url: str, crm: Crm) -> None:
    ids = load_rows(url, crm.people, crm.rows(3))
    assert len(set(ids)) == 3
    told = state(url, crm)
    assert told["total"] == 3
    assert len(told["records"]) == 3
    assert all(identity in str(told["records"]) for identity in ids)


def test_a_spreadsheet_becomes_records(tmp_path: Path, url: str, crm: Crm) -> None:
    path = tmp_path / "people.csv"
    cells = {**crm.row, crm.email: "ada@example.com", next(iter(crm.row)): "Zoë", "remark": "not loaded"}
    path.write_text(f"{';'.join(cells)}\n{';'.join(cells.values())}\n", encoding="cp1252")
    mapping = {name: name for name in cells if name != "remark"}
    assert len(load_csv(url, crm.people, path, mapping)) == 1
    assert "Zoë" in str(state(url, crm)["records"])


def test_the_same_seed_time_and_rows_make_the_same_account(url: str, crm: Crm) -> None:
    first = load_rows(url, crm.people, crm.rows(5)), state(url, crm)
    requests.post(f"{url}/_sandbox/reset", json={"seed": 7}).raise_for_status()
    second = load_rows(url, crm.people, crm.rows(5)), state(url, crm)
    assert first == second


def test_limits_asked_for_without_a_wish_change_nothing(url: str) -> None:
    asked = requests.get(f"{url}/_sandbox/limits").json()
    assert requests.post(f"{url}/_sandbox/limits", json={}).json() == asked
    assert requests.post(f"{url}/_sandbox/limits", json={"daily": 12_345}).json() == {
        **asked,
        "daily": 12_345,
    }


@pytest.mark.parametrize(
    ("control", "wanted"),
    [
        ("limits", {"dayly": 1}),
        ("limits", {"daily": "many"}),
        ("people", {}),
        ("people", {"action": "dance"}),
        ("load", {"object": "spaceships", "rows": [{}]}),
        ("load", {"object": "PEOPLE", "rows": [{"no_such_field": "x"}]}),
    ],
)
def test_what_a_side_does_not_understand_is_a_400_that_says_so(
    url: str, crm: Crm, control: str, wanted: dict[str, Any]
) -> None:
    asked = {name: crm.people if value == "PEOPLE" else value for name, value in wanted.items()}
    answer = requests.post(f"{url}/_sandbox/{control}", json=asked)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_the_state_of_an_object_that_is_none_is_a_400(url: str) -> None:
    assert requests.get(f"{url}/_sandbox/state?object=spaceships").status_code == 400


def test_rows_that_are_refused_leave_nothing_behind(url: str, crm: Crm) -> None:
    with pytest.raises(LoadRefused):
        load_rows(url, crm.people, [*crm.rows(2), {**crm.row, "no_such_field": "x"}])
    assert state(url, crm)["records"] == []


def test_a_call_without_credentials_is_refused_and_logged_without_any(url: str, running: Serving) -> None:
    seen = requests.get(f"{url}/_sandbox/requests").json()["newest"]
    for path in ("/crm/v3/objects/contacts", "/services/data/v64.0/sobjects"):
        assert requests.get(url + path, headers={"Authorization": "Bearer s3cret"}).status_code in (401, 404)
    later = requests.get(f"{url}/_sandbox/requests", params={"after": seen, "bodies": 1}).text
    assert "s3cret" not in later


def test_both_accounts_outlive_a_kill_of_the_server_that_commands_share(tmp_path: Path) -> None:
    with attach(tmp_path) as first:
        loaded = [load_rows(getattr(first, f"{crm.name}_url"), crm.people, crm.rows(50)) for crm in CRMS]
        server = read_json(tmp_path / "serving.json")["pid"]
        os.kill(server, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while started_at(server) is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        with attach(tmp_path) as second:
            for crm, ids in zip(CRMS, loaded, strict=True):
                records = str(state(getattr(second, f"{crm.name}_url"), crm, limit=100)["records"])
                assert all(identity in records for identity in ids)


PUBLIC_COLUMNS = {
    "hubspot": {"contactName": "lastname", "companyName": "company", "city": "city", "phone": "phone"},
    "salesforce": {"contactName": "LastName", "companyName": "Company", "city": "City", "phone": "Phone"},
}


@pytest.mark.shared
def test_a_public_spreadsheet_of_people_is_loaded_whole(shared_data: Path, url: str, crm: Crm) -> None:
    path = shared_data / "northwind" / "customers_clean.csv"
    ids = load_csv(url, crm.people, path, PUBLIC_COLUMNS[crm.name])
    assert len(set(ids)) == state(url, crm, limit=1)["total"] == 91
    assert "Alfreds Futterkiste" in str(state(url, crm, id=ids[0])["records"])


@pytest.mark.shared
def test_one_address_that_no_crm_would_take_keeps_a_spreadsheet_out(
    shared_data: Path, url: str, crm: Crm
) -> None:
    path = shared_data / "adventureworks" / "ProspectiveBuyer.csv"
    last = next(name for name in crm.row if name.lower() == "lastname")
    with pytest.raises(LoadRefused, match="email") as told:
        load_csv(url, crm.people, path, {"LastName": last, "EmailAddress": crm.email})
    assert (told.value.loaded, state(url, crm)["records"]) == (0, [])
