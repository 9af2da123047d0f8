"""What the pretend Salesforce says no with.

``Refusal`` ends a whole request; ``RowRefused`` concerns one record, so that a collection can go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOT_FOUND_TEXT = "The requested resource does not exist"
ROLLED_BACK_TEXT = (
    "Record rolled back because not all records were valid and the request was using AllOrNone header"
)


class Refusal(Exception):
    """The request as a whole is refused with an HTTP status and one error (Salesforce reference, section 2)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: Sequence[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    def body(self) -> list[dict[str, Any]]:
        """The JSON array that Salesforce answers with."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code, **self.extra}
        if self.fields is not None:
            error["fields"] = list(self.fields)
        return [error]


class BareStatus(Exception):
    """The request ends with a status and no error array (304, 412; Salesforce reference, section 2)."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class RowRefused(Exception):
    """One record is refused. ``status`` is what a single-row call answers with."""

    def __init__(
        self,
        code: str,
        message: str,
        fields: Sequence[str] = (),
        *,
        status: int = 400,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.status = status
        self.extra = dict(extra or {})

    def as_save_error(self) -> dict[str, Any]:
        """The item of ``errors`` in a SaveResult, where the code is called ``statusCode``."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}

    def as_refusal(self) -> Refusal:
        """The same error as the body of a single-row call."""
        if self.extra:
            return Refusal(self.status, self.code, self.message, extra=self.extra)
        return Refusal(self.status, self.code, self.message, fields=self.fields)


def not_found(message: str = NOT_FOUND_TEXT) -> Refusal:
    """404: no such resource, or a record that the user may not see."""
    return Refusal(404, "NOT_FOUND", message)
