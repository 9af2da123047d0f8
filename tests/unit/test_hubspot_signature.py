"""Requests that come from HubSpot, and requests that only look like it (HubSpot reference, section 10.3).

The vectors with a secret beyond ASCII were computed with OpenSSL; those of the reference are read at run time.
"""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hubspot.utils.signature import Signature
from hypothesis import given
from hypothesis import strategies as st

from connectors.address import PlainAddress
from connectors.hubspot.signature import (
    Doubt,
    NotFromHubSpot,
    Received,
    Verifier,
    signature_v1,
    signature_v2,
    signature_v3,
    undo_escapes,
)

SECRET = "s3cr3t-ü"
PUBLIC = "https://sync.leadpact.example"
TARGET = "/webhooks/hubspot?a=1%3A2&b=%2Fx%2B&c=%253A%40"
BODY = '[{"eventId":1,"note":"Grüße"}]'.encode()
SENT = datetime(2026, 11, 22, 10, 0, 0, 123_000, tzinfo=UTC)
STAMP = "1795341600123"
V1 = "b576e646fd651fcf3c95253babed962b885f798d676d0baac10d7d32f5b7ab0e"
V2 = "a8a773cbc6131e6db9e9b1f0e2dba4437740ea7d70efd5cf104130aa5bae4cc8"
V3 = "ucclY4gpqtd4eb7AE5t9t8nNCTPXbVXgLD/R2opqDQ4="
OURS = Verifier(SECRET, PUBLIC)
LENIENT = Verifier(SECRET, PUBLIC, old_versions=True)


def request(signature: str | None = V3, stamp: str | None = STAMP, **other: Any) -> Received:
    headers = {"x-hubspot-signature-V3": signature, "X-HUBSPOT-Request-Timestamp": stamp}
    sent: dict[str, Any] = {"method": "POST", "target": TARGET, "body": BODY}
    given = {name: value for name, value in headers.items() if value is not None}
    return Received(**{**sent, "headers": given, **other})


