"""Outbound Messages: what Salesforce posts to a listener, and what it wants to hear (Salesforce reference, section 8).

Nothing in a message is signed. So it is believed only as far as "look at these records again": it must name our
organisation, and its values are a hint. Messages come at least once, in any order, with the latest values;
the same notification keeps its id, whatever number of times it is sent. The session id that a message can
carry is read over, never kept.

``parse_outbound`` raises a ``RefusedMessage`` for everything else, whatever the bytes are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from connectors.salesforce.ids import eighteen, looks_like_id

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
SOBJECT = "urn:sobject.enterprise.soap.sforce.com"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

#: Bytes of one message: 100 notifications with a long text each, and to spare.
MOST_BYTES = 4 * 1024 * 1024
#: Notifications of one message.
MOST_NOTIFICATIONS = 100

_OBJECT = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)


class RefusedMessage(Exception):
    """A body that is not taken. ``status`` is the HTTP status it deserves; the text repeats nothing of it."""

    status = 400


class Malformed(RefusedMessage):
    """It is not an Outbound Message."""


class TooLarge(RefusedMessage):
    """It is longer than any message can be."""

    status = 413


class WrongOrganisation(RefusedMessage):
    """It comes from an organisation that is not ours, or says that it does."""

    status = 401


@dataclass(frozen=True, slots=True)
class Notification:
    """One record that changed. ``notification_id`` is the same in every repetition; ids have 18 characters.

    ``fields`` holds the values as text, by field name; None for one that is empty.
    """

    notification_id: str
    object: str
    record_id: str
    fields: Mapping[str, str | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message: of which organisation, by which action of its flow or workflow, and the notifications."""

    organisation_id: str
    action_id: str
    notifications: tuple[Notification, ...]


def parse_outbound(body: bytes, *, organisation_id: str, most_bytes: int = MOST_BYTES) -> OutboundMessage:
    """The message in a request's body. ``organisation_id`` is ours, of 15 or 18 characters.

    Raises TooLarge, Malformed or WrongOrganisation, and nothing else.
    """
    if len(body) > most_bytes:
        raise TooLarge(f"the message is longer than {most_bytes} bytes")
    notifications = _parsed(body).find(f"{{{SOAP}}}Body/{{{OUTBOUND}}}notifications")
    if notifications is None:
        raise Malformed("the body holds no notifications")
    given = _id(_text(notifications, "OrganizationId"), "organisation")
    if given != eighteen(organisation_id):
        raise WrongOrganisation("the message names another organisation")
    found = notifications.findall(f"{{{OUTBOUND}}}Notification")
    if not 1 <= len(found) <= MOST_NOTIFICATIONS:
        raise Malformed(f"a message has one to {MOST_NOTIFICATIONS} notifications")
    return OutboundMessage(
        given, _id(_text(notifications, "ActionId"), "action"), tuple(_notification(each) for each in found)
    )


def acknowledgement(taken: bool = True) -> bytes:
    """The body of the answer, which goes out with status 200 as ``text/xml``.

    It speaks for the whole message: what is not taken comes again, for up to 24 hours.
    """
    word = "true" if taken else "false"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Body>'
        f'<notificationsResponse xmlns="{OUTBOUND}"><Ack>{word}</Ack></notificationsResponse>'
        "</soapenv:Body></soapenv:Envelope>"
    ).encode()


def _parsed(body: bytes) -> Element:
    root: Element | None
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        root = None
    if root is None or root.tag != f"{{{SOAP}}}Envelope":
        # Outside the except block: what was raised there can quote the body.
        raise Malformed("the body is no SOAP envelope that we read")
    return root


def _notification(element: Element) -> Notification:
    record = element.find(f"{{{OUTBOUND}}}sObject")
    if record is None:
        raise Malformed("a notification has no record")
    # xsi:type names the object behind a prefix of the sender's choice.
    name = record.get(f"{{{XSI}}}type", "").rpartition(":")[2]
    if not _OBJECT.fullmatch(name):
        raise Malformed("a notification does not say which object its record is of")
    fields = dict(_fields(record))
    return Notification(
        _id(_text(element, "Id"), "notification"),
        name,
        _id(fields.pop("Id", None), "record"),
        fields,
    )


def _fields(record: Element) -> Iterator[tuple[str, str | None]]:
    """The fields of a record; what is no single value of a field is left out."""
    for child in record:
        space, _, name = child.tag.removeprefix("{").rpartition("}")
        if space != SOBJECT or len(child) or not _OBJECT.fullmatch(name):
            continue
        nil = child.get(f"{{{XSI}}}nil") in ("true", "1")
        yield name, None if nil else child.text or None


def _text(element: Element, name: str) -> str | None:
    return element.findtext(f"{{{OUTBOUND}}}{name}")


def _id(text: str | None, what: str) -> str:
    """An id of either length in its 18 characters. Whether such a record exists, only Salesforce can tell."""
    given = (text or "").strip()
    if not looks_like_id(given):
        raise Malformed(f"the id of the {what} is none")
    return eighteen(given)
