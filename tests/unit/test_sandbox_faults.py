"""Faults: how they are spelt, which requests they are for, and how often they fire."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.faults import Conditions, read_fault
from connectors.sandbox.side import Ask, ControlRefused

POST = Ask("POST", "/contacts", (("limit", "10"),), {}, b'{"email": "eva@example.com"}', "/contacts?limit=10")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"match": "/a"}, "exactly one of status, html, drop, delay, truncate"),
        ({"status": 500, "drop": "after"}, "exactly one of"),
        ({"status": 99}, "status: a whole number from 200"),
        ({"status": 600}, "status: a status from 200 to 599"),
        ({"html": "503"}, "html: a whole number"),
        ({"drop": "during"}, 'drop: "before" or "after"'),
        ({"delay": -1}, "delay: a whole number from 0"),
        ({"status": 500, "times": 0}, "times: a whole number from 1, or -1"),
        ({"status": 500, "times": True}, "times: a whole number"),
        ({"status": 500, "skip": -1}, "skip: a whole number from 0"),
        ({"status": 500, "tiems": 1}, "unknown key 'tiems'"),
        ({"status": 500, "match": "("}, "match: not a regular expression"),
        ({"status": 500, "match": {"url": "/a"}}, "match: a regular expression, or an object"),
        ({"status": 500, "match": {"body": 1}}, "match.body: a regular expression"),
        ({"status": 500, "headers": {"A": "b\r\nC: d"}}, "headers: an object"),
        ({"status": 500, "headers": {"Content-Length": "1"}}, "headers: the length"),
        ({"drop": "after", "body": "x"}, "body and headers go with status only"),
    ],
)
def test_a_fault_that_cannot_be_says_what_was_expected(wanted: dict[str, Any], expected: str) -> None:
    with pytest.raises(ControlRefused) as told:
        read_fault(1, wanted)
    assert expected in str(told.value)


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ("/contacts", True),
        (r"/contacts\?limit=\d+$", True),
        ("^/contacts$", False),
        ({}, True),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"path": "/contacts", "body": '"email": ?"eva@'}, True),
        ({"path": "/contacts", "body": "ada"}, False),
        ({"path": "/companies"}, False),
    ],
)
def test_a_fault_fires_only_where_every_part_matches(match: Any, hit: bool) -> None:
    conditions = Conditions()
    conditions.add({"match": match, "status": 500})
    assert (conditions.fault_for(POST) is not None) is hit


def test_a_body_that_is_no_text_can_still_be_matched() -> None:
    conditions = Conditions()
    conditions.add({"match": {"body": "^PK.*end$"}, "status": 500})
    assert conditions.fault_for(Ask("PUT", "/a", (), {}, b"PK\xff\xfeend", "/a")) is not None


@given(times=st.integers(-1, 6).filter(bool), skip=st.integers(0, 6), asked=st.integers(0, 15))
def test_a_fault_fires_as_often_as_it_was_told_after_what_it_skips(times: int, skip: int, asked: int) -> None:
    conditions = Conditions()
    conditions.add({"status": 503, "times": times, "skip": skip})
    fired = [conditions.fault_for(POST) is not None for _ in range(asked)]
    after = max(0, asked - skip)
    hits = after if times == -1 else min(times, after)
    assert fired == [False] * min(skip, asked) + [True] * hits + [False] * (after - hits)
    assert conditions.faults[0].as_json()["left"] == (-1 if times == -1 else times - hits)


def test_faults_that_fit_the_same_request_fire_one_after_the_other() -> None:
    conditions = Conditions()
    conditions.add({"match": "/contacts", "status": 503})
    conditions.add({"status": 500})
    told = [fault.value if fault else None for fault in (conditions.fault_for(POST) for _ in range(3))]
    assert told == [503, 500, None]


@pytest.mark.parametrize(
    ("wanted", "content_type", "body"),
    [
        ({"status": 503}, None, b""),
        ({"status": 503, "body": {"a": 1}}, "application/json;charset=utf-8", b'{"a":1}'),
        ({"status": 503, "body": "busy"}, "application/json;charset=utf-8", b"busy"),
        ({"status": 503, "body": "busy", "headers": {"content-type": "text/plain"}}, None, b"busy"),
        ({"html": 299}, "text/html", b"<h1>299 Error</h1>"),
    ],
)
def test_a_fault_answers_with_what_it_was_given(
    wanted: dict[str, Any], content_type: str | None, body: bytes
) -> None:
    answer = read_fault(1, wanted).answer()
    assert (answer.content_type, body in answer.body) == (content_type, True)
