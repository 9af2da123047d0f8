"""How the Pub/Sub API fails, as the four kinds."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.salesforce.errors import SessionExpired
from connectors.salesforce.pubsub.errors import CODES, PREFIX, REPLAY_CODES, STATUSES, ReplayGone, translate

SECRET = "ada@engines.example"


class Ended:
    """What gRPC hands over when a call has ended."""

    def __init__(self, status: grpc.StatusCode, code: str = "", details: str = "", rpc: str = "r-1") -> None:
        self._status, self._details = status, details
        self._trailers: Any = (("error-code", code), ("rpc-id", rpc), ("grpc-bin", b"\x00"))

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailers


def test_every_status_has_a_meaning() -> None:
    assert set(STATUSES) == set(grpc.StatusCode)


@pytest.mark.parametrize("status", list(grpc.StatusCode), ids=str)
def test_every_status_becomes_one_of_the_kinds_and_never_repeats_its_text(status: grpc.StatusCode) -> None:
    error = translate(Ended(status, details=f"about {SECRET}"))
    assert isinstance(error, RetryLater | NeedsPerson | OurBug)
    assert SECRET not in str(error) + repr(error) + error.code
    assert (error.crm, error.correlation) == ("salesforce", "r-1")


@pytest.mark.parametrize(
    ("status", "code", "kind", "wait"),
    [
        ("UNAVAILABLE", "", RetryLater, None),
        ("INTERNAL", f"{PREFIX}service.unavailable", RetryLater, None),
        ("OK", "", RetryLater, None),
        # Hours, not seconds: whoever retries seconds leaves it to the job
        ("RESOURCE_EXHAUSTED", f"{PREFIX}subscription.limit.exceeded", RetryLater, 3600.0),
        ("RESOURCE_EXHAUSTED", f"{PREFIX}concurrent.client.limit.exceeded", RetryLater, 20.0),
        ("UNAUTHENTICATED", f"{PREFIX}service.auth.error", SessionExpired, None),
        ("NOT_FOUND", "", NeedsPerson, None),
        ("PERMISSION_DENIED", "", NeedsPerson, None),
        ("UNIMPLEMENTED", "", NeedsPerson, None),
        ("INVALID_ARGUMENT", f"{PREFIX}subscription.fetch.requested.events.invalid", OurBug, None),
        *(("INVALID_ARGUMENT", code, ReplayGone, None) for code in sorted(REPLAY_CODES)),
    ],
)
def test_salesforces_own_code_comes_before_the_status(
    status: str, code: str, kind: type[ConnectorError], wait: float | None
) -> None:
    error = translate(Ended(grpc.StatusCode[status], code))
    assert type(error) is kind
    assert error.code == (code or status)
    assert getattr(error, "wait_seconds", None) == wait


def test_a_certificate_that_is_not_trusted_needs_a_person() -> None:
    details = "failed to connect to all addresses; last error: UNAVAILABLE: SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED"
    error = translate(Ended(grpc.StatusCode.UNAVAILABLE, details=details))
    assert isinstance(error, NeedsPerson)
    assert "ca_file" in error.fix


def test_every_kind_that_needs_a_person_says_what_to_do() -> None:
    for status in STATUSES:
        error = translate(Ended(status))
        assert not isinstance(error, NeedsPerson) or error.fix


@pytest.mark.parametrize("odd", [SECRET, "a b", "x" * 200, "\n"])
def test_a_code_that_is_none_is_not_repeated(odd: str) -> None:
    error = translate(Ended(grpc.StatusCode.INTERNAL, odd, rpc=odd))
    assert (error.code, error.correlation) == ("INTERNAL", "")


def test_codes_are_salesforces() -> None:
    assert all(code.startswith("sfdc.platform.eventbus.grpc.") for code in (*CODES, *REPLAY_CODES))
