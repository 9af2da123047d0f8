"""The body of an outbound message, and what a listener's answer says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.outbound.actions import Action
from connectors.sandbox.salesforce.schema import SObject

OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
VERSION = "66.0"
_START = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
    f' <soapenv:Body>\n  <notifications xmlns="{OUTBOUND}">\n'
)
_END = "  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>"


def message(
    action: Action,
    sobject: SObject,
    notes: Sequence[tuple[str, Mapping[str, Any]]],
    session: str | None,
) -> bytes:
    """A message of some notifications: their ids, and the rows of their records as they are now.

    A field without a value is left out; the record's id always comes first.
    """
    url = f"{seed.INSTANCE_URL}/services/Soap/%s/{VERSION}/{seed.ORG_ID[:15]}"
    head = (
        f"   <OrganizationId>{seed.ORG_ID}</OrganizationId>\n   <ActionId>{action.id}</ActionId>\n"
        + (
            '   <SessionId xsi:nil="true"/>\n'
            if session is None
            else f"   <SessionId>{session}</SessionId>\n"
        )
        + f"   <EnterpriseUrl>{url % 'c'}</EnterpriseUrl>\n   <PartnerUrl>{url % 'u'}</PartnerUrl>\n"
    )
    inside = "".join(_notification(action, sobject, note_id, row) for note_id, row in notes)
    return (_START + head + inside + _END).encode()


def is_heard(body: bytes) -> bool:
    """Whether an answer of status 200 acknowledges the message."""
    try:
        answer = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        return False
    ack = answer.find(f".//{{{OUTBOUND}}}Ack")
    return ack is not None and (ack.text or "").strip().lower() == "true"


def _notification(action: Action, sobject: SObject, note_id: str, row: Mapping[str, Any]) -> str:
    fields = "".join(
        f"     <sf:{name}>{_shown(sobject.fields[name].type, row[name])}</sf:{name}>\n"
        for name in ("Id", *action.fields)
        # A field can have been deleted since the action was declared.
        if name in sobject.fields and row.get(name) is not None
    )
    return (
        f"   <Notification>\n    <Id>{note_id}</Id>\n"
        f'    <sObject xsi:type="sf:{action.object}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">\n'
        f"{fields}    </sObject>\n   </Notification>\n"
    )


def _shown(kind: str, value: Any) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "datetime":
        return f"{value}.000Z"
    return escape(str(value))
