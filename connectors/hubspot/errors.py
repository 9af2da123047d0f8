"""HubSpot's refusals, translated into the four kinds of ``connectors.errors``.

Every field of an error body is optional (HubSpot reference, section 5.3), and an answer may be the HTML of
a proxy: nothing here relies on more than the status. HubSpot's own messages quote record values, so they
stay out of error texts; ``Problem.message`` is for ``Written``, masked by the one who knows the values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import orjson

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.retry import LONGEST_WAIT
from connectors.session import transport_error

CRM = "hubspot"

#: Refused for good: the same request is refused again (HubSpot reference, section 9.2).
REFUSED = frozenset({400, 404, 409, 414})

#: Seconds to wait where HubSpot names none (HubSpot reference, section 9.2).
LOCKED_WAIT = 2.0
BURST_WAIT = 10.0
SEARCH_WAIT = 1.0
MOVING_WAIT = 300.0


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error body said; empty where it said nothing.

    ``codes`` and ``fields`` are those of the single property errors, ``ids`` and ``traces`` name the inputs
    concerned, ``scopes`` what the token lacks. ``message`` may quote record values.
    """

    category: str = ""
    message: str = ""
    correlation: str = ""
    policy: str = ""
    codes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The most exact code there is: of a property, else the category."""
        return self.codes[0] if self.codes else self.category


class Refusal(RecordRefused):
    """HubSpot refused one request for good; in a batch of records nothing of it was written."""

    def __init__(self, status: int, problem: Problem) -> None:
        code = problem.code or str(status)
        about = f" about {', '.join(problem.fields)}" if problem.fields else ""
        super().__init__(
            f"HubSpot refused the request: {code} ({status}){about}",
            crm=CRM,
            code=code,
            correlation=problem.correlation,
            fields=problem.fields,
        )
        self.status = status
        self.problem = problem

    def as_bug(self) -> OurBug:
        """The same refusal of a request that concerned no record to be written."""
        return WrongRequest(self)


class WrongRequest(OurBug):
    """HubSpot refused a request that wrote nothing: ``status`` and ``problem`` are those of the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal), crm=CRM, code=refusal.code, correlation=refusal.correlation)
        self.status = refusal.status
        self.problem = refusal.problem


#: The status of a token that is not accepted at all.
UNAUTHORIZED = 401
#: How a 400 about an unknown object type begins; it has no category (HubSpot reference, section 5.3).
UNKNOWN_OBJECT = "Unable to infer object type"


class NotAllowed(NeedsPerson):
    """The token is not accepted (401) or lacks a right (403)."""

    def __init__(self, status: int, problem: Problem, message: str, fix: str) -> None:
        code = problem.code or str(status)
        super().__init__(message, crm=CRM, code=code, correlation=problem.correlation, fix=fix)
        self.status = status


def lacks(error: ConnectorError) -> bool:
    """Whether HubSpot says that the account or the token does not have what was asked for.

    Editions differ (HubSpot reference, sections 6.5 and 15): 403 for a right or an edition that is missing, 404
    for a path or object that is not there, 400 for an object type that HubSpot does not know.
    """
    if isinstance(error, NotAllowed):
        return error.status == 403
    if isinstance(error, Refusal | WrongRequest):
        return error.status == 404 or UNKNOWN_OBJECT in error.problem.message
    return False


def read_problem(body: bytes | str | None) -> Problem:
    """The essentials of an error body; an empty Problem for one that is no JSON object. Never raises."""
    try:
        found = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        return Problem()
    return problem_of(found) if isinstance(found, dict) else Problem()


def problem_of(found: Mapping[str, Any]) -> Problem:
    """The essentials of one error: a whole body, or one of the ``errors`` of a 207 (section 5.2)."""
    details = [d for d in _list(found.get("errors")) if isinstance(d, dict)]
    contexts = [
        c for c in (found.get("context"), *(d.get("context") for d in details)) if isinstance(c, dict)
    ]
    message = _text(found.get("message"))
    codes, fields = _property_errors(message)
    codes += [code for d in details if (code := _text(d.get("code")))]
    fields += [name for c in contexts for name in _texts(c.get("propertyName"))]
    return Problem(
        category=_text(found.get("category")),
        message=message,
        correlation=_text(found.get("correlationId")),
        policy=_text(found.get("policyName")),
        codes=tuple(dict.fromkeys(codes)),
        fields=tuple(dict.fromkeys(fields)),
        ids=tuple(i for c in contexts for key in ("ids", "id") for i in _texts(c.get(key))),
        traces=tuple(t for c in contexts for t in _texts(c.get("objectWriteTraceId"))),
        scopes=tuple(dict.fromkeys(s for c in contexts for s in _texts(c.get("requiredGranularScopes")))),
    )


def _property_errors(message: str) -> tuple[list[str], list[str]]:
    """Codes and names in "Property values were not valid: [{…}]"; the list can be cut off, so no parser."""
    if "[{" not in message:
        return [], []
    return re.findall(r'"error":"(\w+)"', message), re.findall(r'"name":"([^"\\]+)"', message)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(v) for v in value if isinstance(v, str | int)]
    return [str(value)] if isinstance(value, str | int) else []


