"""The pretend organisation tells a listener; the listener is the connector's own parser behind a real port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree

from connectors.crm import Write
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.outbound import Notification, acknowledgement, parse_outbound
from connectors.sandbox.salesforce import seed
from connectors.sandbox.serving import sandbox

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
LEAD = {"LastName": "Nguyen", "Company": "Nordlicht GmbH", "Email": "mai@nordlicht.example"}
#: Seconds until something that happens on another thread has to have happened.
PATIENCE = 60.0

Answer = tuple[int, bytes]


class Listener:
    """Takes messages on a loopback port. ``answers`` are given first, then every message is acknowledged."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[Answer] = []
        self.open = threading.Event()
        self.open.set()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.headers.append(dict(self.headers.items()))
                listener.bodies.append(body)
                listener.open.wait(PATIENCE)
                status, answer = listener.answers.pop(0) if listener.answers else (200, acknowledgement())
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: Any) -> None:
                """Nothing on the test's screen."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/planted-secret-path?x=1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """May be called twice."""
        if self.thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()

    @property
    def notifications(self) -> list[Notification]:
        """All that came, in the order in which it came."""
        found = (parse_outbound(body, organisation_id=seed.ORG_ID) for body in list(self.bodies))
        return [note for message in found for note in message.notifications]


class Told:
    """An organisation with a listener."""

    def __init__(self, org: Any, listener: Listener) -> None:
        self.org, self.listener = org, listener

    def declare(self, **more: Any) -> str:
        wanted = {"object": "Lead", "fields": ["Email", "City", "Status"], "url": self.listener.url, **more}
        answer = requests.post(
            f"{self.org.url}/_sandbox/people", json={"action": "outbound_message", **wanted}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def state(self) -> dict[str, Any]:
        answer = requests.get(f"{self.org.url}/_sandbox/state", params={"outbound": "1"}, timeout=60)
        found: dict[str, Any] = answer.json()
        return found

    def create(self, **more: Any) -> str:
        return str(self.org.act("create", fields={**LEAD, **more}))

    def edit(self, lead: str, **fields: Any) -> None:
        assert self.org.act("edit", id=lead, fields=fields) == lead

    def at(self, later: timedelta) -> None:
        self.org.control("clock", now=(NOON + later).isoformat())

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, self.state()
            time.sleep(0.01)

    def settled(self, *states: str) -> list[dict[str, Any]]:
        """The notifications, once they are in these states."""
        self.until(lambda: [each["state"] for each in self.state()["notifications"]] == list(states))
        found: list[dict[str, Any]] = self.state()["notifications"]
        return found

    def tried(self, times: int) -> list[dict[str, Any]]:
        """The tries, once there are so many."""
        self.until(lambda: len(self.state()["tries"]) >= times)
        found: list[dict[str, Any]] = self.state()["tries"]
        return found


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.stop()


@pytest.fixture
def told(org: Any, listener: Listener) -> Told:
    return Told(org, listener)


def test_a_created_and_an_edited_lead_are_told_with_the_chosen_fields(told: Told) -> None:
    told.declare()
    lead = told.create(City="Köln & Bonn")
    told.settled("sent")
    told.edit(lead, City=None, Status="Working - Contacted")
    told.settled("sent", "sent")
    first, second = told.listener.notifications
    assert (first.object, first.record_id, second.record_id) == ("Lead", lead, lead)
    assert first.fields == {"Email": LEAD["Email"], "City": "Köln & Bonn", "Status": "Open - Not Contacted"}
    # An empty field is left out.
    assert second.fields == {"Email": LEAD["Email"], "Status": "Working - Contacted"}
    assert first.notification_id != second.notification_id
    assert told.listener.headers[0]["Content-Type"].startswith("text/xml")


@pytest.mark.shared
def test_a_message_has_the_form_of_the_reference(told: Told, shared_reference: Path) -> None:
    told.declare(fields=["Email", "Status"])
    told.create()
    told.settled("sent")
    theirs = (shared_reference / "fixtures/outbound_message_lead.xml").read_bytes()

    def form(body: bytes) -> list[tuple[str, tuple[str, ...]]]:
        return [(each.tag, tuple(sorted(each.attrib.items()))) for each in etree.fromstring(body).iter()]

    assert form(told.listener.bodies[0]) == form(theirs)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"on": "created"}, ["Berlin"]),
        ({"on": "created_or_edited"}, ["Berlin", "Köln", "Köln", "Bonn", "Köln"]),
        ({"on": "created_or_edited", "conditions": {"City": "köln"}}, ["Köln", "Köln", "Köln"]),
        ({"on": "created_or_starts_to_meet", "conditions": {"City": "Köln"}}, ["Köln", "Köln"]),
        ({"on": "created", "conditions": {"City": "Köln"}}, []),
        ({"on": "created_or_edited", "conditions": {"DoNotCall": True}}, []),
        ({"on": "created_or_edited", "conditions": {"Industry": None, "City": "Bonn"}}, ["Bonn"]),
    ],
)
def test_an_action_fires_on_what_it_was_declared_for(
    told: Told, rule: dict[str, Any], expected: list[str]
) -> None:
    told.declare(**rule)
    lead = told.create(City="Berlin")
    told.settled(*["sent"] * expected.count("Berlin"))
    for number, city in enumerate(("Köln", "Köln", "Bonn", "Köln")):
        told.edit(lead, City=city, Title=f"{number}")
        # One after the other: what is told is always the latest.
        told.until(lambda: all(each["state"] == "sent" for each in told.state()["notifications"]))
    assert [each.fields["City"] for each in told.listener.notifications] == expected


def test_neither_a_delete_nor_an_undelete_is_told(told: Told) -> None:
    lead = told.create()
    told.declare()
    told.org.act("delete", id=lead)
    told.org.act("undelete", id=lead)
    told.edit(lead, City="Bonn")
    told.settled("sent")


def test_rows_that_were_loaded_were_there_before_anybody_listened(told: Told) -> None:
    told.declare()
    told.org.load([LEAD] * 3)
    assert told.state()["notifications"] == []


def test_conversions_and_merges_are_edits_too(told: Told) -> None:
    winner, loser, converted = told.create(), told.create(), told.create()
    told.declare()
    told.org.act("merge", id=winner, other=loser)
    told.org.act("convert", id=converted)
    told.settled("sent", "sent")
    assert {each.record_id for each in told.listener.notifications} == {winner, converted}


def test_a_call_that_was_undone_is_never_told(told: Told, crm: SalesforceCrm) -> None:
    told.declare()
    token = requests.post(
        f"{told.org.url}/services/oauth2/token",
        data={
            "grant_type": "client_credentials",
            "client_id": "leadpact-sandbox",
            "client_secret": "salesforce-sandbox-secret",
        },
        timeout=60,
    ).json()["access_token"]
    records = [{"attributes": {"type": "Lead"}, **LEAD}, {"attributes": {"type": "Lead"}, "Email": "x"}]
    answer = requests.post(
        f"{told.org.url}/services/data/v66.0/composite/sobjects",
        json={"allOrNone": True, "records": records},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert [each["success"] for each in answer.json()] == [False, False]
    assert told.state()["notifications"] == []


@pytest.mark.parametrize("sends", [True, False])
def test_our_own_writes_come_back_unless_our_user_may_not_send(
    told: Told, crm: SalesforceCrm, sends: bool
) -> None:
    told.declare(from_integration_user=sends)
    (written,) = crm.write("Lead", [Write("one", None, {**LEAD, "City": "Bonn"})])
    lead = told.create()
    expected = [str(written.record_id), lead] if sends else [lead]
    told.settled(*["sent"] * len(expected))
    assert [each.record_id for each in told.listener.notifications] == expected


REFUSALS: dict[str, Answer] = {
    "an error": (503, b"busy"),
    "a redirect": (302, b""),
    "not acknowledged": (200, acknowledgement(False)),
    "no acknowledgement": (200, b"thanks"),
    "a page": (200, b"<html><body>Ack</body></html>"),
    "an entity": (200, b'<!DOCTYPE x [<!ENTITY a "true">]><Ack>&a;</Ack>'),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_was_not_heard_comes_again_with_the_same_id_and_the_latest_values(told: Told, name: str) -> None:
    told.listener.answers.append(REFUSALS[name])
    told.declare()
    lead = told.create(City="Berlin")
    told.tried(1)
    told.org.load([])
    told.declare(object="Contact", fields=[])
    told.edit(lead, City="Köln")
    told.settled("waiting", "sent")
    told.at(timedelta(seconds=16))
    told.settled("sent", "sent")
    first, second, again = told.listener.notifications
    assert first.notification_id == again.notification_id != second.notification_id
    assert (first.fields["City"], again.fields["City"]) == ("Berlin", "Köln")


def test_a_listener_that_is_away_is_tried_at_growing_gaps_for_a_day(told: Told) -> None:
    told.listener.stop()
    told.declare()
    told.create()
    tried: list[datetime] = []
    for number in range(1, 40):
        found = told.tried(number)[-1]
        tried.append(datetime.fromisoformat(found["at"]))
        assert (found["status"], found["heard"]) == (None, False)
        (note,) = told.state()["notifications"]
        if note["state"] != "waiting":
            break
        due = datetime.fromisoformat(note["due"]).replace(tzinfo=UTC)
        told.org.control("clock", now=due.isoformat())
    gaps = [(after - before).total_seconds() for before, after in pairwise(tried)]
    assert note["state"] == "given up"
    assert gaps[:4] == [15.0, 30.0, 60.0, 120.0]
    assert all(later in (2 * earlier, 7_200.0) for earlier, later in pairwise(gaps))
    assert gaps[-1] == 7_200.0
    assert timedelta(hours=22) < tried[-1] - tried[0] <= timedelta(hours=24)


def test_what_a_day_did_not_hear_is_dropped_without_another_try(told: Told) -> None:
    told.listener.answers.append(REFUSALS["an error"])
    told.declare()
    told.create()
    told.tried(1)
    told.at(timedelta(hours=25))
    told.settled("given up")
    assert len(told.listener.bodies) == 1


def test_a_hundred_notifications_go_in_one_message_and_one_answer_speaks_for_all(
    told: Told, crm: SalesforceCrm
) -> None:
    told.listener.answers.append(REFUSALS["an error"])
    told.declare()
    told.create()
    told.tried(1)
    crm.write("Lead", [Write(str(n), None, {**LEAD, "LastName": f"N{n}"}) for n in range(130)])
    told.settled("waiting", *["sent"] * 130)
    told.at(timedelta(minutes=1))
    told.settled(*["sent"] * 131)
    sizes = [len(each["notes"]) for each in told.state()["tries"]]
    assert max(sizes) <= 100
    assert sum(sizes) == 132
    assert len({each.notification_id for each in told.listener.notifications}) == 131


def test_messages_can_come_twice_and_out_of_order(told: Told) -> None:
    told.listener.answers.extend([REFUSALS["an error"]] * 3)
    told.declare(most=1, duplicates=1, reorder=True)
    leads = [told.create() for _ in range(3)]
    told.settled("waiting", "waiting", "waiting")
    told.tried(3)
    told.listener.bodies.clear()
    told.at(timedelta(minutes=1))
    told.settled("sent", "sent", "sent")
    told.tried(9)
    came = [each.record_id for each in told.listener.notifications]
    assert came == [lead for lead in reversed(leads) for _ in range(2)]
    assert len({each.notification_id for each in told.listener.notifications}) == 3


def test_a_slow_listener_holds_nobody_up(told: Told) -> None:
    told.listener.open.clear()
    told.declare()
    first = told.create()
    told.until(lambda: len(told.listener.bodies) == 1)
    # The sender alone waits for the listener, for up to five seconds; edits and looks are answered meanwhile.
    told.edit(first, City="Bonn")
    told.edit(first, City="Köln")
    assert [each["state"] for each in told.state()["notifications"]] == ["waiting"] * 3
    told.listener.open.set()
    told.at(timedelta(minutes=1))
    told.settled("sent", "sent", "sent")


def test_who_hears_and_reads_again_has_what_the_organisation_holds(told: Told, crm: SalesforceCrm) -> None:
    told.declare(fields=[])
    leads = [told.create(City=city) for city in ("Köln", "Bonn", "Berlin")]
    told.settled("sent", "sent", "sent")
    heard = list(dict.fromkeys(each.record_id for each in told.listener.notifications))
    frame = told.org.joined(crm.fetch("Lead", ["City"], heard))
    assert set(heard) == set(leads)
    assert sorted(frame["City"].to_list()) == ["Berlin", "Bonn", "Köln"]


def test_a_lead_that_is_gone_when_its_turn_comes_is_not_told(told: Told) -> None:
    told.listener.answers.append(REFUSALS["an error"])
    told.declare()
    lead = told.create()
    told.tried(1)
    told.org.act("delete", id=lead)
    told.at(timedelta(minutes=1))
    told.settled("dropped")


def test_an_action_that_is_withdrawn_tells_nothing_more(told: Told) -> None:
    told.listener.answers.append(REFUSALS["an error"])
    action = told.declare()
    lead = told.create()
    told.tried(1)
    told.org.act("no_outbound_message", id=action)
    told.edit(lead, City="Bonn")
    told.at(timedelta(minutes=1))
    told.settled("dropped")
    assert len(told.listener.bodies) == 1


def test_the_session_is_sent_only_where_asked_and_kept_by_neither_side(told: Told) -> None:
    told.declare(session_id=True)
    told.create()
    told.settled("sent")
    session = etree.fromstring(told.listener.bodies[0]).findtext(
        ".//{http://soap.sforce.com/2005/09/outbound}SessionId"
    )
    assert session
    answer = requests.get(
        f"{told.org.url}/services/data/v66.0/limits",
        headers={"Authorization": f"Bearer {session}"},
        timeout=60,
    )
    assert answer.status_code == 200
    logged = requests.get(f"{told.org.url}/_sandbox/requests", params={"bodies": "1"}, timeout=60).text
    assert session not in logged
    assert "planted-secret-path" not in logged
    assert session not in str(told.listener.notifications)


def test_deliveries_stand_in_the_request_log_and_are_no_writes(told: Told) -> None:
    action = told.declare()
    told.create()
    told.tried(1)
    told.until(lambda: any(each["path"] == f"/outbound/{action}" for each in told.org.requests()))
    (sent,) = [each for each in told.org.requests() if each["path"] == f"/outbound/{action}"]
    assert (sent["method"], sent["status"], sent["client"], sent["writes"]) == (
        "POST",
        200,
        "outbound-message",
        False,
    )


def test_a_reset_forgets_actions_and_what_waits(told: Told) -> None:
    told.listener.answers.append(REFUSALS["an error"])
    told.declare()
    told.create()
    told.tried(1)
    told.org.control("reset")
    told.at(timedelta(minutes=1))
    assert told.state() == {"actions": [], "notifications": [], "tries": []}
    # And a new action works in the new org.
    told.declare()
    told.create()
    told.settled("sent")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"url": "http://example.com/x"}, "on this machine"),
        ({"url": "https://127.0.0.1/x"}, "on this machine"),
        ({"url": None}, "on this machine"),
        ({"object": "Nothing"}, "unknown object"),
        ({"object": "FieldPermissions", "fields": []}, "no outbound messages"),
        ({"fields": ["Nope"]}, "unknown field"),
        ({"fields": "Email"}, "list of field names"),
        ({"on": "sometimes"}, "one of created"),
        ({"conditions": {"Nope": 1}}, "unknown field"),
        ({"conditions": {"DoNotCall": "perhaps"}}, "conditions"),
        ({"conditions": {"City": "x' OR 1; DROP TABLE Lead; --"}}, None),
        ({"most": 101}, "from 1 to 100"),
        ({"duplicates": True}, "whole number"),
        ({"reorder": "yes"}, "true or false"),
        ({"mots": 1}, "unknown key"),
    ],
)
def test_an_action_that_cannot_be_is_refused_in_words(
    told: Told, wrong: dict[str, Any], says: str | None
) -> None:
    wanted = {"object": "Lead", "fields": ["Email"], "url": told.listener.url, **wrong}
    answer = requests.post(
        f"{told.org.url}/_sandbox/people", json={"action": "outbound_message", **wanted}, timeout=60
    )
    assert answer.status_code == (200 if says is None else 400)
    assert says is None or says in answer.json()["error"]
    assert told.create()


def test_what_waits_survives_a_restart(tmp_path: Path, listener: Listener) -> None:
    listener.answers.append(REFUSALS["an error"])
    wanted = {"object": "Lead", "fields": ["Email"], "url": listener.url}
    with sandbox(tmp_path) as running:
        url = f"{running.salesforce_url}/_sandbox"
        requests.post(f"{url}/clock", json={"now": NOON.isoformat()}, timeout=60)
        requests.post(f"{url}/people", json={"action": "outbound_message", **wanted}, timeout=60)
        requests.post(
            f"{url}/people", json={"action": "create", "object": "Lead", "fields": LEAD}, timeout=60
        )
        end = time.monotonic() + PATIENCE
        while not listener.bodies and time.monotonic() < end:
            time.sleep(0.01)
    with sandbox(tmp_path) as running:
        url = f"{running.salesforce_url}/_sandbox"
        requests.post(f"{url}/clock", json={"advance_seconds": 60}, timeout=60)
        end = time.monotonic() + PATIENCE
        while len(listener.bodies) < 2 and time.monotonic() < end:
            time.sleep(0.01)
    assert len({each.notification_id for each in listener.notifications}) == 1
    assert len(listener.bodies) == 2
