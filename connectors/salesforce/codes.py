"""What each of Salesforce's error codes asks us to do next.

The facts are those of the Salesforce reference, section 4 ("DML and API error catalogue"), sections 1
and 5 for OAuth and Bulk, and section 2 for HTTP statuses. A code that is not in these tables still gets
a kind, from its HTTP status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The four kinds of ``connectors.errors``, as table entries."""

    RETRY = "retry later"
    RECORD = "record refused"
    PERSON = "needs a person"
    BUG = "our bug"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code or a status says, in our words, and what a person can do about it.

    ``says`` never repeats Salesforce's own text: that can quote the values it complains about.
    ``sent``: the request may have been carried out although it failed.
    """

    kind: Kind
    says: str
    fix: str = ""
    sent: bool = False
    wait_seconds: float | None = None


_GRANT = "grant the integration user access to it, for example with a permission set"

_RETRY = {
    "UNABLE_TO_LOCK_ROW": "another transaction holds the record",
    "SERVER_UNAVAILABLE": "the service is not available",
    "API_CURRENTLY_DISABLED": "the API is switched off for the moment",
    "QUERY_TIMEOUT": "the query took too long",
    "REQUEST_RUNNING_TOO_LONG": "the request took too long",
}

_PERSON = {
    "INVALID_SESSION_ID": (
        "a fresh token was refused too",
        "check the external client app's session policies and that salesforce.login_url is the My Domain",
    ),
    "REQUEST_LIMIT_EXCEEDED": (
        "the organisation's API calls of the last 24 hours are used up",
        "wait until the rolling 24 hours free some calls, or raise the organisation's allocation",
    ),
    "STORAGE_LIMIT_EXCEEDED": (
        "the organisation's storage is full",
        "free storage in Salesforce, or buy more",
    ),
    "LIMIT_EXCEEDED": (
        "a daily limit of the Bulk API is used up",
        "wait until the rolling 24 hours are over",
    ),
    "INVALID_FIELD": ("a field is not there, or not visible to us", _GRANT),
    "UNSUPPORTED_API_VERSION": ("this API version is retired", "set salesforce.api_version to a newer one"),
    "API_DISABLED_FOR_ORG": (
        "the API is not enabled for this organisation or user",
        "use an edition with API access, and give the integration user the permission API Enabled",
    ),
    "INSUFFICIENT_ACCESS": ("the integration user lacks a permission", _GRANT),
}

_RECORD = {
    "DUPLICATES_DETECTED": "a duplicate rule of the organisation found a record like it",
    "DUPLICATE_VALUE": "another record already has the value of a unique field",
    "DUPLICATE_EXTERNAL_ID": "several records have the value that was to name one",
    "CANNOT_UPDATE_CONVERTED_LEAD": "it was converted, and converted records are read-only",
    "ENTITY_IS_DELETED": "it is deleted",
    "ENTITY_IS_LOCKED": "it is locked, for example by an approval",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the organisation refused it",
    "FIELD_FILTER_VALIDATION_EXCEPTION": "a lookup filter of the organisation refused it",
    "FIELD_INTEGRITY_EXCEPTION": "its values contradict one another",
    "REQUIRED_FIELD_MISSING": "a required field is missing",
    "STRING_TOO_LONG": "a text is longer than its field",
    "NUMBER_OUTSIDE_VALID_RANGE": "a number is too large or too small for its field",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "a value is not of its field's type",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "a value is not among a restricted picklist's options",
    "INVALID_EMAIL_ADDRESS": "an e-mail address was not accepted",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "a field may not be written by the integration user",
    "INVALID_CROSS_REFERENCE_KEY": "it refers to a record that is not there",
    "INSUFFICIENT_ACCESS_OR_READONLY": "the integration user may not change it",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "the integration user may not use a record it refers to",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "an Apex trigger of the organisation failed on it",
    "CANNOT_EXECUTE_FLOW_TRIGGER": "a flow of the organisation failed on it",
    "TRANSFER_REQUIRES_READ": "its new owner may not read it",
    "INACTIVE_OWNER_OR_USER": "its owner is an inactive user",
    "MALFORMED_ID": "an id is not one of the right kind",
    "NOT_FOUND": "it is not there, or not visible to us",
}

_BUG = {
    "INVALID_QUERY_LOCATOR": "the place in the query's result is no longer known",
    "MALFORMED_QUERY": "the query is not valid SOQL",
    "INVALID_TYPE": "there is no such object, or it is not visible to us",
    "QUERY_TOO_COMPLICATED": "the query is too complicated",
    "OPERATION_TOO_LARGE": "the query is too large",
    "EXCEEDED_ID_LIMIT": "too many records in one call",
    "INVALID_REPLICATION_DATE": "the time window asked for is not covered",
    "JSON_PARSER_ERROR": "the request body could not be read",
    "METHOD_NOT_ALLOWED": "the method does not exist there",
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": "rolled back because another record failed",
    "PROCESSING_HALTED": "rolled back because another part of the request failed",
    "INVALIDJOBSTATE": "the job is in a state that does not allow it",
    "INVALIDENTITY": "the job names an object that cannot be loaded",
    "API_ERROR": "the job could not be handled",
}

CODES: Mapping[str, Meaning] = {
    **{code: Meaning(Kind.RETRY, says) for code, says in _RETRY.items()},
    # Salesforce answers it for faults of its own: the transaction may or may not have been committed.
    "UNKNOWN_EXCEPTION": Meaning(Kind.RETRY, "an unexpected error inside Salesforce", sent=True),
    **{code: Meaning(Kind.PERSON, says, fix) for code, (says, fix) in _PERSON.items()},
    **{code: Meaning(Kind.RECORD, says) for code, says in _RECORD.items()},
    **{code: Meaning(Kind.BUG, says) for code, says in _BUG.items()},
}

#: Transaction security policies name their codes themselves; only the beginning is fixed.
CODE_PREFIXES: Mapping[str, Meaning] = {
    "TXN_SECURITY_": Meaning(Kind.RECORD, "a transaction security policy of the organisation refused it"),
}

#: The same code as for the day's budget, but only calls longer than 20 seconds count against it.
CONCURRENT = Meaning(Kind.RETRY, "too many long calls at once", wait_seconds=5.0)

STATUSES: Mapping[int, Meaning] = {
    300: Meaning(Kind.RECORD, "several records have the value that was to name one"),
    304: Meaning(Kind.BUG, "answered with nothing new to a call that did not ask for that"),
    400: Meaning(Kind.BUG, "the request was not understood"),
    401: Meaning(Kind.PERSON, "the credentials were refused", "check the external client app"),
    403: Meaning(Kind.PERSON, "the integration user is not allowed to do this", _GRANT),
    404: Meaning(Kind.BUG, "there is no such resource"),
    405: Meaning(Kind.BUG, "the method does not exist there"),
    409: Meaning(Kind.BUG, "the request contradicts an earlier one"),
    410: Meaning(Kind.PERSON, "this API version is retired", "set salesforce.api_version to a newer one"),
    412: Meaning(Kind.RECORD, "the record was changed meanwhile"),
    414: Meaning(Kind.BUG, "the address is longer than 16,384 bytes"),
    415: Meaning(Kind.BUG, "the body has a format that is not accepted"),
    420: Meaning(Kind.RETRY, "Salesforce Edge could not route the request"),
    428: Meaning(Kind.BUG, "a condition is required"),
    429: Meaning(Kind.RETRY, "too many calls"),
    431: Meaning(Kind.BUG, "address and headers are longer than 16,384 bytes"),
    500: Meaning(Kind.RETRY, "an error inside Salesforce", sent=True),
    502: Meaning(Kind.RETRY, "Salesforce Edge got no answer", sent=True),
    503: Meaning(Kind.RETRY, "the service is not available", sent=True),
    504: Meaning(Kind.RETRY, "a gateway got no answer in time", sent=True),
}

#: Errors of the token endpoint (Salesforce reference, section 1).
OAUTH: Mapping[str, Meaning] = {
    "invalid_grant": Meaning(
        Kind.PERSON,
        "the app may not log in this way",
        "use the My Domain address as salesforce.login_url, enable the client credentials flow of the "
        "external client app and name its run-as user",
    ),
    "invalid_client": Meaning(
        Kind.PERSON,
        "the client id or secret is wrong",
        "set LEADPACT_SALESFORCE__CLIENT_ID and LEADPACT_SALESFORCE__CLIENT_SECRET anew",
    ),
    "invalid_client_id": Meaning(
        Kind.PERSON,
        "the client id is unknown",
        "copy the consumer key of the external client app; a new app needs up to ten minutes",
    ),
    "unsupported_grant_type": Meaning(
        Kind.PERSON,
        "the flow is not offered",
        "enable the client credentials flow of the external client app",
    ),
    "inactive_user": Meaning(
        Kind.PERSON, "the run-as user is inactive", "activate the user, or name another in the app"
    ),
    "inactive_org": Meaning(Kind.PERSON, "the organisation is locked or closed", "ask Salesforce support"),
    "unauthorized_client": Meaning(
        Kind.PERSON,
        "the app is not approved for its user",
        "approve the app, or install it in the organisation",
    ),
    "invalid_request": Meaning(Kind.BUG, "the token request was not understood"),
    "rate_limit_exceeded": Meaning(Kind.RETRY, "too many logins", wait_seconds=10.0),
    "server_error": Meaning(Kind.RETRY, "the token endpoint failed"),
    "temporarily_unavailable": Meaning(Kind.RETRY, "the token endpoint is not available"),
}


def meaning_of(code: str, status: int) -> Meaning:
    """What an answer with this error code and HTTP status asks for; any pair of them gets a meaning.

    A code that the tables do not know is judged by its status, and an unknown status by its hundred.
    """
    if code in CODES:
        return CODES[code]
    for prefix, meaning in CODE_PREFIXES.items():
        if code.startswith(prefix):
            return meaning
    return STATUSES.get(status) or _by_hundred(status)


def _by_hundred(status: int) -> Meaning:
    if status >= 500:
        return STATUSES[500]
    if status >= 400:
        return STATUSES[400]
    if status >= 300:
        return Meaning(
            Kind.PERSON, "the address sends us elsewhere", "set salesforce.login_url to the My Domain"
        )
    return Meaning(Kind.RETRY, "the answer could not be read", sent=True)
