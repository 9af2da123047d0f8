"""How gRPC calls to the Pub/Sub API fail, as the four kinds of ``connectors.errors``.

Salesforce's own code stands in the trailer ``error-code`` (Salesforce reference, section 8); what it does
not say, the gRPC status says. The text of an answer is read for a word or two and never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import grpc

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.salesforce.codes import Kind, Meaning
from connectors.salesforce.errors import CRM, SessionExpired

PREFIX = "sfdc.platform.eventbus.grpc."

#: The day's allocation is rolling: some of it is free again within the hour.
ALLOCATION_SECONDS = 3600.0


class ReplayGone(OurBug):
    """The place in the stream is no longer kept, or was given out by another organisation.

    What changed since then has to be read by polling; then listen without a place.
    """


_ENABLE = "select the object for Change Data Capture, and give the integration user View All on it"
_ENDPOINT = "check salesforce.pubsub_endpoint and salesforce.ca_file, and what stands between here and there"

STATUSES: Mapping[grpc.StatusCode, Meaning] = {
    grpc.StatusCode.OK: Meaning(Kind.RETRY, "the stream ended"),
    grpc.StatusCode.CANCELLED: Meaning(Kind.RETRY, "the call was broken off"),
    grpc.StatusCode.UNKNOWN: Meaning(Kind.RETRY, "an unexpected error inside Salesforce"),
    grpc.StatusCode.INVALID_ARGUMENT: Meaning(Kind.BUG, "the request made no sense"),
    grpc.StatusCode.DEADLINE_EXCEEDED: Meaning(Kind.RETRY, "no answer in time"),
    grpc.StatusCode.NOT_FOUND: Meaning(Kind.PERSON, "there is no such topic or schema", _ENABLE),
    grpc.StatusCode.ALREADY_EXISTS: Meaning(Kind.BUG, "the request contradicts an earlier one"),
    grpc.StatusCode.PERMISSION_DENIED: Meaning(Kind.PERSON, "the topic is not open to us", _ENABLE),
    grpc.StatusCode.RESOURCE_EXHAUSTED: Meaning(Kind.RETRY, "too many calls or clients", wait_seconds=20.0),
    grpc.StatusCode.FAILED_PRECONDITION: Meaning(Kind.BUG, "the request does not fit the state of things"),
    grpc.StatusCode.ABORTED: Meaning(Kind.RETRY, "the call was aborted"),
    grpc.StatusCode.OUT_OF_RANGE: Meaning(Kind.BUG, "the request was out of range"),
    grpc.StatusCode.UNIMPLEMENTED: Meaning(Kind.PERSON, "this is no Pub/Sub API", _ENDPOINT),
    grpc.StatusCode.INTERNAL: Meaning(Kind.RETRY, "an error inside Salesforce"),
    grpc.StatusCode.UNAVAILABLE: Meaning(Kind.RETRY, "the service cannot be reached"),
    grpc.StatusCode.DATA_LOSS: Meaning(Kind.RETRY, "the answer was damaged"),
    grpc.StatusCode.UNAUTHENTICATED: Meaning(
        Kind.PERSON, "the access token was refused", "check the external client app and its session policies"
    ),
}

CODES: Mapping[str, Meaning] = {
    f"{PREFIX}subscription.limit.exceeded": Meaning(
        Kind.RETRY,
        "the organisation's events of the last 24 hours are used up",
        wait_seconds=ALLOCATION_SECONDS,
    ),
    f"{PREFIX}service.unavailable": Meaning(Kind.RETRY, "the service is not available"),
}

#: The place is of no use any more: too old, from elsewhere, or no place at all.
REPLAY_CODES = frozenset(
    f"{PREFIX}subscription.fetch.replayid.{why}" for why in ("corrupted", "validation.failed")
)

# As OpenSSL says it through gRPC, which has no status of its own for it.
_UNTRUSTED = re.compile("CERTIFICATE_VERIFY_FAILED|Peer name .* is not in peer certificate", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,120}")


def translate(error: Any) -> ConnectorError:
    """A ``grpc.RpcError`` that ended a call, as one of the four kinds. Total. Raise the result ``from None``."""
    status = error.code()
    trailers = {key: value for key, value in error.trailing_metadata() or () if isinstance(value, str)}
    code = _clean(trailers.get("error-code", "")) or status.name
    about: dict[str, Any] = {"crm": CRM, "code": code, "correlation": _clean(trailers.get("rpc-id", ""))}
    if code in REPLAY_CODES:
        return ReplayGone("salesforce: the place in the stream of changes is no longer kept", **about)
    if status is grpc.StatusCode.UNAUTHENTICATED:
        meaning = STATUSES[status]
        return SessionExpired(f"salesforce: {meaning.says} ({code})", fix=meaning.fix, **about)
    if status is grpc.StatusCode.UNAVAILABLE and _UNTRUSTED.search(str(error.details())):
        return NeedsPerson(
            "salesforce: the certificate of the Pub/Sub API is not trusted", fix=_ENDPOINT, **about
        )
    return _of_kind(CODES.get(code) or STATUSES[status], about)


def broken(why: str) -> RetryLater:
    """The stream is of no use any more, without an answer that says so."""
    return RetryLater(f"salesforce: {why}", crm=CRM, code="STREAM")


def _of_kind(meaning: Meaning, about: Mapping[str, Any]) -> ConnectorError:
    text = f"salesforce: {meaning.says} ({about['code']})"
    if meaning.kind is Kind.RETRY:
        return RetryLater(text, wait_seconds=meaning.wait_seconds, **about)
    if meaning.kind is Kind.PERSON:
        return NeedsPerson(text, fix=meaning.fix, **about)
    return OurBug(text, **about)


def _clean(raw: str) -> str:
    return raw if _CODE.fullmatch(raw) else ""
