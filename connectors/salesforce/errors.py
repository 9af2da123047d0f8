"""Everything that can fail between us and Salesforce, as one of the four kinds of ``connectors.errors``.

The translation is total: every exception of simple-salesforce and of requests, every HTTP status and every
error code has a kind. Salesforce's own text is read for a few fixed words and never repeated, because it
can quote record values and queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson
import requests
from simple_salesforce import exceptions as vendor

from connectors.address import PlainAddress
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.salesforce.codes import CONCURRENT, OAUTH, STATUSES, Kind, Meaning, meaning_of
from connectors.session import transport_error

CRM = "salesforce"

#: The vendor's exceptions that come from an HTTP answer and carry its ``status`` and ``content``.
FROM_ANSWERS: frozenset[type[Exception]] = frozenset(
    {
        vendor.SalesforceError,
        vendor.SalesforceMoreThanOneRecord,
        vendor.SalesforceMalformedRequest,
        vendor.SalesforceExpiredSession,
        vendor.SalesforceRefusedRequest,
        vendor.SalesforceResourceNotFound,
        vendor.SalesforceAuthenticationFailed,
        vendor.SalesforceGeneralError,
    }
)

#: Those of the vendor's own Bulk 2.0 helper, which this connector does not use.
FROM_BULK: frozenset[type[Exception]] = frozenset(
    {
        vendor.SalesforceOperationError,
        vendor.SalesforceBulkV2LoadError,
        vendor.SalesforceBulkV2ExtractError,
    }
)

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,99}")
_COLUMN = re.compile(r"No such column '([A-Za-z][A-Za-z0-9_.]{0,119})'")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,119}")
_ERROR_ID = re.compile(r"ErrorId: ([0-9]+-[0-9]+(?: \(-?[0-9]+\))?)")


class Unreadable(ValueError):
    """An answer that is JSON, but neither an object nor an array."""


#: What a call may raise: the vendor's own, what lies under it, and a body that is not what it should be.
CAUGHT: tuple[type[Exception], ...] = (
    vendor.SalesforceError,
    vendor.SalesforceOperationError,
    requests.RequestException,
    orjson.JSONDecodeError,
    msgspec.DecodeError,
    Unreadable,
    PlainAddress,
)


class SessionExpired(NeedsPerson):
    """Salesforce no longer takes this access token; a fresh one may do. Only for a second try."""


class LocatorGone(OurBug):
    """The place in a query's result is no longer known; who reads on has to ask with a condition."""


def translate(error: Exception) -> ConnectorError:
    """An exception of simple-salesforce, requests or a decoder, as one of the four kinds. Total.

    Raise the result outside the ``except`` block: the original's text holds the answer and the address.
    """
    if isinstance(error, ConnectorError):
        return error
    if isinstance(error, vendor.SalesforceAuthenticationFailed):
        return oauth_error(401, {"error": str(error.code)})
    if isinstance(error, vendor.SalesforceError):
        return answer_error(int(error.status), error.content)
    if isinstance(error, vendor.SalesforceOperationError):
        return OurBug(f"A bulk job of salesforce went wrong ({type(error).__name__})", crm=CRM)
    if isinstance(error, orjson.JSONDecodeError | msgspec.DecodeError | Unreadable):
        # The body was to be JSON. What the request did is then not known.
        return RetryLater("The answer of salesforce could not be read", crm=CRM, sent=True)
    return transport_error(error, CRM)