def translate(
    status: int, headers: Mapping[str, str], body: bytes | str | None, now: datetime
) -> ConnectorError:
    """An answer that is no success, as one of the four kinds. Total. ``now`` is aware UTC.

    The table of the HubSpot reference, section 9.2. Whatever 5xx says, the request may have been carried
    out (``sent``); what is refused for being too much (423, 429, 477) was not.
    """
    problem = read_problem(body)
    if status in REFUSED:
        return Refusal(status, problem)
    if status in {UNAUTHORIZED, 403}:
        return _not_allowed(status, problem)
    if status in {423, 429, 477}:
        return _too_busy(status, headers, problem, now)
    said: dict[str, Any] = {
        "crm": CRM,
        "code": problem.code or str(status),
        "correlation": problem.correlation,
    }
    if status >= 500:
        wait = _seconds(headers.get("Retry-After"))
        return RetryLater(f"HubSpot failed ({status})", wait_seconds=wait, sent=True, **said)
    return OurBug(f"HubSpot did not understand the request ({status})", **said)


def _not_allowed(status: int, problem: Problem) -> NotAllowed:
    if status == UNAUTHORIZED:
        fix = "Put a valid access token into the settings; the present one is wrong, expired or revoked."
        return NotAllowed(status, problem, "HubSpot does not accept the access token", fix)
    missing = ", ".join(problem.scopes) or "the scopes for this object"
    fix = f"Give the app or service key behind the token these rights: {missing}."
    return NotAllowed(status, problem, "The HubSpot access token lacks rights", fix)


def _too_busy(status: int, headers: Mapping[str, str], problem: Problem, now: datetime) -> RetryLater:
    said: dict[str, Any] = {"crm": CRM, "code": problem.policy or str(status)}
    said["correlation"] = problem.correlation
    asked = _seconds(headers.get("Retry-After"))
    if status == 423:
        return RetryLater("HubSpot has locked the record", wait_seconds=max(asked or 0, LOCKED_WAIT), **said)
    if status == 477:
        wait = asked if asked is not None else MOVING_WAIT
        later = now + timedelta(seconds=wait) if wait > LONGEST_WAIT else None
        text = "HubSpot is moving the account to another data centre"
        return RetryLater(text, wait_seconds=wait, not_before=later, **said)
    words = (problem.policy + problem.message).lower()
    if "daily" in words:
        said["code"] = "DAILY"
        return RetryLater("The daily limit of calls to HubSpot is reached", **said)
    if "secondly" in words and "ten_secondly" not in words:
        said["code"] = "SECONDLY"
        return RetryLater("Too many searches a second", wait_seconds=max(asked or 0, SEARCH_WAIT), **said)
    wait = max(asked or 0, _rest_of_window(headers))
    return RetryLater("Too many calls to HubSpot in ten seconds", wait_seconds=wait, **said)


def _rest_of_window(headers: Mapping[str, str]) -> float:
    interval = _seconds(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"))
    # The window rolls and its start is not told: a whole one is long enough in every case.
    return interval / 1000 if interval else BURST_WAIT


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\d+(\.\d+)?", text.strip()) else None


#: The vendor package's exception classes, by name: each of its sub-packages has its own copies.
#: True: an answer of HubSpot, with status, body and headers. False: we called the package wrongly.
VENDOR_CLASSES: Mapping[str, bool] = {
    "ApiException": True,
    "NotFoundException": True,
    "UnauthorizedException": True,
    "ForbiddenException": True,
    "ServiceException": True,
    "OpenApiException": False,
    "ApiTypeError": False,
    "ApiValueError": False,
    "ApiAttributeError": False,
    "ApiKeyError": False,
    "InvalidSignatureVersionError": False,
    "InvalidSignatureTimestampError": False,
}


def translate_exception(error: Exception, now: datetime) -> ConnectorError:
    """Whatever was raised below us, as one of the four kinds. Total. Raise the result ``from None``.

    A body that is cut off counts as a broken connection; JSON of another shape than HubSpot documents is
    OurBug. ``now`` is aware UTC.
    """
    if isinstance(error, ConnectorError):
        return error
    name = type(error).__name__
    if isinstance(error, msgspec.ValidationError):
        # Its text names the place and the types, never the value.
        return OurBug(f"HubSpot answered in an unknown shape: {error}", crm=CRM, code="ValidationError")
    if isinstance(error, msgspec.DecodeError | orjson.JSONDecodeError | UnicodeDecodeError):
        return RetryLater("HubSpot's answer is cut off or no JSON", crm=CRM, code=name, sent=True)
    if type(error).__module__.startswith("hubspot."):
        status = getattr(error, "status", None)
        if VENDOR_CLASSES.get(name, False) and isinstance(status, int) and status:
            headers: Mapping[str, str] = getattr(error, "headers", None) or {}
            return translate(status, headers, getattr(error, "body", None), now)
        return OurBug(f"The HubSpot client was called wrongly ({name})", crm=CRM, code=name)
    return transport_error(error, CRM)
