"""Every failure has one of four kinds, and none repeats what must stay private."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
import simple_salesforce.exceptions
from hypothesis import given
from hypothesis import strategies as st

from connectors.address import PlainAddress
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.salesforce.codes import CODES, OAUTH, STATUSES, Kind, meaning_of
from connectors.salesforce.errors import (
    FROM_ANSWERS,
    FROM_BULK,
    LocatorGone,
    SessionExpired,
    answer_error,
    field_names,
    oauth_error,
    translate,
    without_values,
)

KINDS = (RetryLater, RecordRefused, NeedsPerson, OurBug)
PLANTED = "planted-secret-4711"


def vendor_errors() -> set[type[Exception]]:
    """Every exception that the installed simple-salesforce defines, in whatever module."""
    found: set[type[Exception]] = set()
    for name in ("exceptions", "api", "bulk", "bulk2", "login", "metadata", "util", "format"):
        module = __import__(f"simple_salesforce.{name}", fromlist=["_"])
        found |= {
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, Exception)
            and value.__module__.startswith("simple_salesforce")
        }
    return found


def requests_errors() -> list[type[Exception]]:
    """Every exception of requests, warnings aside."""
    return sorted(
        (
            value
            for value in vars(requests.exceptions).values()
            if inspect.isclass(value)
            and issubclass(value, Exception)
            and not issubclass(value, Warning)
            and value.__module__.startswith("requests")
        ),
        key=lambda error: error.__name__,
    )


def made(error: type[Exception], content: Any = PLANTED, status: int = 400) -> Exception:
    """An exception of simple-salesforce as the library makes it."""
    if error is simple_salesforce.exceptions.SalesforceAuthenticationFailed:
        return error("invalid_grant", PLANTED)
    if issubclass(error, simple_salesforce.exceptions.SalesforceError):
        return error(f"https://x/{PLANTED}", status, PLANTED, content)
    return error(PLANTED)


def test_every_exception_of_simple_salesforce_is_known() -> None:
    # An upgrade that adds one fails here: say what it asks us to do.
    assert vendor_errors() == FROM_ANSWERS | FROM_BULK


@pytest.mark.parametrize("error", sorted(FROM_ANSWERS | FROM_BULK, key=str))
def test_an_exception_of_simple_salesforce_becomes_one_of_four_kinds(error: type[Exception]) -> None:
    translated = translate(made(error))
    assert isinstance(translated, KINDS)
    assert translated.crm == "salesforce"
    assert PLANTED not in str(translated)
    assert PLANTED not in repr(translated)


@pytest.mark.parametrize("error", requests_errors())
def test_an_exception_of_requests_becomes_one_of_four_kinds(error: type[Exception]) -> None:
    arguments = (PLANTED, "", 0) if error is requests.exceptions.JSONDecodeError else (PLANTED,)
    translated = translate(error(*arguments))
    assert isinstance(translated, KINDS)
    assert PLANTED not in str(translated)


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (requests.ConnectTimeout(), False),
        (requests.ReadTimeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (orjson.JSONDecodeError("x", "", 0), True),
    ],
)
def test_it_is_known_whether_the_request_may_have_been_carried_out(error: Exception, sent: bool) -> None:
    translated = translate(error)
    assert isinstance(translated, RetryLater)
    assert translated.sent is sent


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", RetryLater),
        (503, "SERVER_UNAVAILABLE", "", RetryLater),
        (500, "UNKNOWN_EXCEPTION", "", RetryLater),
        (400, "QUERY_TIMEOUT", "", RetryLater),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", NeedsPerson),
        # The same code, for a while only.
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            RetryLater,
        ),
        (401, "INVALID_SESSION_ID", "Session expired or invalid", SessionExpired),
        (400, "INVALID_QUERY_LOCATOR", "", LocatorGone),
        (400, "MALFORMED_QUERY", "", OurBug),
        (400, "INVALID_FIELD", "No such column 'Phone' on entity 'Lead'.", NeedsPerson),
        (400, "STORAGE_LIMIT_EXCEEDED", "", NeedsPerson),
        (400, "DUPLICATES_DETECTED", "Use one of these records?", RecordRefused),
        (404, "ENTITY_IS_DELETED", "entity is deleted", RecordRefused),
        (404, "NOT_FOUND", "The requested resource does not exist", RecordRefused),
        (400, "TXN_SECURITY_METADATA_COLLECTOR_ERROR", "", RecordRefused),
        (500, "UNSUPPORTED_API_VERSION", "", NeedsPerson),
    ],
)
def test_a_code_says_what_to_do_next(
    status: int, code: str, message: str, kind: type[ConnectorError]
) -> None:
    error = answer_error(status, [{"errorCode": code, "message": message}])
    assert type(error) is kind
    assert error.code == code
    assert code in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, RecordRefused),
        (401, SessionExpired),
        (403, NeedsPerson),
        (404, OurBug),
        (405, OurBug),
        (409, OurBug),
        (410, NeedsPerson),
        (412, RecordRefused),
        (414, OurBug),
        (415, OurBug),
        (420, RetryLater),
        (428, OurBug),
        (429, RetryLater),
        (431, OurBug),
        (500, RetryLater),
        (502, RetryLater),
        (503, RetryLater),
        (504, RetryLater),
        (307, NeedsPerson),
        (418, OurBug),
        (599, RetryLater),
    ],
)
@pytest.mark.parametrize("content", [None, "", [], {}, "<html>busy</html>", [None], [{"errorCode": 7}]])
def test_a_status_without_a_code_says_what_to_do_next(
    status: int, kind: type[ConnectorError], content: object
) -> None:
    error = answer_error(status, content)
    assert type(error) is kind
    assert error.code == str(status)


@given(
    st.integers(100, 999),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["errorCode", "message", "fields", "error", "x"]), inner)
        ),
    ),
)
def test_any_answer_at_all_has_a_kind(status: int, content: object) -> None:
    assert isinstance(answer_error(status, content), KINDS)
    assert isinstance(oauth_error(status, content), KINDS)


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_text_of_a_salesforce_message_is_never_repeated(code: str) -> None:
    error = answer_error(
        400, [{"errorCode": code, "message": f"about {PLANTED}", "fields": [PLANTED + "@x"]}]
    )
    assert PLANTED not in str(error)
    assert PLANTED not in repr(error)


@pytest.mark.parametrize("status", [502, 503, 504, 500])
def test_a_gateway_error_leaves_open_what_happened(status: int) -> None:
    error = answer_error(status, "<html>")
    assert isinstance(error, RetryLater)
    assert error.sent


def test_the_fields_an_error_complains_about_are_named() -> None:
    error = answer_error(400, [{"errorCode": "REQUIRED_FIELD_MISSING", "fields": ["LastName", "Company"]}])
    assert isinstance(error, RecordRefused)
    assert error.fields == ("LastName", "Company")
    assert "LastName, Company" in str(error)


def test_a_redirect_to_a_plain_address_needs_a_person() -> None:
    assert isinstance(translate(PlainAddress(PLANTED)), NeedsPerson)


def test_an_unknown_column_is_named() -> None:
    error = answer_error(
        400, [{"errorCode": "INVALID_FIELD", "message": "No such column 'Phone' on entity 'Lead'."}]
    )
    assert "Phone" in str(error)


def test_the_id_that_support_asks_for_is_kept() -> None:
    text = "An unexpected error occurred. Please include this ErrorId: 1234567890-12345 (-987654)"
    assert answer_error(500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": text}]).correlation == (
        "1234567890-12345 (-987654)"
    )


@pytest.mark.parametrize(
    ("error", "kind", "fix"),
    [
        ("invalid_grant", NeedsPerson, "My Domain"),
        ("invalid_client", NeedsPerson, "LEADPACT_SALESFORCE__CLIENT_SECRET"),
        ("invalid_client_id", NeedsPerson, "consumer key"),
        ("unsupported_grant_type", NeedsPerson, "client credentials flow"),
        ("inactive_user", NeedsPerson, "activate the user"),
        ("rate_limit_exceeded", RetryLater, ""),
    ],
)
def test_a_refused_login_says_what_to_do(error: str, kind: type[ConnectorError], fix: str) -> None:
    refused = oauth_error(400, {"error": error, "error_description": f"about {PLANTED}"})
    assert type(refused) is kind
    assert PLANTED not in str(refused)
    if isinstance(refused, NeedsPerson):
        assert fix in refused.fix


@pytest.mark.parametrize("meaning", [*CODES.values(), *STATUSES.values(), *OAUTH.values()])
def test_who_is_asked_to_act_is_told_how(meaning: Any) -> None:
    assert meaning.says
    assert bool(meaning.fix) == (meaning.kind is Kind.PERSON)


@pytest.mark.parametrize(
    ("message", "values", "left"),
    [
        ("Email: invalid email address: ada@x", ["ada@x", None], "Email: invalid email address: …"),
        (
            "City: data value too large: Köln am Rhein (max length=4)",
            ["Köln am Rhein"],
            "City: data value too large: … (max length=4)",
        ),
        # A value that stands inside a word is that word.
        ("duplicate value found", ["d", "uplicate"], "duplicate value found"),
        ("a long one and one", ["one", "long one"], "a … and …"),
        ("nothing", [], "nothing"),
        ("bad value: A+B (x)", ["A+B (x)"], "bad value: …"),
    ],
)
def test_a_records_values_are_struck_out_of_salesforces_text(
    message: str, values: list[str | None], left: str
) -> None:
    assert without_values(message, values) == left


@pytest.mark.parametrize("fields", [None, "Email", 7, [PLANTED + " x"], [None, 3]])
def test_only_names_are_taken_for_field_names(fields: object) -> None:
    assert field_names(fields) == ()


@pytest.mark.shared
def test_the_wire_contract_and_our_table_agree(shared_reference: Path) -> None:
    contract = json.loads((shared_reference / "salesforce-contract.json").read_text())
    classes = contract["retry_class"]
    named = {
        code.split(" -> ")[0] for codes in classes.values() for code in codes if code.split()[0].isupper()
    }
    named = {code for code in named if not code.startswith("HTTP ")}
    named |= {code for code, *_ in contract["error_messages"]}
    assert named <= set(CODES)
    assert {int(status) for status in contract["http_status"]} <= set(STATUSES)
    busy = {code for code in classes["retry_backoff"] if code in CODES}
    assert {meaning_of(code, 400).kind for code in busy} == {Kind.RETRY}
    assert {meaning_of(code, 400).kind for code in classes["pause_until_budget"]} == {Kind.PERSON}


@pytest.mark.shared
def test_the_error_catalogue_of_the_reference_is_in_our_table(shared_reference: Path) -> None:
    text = (shared_reference / "salesforce.md").read_text()
    start = text.index("### DML and API error catalogue")
    catalogue = text[start : text.index("\n---", start)]
    rows = [line.split("|")[1] for line in catalogue.splitlines() if line.startswith("| `")]
    codes = {
        word.strip(" `,") for row in rows for word in row.replace("(", " ").split() if word.startswith("`")
    }
    codes = {code for code in codes if code.isupper()}
    assert len(codes) > 30
    assert {code for code in codes if not code.endswith("_*")} <= set(CODES)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("expired_session_401.json", SessionExpired),
        ("upsert_multiple_300.json", RecordRefused),
        ("upsert_readonly_field_400.json", RecordRefused),
        ("duplicates_detected_400.json", RecordRefused),
        ("delete_entity_is_deleted_404.json", RecordRefused),
        ("lead_get_404.json", RecordRefused),
    ],
)
def test_recorded_answers_are_understood(shared_data: Path, name: str, kind: type[ConnectorError]) -> None:
    recorded = json.loads((shared_data / "crm_fixtures" / "salesforce" / name).read_text())["response"]
    assert type(answer_error(recorded["status"], recorded["body"])) is kind
