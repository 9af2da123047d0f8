"""Which requests of the CRMs are taken, what the others are answered, and that nothing of those is kept."""

from __future__ import annotations

import ast
import inspect
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from connectors.hubspot import signature
from connectors.hubspot.signature import signature_v1
from connectors.salesforce.outbound import acknowledgement
from sync.web import pages, salesforce
from sync.web.belongings import Limits

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><soapenv:Envelope>&c;</soapenv:Envelope>'
)


def test_a_signed_request_is_stored_and_answered(served: Any, made: Any) -> None:
    before = served.counted("hubspot", "stored")
    body = orjson.dumps([made.event(1), made.event(2, subscriptionType="contact.deletion"), made.event(1)])
    answer = served.hubspot(body, target="/webhooks/hubspot?a=%2B&b=x%3Ay")
    assert (answer.status, served.way.records) == (200, ["1", "2"])
    assert served.counted("hubspot", "stored") - before == 1
    assert len(answer.headers["X-Request-Id"]) == 12


@pytest.mark.parametrize(
    ("body", "changes", "status", "outcome"),
    [
        (b"[]", {"at": timedelta(minutes=-6)}, 401, "too old"),
        (b"[]", {"at": timedelta(minutes=6)}, 401, "from the future"),
        (b"[]", {"secret": "another"}, 401, "wrong signature"),
        (b"[]", {"headers": {"X-HubSpot-Request-Timestamp": "soon"}}, 401, "no time"),
        (b"not json", {}, 400, "malformed"),
        (b"[{}]", {}, 400, "malformed"),
        (b'{"portalId": 7}', {}, 400, "malformed"),
        (b"[" * 100_000, {}, 400, "malformed"),
        (b"\xff\xfe", {}, 400, "malformed"),
        # Nothing is unzipped: it is the bytes on the wire that are signed, and they are no JSON.
        (b"\x1f\x8b\x08\x00junk", {"headers": {"Content-Encoding": "gzip"}}, 400, "malformed"),
        (b" " * (2 * 1024 * 1024 + 1), {}, 413, "too large"),
        # Of another portal: a public app is told about all of them
        (
            b'[{"portalId":8,"occurredAt":1,"subscriptionType":"contact.creation","objectId":1}]',
            {},
            401,
            "other account",
        ),
    ],
)
def test_what_is_not_hubspots_is_refused_counted_and_leaves_nothing(
    served: Any, made: Any, body: bytes, changes: dict[str, Any], status: int, outcome: str
) -> None:
    before = served.counted("hubspot", outcome)
    changes = {**changes, "at": made.now + changes.get("at", timedelta())}
    answer = served.hubspot(body, **changes)
    assert (answer.status, served.way.kept) == (status, [])
    assert served.counted("hubspot", outcome) - before == 1


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/webhooks/hubspot", "GET", 405), ("/webhooks", "POST", 404)]
)
def test_other_methods_and_addresses_are_no_endpoint(
    served: Any, path: str, method: str, status: int
) -> None:
    assert served.ask(method, path).status == status


def test_an_unsigned_request_and_an_old_signature_are_refused_unless_the_latter_is_allowed(
    served: Any, served_with: Callable[..., Any], made: Any
) -> None:
    body = orjson.dumps([made.event()])
    old = {
        "X-HubSpot-Signature": signature_v1(made.secret, body),
        "X-HubSpot-Signature-Version": "v1",
    }
    assert served.ask("POST", "/webhooks/hubspot", body).status == 401
    assert served.ask("POST", "/webhooks/hubspot", body, old).status == 401
    assert served.counted("hubspot", "old signature") == 1
    verifier = signature.Verifier(made.secret, "https://leads.example", old_versions=True)
    with served_with(verifier=verifier) as other:
        assert other.ask("POST", "/webhooks/hubspot", body, old).status == 200
        assert other.way.records == ["1"]


def test_our_events_are_kept_though_others_come_with_them(served: Any, made: Any) -> None:
    body = orjson.dumps(
        [made.event(1), made.event(2, portalId=8), made.event(3, subscriptionType="deal.creation")]
    )
    assert served.hubspot(body).status == 200
    assert served.way.records == ["1"]
    outcomes = {
        outcome: served.registry.get_sample_value(
            "leadpact_webhook_events_total", {"crm": "hubspot", "kind": "created", "outcome": outcome}
        )
        for outcome in ("other account", "not synced")
    }
    assert outcomes == {"other account": 1, "not synced": 1}


