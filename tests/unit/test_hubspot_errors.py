"""Every answer and exception becomes one of the four kinds, and none of them tells a secret."""

from __future__ import annotations

import ast
import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hubspot
import msgspec
import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.hubspot.errors import (
    VENDOR_CLASSES,
    Problem,
    read_problem,
    translate,
    translate_exception,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def vendor_classes() -> set[str]:
    found = set()
    for file in Path(hubspot.__file__).parent.rglob("exceptions.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return found


def test_every_exception_class_of_the_vendor_is_translated() -> None:
    assert vendor_classes() == set(VENDOR_CLASSES)


@pytest.mark.parametrize("name", sorted(n for n, answered in VENDOR_CLASSES.items() if answered))
@pytest.mark.parametrize("package", ["hubspot.crm.objects", "hubspot.crm.properties"])
def test_an_exception_with_an_answer_is_translated_by_its_status(package: str, name: str) -> None:
    error = getattr(importlib.import_module(f"{package}.exceptions"), name)(status=429, reason="token-abc")
    error.body, error.headers = b'{"policyName":"DAILY"}', {}
    translated = translate_exception(error, NOW)
    assert isinstance(translated, RetryLater)
    assert translated.code == "DAILY"


def test_calling_the_vendor_wrongly_is_our_bug() -> None:
    package = importlib.import_module("hubspot.crm.objects.exceptions")
    for name in ("ApiTypeError", "ApiValueError", "ApiAttributeError", "ApiKeyError"):
        assert isinstance(translate_exception(getattr(package, name)("Ada"), NOW), OurBug)
    assert isinstance(translate_exception(package.ApiException(status=0, reason="Ada"), NOW), OurBug)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.ReadTimeout("Ada"), RetryLater),
        (msgspec.DecodeError("Input data was truncated"), RetryLater),
        (msgspec.ValidationError("Expected `str`, got `int` - at `$.id`"), OurBug),
        (orjson.JSONDecodeError("Ada", "Ada", 0), RetryLater),
        (ZeroDivisionError("Ada"), OurBug),
        (RetryLater("busy"), RetryLater),
    ],
)
def test_any_other_exception_is_one_of_the_four_kinds(error: Exception, kind: type[ConnectorError]) -> None:
    translated = translate_exception(error, NOW)
    assert type(translated) is kind
    assert "Ada" not in str(translated)


def body(**values: Any) -> bytes:
    return orjson.dumps({"status": "error", **values})


# HubSpot reference, sections 5.3 and 9.2
@pytest.mark.parametrize(
    ("status", "said", "kind", "code"),
    [
        (400, body(category="VALIDATION_ERROR", message="…"), RecordRefused, "VALIDATION_ERROR"),
        (400, body(message="Unable to infer object type from: butterflies"), RecordRefused, "400"),
        (401, body(category="INVALID_AUTHENTICATION"), NeedsPerson, "INVALID_AUTHENTICATION"),
        (401, body(category="EXPIRED_AUTHENTICATION"), NeedsPerson, "EXPIRED_AUTHENTICATION"),
        (401, b"", NeedsPerson, "401"),
        (403, body(category="MISSING_SCOPES"), NeedsPerson, "MISSING_SCOPES"),
        (404, body(message="resource not found"), RecordRefused, "404"),
        (404, body(category="OBJECT_NOT_FOUND"), RecordRefused, "OBJECT_NOT_FOUND"),
        (409, body(category="CONFLICT", message="Contact already exists"), RecordRefused, "CONFLICT"),
        (414, body(message="Cannot have more than 250 identities on a profile"), RecordRefused, "414"),
        (423, b"", RetryLater, "423"),
        (429, body(policyName="TEN_SECONDLY_ROLLING"), RetryLater, "TEN_SECONDLY_ROLLING"),
        (429, body(policyName="SECONDLY"), RetryLater, "SECONDLY"),
        (429, body(message="You have reached your secondly limit."), RetryLater, "SECONDLY"),
        (429, body(message="You have reached your ten_secondly_rolling limit."), RetryLater, "429"),
        (429, body(policyName="DAILY", errorType="RATE_LIMIT"), RetryLater, "DAILY"),
        (429, body(message="You have reached your daily limit."), RetryLater, "DAILY"),
        (429, b"<html>slow down</html>", RetryLater, "429"),
        (477, b"", RetryLater, "477"),
        *[
            (status, b"<html>", RetryLater, str(status))
            for status in (500, 502, 503, 504, 521, 522, 523, 524)
        ],
        *[(status, b"<html>", RetryLater, str(status)) for status in (525, 526)],
        (405, b"", OurBug, "405"),
        (413, b"", OurBug, "413"),
        (415, b"", OurBug, "415"),
        (302, b"", OurBug, "302"),
    ],
)
def test_an_answer_says_what_to_do_next(
    status: int, said: bytes, kind: type[ConnectorError], code: str
) -> None:
    error = translate(status, {}, said, NOW)
    assert isinstance(error, kind)
    assert (error.code, error.crm) == (code, "hubspot")


