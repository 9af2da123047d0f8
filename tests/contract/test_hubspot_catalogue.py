"""Every status and code that the reference lists is one of the four kinds, and the pretend HubSpot answers with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
import responses

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.hubspot.errors import translate
from connectors.hubspot.pages import check_left_out
from connectors.hubspot.token import OAuthTokens
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONTACTS = "/crm/v3/objects/contacts"

#: What each status means for us (HubSpot reference, section 9.2).
KINDS: dict[int, type[ConnectorError]] = {
    **dict.fromkeys((400, 404, 409, 414), RecordRefused),
    **dict.fromkeys((401, 403), NeedsPerson),
    **dict.fromkeys((423, 429, 477, 502, 503, 504, 521, 522, 523, 524, 525, 526), RetryLater),
}
#: Codes of a status that stand in its row of the catalogue, or in the rows below it.
PROPERTY_CODES = (
    "PROPERTY_DOESNT_EXIST",
    "READ_ONLY_VALUE",
    "INVALID_OPTION",
    "INVALID_EMAIL",
    "INVALID_INTEGER",
    "INVALID_LONG",
    "INVALID_DATE",
    "CONFLICTING_UNIQUE_VALUE",
)
CATEGORIES = {
    "VALIDATION_ERROR": 400,
    "INVALID_AUTHENTICATION": 401,
    "EXPIRED_AUTHENTICATION": 401,
    "MISSING_SCOPES": 403,
    "OBJECT_NOT_FOUND": 404,
    "CONFLICT": 409,
}
POLICIES = ("DAILY", "TEN_SECONDLY_ROLLING", "SECONDLY")
OAUTH_CODES = ("BAD_REFRESH_TOKEN", "BAD_CLIENT_ID", "BAD_HUB")


def section(text: str, heading: str) -> str:
    """The text under a heading of the reference, up to the next one."""
    start = text.index(f"### {heading} ")
    return text[start : text.index("\n##", start + 4)]


@pytest.mark.shared
def test_the_tables_here_hold_every_status_and_code_of_the_reference(shared_reference: Path) -> None:
    text = (shared_reference / "hubspot.md").read_text("utf-8")
    catalogue, table, quotas = (section(text, heading) for heading in ("5.3", "9.2", "9.1"))
    rows = [line for line in (*catalogue.splitlines(), *table.splitlines()) if re.match(r"\| \d{3}", line)]
    statuses = {int(n) for row in rows for n in re.findall(r"\b[45]\d\d\b", row.split("|")[1])}
    assert statuses <= set(KINDS)
    told = set(re.findall(r"\b[A-Z][A-Z]+_[A-Z_]+\b|`CONFLICT`", catalogue))
    known = {*PROPERTY_CODES, *CATEGORIES, "`CONFLICT`"}
    assert told <= known, told - known
    assert set(re.findall(r'policyName:?"?:?"([A-Z_]+)"', quotas)) <= set(POLICIES)
    authorisation = text[text.index("## 8. Auth") : text.index("## 9.")]
    assert set(re.findall(r"\bBAD_[A-Z_]+\b", authorisation)) <= set(OAUTH_CODES)


@pytest.mark.parametrize("status", sorted(KINDS))
def test_every_status_has_its_kind_whatever_the_body_says(status: int) -> None:
    for body in (b"", b"<html>", b"{}", orjson.dumps({"category": "SOMETHING_NEW", "message": "no"})):
        assert isinstance(translate(status, {}, body, NOW), KINDS[status])


@pytest.mark.parametrize("code", PROPERTY_CODES)
def test_every_property_code_refuses_the_record_and_names_the_property(code: str) -> None:
    row = {"isValid": False, "message": "no", "error": code, "name": "phone"}
    bodies: tuple[dict[str, Any], ...] = (
        {"message": f"Property values were not valid: {orjson.dumps([row]).decode()}"},
        {"errors": [{"message": "no", "code": code, "context": {"propertyName": ["phone"]}}]},
    )
    for said in bodies:
        error = translate(400, {}, orjson.dumps({"category": "VALIDATION_ERROR", **said}), NOW)
        assert isinstance(error, RecordRefused)
        assert (error.code, error.fields) == (code, ("phone",))


@pytest.mark.parametrize(("category", "status"), CATEGORIES.items())
def test_every_category_is_told_as_the_code(category: str, status: int) -> None:
    error = translate(status, {}, orjson.dumps({"category": category}), NOW)
    assert isinstance(error, KINDS[status])
    assert error.code == category


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_of_a_429_is_told_as_the_code(policy: str) -> None:
    error = translate(429, {}, orjson.dumps({"policyName": policy, "errorType": "RATE_LIMIT"}), NOW)
    assert isinstance(error, RetryLater)
    assert (error.code, error.sent) == (policy, False)


@pytest.mark.parametrize("code", OAUTH_CODES)
def test_every_refusal_of_a_token_needs_a_person(code: str) -> None:
    with responses.RequestsMock() as mock:
        body = {"status": code, "error": "access_denied", "error_description": "token pl4nted"}
        mock.post("https://api.hubapi.com/oauth/2026-09/token", status=400, json=body)
        tokens = OAuthTokens(open_session(), "https://api.hubapi.com", "a", "b", "c", clock=lambda: NOW)
        with pytest.raises(NeedsPerson) as refused:
            tokens.current()
    assert refused.value.code == code
    assert "pl4nted" not in f"{refused.value} {refused.value.fix}"


def test_what_is_missing_from_a_batch_is_no_failure_and_anything_else_is() -> None:
    nothing = {"category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
    check_left_out([nothing, {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["1"]}}])
    with pytest.raises(OurBug):
        check_left_out([{"category": "VALIDATION_ERROR"}])


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with sandbox() as serving:
        yield serving


@pytest.fixture
def account(served: Serving) -> Iterator[Any]:
    """``account(method, path, body, **limits)`` calls an account with these limits; the answer."""
    with requests.Session() as http:
        http.trust_env = False
        http.headers["Authorization"] = "Bearer pat-eu1-leadpact-sandbox"
        assert http.post(f"{served.hubspot_url}/_sandbox/reset", json={}, timeout=60).ok

        def call(method: str, path: str, body: Any = None, **limits: Any) -> requests.Response:
            assert http.post(f"{served.hubspot_url}/_sandbox/limits", json=limits, timeout=60).ok
            return http.request(method, served.hubspot_url + path, json=body, timeout=60)

        yield call


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        ("PROPERTY_DOESNT_EXIST", "no_such", "1"),
        ("READ_ONLY_VALUE", "hs_object_id", "1"),
        ("INVALID_OPTION", "lifecyclestage", "Customer"),
        ("INVALID_EMAIL", "email", "no address"),
        ("INVALID_INTEGER", "leadpact_n", "much"),
        ("INVALID_LONG", "leadpact_at", "soon"),
        ("INVALID_DATE", "leadpact_on", "1767229200000"),
        ("CONFLICTING_UNIQUE_VALUE", "leadpact_key", "00Q1"),
    ],
)
def test_the_pretend_account_answers_with_every_property_code(
    account: Any, code: str, name: str, value: str
) -> None:
    account("POST", "/crm/v3/properties/contacts/groups", {"name": "ours", "label": "Ours"})
    for made, kind, field_type, unique in (
        ("leadpact_n", "number", "number", False),
        ("leadpact_at", "datetime", "date", False),
        ("leadpact_on", "date", "date", False),
        ("leadpact_key", "string", "text", True),
    ):
        body = {"name": made, "label": made, "type": kind, "fieldType": field_type, "groupName": "ours"}
        account("POST", "/crm/v3/properties/contacts", {**body, "hasUniqueValue": unique})
    account("POST", CONTACTS, {"properties": {"email": "ada@acme.test", "leadpact_key": "00Q1"}})
    answer = account("POST", CONTACTS, {"properties": {"lastname": "Byron", name: value}})
    assert answer.status_code == 400
    error = translate(400, {}, answer.content, NOW)
    assert isinstance(error, RecordRefused)
    assert (error.code, error.fields) == (code, (name,))


@pytest.mark.parametrize(
    ("status", "code", "method", "path", "body", "limits"),
    [
        (400, "400", "GET", "/crm/v3/objects/butterflies", None, {}),
        (400, "VALIDATION_ERROR", "POST", f"{CONTACTS}/search", {"limit": 999}, {}),
        (401, "INVALID_AUTHENTICATION", "GET", CONTACTS, None, {"token": "revoked"}),
        (401, "EXPIRED_AUTHENTICATION", "GET", CONTACTS, None, {"token": "expired"}),
        (403, "MISSING_SCOPES", "GET", CONTACTS, None, {"scopes": []}),
        (404, "404", "GET", f"{CONTACTS}/42", None, {}),
        (404, "OBJECT_NOT_FOUND", "GET", f"{CONTACTS}/abc", None, {}),
        (409, "CONFLICT", "POST", CONTACTS, {"properties": {"email": "ada@acme.test"}}, {}),
        (429, "TEN_SECONDLY_ROLLING", "GET", CONTACTS, None, {"ten_secondly": 0}),
        (429, "SECONDLY", "POST", f"{CONTACTS}/search", {}, {"secondly_search": 0}),
        (429, "DAILY", "GET", CONTACTS, None, {"daily": 0}),
        (477, "477", "GET", CONTACTS, None, {"moving_s": 60}),
    ],
)
def test_the_pretend_account_answers_with_every_other_code(
    account: Any, status: int, code: str, method: str, path: str, body: Any, limits: dict[str, Any]
) -> None:
    account("POST", CONTACTS, {"properties": {"email": "ada@acme.test"}})
    answer = account(method, path, body, **limits)
    assert answer.status_code == status
    error = translate(status, answer.headers, answer.content, NOW)
    assert isinstance(error, KINDS[status])
    assert error.code == code