def old(version: str | None, signature: str, **other: Any) -> Received:
    headers = {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": version or ""}
    return request(headers={k: v for k, v in headers.items() if v}, **other)


def doubt_about(request: Received, verifier: Verifier = OURS, now: datetime = SENT) -> Doubt:
    with pytest.raises(NotFromHubSpot) as raised:
        verifier.verify(request, now)
    return raised.value.doubt


def test_a_v3_signature_made_with_openssl_is_right() -> None:
    assert OURS.verify(request(), SENT) == "v3"


@pytest.mark.parametrize(("version", "signature"), [("v1", V1), ("v2", V2)])
def test_old_signatures_are_right_only_where_they_are_allowed(version: str, signature: str) -> None:
    assert LENIENT.verify(old(version, signature), SENT) == version
    assert doubt_about(old(version, signature)) is Doubt.OLD_VERSION


def test_the_vectors_of_the_reference_come_out(shared_reference: Path) -> None:
    found = json.loads((shared_reference / "hubspot-signature-vectors.json").read_text())
    secret, uri = found["secret"], found["uri"]
    assert len(found["vectors"]) == 7
    for vector in found["vectors"]:
        body, method = vector["body"].encode(), vector.get("method", "POST")
        match vector["version"]:
            case "v1":
                made = signature_v1(secret, body)
            case "v2":
                made = signature_v2(secret, method, uri, body)
            case _:
                made = signature_v3(secret, method, uri, body, vector["timestamp"])
        assert made == vector["expect"]


def test_the_vectors_of_the_reference_are_verified_as_requests(shared_reference: Path) -> None:
    found = json.loads((shared_reference / "hubspot-signature-vectors.json").read_text())
    verifier = Verifier(found["secret"], "https://www.example.com", old_versions=True)
    for vector in found["vectors"]:
        headers = {"X-HubSpot-Signature": vector["expect"], "X-HubSpot-Signature-Version": vector["version"]}
        now = SENT
        if vector["version"] == "v3":
            now = datetime.fromtimestamp(int(vector["timestamp"]) / 1000, UTC)
            headers = {
                "X-HubSpot-Signature-v3": vector["expect"],
                "X-HubSpot-Request-Timestamp": vector["timestamp"],
            }
        method = vector.get("method", "POST")
        received = Received(method, "/webhook_uri", headers, vector["body"].encode())
        assert verifier.verify(received, now) == vector["version"]


@pytest.mark.parametrize(
    ("late", "doubt"),
    [
        (timedelta(0), None),
        (timedelta(minutes=5), None),
        (timedelta(minutes=5, milliseconds=1), Doubt.TOO_OLD),
        (timedelta(days=400), Doubt.TOO_OLD),
        (timedelta(minutes=-5), None),
        (timedelta(minutes=-5, milliseconds=-1), Doubt.FROM_THE_FUTURE),
        (timedelta(days=-1), Doubt.FROM_THE_FUTURE),
    ],
)
def test_a_time_stamp_is_good_for_five_minutes_both_ways(late: timedelta, doubt: Doubt | None) -> None:
    if doubt is None:
        assert OURS.verify(request(), SENT + late) == "v3"
    else:
        assert doubt_about(request(), now=SENT + late) is doubt


@pytest.mark.parametrize(
    "stamp", [None, "", "now", "-1", "1.5", "1795341600123" * 3, "١٧٩٥٣٤١٦٠٠١٢٣", "0x1A2", "1e12"]
)
def test_a_time_stamp_that_is_no_number_of_milliseconds_is_refused(stamp: str | None) -> None:
    assert doubt_about(request(stamp=stamp)) is Doubt.NO_TIME


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY + b" "},
        {"body": b""},
        {"method": "PUT"},
        {"target": TARGET + "&d=1"},
        {"target": "/webhooks/hubspot?b=%2Fx%2B&a=1%3A2&c=%253A%40"},
        {"target": TARGET.replace("%2B", "+")},
        {"target": TARGET.replace("%253A", "%3A")},
    ],
)
def test_whatever_was_changed_on_the_way_makes_the_signature_wrong(changed: dict[str, Any]) -> None:
    assert doubt_about(request(**changed)) is Doubt.WRONG


@pytest.mark.parametrize(
    "signature", ["", "AAAA", V3[:-1], V3.lower(), "\u00e9" * 44, "ü", f"{V3}, {V3}", V1]
)
def test_a_signature_that_is_not_the_expected_one_is_wrong(signature: str) -> None:
    assert doubt_about(request(signature)) is Doubt.WRONG


def test_a_wrong_v3_signature_is_not_made_good_by_an_old_one() -> None:
    headers = {
        "X-HubSpot-Signature": V1,
        "X-HubSpot-Signature-Version": "v1",
        "X-HubSpot-Signature-v3": "wrong",
        "X-HubSpot-Request-Timestamp": STAMP,
    }
    assert doubt_about(request(headers=headers), LENIENT) is Doubt.WRONG


@pytest.mark.parametrize("version", [None, "v4", "3"])
def test_a_signature_of_no_known_version_is_none(version: str | None) -> None:
    assert doubt_about(old(version, V1), LENIENT) is Doubt.UNSIGNED


def test_a_request_without_any_signature_is_refused() -> None:
    assert doubt_about(request(headers={}), LENIENT) is Doubt.UNSIGNED


def test_the_twelve_escapes_are_undone_once_and_no_other() -> None:
    escaped = "%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B"
    assert undo_escapes(escaped) == ":/?@!$'()*,;"
    assert undo_escapes(escaped.lower()) == ":/?@!$'()*,;"
    kept = "%253A %20 %2B %26 %3D %23 %25 %C3%BC %3 %"
    assert undo_escapes(kept) == kept


