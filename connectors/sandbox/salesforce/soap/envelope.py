"""SOAP envelopes: a request taken apart, an answer or a fault put together.

Two dialects share all rules and differ in their namespaces: ``/services/Soap/u`` (partner) and
``/services/Soap/c`` (enterprise). Every fault is answered with status 500 (Salesforce reference, section 1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connectors.sandbox.salesforce.soap.faults import Fault, malformed
from connectors.sandbox.side import Answer, Ask

PATH = re.compile(r"/services/Soap/([uc])/(\d{1,2}\.\d)(?:/\w*)?")
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CONTENT_TYPE = "text/xml; charset=utf-8"
_NIL = f"{{{XSI}}}nil"
# What XML 1.0 cannot hold, however it is escaped.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The namespaces of one of the two APIs. ``letter`` is its place in the path."""

    letter: str
    word: str

    @property
    def api(self) -> str:
        """Operations and their parts."""
        return f"urn:{self.word}.soap.sforce.com"

    @property
    def sobject(self) -> str:
        """Records and their fields."""
        return f"urn:sobject.{self.word}.soap.sforce.com"

    @property
    def fault(self) -> str:
        """The details of faults."""
        return f"urn:fault.{self.word}.soap.sforce.com"


DIALECTS = {each.letter: each for each in (Dialect("u", "partner"), Dialect("c", "enterprise"))}


@dataclass(frozen=True, slots=True)
class SoapCall:
    """One call: ``body`` is the element of the operation, ``headers`` those of the envelope by name."""

    dialect: Dialect
    version: str
    operation: str
    body: Element
    headers: Mapping[str, Element]

    @property
    def number(self) -> float:
        """The API version as a number."""
        return float(self.version)

    def header(self, name: str, part: str) -> str | None:
        """The text of one part of a header, such as ``SessionHeader`` and ``sessionId``."""
        found = self.headers.get(name)
        return None if found is None else text_of(found.find(f"{{{self.dialect.api}}}{part}"))


def dialect_of(ask: Ask) -> Dialect | None:
    """The API that a path belongs to; None for a path outside SOAP."""
    match = PATH.fullmatch(ask.path.rstrip("/"))
    return DIALECTS[match[1]] if match is not None else None


def read(ask: Ask) -> SoapCall:
    """The call in a request to one of the two paths. Raises Fault for what is no envelope of this API."""
    match = PATH.fullmatch(ask.path.rstrip("/"))
    if match is None or ask.method != "POST":
        raise malformed("The request is no SOAP call")
    if "soapaction" not in ask.headers:
        raise malformed("SOAPAction HTTP header missing")
    try:
        envelope = fromstring(ask.body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as wrong:
        # Entities and document types are refused here too: DefusedXmlException is a ValueError.
        said = type(wrong).__name__ if isinstance(wrong, DefusedXmlException) else str(wrong)
        raise Fault("UNKNOWN_EXCEPTION", said) from None
    dialect = DIALECTS[match[1]]
    if envelope.tag != f"{{{ENVELOPE}}}Envelope":
        raise malformed("The root element is no SOAP envelope")
    body = envelope.find(f"{{{ENVELOPE}}}Body")
    operations = [] if body is None else list(body)
    if len(operations) != 1:
        raise malformed("The SOAP body must hold exactly one operation")
    space, _, name = operations[0].tag.removeprefix("{").rpartition("}")
    if space != dialect.api:
        raise no_operation(space, name)
    above = envelope.find(f"{{{ENVELOPE}}}Header")
    headers = {} if above is None else {each.tag.rpartition("}")[2]: each for each in above}
    return SoapCall(dialect, match[2], name, operations[0], headers)


def no_operation(space: str, name: str) -> Fault:
    """There is no such operation in this API."""
    return malformed(
        f"No operation available for request {{{space}}}{name}, please check the WSDL for the service."
    )


def text_of(element: Element | None) -> str | None:
    """The text of an element; None where it is missing, empty or nil."""
    if element is None or element.get(_NIL) in ("true", "1"):
        return None
    return (element.text or "").strip() or None


def parts_of(call: SoapCall, element: Element, known: Iterable[str]) -> Iterator[tuple[str, Element]]:
    """The children of an element by name. Raises Fault for one that is not ``known``."""
    allowed = frozenset(known)
    for child in element:
        space, _, name = child.tag.removeprefix("{").rpartition("}")
        if space != call.dialect.api or name not in allowed:
            raise malformed(f"Element {{{space}}}{name} invalid at this location")
        yield name, child


def flag(value: str | None) -> bool:
    """A boolean of XML Schema; nothing is false. Raises Fault."""
    if value not in (None, "true", "1", "false", "0"):
        raise malformed(f"'{value}' is not a valid value for the type xsd:boolean")
    return value in ("true", "1")


def shown(value: object) -> str:
    """A value as XML text."""
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return escape(_UNWRITABLE.sub("", text))


def tag(name: str, *inside: str, kind: str = "") -> str:
    """An element around XML that is written already; ``kind`` is its ``xsi:type``."""
    typed = f" xsi:type={quoteattr(kind)}" if kind else ""
    return f"<{name}{typed}>{''.join(inside)}</{name}>"


def leaf(name: str, value: object) -> str:
    """An element around a value; None is nil."""
    return f'<{name} xsi:nil="true"/>' if value is None else tag(name, shown(value))


def answered(call: SoapCall, inside: str, used: int | None = None, most: int = 0) -> Answer:
    """The answer of an operation; with the call budget in its header, where the call counted."""
    header = ""
    if used is not None:
        info = (leaf("current", used), leaf("limit", most), leaf("type", "API REQUESTS"))
        header = tag("soapenv:Header", tag("LimitInfoHeader", tag("limitInfo", *info)))
    body = tag("soapenv:Body", tag(f"{call.operation}Response", inside))
    spaces = f'xmlns="{call.dialect.api}" xmlns:sf="{call.dialect.sobject}"'
    return Answer(200, _envelope(spaces, header + body), content_type=CONTENT_TYPE)


def faulted(fault: Fault, dialect: Dialect) -> Answer:
    """The answer to a call that failed as a whole."""
    code = f"sf:{fault.code}" if fault.code else "soapenv:Client"
    said = f"{fault.code}: {fault.message}" if fault.code else fault.message
    detail = ""
    if fault.code:
        told = leaf("sf:exceptionCode", fault.code) + leaf("sf:exceptionMessage", fault.message)
        detail = tag("detail", tag(f"sf:{fault.kind}", told, kind=f"sf:{fault.kind}"))
    inside = tag("soapenv:Fault", leaf("faultcode", code), leaf("faultstring", said), detail)
    body = _envelope(f'xmlns:sf="{dialect.fault}"', tag("soapenv:Body", inside))
    return Answer(500, body, content_type=CONTENT_TYPE)


def _envelope(spaces: str, inside: str) -> bytes:
    start = f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}" {spaces} xmlns:xsi="{XSI}">'
    return f'<?xml version="1.0" encoding="UTF-8"?>{start}{inside}</soapenv:Envelope>'.encode()
