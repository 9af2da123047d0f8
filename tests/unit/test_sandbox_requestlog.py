"""The request log of a pretend CRM: what it keeps, counts, hides and forgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from connectors.sandbox.requestlog import Call, RequestLog, records_in, without_credentials
from connectors.sandbox.side import Ask

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def log() -> Iterator[RequestLog]:
    kept = RequestLog(None, cap=1_500)
    yield kept
    kept.close()


def add(log: RequestLog, raw_path: str = "/a", body: bytes = b"", **headers: str) -> int:
    path = unquote(raw_path.partition("?")[0])
    ask = Ask(
        "POST", path, (), {name.replace("_", "-"): value for name, value in headers.items()}, body, raw_path
    )
    return log.add(ask, Call(MARCH, 200, None, len(body), 0, True))


def numbers(log: RequestLog, **wanted: Any) -> list[int]:
    return [call["number"] for call in log.read(**wanted)["requests"]]


def test_the_log_is_read_in_pieces_that_go_on_where_the_last_one_ended(log: RequestLog) -> None:
    for _ in range(5):
        add(log)
    assert numbers(log, after=1, limit=2) == [2, 3]
    assert log.read(after=1, limit=2)["next"] == 3
    assert numbers(log, after=3, limit=2) == [4, 5]
    assert log.read(after=5) == {"requests": [], "next": 5, "newest": 5}


def test_numbers_go_on_after_everything_was_forgotten_and_after_a_restart(tmp_path: Path) -> None:
    first = RequestLog(tmp_path / "log.sqlite")
    add(first)
    add(first)
    first.clear()
    assert (numbers(first), first.newest()) == ([], 2)
    first.close()
    second = RequestLog(tmp_path / "log.sqlite")
    assert add(second) == 3
    second.close()


def test_only_the_newest_are_kept(log: RequestLog) -> None:
    for _ in range(4_000):
        add(log)
    kept = numbers(log)
    assert kept[-1] == 4_000
    # Trimmed every thousand requests, so never fewer than the cap and never a thousand more.
    assert 1_500 <= len(kept) < 2_500


def test_bodies_are_kept_for_the_newest_only() -> None:
    log = RequestLog(None, bodies=500)
    for _ in range(3_000):
        add(log, body=b"x")
    with_body = [call["number"] for call in log.read(bodies=True)["requests"] if call["body"]]
    assert (with_body[0], with_body[-1], len(with_body)) == (2_501, 3_000, 500)
    assert len(numbers(log)) == 3_000
    log.close()


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b'{"inputs": [{}, {}, {}]}', 3),
        (b'{"inputs": []}', 0),
        (b'{"allOrNone": false, "records": [{}]}', 1),
        (b'{"inputs": "two", "records": [1, 2]}', 2),
        (b'{"inputs": {"a": 1}}', None),
        (b'{"properties": {}}', None),
        (b'["inputs"]', None),
        (b'{"inputs": [', None),
        (b"email,inputs\n", None),
        (b"", None),
    ],
)
def test_records_of_a_batch_are_counted(body: bytes, records: int | None) -> None:
    assert records_in(body) == records


def test_a_body_too_deep_to_be_looked_through_is_logged_without_a_number() -> None:
    deep = b"[" * 5_000 + b"]" * 5_000
    assert records_in(b'{"inputs": [{"a": ' + deep + b"}]}") is None
    beside = b"[" * 900 + b"]" * 900
    assert records_in(b'{"inputs": [1, 2], "unused": ' + beside + b"}") == 2


@pytest.mark.parametrize(
    ("raw_path", "kept"),
    [
        ("/crm/v3/objects/contacts?limit=1", "/crm/v3/objects/contacts?limit=1"),
        ("/oauth/v1/access-tokens/s3cret", "/oauth/v1/access-tokens/***"),
        ("/oauth/v1/refresh-tokens/s3cret?a=1", "/oauth/v1/refresh-tokens/***?a=1"),
        ("/a?access_token=s3cret&b=2", "/a?access_token=***&b=2"),
        ("/a?b=2&client_secret=s3cret", "/a?b=2&client_secret=***"),
        ("/a?hapikey=s3cret", "/a?hapikey=***"),
        ("/a?postcode=8010&barcode=7", "/a?postcode=8010&barcode=7"),
    ],
)
def test_a_credential_in_an_address_is_struck_out(raw_path: str, kept: str) -> None:
    assert without_credentials(raw_path) == kept


@pytest.mark.parametrize("path", ["/services/oauth2/token", "/oauth/v1/token", "/oauth/2026-03/token"])
def test_the_body_of_a_token_call_is_never_kept(log: RequestLog, path: str) -> None:
    add(log, path, b"grant_type=client_credentials&client_secret=s3cret")
    assert log.read(bodies=True)["requests"][0]["body"] == "(not kept: it carries credentials)"


def test_authorization_is_never_kept(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log.sqlite")
    add(log, body=b"{}", authorization="Bearer s3cret", user_agent="leadpact/1")
    assert "s3cret" not in json.dumps(log.read(bodies=True))
    log.close()
    assert b"s3cret" not in (tmp_path / "log.sqlite").read_bytes()


def test_a_body_that_is_no_text_is_kept_as_far_as_it_can_be_read(log: RequestLog) -> None:
    add(log, body=b"PK\x03\x04\xff" + b"x" * 20_000)
    body = log.read(bodies=True)["requests"][0]["body"]
    assert body.startswith("PK\x03\x04\ufffdx")
    assert len(body) == 16_384


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"user_agent": "curl"}, "curl"),
        ({"user_agent": "curl", "sforce_call_options": "client=Leadpact"}, "client=Leadpact"),
        ({}, None),
    ],
)
def test_the_client_is_told_by_its_own_name(
    log: RequestLog, headers: dict[str, str], client: str | None
) -> None:
    add(log, **headers)
    assert log.read()["requests"][0]["client"] == client