def answer_error(status: int, content: object) -> ConnectorError:
    """An HTTP answer outside 200..299 as one of the four kinds.

    ``content`` is the decoded body: a list of ``{errorCode, message, fields}``, or whatever a proxy sent
    (Salesforce reference, section 2).
    """
    first = _first(content)
    code = _code(first.get("errorCode"))
    message = str(first.get("message", ""))
    meaning = meaning_of(code, status)
    if code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" in message.lower():
        meaning = CONCURRENT
    says = meaning.says
    if code == "INVALID_FIELD" and (column := _COLUMN.search(message)):
        says = f"the field {column[1]} is not there, or not visible to us"
    error_id = _ERROR_ID.search(message)
    if status == 401:
        # Whatever stands in the body: a proxy's page may have taken the place of INVALID_SESSION_ID.
        return SessionExpired(
            f"salesforce: {says} (401{' ' + code if code else ''})",
            crm=CRM,
            code=code or "401",
            fix=meaning.fix,
        )
    if code == "INVALID_QUERY_LOCATOR":
        return LocatorGone(f"salesforce: {says} ({status} {code})", crm=CRM, code=code)
    correlation = error_id[1] if error_id else ""
    return _of_kind(meaning, says, status, code, field_names(first.get("fields")), correlation, message)


def oauth_error(status: int, content: object) -> ConnectorError:
    """A refusal of the token endpoint: an object ``{error, error_description}``, not an array."""
    name = _code(content.get("error")) if isinstance(content, Mapping) else ""
    meaning = OAUTH.get(name) or STATUSES.get(status) or meaning_of("", status)
    return _of_kind(meaning, f"no token: {meaning.says}", status, name)


def asked_for(asked: str | None, error: ConnectorError) -> ConnectorError:
    """The error, waiting no shorter than an answer asked for in its ``Retry-After``.

    The Salesforce reference names no such header; a gateway before the service may send it, in seconds or as a date
    (RFC 9110, section 10.2.3). A date is left to the usual waits, for whose clock it is nobody says.
    """
    if isinstance(error, RetryLater) and asked is not None and asked.strip().isdecimal():
        error.wait_seconds = max(error.wait_seconds or 0.0, float(asked))
    return error


def field_names(fields: object) -> tuple[str, ...]:
    """The field names an error complains about; anything that cannot be one is left out."""
    if not isinstance(fields, Iterable) or isinstance(fields, str):
        return ()
    return tuple(name for name in fields if isinstance(name, str) and _FIELD.fullmatch(name))


def without_values(message: str, values: Iterable[str | None]) -> str:
    """Salesforce's text about one record, with the values that we sent in it struck out.

    "data value too large: …" and "invalid email address: …" quote them (Salesforce reference, section 4).
    """
    for value in sorted({value for value in values if value}, key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", message)
    return message


def _of_kind(
    meaning: Meaning,
    says: str,
    status: int,
    code: str,
    fields: tuple[str, ...] = (),
    correlation: str = "",
    said: str = "",
) -> ConnectorError:
    text = f"salesforce: {says} ({' '.join(filter(None, (str(status), code)))})"
    if fields:
        text += f"; fields: {', '.join(fields)}"
    about: dict[str, Any] = {"crm": CRM, "code": code or str(status), "correlation": correlation}
    if meaning.kind is Kind.RETRY:
        return RetryLater(text, wait_seconds=meaning.wait_seconds, sent=meaning.sent, **about)
    if meaning.kind is Kind.RECORD:
        return RecordRefused(text, fields=fields, said=said, **about)
    if meaning.kind is Kind.PERSON:
        return NeedsPerson(text, fix=meaning.fix, **about)
    return OurBug(text, **about)


def _first(content: object) -> Mapping[str, Any]:
    """The first error of an answer, as ``{errorCode, message, fields}``.

    A collections call that failed as a whole can answer with its results instead: those say ``statusCode``.
    """
    item = content[0] if isinstance(content, list) and content else content
    if not isinstance(item, Mapping):
        return {}
    errors = item.get("errors")
    if "errorCode" not in item and isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        return {**errors[0], "errorCode": errors[0].get("statusCode")}
    return item


def _code(raw: object) -> str:
    """The code as far as it is one: what a proxy or a broken answer put there is not repeated."""
    return raw if isinstance(raw, str) and _CODE.fullmatch(raw) else ""