@given(st.text())
def test_undoing_escapes_never_fails_and_leaves_other_text_alone(text: str) -> None:
    undone = undo_escapes(text)
    assert undone.replace("%", "").count("ü") == text.replace("%", "").count("ü")
    assert len(undone) <= len(text)


@given(
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.text(st.characters(codec="utf-8")),
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
)
def test_hubspots_own_helper_makes_the_same_signatures(secret: str, body: str, method: str) -> None:
    uri = "https://www.example.com/webhook_uri?a=1&b=x+y"
    sent = body.encode()
    made = (
        signature_v1(secret, sent),
        signature_v2(secret, method, uri, sent),
        signature_v3(secret, method, uri, sent, STAMP),
    )
    official = tuple(
        Signature.get_signature(secret, body, version, uri, method, STAMP) for version in ("v1", "v2", "v3")
    )
    assert made == official


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "X-HubSpot-Signature",
                "X-HubSpot-Signature-Version",
                "X-HubSpot-Signature-v3",
                "X-HubSpot-Request-Timestamp",
            ]
        ),
        st.one_of(st.text(), st.sampled_from(["v1", "v2", STAMP])),
    ),
    st.text(),
    st.text(),
    st.binary(),
)
def test_a_strangers_request_is_refused_in_words_whatever_it_holds(
    headers: dict[str, str], method: str, target: str, body: bytes
) -> None:
    with pytest.raises(NotFromHubSpot):
        LENIENT.verify(Received(method, target, headers, body), SENT)


def test_neither_secret_nor_body_nor_signature_stands_in_any_text() -> None:
    with pytest.raises(NotFromHubSpot) as raised:
        OURS.verify(request("planted-signature"), SENT)
    told = f"{raised.value} {raised.value!r} {OURS!r} {request('planted-signature')!r}"
    assert not [text for text in (SECRET, "planted", "Grüße", V3) if text in told]


def test_a_verifier_without_a_secret_or_with_a_plain_address_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="anybody could sign"):
        Verifier("", PUBLIC)
    with pytest.raises(PlainAddress):
        Verifier(SECRET, "http://sync.leadpact.example")


def test_a_path_that_a_proxy_adds_is_part_of_the_address() -> None:
    signature = signature_v3(SECRET, "POST", f"{PUBLIC}/crm{TARGET}", BODY, STAMP)
    assert Verifier(SECRET, f"{PUBLIC}/crm/").verify(request(signature), SENT) == "v3"
    assert doubt_about(request(signature)) is Doubt.WRONG


@pytest.mark.parametrize("text", ["/hook?x=\udcff", "/hook\udcff\ud800"])
def test_a_request_line_that_is_no_utf8_is_refused_and_breaks_nothing(text: str) -> None:
    assert doubt_about(request(target=text)) is Doubt.WRONG
    assert doubt_about(request(signature=text)) is Doubt.WRONG
    assert doubt_about(request(stamp=text)) is Doubt.NO_TIME


def test_bytes_of_a_request_line_are_signed_as_the_bytes_they_were() -> None:
    target = b"/hook?name=Gr\xfc\xdfe".decode("ascii", "surrogateescape")
    told = b"POST" + PUBLIC.encode() + b"/hook?name=Gr\xfc\xdfe" + BODY + STAMP.encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), told, "sha256")).decode()
    assert OURS.verify(request(signature, target=target), SENT) == "v3"


def test_hubspots_own_helper_believes_tomorrow_and_we_do_not() -> None:
    tomorrow = str(int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000))
    uri = f"{PUBLIC}/hook"
    signature = signature_v3(SECRET, "POST", uri, BODY, tomorrow)
    body = BODY.decode()
    assert Signature.is_valid(signature, SECRET, body, uri, "POST", "v3", tomorrow)
    with pytest.raises(NotFromHubSpot) as raised:
        OURS.verify(request(signature, tomorrow, target="/hook"), datetime.now(UTC))
    assert raised.value.doubt is Doubt.FROM_THE_FUTURE
