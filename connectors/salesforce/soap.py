"""The few calls that only SOAP has: one envelope out, one element back.

They use the session of the REST calls (Salesforce reference, section 1: only ``login()`` ends), so that a
session that dies is replaced once for all of them, and count in the same budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

import requests
from defusedxml.ElementTree import fromstring
from simple_salesforce.exceptions import SalesforceError

from connectors.salesforce.calls import CLIENT, Calls
from connectors.salesforce.errors import Unreadable

API = "urn:partner.soap.sforce.com"
SOBJECT = "urn:sobject.partner.soap.sforce.com"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
#: What XML 1.0 cannot hold, however it is escaped.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def once(calls: Calls, operation: str, parts: str) -> list[Element]:
    """One call, with one fresh session where the old one is refused: the ``result`` elements of the answer.

    ``parts`` is the XML inside the operation, in the namespace ``API``. Raises the four kinds; RetryLater with
    ``sent`` where the outcome is unknown.
    """
    return calls.once(lambda sf: _post(sf, operation, parts))


def leaf(name: str, value: str | bool | None) -> str:
    """An element around a value; nothing at all for None."""
    if value is None:
        return ""
    text = ("true" if value else "false") if isinstance(value, bool) else value
    return f"<{name}>{escape(_UNWRITABLE.sub('', text))}</{name}>"


def text_of(element: Element, name: str) -> str | None:
    """The text of a part; None where it is missing, empty or nil."""
    found = element.find(f"{{{API}}}{name}")
    if found is None or found.get(f"{{{XSI}}}nil") in ("true", "1"):
        return None
    return found.text or None


def texts_of(element: Element, name: str) -> list[str]:
    """The texts of a part that stands there any number of times."""
    return [found.text for found in element.findall(f"{{{API}}}{name}") if found.text]


def errors_of(element: Element) -> list[dict[str, Any]]:
    """The ``errors`` of a result, as the REST API would give them: ``errorCode``, ``message``, ``fields``."""
    return [
        {
            "errorCode": text_of(error, "statusCode") or "",
            "message": text_of(error, "message") or "",
            "fields": texts_of(error, "fields"),
        }
        for error in element.findall(f"{{{API}}}errors")
    ]


def _post(sf: Any, operation: str, parts: str) -> list[Element]:
    url = f"https://{sf.sf_instance}/services/Soap/u/{sf.sf_version}"
    body = _envelope(sf.session_id, operation, parts)
    answer = sf.session.post(url, data=body, headers=_HEADERS, hooks={"response": sf.hear})
    if answer.status_code != 200:
        raise _refusal(answer, operation)
    told = parsed(answer.content).find(f"{{{ENVELOPE}}}Body")
    response = None if told is None else told.find(f"{{{API}}}{operation}Response")
    if response is None:
        raise Unreadable
    return response.findall(f"{{{API}}}result")


def parsed(content: bytes) -> Element:
    """An XML body without document type and entities. Raises Unreadable."""
    root: Element | None
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        root = None
    if root is None:
        # Outside the except block: what was raised there can quote the body.
        raise Unreadable
    return root


def _envelope(session_id: str, operation: str, parts: str) -> bytes:
    header = f"<SessionHeader>{leaf('sessionId', session_id)}</SessionHeader>"
    options = f"<CallOptions>{leaf('client', CLIENT)}</CallOptions>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}" xmlns:sf="{SOBJECT}">'
        f'<soapenv:Header xmlns="{API}">{header}{options}</soapenv:Header>'
        f'<soapenv:Body xmlns="{API}"><{operation}>{parts}</{operation}></soapenv:Body></soapenv:Envelope>'
    ).encode()


def _refusal(answer: requests.Response, operation: str) -> SalesforceError:
    """A fault as the REST API would have put it, so that one translation serves both.

    A fault always has the status 500; what it means stands in its code. Any other answer speaks by its status.
    """
    code, message = _fault(answer.content)
    status = answer.status_code if code is None else 401 if code == "INVALID_SESSION_ID" else 400
    # The vendor says bytes and gives what it decoded.
    content: Any = [] if code is None else [{"errorCode": code, "message": message}]
    return SalesforceError("", status, operation, content)


def _fault(content: bytes) -> tuple[str | None, str]:
    """The code and message of a fault; the code is empty where the envelope was wrong, None where there is none."""
    try:
        fault = parsed(content).find(f"{{{ENVELOPE}}}Body/{{{ENVELOPE}}}Fault")
    except Unreadable:
        fault = None
    if fault is None:
        return None, ""
    inner = {each.tag.rpartition("}")[2]: each.text or "" for each in _leaves(fault)}
    return inner.get("exceptionCode", ""), inner.get("exceptionMessage", "")


def _leaves(element: Element) -> Iterable[Element]:
    return (each for each in element.iter() if not len(each))
