"""HubSpot's error bodies (HubSpot reference, section 5.3).

Where the reference gives no text, the category, code and status follow it and the text is ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.hubspot.account import PORTAL_ID

_DOCS = "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
_SCOPES = "https://developers.hubspot.com/scopes"


class Refused(Exception):
    """A call, or one row of a batch, that HubSpot answers with an error."""

    def __init__(self, status: int, message: str, category: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.category = status, message, category
        # What only the element of a batch answer tells, though the whole answer does not.
        self.row_context: dict[str, list[str]] = more.pop("row_context", {})
        self.more = more

    def body(self, correlation: str) -> dict[str, Any]:
        """The body of the whole answer."""
        body = {"status": "error", "message": self.message, "correlationId": correlation, **self.more}
        return {**body, "category": self.category} if self.category else body

    def row(self, trace: str | None) -> dict[str, Any]:
        """The element of a batch answer's ``errors``; it names the trace id, never a position."""
        context = {**self.more.get("context", {}), **self.row_context}
        if trace is not None:
            context = {"objectWriteTraceId": [trace], **context}
        row: dict[str, Any] = {"status": "error", "category": self.category or "VALIDATION_ERROR"}
        row |= {"message": self.message, "context": context}
        return {**row, "errors": self.more["errors"]} if "errors" in self.more else row


@dataclass(frozen=True, slots=True)
class Problem:
    """One property value that was not valid."""

    name: str
    code: str
    message: str


def invalid(problems: Sequence[Problem]) -> Refused:
    """400 for property values; the message carries the list again as JSON text."""
    listed = [
        {
            "isValid": False,
            "message": p.message,
            "error": p.code,
            "name": p.name,
            "localizedErrorMessage": p.message,
            "portalId": PORTAL_ID,
        }
        for p in problems
    ]
    text = json.dumps(listed, separators=(",", ":"), ensure_ascii=False)
    errors = [{"message": p.message, "code": p.code, "context": {"propertyName": [p.name]}} for p in problems]
    return Refused(400, f"Property values were not valid: {text}", "VALIDATION_ERROR", errors=errors)


def bad_request(message: str, **context: Sequence[str]) -> Refused:
    """400 ``VALIDATION_ERROR`` with an optional context."""
    more = {"context": {key: list(value) for key, value in context.items()}} if context else {}
    return Refused(400, message, "VALIDATION_ERROR", **more)


def unreadable(what: str) -> Refused:
    """400 for a body that is not the JSON the call needs."""
    return bad_request(f"Invalid input JSON on line 1, column 1: {what}")


def unknown_type(name: str) -> Refused:
    """400 without a category, as recorded."""
    return Refused(400, f"Unable to infer object type from: {name}")


def not_found(given: str) -> Refused:
    """404; a text that cannot be an id gets the longer body."""
    if given.isdecimal():
        return Refused(404, "resource not found")
    text = "Object not found.  objectId are usually numeric."
    return Refused(404, text, "OBJECT_NOT_FOUND", context={"id": [given]})


def no_resource() -> Refused:
    """404 for a path that is nowhere."""
    return Refused(404, "resource not found")


def batch_not_found(singular: str, ids: Sequence[str]) -> Refused:
    """The row of a batch that names the ids nothing was found for."""
    text = (
        f"Could not get some {singular} objects, they may be deleted or not exist. Check that ids are valid."
    )
    return Refused(404, text, "OBJECT_NOT_FOUND", context={"ids": list(ids)})


def duplicate_ids(ids: Sequence[str]) -> Refused:
    """400 for the whole batch when an id comes twice."""
    text = f"Duplicate IDs found in batch input: [{', '.join(ids)}]. IDs must be unique"
    return bad_request(text, ids=ids)


def exists(singular: str, existing: int) -> Refused:
    """409 for an e-mail address that another record has, as its own or as a secondary one."""
    text = f"{singular.capitalize()} already exists. Existing ID: {existing}"
    return Refused(409, text, "CONFLICT", row_context={"existingId": [str(existing)]})


def exists_somewhere(singular: str) -> Refused:
    """409 without an id, as a recorded batch had it: the other record is a row of the same batch."""
    return Refused(409, f"{singular.capitalize()} already exists", "CONFLICT")


def not_unique(kind: str, name: str) -> Refused:
    """400 for an ``idProperty`` whose values do not name one record."""
    return bad_request(f"Unable to perform update/upsert by non-unique {kind} property {name}")


def no_credentials() -> Refused:
    """401 without a valid token."""
    text = (
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can "
        f"find more details at {_DOCS}"
    )
    return Refused(401, text, "INVALID_AUTHENTICATION")


def expired_token(seconds: int = 7) -> Refused:
    """401 for a token whose time has passed, so many seconds ago."""
    text = f"The OAuth token used to make this call expired {seconds} second(s) ago."
    return Refused(401, text, "EXPIRED_AUTHENTICATION")


def missing_scopes(scopes: Sequence[str]) -> Refused:
    """403 that names the scopes the call needs."""
    needed = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": list(scopes)},
    }
    text = f"This app hasn't been granted all required scopes to make this call. Read more: {_SCOPES}."
    return Refused(403, text, "MISSING_SCOPES", errors=[needed], links={"scopes": _SCOPES})


_POLICIES: Mapping[str, str] = {
    "DAILY": "You have reached your daily limit.",
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "SECONDLY": "You have reached your secondly limit.",
}


def over_limit(policy: str, request_id: str, group: str | None = None) -> Refused:
    """429 of one policy (HubSpot reference, section 9.1); ``group`` where the limit is of some calls only."""
    more = {} if group is None else {"groupName": group}
    return Refused(
        429, _POLICIES[policy], errorType="RATE_LIMIT", policyName=policy, requestId=request_id, **more
    )


def moving() -> Refused:
    """477 while the account is moved to another data centre; the only refusal whose Retry-After is documented
    (HubSpot reference, section 9.2). The text is ours."""
    return Refused(477, "This account is being moved to another data center")


def already_defined(what: str, name: str) -> Refused:
    """409 for a property or group whose name is taken."""
    return Refused(409, f"A {what} named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")


def too_many_identities() -> Refused:
    """414 of a merge that would exceed 250 merged identities (HubSpot reference, section 4.6)."""
    return Refused(414, "Cannot have more than 250 identities on a profile")
