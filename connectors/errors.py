"""What can fail when talking to a CRM, grouped by what to do next.

Each vendor's own errors are translated into these four kinds in one place per connector, and a test
fails when a vendor library adds an exception that has no translation.
"""

from __future__ import annotations

from datetime import datetime


class ConnectorError(Exception):
    """Something failed between us and a CRM. Always one of the four kinds below.

    ``crm`` names it, ``code`` is the CRM's own code where it gave one, ``correlation`` the id its support
    asks for. The text never holds credentials or record values.
    """

    def __init__(self, message: str, *, crm: str = "", code: str = "", correlation: str = "") -> None:
        super().__init__(message)
        self.crm = crm
        self.code = code
        self.correlation = correlation


class RetryLater(ConnectorError):
    """The CRM is busy or unreachable; the same call may work later.

    ``not_before`` is when, where the CRM said so. ``sent`` is True where the request may have been carried
    out although no answer came: only what is safe to repeat may then be repeated.
    """

    def __init__(
        self,
        message: str,
        *,
        crm: str = "",
        code: str = "",
        correlation: str = "",
        not_before: datetime | None = None,
        wait_seconds: float | None = None,
        sent: bool = False,
    ) -> None:
        super().__init__(message, crm=crm, code=code, correlation=correlation)
        self.not_before = not_before
        self.wait_seconds = wait_seconds
        self.sent = sent


class RecordRefused(ConnectorError):
    """The CRM refused this record; the other records are unaffected.

    ``said``: the CRM's own words, where it gave any. They may quote the record: whoever shows them strikes the
    values out first. They are no part of the error's text.
    """

    def __init__(
        self,
        message: str,
        *,
        crm: str = "",
        code: str = "",
        correlation: str = "",
        fields: tuple[str, ...] = (),
        said: str = "",
    ) -> None:
        super().__init__(message, crm=crm, code=code, correlation=correlation)
        self.fields = fields
        self.said = said


class NeedsPerson(ConnectorError):
    """Nothing will work before a person acts: credentials, scopes, schema, a used-up budget.

    ``fix`` says in words what to do.
    """

    def __init__(
        self, message: str, *, crm: str = "", code: str = "", correlation: str = "", fix: str = ""
    ) -> None:
        super().__init__(message, crm=crm, code=code, correlation=correlation)
        self.fix = fix


class OurBug(ConnectorError):
    """We asked for something that makes no sense to the CRM; a report to the developers is due."""