@pytest.mark.parametrize(
    ("status", "headers", "said", "wait"),
    [
        (423, {}, b"", 2.0),
        (429, {}, body(policyName="SECONDLY"), 1.0),
        (429, {"Retry-After": "4"}, body(policyName="SECONDLY"), 4.0),
        (429, {}, body(policyName="TEN_SECONDLY_ROLLING"), 10.0),
        (
            429,
            {"X-HubSpot-RateLimit-Interval-Milliseconds": "5000"},
            body(policyName="TEN_SECONDLY_ROLLING"),
            5.0,
        ),
        (477, {"Retry-After": "20"}, b"", 20.0),
        (503, {"Retry-After": "3"}, b"", 3.0),
        (503, {"Retry-After": "Sun, 22 Nov 2026 12:00:00 GMT"}, b"", None),
        (504, {}, b"", None),
    ],
)
def test_a_busy_crm_is_left_alone_as_long_as_it_wants(
    status: int, headers: dict[str, str], said: bytes, wait: float | None
) -> None:
    error = translate(status, headers, said, NOW)
    assert isinstance(error, RetryLater)
    assert error.wait_seconds == wait


def test_a_move_to_another_data_centre_is_left_to_the_job() -> None:
    error = translate(477, {"Retry-After": "86400"}, b"", NOW)
    assert isinstance(error, RetryLater)
    assert error.not_before == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "sent"), [(502, True), (504, True), (524, True), (423, False), (429, False)]
)
def test_only_a_failed_gateway_leaves_the_outcome_open(status: int, sent: bool) -> None:
    error = translate(status, {}, b"", NOW)
    assert isinstance(error, RetryLater)
    assert error.sent is sent


def test_missing_scopes_are_named_in_the_fix() -> None:
    said = body(
        category="MISSING_SCOPES",
        errors=[{"message": "…", "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}],
    )
    error = translate(403, {}, said, NOW)
    assert isinstance(error, NeedsPerson)
    assert "crm.objects.contacts.write" in error.fix


# Both spellings of one refusal, and the list that is cut off (HubSpot reference, section 5.3)
@pytest.mark.parametrize(
    "said",
    [
        {
            "category": "VALIDATION_ERROR",
            "message": 'Property values were not valid: [{"isValid":false,"message":"\\"x\\" does not exist",'
            '"error":"PROPERTY_DOESNT_EXIST","name":"x","portalId":1}]',
        },
        {
            "category": "VALIDATION_ERROR",
            "message": 'Property values were not valid: [{"isValid":false,"message":"…",'
            '"error":"PROPERTY_DOESNT_EXIST","name":"x","localizedErr',
        },
        {
            "category": "VALIDATION_ERROR",
            "errors": [{"message": "…", "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["x"]}}],
        },
    ],
)
def test_the_blamed_property_is_found_in_every_spelling(said: dict[str, Any]) -> None:
    problem = read_problem(orjson.dumps(said))
    assert problem.fields == ("x",)
    assert problem.code == "PROPERTY_DOESNT_EXIST"


@given(
    status=st.integers(300, 599),
    said=st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["category", "message", "errors", "context", "ids", "policyName", "code"]
                    ),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=12,
        ).map(lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS) if _fits(value) else b""),
    ),
)
def test_no_body_whatever_stops_the_translation(status: int, said: bytes) -> None:
    assert isinstance(translate(status, {"Retry-After": "soon"}, said, NOW), ConnectorError)


def _fits(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def test_a_code_that_is_no_text_gives_way_to_the_category() -> None:
    assert read_problem(b'{"category":"X","errors":[{"code":7}]}').code == "X"


def test_an_unreadable_body_is_an_empty_problem() -> None:
    assert (
        read_problem(b"<html>") == read_problem(b"") == read_problem(None) == read_problem(b"[]") == Problem()
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 414, 423, 429, 477, 500, 502])
def test_no_error_repeats_what_hubspot_said_about_a_person(status: int) -> None:
    said = body(message="ada@acme.test was not valid", category="X", errors=[{"message": "Lovelace is not"}])
    error = translate(status, {"Authorization": "Bearer pat-secret"}, said, NOW)
    text = f"{error} {error!r} {error.code} {getattr(error, 'fix', '')}"
    assert not [secret for secret in ("ada", "Lovelace", "pat-secret") if secret in text]
