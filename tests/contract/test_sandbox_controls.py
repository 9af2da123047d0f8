"""The controls under ``/_sandbox/``, over real HTTP: what scripts and tests of others rely on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.sandbox.serving import Serving, sandbox
from connectors.sandbox.side import Answer, Ask, ControlRefused


class Shelf:
    """A CRM that keeps what it was told, so that a test can look at it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kept: list[str] = []
        self.rows: list[Mapping[str, Any]] = []
        self.seeds: list[int | None] = []
        self.copies: dict[str, list[str]] = {}
        self.daily = 100

    def answer(self, ask: Ask) -> Answer:
        if ask.method != "GET":
            self.kept.append(ask.body.decode())
        if ask.path == "/empty":
            return Answer(204, content_type=None)
        return Answer(200, b'{"shelf": "' + b"x" * 500 + b'"}')

    def is_write(self, ask: Ask) -> bool:
        return not ask.path.endswith("/search")

    def reset(self, seed: int | None = None) -> None:
        self.kept.clear()
        self.seeds.append(seed)

    def states(self) -> list[str]:
        return sorted(self.copies)

    def keep(self, name: str) -> None:
        self.copies[name] = list(self.kept)

    def go_back(self, name: str) -> None:
        self.kept[:] = self.copies[name]

    def limits(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        if set(wanted) - {"daily"}:
            raise ControlRefused("daily was expected")
        self.daily = wanted.get("daily", self.daily)
        return {"daily": self.daily}

    def people(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        if wanted.get("action") != "edit":
            raise ControlRefused("action: edit was expected")
        return {"did": wanted["action"]}

    def state(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        return {"asked": dict(wanted), "kept": self.kept}

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        if object_name != "contacts":
            raise ControlRefused("contacts was expected")
        new = list(rows)
        self.rows += new
        return [str(len(self.rows) - len(new) + n) for n in range(1, len(new) + 1)]

    def close(self) -> None:
        self.kept.clear()


@pytest.fixture
def sides() -> list[Shelf]:
    return [Shelf("hubspot"), Shelf("salesforce")]


@pytest.fixture
def serving(sides: list[Shelf]) -> Iterator[Serving]:
    with sandbox(sides=lambda folder, clock, seed: sides) as running:
        yield running


@pytest.fixture
def url(serving: Serving) -> str:
    return serving.hubspot_url


def control(url: str, name: str, method: str = "POST", **wanted: Any) -> Any:
    answer = requests.request(method, f"{url}/_sandbox/{name}", json=wanted or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def calls(url: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{url}/_sandbox/requests", params=query).json()["requests"]
    return found


# --- clock ----------------------------------------------------------------------------------------------


def test_the_clock_is_set_moved_and_set_running_for_both_sides(serving: Serving) -> None:
    hubspot, salesforce = serving.hubspot_url, serving.salesforce_url
    assert control(hubspot, "clock", now="2026-05-01T10:00:00+02:00") == {
        "now": "2026-05-01T08:00:00+00:00",
        "frozen": True,
    }
    control(salesforce, "clock", advance_seconds=3600.5)
    assert control(hubspot, "clock", "GET")["now"] == "2026-05-01T09:00:00.500000+00:00"
    control(hubspot, "clock", run=True)
    told = control(salesforce, "clock", "GET")
    assert told["frozen"] is False
    assert abs(datetime.fromisoformat(told["now"]) - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_running_clock_that_was_moved_runs_on(url: str) -> None:
    told = control(url, "clock", advance_seconds=-86_400)
    assert told["frozen"] is False
    later = control(url, "clock", "GET")["now"]
    assert datetime.fromisoformat(told["now"]) < datetime.fromisoformat(later)
    assert datetime.fromisoformat(later) < datetime.now(UTC) - timedelta(hours=23)


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("clock", {"nwo": "2026-05-01T10:00:00Z"}, "unknown key 'nwo'"),
        ("clock", {}, "exactly one of now, advance_seconds, run"),
        ("clock", {"now": "2026-05-01T10:00:00Z", "run": True}, "exactly one of"),
        ("clock", {"now": "2026-05-01T10:00:00"}, "now: a time such as"),
        ("clock", {"now": 5}, "now: a time such as"),
        ("clock", {"advance_seconds": "5"}, "advance_seconds: a number"),
        ("clock", {"advance_seconds": True}, "advance_seconds: a number"),
        ("clock", {"advance_seconds": 1e300}, "advance_seconds: the sandbox clock cannot be moved that far"),
        ("clock", {"run": False}, "run: true"),
        ("latency", {"ms": -1}, "ms: milliseconds from 0"),
        ("latency", {}, "ms: a number"),
        ("latency", {"seconds": 1}, "unknown key 'seconds'; expected: ms"),
        ("reset", {"seed": "1"}, "seed: a whole number"),
        ("reset", {"sed": 1}, "unknown key 'sed'"),
        ("reset", {"seed": 1, "to": "monday"}, "at most one of seed, to"),
        ("reset", {"to": 5}, "to: a name was expected"),
        ("keep", {}, "name: a name was expected"),
        ("keep", {"name": "monday", "to": 1}, "unknown key 'to'"),
        ("limits", {"dayly": 1}, "daily was expected"),
        ("people", {"action": "dance"}, "action: edit was expected"),
        ("load", {"object": "contacts"}, "rows: a list of objects"),
        ("load", {"object": 5, "rows": []}, "object: the name of an object"),
        ("load", {"object": "contacts", "rows": [1]}, "rows: a list of objects"),
        ("load", {"object": "leads", "rows": []}, "contacts was expected"),
        ("load", {"object": "contacts", "rows": [{"_created": "soon"}]}, "_created: a time such as"),
        ("load", {"object": "contacts", "rows": [{"_history": {"a": [1]}}]}, "_history: an object of"),
        ("faults", {"match": "/a"}, "exactly one of status, html, drop, delay, truncate"),
        ("faults", {"status": 500, "tiems": 1}, "unknown key 'tiems'"),
    ],
)
def test_a_wrong_control_is_a_400_that_says_what_was_expected(
    url: str, name: str, wanted: dict[str, Any], expected: str
) -> None:
    answer = requests.post(f"{url}/_sandbox/{name}", json=wanted)
    assert answer.status_code == 400
    assert expected in answer.json()["error"]


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=1.5", "bodies=yes", "afetr=1"])
def test_a_wrong_question_to_the_request_log_is_a_400(url: str, query: str) -> None:
    assert requests.get(f"{url}/_sandbox/requests?{query}").status_code == 400


@pytest.mark.parametrize("body", ["[]", "5", "{", '"x"'])
def test_a_control_takes_only_a_json_object(url: str, body: str) -> None:
    answer = requests.post(f"{url}/_sandbox/latency", data=body)
    assert (answer.status_code, "a JSON object was expected" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(("method", "name", "status"), [("POST", "fautls", 404), ("GET", "reset", 405)])
def test_an_unknown_control_and_a_wrong_method_are_told_apart(
    url: str, method: str, name: str, status: int
) -> None:
    answer = requests.request(method, f"{url}/_sandbox/{name}")
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "rebound.example"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_web_page_cannot_drive_the_controls(url: str, headers: dict[str, str], status: int) -> None:
    assert requests.post(f"{url}/_sandbox/reset", headers=headers).status_code == status


def test_the_address_of_the_controls_lists_them(url: str) -> None:
    told = requests.get(f"{url}/_sandbox/").json()
    assert told["side"] == "hubspot"
    assert {"reset", "clock", "latency", "limits", "faults", "people", "requests", "state"} <= set(
        told["controls"]
    )


# --- what goes to the side ------------------------------------------------------------------------------


def test_limits_people_and_state_are_the_sides_own(url: str) -> None:
    assert control(url, "limits") == {"daily": 100}
    assert control(url, "limits", daily=7) == {"daily": 7}
    assert control(url, "limits", "GET") == {"daily": 7}
    assert control(url, "people", action="edit") == {"did": "edit"}
    asked = requests.get(f"{url}/_sandbox/state?object=contacts&limit=3").json()["asked"]
    assert asked == {"object": "contacts", "limit": "3"}


def test_a_reset_clears_the_side_its_faults_and_its_latency(url: str, sides: list[Shelf]) -> None:
    requests.post(f"{url}/a", data="kept")
    control(url, "latency", ms=60_000)
    control(url, "faults", status=500)
    assert control(url, "reset", seed=42) == {"reset": "hubspot", "seed": 42}
    assert (sides[0].seeds, sides[0].kept, sides[1].seeds) == ([42], [], [])
    assert control(url, "faults", "GET") == {"faults": []}
    assert requests.get(f"{url}/a", timeout=60).status_code == 200


def test_going_back_brings_what_the_side_kept_without_its_faults_and_latency(
    url: str, sides: list[Shelf]
) -> None:
    requests.post(f"{url}/a", data="kept")
    assert requests.post(f"{url}/_sandbox/keep", json={"name": "one"}).json() == {"kept": ["one"]}
    requests.post(f"{url}/a", data="later")
    control(url, "latency", ms=60_000)
    control(url, "faults", status=500)
    assert control(url, "reset", to="one") == {"reset": "hubspot", "to": "one"}
    assert (sides[0].kept, sides[0].seeds, sides[1].kept) == (["kept"], [], [])
    assert control(url, "faults", "GET") == {"faults": []}
    assert requests.get(f"{url}/a", timeout=60).status_code == 200


def test_loaded_rows_arrive_in_order_with_times_as_times(url: str, sides: list[Shelf]) -> None:
    row = {
        "email": "ada@example.com",
        "_created": "2026-01-01T00:00:00Z",
        "_modified": "2026-01-02T01:00:00+01:00",
        "_history": {"stage": [["2026-01-01T00:00:00Z", "lead"]]},
    }
    assert control(url, "load", object="contacts", rows=[row, {"email": "eva@example.com"}]) == {
        "ids": ["1", "2"]
    }
    january = datetime(2026, 1, 1, tzinfo=UTC)
    assert sides[0].rows == [
        {
            "email": "ada@example.com",
            "_created": january,
            "_modified": january + timedelta(days=1),
            "_history": {"stage": [(january, "lead")]},
        },
        {"email": "eva@example.com"},
    ]


# --- faults ---------------------------------------------------------------------------------------------


def test_a_status_fault_answers_instead_of_the_side(url: str, sides: list[Shelf]) -> None:
    control(url, "faults", status=429, body={"policyName": "DAILY"}, headers={"Retry-After": "3"})
    answer = requests.post(f"{url}/a", data="never kept")
    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (
        429,
        {"policyName": "DAILY"},
        "3",
    )
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert sides[0].kept == []
    assert requests.get(f"{url}/a").status_code == 200


def test_an_html_fault_looks_like_a_proxy(url: str) -> None:
    control(url, "faults", html=503)
    answer = requests.get(f"{url}/a")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html")
    assert "<h1>503 Service Unavailable</h1>" in answer.text


@pytest.mark.parametrize(("when", "kept"), [("before", []), ("after", ["one"])])
def test_a_dropped_connection_leaves_the_outcome_open(
    url: str, sides: list[Shelf], when: str, kept: list[str]
) -> None:
    control(url, "faults", drop=when)
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{url}/a", data="one")
    assert sides[0].kept == kept


def test_a_delayed_answer_comes_after_the_side_has_done_its_work(url: str, sides: list[Shelf]) -> None:
    control(url, "faults", delay=400, times=2)
    started = time.monotonic()
    assert requests.post(f"{url}/a", data="one").status_code == 200
    assert time.monotonic() - started >= 0.4
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{url}/a", data="two", timeout=0.1)
    assert sides[0].kept == ["one", "two"]


@pytest.mark.parametrize(("size", "arrived"), [(0, 0), (10, 10), (1_000_000, 512)])
def test_a_truncated_answer_promises_more_than_it_brings(url: str, size: int, arrived: int) -> None:
    control(url, "faults", truncate=size)
    got: list[bytes] = []
    with requests.get(f"{url}/a", stream=True, headers={"Accept-Encoding": "identity"}) as answer:
        assert answer.headers["Content-Length"] == "513"
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            got.extend(answer.iter_content(1))
    assert len(b"".join(got)) == arrived
    assert calls(url)[0]["bytes_out"] == arrived


def test_an_answer_without_a_body_is_truncated_to_nothing_at_all(url: str, sides: list[Shelf]) -> None:
    control(url, "faults", truncate=10)
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{url}/empty", data="one")
    assert sides[0].kept == ["one"]


def test_a_fault_skips_fires_and_is_spent(url: str) -> None:
    control(url, "faults", match="/a", status=503, times=2, skip=1)
    control(url, "faults", match="/a", status=500, times=-1, skip=4)
    told = [requests.get(f"{url}/a").status_code for _ in range(6)]
    # The second fault counts its skips only on requests the first one let through.
    assert told == [200, 503, 503, 200, 200, 200]
    listed = control(url, "faults", "GET")["faults"]
    assert [(fault["fired"], fault["left"]) for fault in listed] == [(2, 0), (0, -1)]
    assert requests.get(f"{url}/a").status_code == 500
    assert control(url, "faults", "DELETE") == {"forgotten": 2}
    assert requests.get(f"{url}/a").status_code == 200


def test_a_fault_on_one_side_leaves_the_other_and_the_controls_alone(serving: Serving) -> None:
    control(serving.hubspot_url, "faults", status=500, times=-1)
    assert requests.get(f"{serving.salesforce_url}/a").status_code == 200
    assert control(serving.hubspot_url, "clock", "GET")["now"]


# --- request log ----------------------------------------------------------------------------------------


def test_the_log_tells_what_was_called_and_what_came_of_it(serving: Serving, url: str) -> None:
    serving.clock.set(datetime(2026, 3, 1, tzinfo=UTC))
    control(url, "faults", match="/b$", drop="before")
    requests.post(f"{url}/batch?x=1", json={"inputs": [{}, {}]}, headers={"User-Agent": "leadpact/1"})
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/b", headers={"Sforce-Call-Options": "client=Leadpact"})
    first, second = calls(url)
    assert first == {
        "number": 1,
        "at": "2026-03-01T00:00:00+00:00",
        "method": "POST",
        "path": "/batch?x=1",
        "status": 200,
        "fault": None,
        "client": "leadpact/1",
        "bytes_in": 20,
        "bytes_out": 513,
        "records": 2,
        "writes": True,
    }
    assert (second["status"], second["fault"], second["client"]) == (None, "drop before", "client=Leadpact")


@pytest.mark.parametrize(
    ("method", "path", "writes"),
    [
        ("GET", "/a", False),
        ("HEAD", "/a", False),
        ("POST", "/a", True),
        ("PATCH", "/a", True),
        ("PUT", "/a", True),
        ("DELETE", "/a", True),
        ("POST", "/crm/objects/contacts/search", False),
    ],
)
def test_a_write_is_told_from_a_read_that_is_a_post(url: str, method: str, path: str, writes: bool) -> None:
    requests.request(method, url + path)
    assert [call["writes"] for call in calls(url)] == [writes]
    assert len(calls(url, writes=1)) == int(writes)


def test_a_second_run_can_be_proved_to_write_nothing(url: str) -> None:
    requests.post(f"{url}/a", data="first run")
    seen = requests.get(f"{url}/_sandbox/requests").json()["next"]
    requests.get(f"{url}/a")
    requests.post(f"{url}/search", data="{}")
    later = requests.get(f"{url}/_sandbox/requests", params={"after": seen}).json()
    assert [call["writes"] for call in later["requests"]] == [False, False]
    assert later["next"] == later["newest"] == 3
    assert requests.get(f"{url}/_sandbox/requests?after=3").json() == {"requests": [], "next": 3, "newest": 3}


def test_bodies_are_shown_only_when_asked_for_and_only_their_beginning(url: str) -> None:
    requests.post(f"{url}/a", data=json.dumps({"note": "n" * 40_000}))
    assert "body" not in calls(url)[0]
    shown = calls(url, bodies=1)[0]["body"]
    assert shown.startswith('{"note": "nnn')
    assert len(shown) == 16_384
