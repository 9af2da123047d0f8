"""A state of a pretend CRM that was kept, and gone back to: the same account again, whatever was done since."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.credentials import HUBSPOT_TOKEN, SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET
from connectors.sandbox.serving import Serving, sandbox
from tests.contract.either import CRMS, Crm

MARCH = datetime(2026, 3, 1, 8, tzinfo=UTC)


def control(url: str, name: str, /, **wanted: Any) -> dict[str, Any]:
    answer = requests.post(f"{url}/_sandbox/{name}", json=wanted, timeout=60)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def load(url: str, crm: Crm, **more: str) -> str:
    return str(control(url, "load", object=crm.people, rows=[crm.rows(1)[0] | more])["ids"][0])


def told(url: str, crm: Crm) -> Any:
    return requests.get(f"{url}/_sandbox/state", params={"object": crm.people}, timeout=60).json()


def hubspot(url: str, method: str, path: str, body: Any = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
    return requests.request(method, f"{url}{path}", json=body, headers=headers, timeout=60)


def salesforce_token(url: str) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": SALESFORCE_CLIENT_ID,
        "client_secret": SALESFORCE_CLIENT_SECRET,
    }
    return str(requests.post(f"{url}/services/oauth2/token", data=form, timeout=60).json()["access_token"])


def salesforce(url: str, path: str, token: str) -> requests.Response:
    return requests.get(f"{url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def test_records_are_again_what_they_were_and_the_next_id_is_the_same(url: str, crm: Crm) -> None:
    load(url, crm)
    before = told(url, crm)
    control(url, "keep", name="one-person")
    next_one = load(url, crm, **({"email": "eve@example.com"} if crm.name == "hubspot" else {}))
    assert told(url, crm)["records"] != before["records"]

    assert control(url, "reset", to="one-person") == {"reset": crm.name, "to": "one-person"}

    assert told(url, crm) == before
    assert load(url, crm, **({"email": "eve@example.com"} if crm.name == "hubspot" else {})) == next_one


def test_one_state_is_gone_back_to_as_often_as_wanted_and_others_stay(url: str, crm: Crm) -> None:
    control(url, "keep", name="empty")
    load(url, crm)
    control(url, "keep", name="full")
    for name, people in (("empty", 0), ("full", 1), ("empty", 0), ("full", 1)):
        control(url, "reset", to=name)
        assert len(told(url, crm)["records"]) == people


def test_a_state_kept_again_under_its_name_takes_the_place_of_the_first(url: str, crm: Crm) -> None:
    control(url, "keep", name="now")
    load(url, crm)
    control(url, "keep", name="now")
    control(url, "reset")
    control(url, "reset", to="now")
    assert len(told(url, crm)["records"]) == 1


def test_limits_and_switches_are_again_what_they_were(url: str, crm: Crm) -> None:
    kept = control(url, "limits", daily=4_321)
    control(url, "keep", name="small-budget")
    control(url, "reset")
    assert control(url, "limits") != kept

    control(url, "reset", to="small-budget")

    assert control(url, "limits") == kept


def test_faults_and_latency_are_no_part_of_a_state(url: str) -> None:
    control(url, "faults", status=500, times=-1)
    control(url, "latency", ms=60_000)
    control(url, "keep", name="calm")
    control(url, "reset", to="calm")
    assert requests.get(f"{url}/_sandbox/faults", timeout=60).json() == {"faults": []}
    assert requests.get(f"{url}/_sandbox/latency", timeout=60).json() == {"ms": 0}


def test_the_clock_and_the_request_log_go_on(running: Serving, url: str) -> None:
    control(url, "keep", name="march")
    control(url, "clock", advance_seconds=3_600)
    later = running.clock.now()
    requests.get(f"{url}/somewhere", timeout=60)
    newest = requests.get(f"{url}/_sandbox/requests?limit=1", timeout=60).json()["newest"]

    control(url, "reset", to="march")

    assert running.clock.now() == later
    assert requests.get(f"{url}/_sandbox/requests?limit=1", timeout=60).json()["newest"] == newest


@pytest.mark.parametrize("crm", CRMS[:1], ids=["hubspot"])
def test_a_property_made_since_is_gone_and_its_name_free(url: str) -> None:
    made = {"name": "warmth", "label": "Warmth", "type": "string", "fieldType": "text"}
    wanted = {**made, "groupName": "contactinformation"}
    control(url, "keep", name="plain")
    assert hubspot(url, "POST", "/crm/v3/properties/contacts", wanted).status_code == 201

    control(url, "reset", to="plain")

    assert hubspot(url, "GET", "/crm/v3/properties/contacts/warmth").status_code == 404
    assert hubspot(url, "POST", "/crm/v3/properties/contacts", wanted).status_code == 201


@pytest.mark.parametrize("crm", CRMS[:1], ids=["hubspot"])
def test_what_was_called_that_day_is_counted_on(url: str) -> None:
    def left() -> int:
        answer = hubspot(url, "GET", "/crm/v3/properties/contacts")
        return int(answer.headers["X-HubSpot-RateLimit-Daily-Remaining"])

    first = left()
    control(url, "keep", name="one-call")
    assert left() == first - 1
    control(url, "reset", to="one-call")
    assert left() == first - 1


@pytest.mark.parametrize("crm", CRMS[1:], ids=["salesforce"])
def test_a_session_lives_on_where_it_was_there_already(url: str, crm: Crm) -> None:
    early = salesforce_token(url)
    control(url, "keep", name="one-session")
    late = salesforce_token(url)
    assert late != early

    control(url, "reset", to="one-session")

    assert salesforce(url, crm.described, early).status_code == 200
    assert salesforce(url, crm.described, late).status_code == 401
    again = salesforce_token(url)
    assert again != early
    assert salesforce(url, crm.described, again).status_code == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nobody-kept-it", "no state was kept as 'nobody-kept-it'; there are: "),
        ("../hubspot", "a name was expected: lower case letters, digits, - and _"),
        ("", "a name was expected"),
        (".new", "a name was expected"),
        ("a" * 65, "at most 64"),
    ],
)
def test_a_name_that_is_none_is_a_400_and_changes_nothing(
    url: str, crm: Crm, name: str, expected: str
) -> None:
    load(url, crm)
    answer = requests.post(f"{url}/_sandbox/reset", json={"to": name}, timeout=60)
    assert (answer.status_code, expected in answer.json()["error"]) == (400, True)
    assert len(told(url, crm)["records"]) == 1


def test_kept_states_are_listed_and_outlive_a_reset_and_a_restart(tmp_path: Path, crm: Crm) -> None:
    with sandbox(tmp_path) as serving:
        url = crm.url(serving)
        assert requests.get(f"{url}/_sandbox/keep", timeout=60).json() == {"kept": []}
        load(url, crm)
        before = told(url, crm)
        assert control(url, "keep", name="b") == {"kept": ["b"]}
        assert control(url, "keep", name="a") == {"kept": ["a", "b"]}
        control(url, "reset")
    with sandbox(tmp_path) as serving:
        url = crm.url(serving)
        assert not told(url, crm)["records"]
        control(url, "reset", to="b")
        assert told(url, crm) == before
        assert requests.get(f"{url}/_sandbox/keep", timeout=60).json() == {"kept": ["a", "b"]}
    with sandbox(tmp_path) as serving:
        assert told(crm.url(serving), crm) == before
