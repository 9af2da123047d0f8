"""One SOAP call from the door to the answer.

A session is checked and a call of the daily budget is spent first, in a transaction of their own; then the
operation does its work in another, which is undone whole when it ends in a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from connectors.sandbox.salesforce import connected_app, oauth, usage
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.resources import NEWEST, OLDEST
from connectors.sandbox.salesforce.soap import convert, identity, merging
from connectors.sandbox.salesforce.soap.envelope import SoapCall, answered, no_operation
from connectors.sandbox.salesforce.soap.faults import Fault
from connectors.sandbox.side import Answer, Ask

Work = Callable[[Org, SoapCall], str]

#: The last version that has ``login()`` (Salesforce reference, section 1).
LAST_WITH_LOGIN = 64.0
OPERATIONS: Mapping[str, Work] = {
    "convertLead": convert.convert_leads,
    "merge": merging.merge_records,
    "getUserInfo": identity.user_info,
    "logout": identity.logout,
}
_WRITES = re.compile(rb"<(?:[\w.-]+:)?(?:convertLead|merge)[\s/>]")


def admit(org: Org, call: SoapCall) -> None:
    """Let a call in, or raise Fault: its version is served, its session lives, the budget has a call left.

    Raises Refusal for the session and the budget, as the REST API does.
    """
    if not OLDEST <= call.number <= NEWEST or not call.version.endswith(".0"):
        raise Fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL")
    if _is_login(call):
        return
    if call.operation not in OPERATIONS:
        raise no_operation(call.dialect.api, call.operation)
    oauth.check_token(org, call.header("SessionHeader", "sessionId") or "")
    org.settle()
    usage.spend(org)


def work(org: Org, call: SoapCall) -> Answer:
    """Do what an admitted call asks for. Raises Fault."""
    if _is_login(call):
        return answered(call, _logged_in(org, call))
    inside = OPERATIONS[call.operation](org, call)
    return answered(call, inside, usage.used(org), _most(org))


def origin(call: SoapCall) -> str:
    """Where the changes of a call come from, as change events name it (Salesforce reference, section 8)."""
    client = call.header("CallOptions", "client")
    return f"com/salesforce/api/soap/{call.version}" + (f";client={client}" if client else "")


def is_write(ask: Ask) -> bool:
    """Whether a request to a SOAP path changes records, by the name of its operation."""
    return _WRITES.search(ask.body) is not None


def _most(org: Org) -> int:
    most: int = usage.limits(org)["DailyApiRequests"]["Max"]
    return most


def _is_login(call: SoapCall) -> bool:
    return call.operation == "login" and call.number <= LAST_WITH_LOGIN


def _logged_in(org: Org, call: SoapCall) -> str:
    try:
        return identity.login(org, call)
    except connected_app.LoginRateExceeded:
        raise Fault("LOGIN_RATE_EXCEEDED", "Login Rate Exceeded", "LoginFault") from None