@pytest.mark.parametrize("organisation", ["00D000000000001EAA", "00D000000000001"])
def test_an_outbound_message_is_acknowledged_once_it_is_stored(
    served: Any, made: Any, organisation: str
) -> None:
    answer = served.salesforce(made.message(organisation, "00Q000000000001", "00Q000000000002EAA"))
    assert (answer.status, answer.body) == (200, acknowledgement())
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert served.way.records == ["00Q000000000001EAA", "00Q000000000002EAA"]


@pytest.mark.parametrize(
    ("path", "body", "status", "outcome"),
    [
        ("planted/secret-pat", None, 401, "wrong path"),
        ("planted/secret-path/", None, 401, "wrong path"),
        ("planted%2Fsecret-patH", None, 401, "wrong path"),
        ("%ff%fe", None, 401, "wrong path"),
        (None, b"<a/>", 400, "malformed"),
        (None, b"", 400, "malformed"),
        (None, BOMB, 400, "malformed"),
        (None, b"<a>" * 50_000, 400, "malformed"),
        (None, b" " * (2 * 1024 * 1024 + 1), 413, "too large"),
        (None, "00D000000000009AAA", 401, "other account"),
    ],
)
def test_what_is_not_salesforces_is_refused_counted_and_leaves_nothing(
    served: Any, made: Any, path: str | None, body: Any, status: int, outcome: str
) -> None:
    before = served.counted("salesforce", outcome)
    if not isinstance(body, bytes):
        body = made.message(body or made.organisation, "00Q000000000001")
    answer = served.salesforce(body, made.path if path is None else path)
    assert (answer.status, served.way.kept) == (status, [])
    assert served.counted("salesforce", outcome) - before == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"X-Client-Verify": "FAILED"}, 401), ({"X-Client-Verify": "SUCCESS"}, 200)],
)
def test_a_client_certificate_is_asked_for_where_the_proxy_is_said_to_look_at_it(
    served_with: Callable[..., Any], made: Any, headers: dict[str, str], status: int
) -> None:
    with served_with(certificate_header="X-Client-Verify") as served:
        answer = served.salesforce(made.message(made.organisation, "00Q000000000001"), headers=headers)
    assert (answer.status, bool(served.way.kept)) == (status, status == 200)


def test_an_endpoint_without_its_secret_is_not_there(served_with: Callable[..., Any], made: Any) -> None:
    with served_with(verifier=None, secret_path=None) as served:
        assert served.hubspot(b"[]").status == 404
        assert served.salesforce(b"", "").status == 404


@pytest.mark.parametrize("state", ["away", "full", "silent"])
def test_what_cannot_be_stored_is_answered_503_and_taken_when_it_comes_again(
    served_with: Callable[..., Any], made: Any, state: str
) -> None:
    body = orjson.dumps([made.event()])
    with served_with(limits=Limits(store_seconds=0.2, come_again_seconds=7)) as served:
        served.way.state = state
        began = time.monotonic()
        for answer in (
            served.hubspot(body),
            served.salesforce(made.message(made.organisation, "00Q000000000001")),
        ):
            assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
            assert b"Ack" not in answer.body
        assert time.monotonic() - began < 30, "who stores is silent for ever"
        served.way.state = "there"
        assert served.hubspot(body).status == 200
        assert served.way.records == ["1"]


def test_no_secret_and_no_word_of_a_body_is_ever_logged(
    served_with: Callable[..., Any], made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # A command that ran before may have made our own loggers quiet.
    for name in ("", "sync", "connectors", "aiohttp"):
        caplog.set_level("DEBUG", name or None)
    body = orjson.dumps([made.event(4711, propertyName="email", propertyValue="anna@planted.example")])
    with served_with(api_token=made.token) as served:
        served.hubspot(body)
        served.hubspot(body, secret="wrong")
        served.hubspot(body[:-3])
        served.salesforce(made.message(made.organisation, "00Q000000000001"))
        served.salesforce(b"<anna@planted.example>", made.path)
        served.ask("GET", "/api/status", headers={"Authorization": f"Bearer {made.token}"})
        served.ask("BREW", f"/webhooks/salesforce/outbound/{made.path}", b"x" * 10)
        served.ask("GET", f"/{made.token}")
    assert "request" in caplog.text
    for planted in ("planted", made.secret, "4711", "00Q000000000001", "leads.example"):
        assert planted not in caplog.text


def test_secrets_are_compared_in_constant_time() -> None:
    """In the source: no secret stands beside ``==``, and every comparison ends in ``hmac.compare_digest``."""
    assert "hmac.compare_digest(" in inspect.getsource(salesforce.same)
    assert "hmac.compare_digest(" in inspect.getsource(signature._compare)
    for module in (salesforce, pages):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Compare):
                said = ast.unparse(node)
                assert "secret_path" not in said
                assert "token" not in said or said.startswith("token is ")
