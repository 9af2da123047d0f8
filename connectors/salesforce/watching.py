"""Selecting objects for Change Data Capture, so that the Pub/Sub API tells what changes in them.

By metadata: one member of the channel ``ChangeEvents`` for each object (Salesforce reference, sections 8 and 11). What
is selected already is deployed again as it is, which changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from connectors.errors import OurBug
from connectors.salesforce import soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.deploying import Deploying
from connectors.salesforce.errors import CRM
from connectors.salesforce.package import NAMESPACE, document, manifest, zipped

CHANNEL = "ChangeEvents"
KIND = "PlatformEventChannelMember"

_OBJECT = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*(?:__c)?")
_FIX = (
    "let an administrator select the object under Setup, Change Data Capture, or give the integration user the "
    "permissions Modify Metadata Through Metadata API Functions and Customize Application"
)


def watch(
    calls: Calls, object_names: Sequence[str], *, version: str, sleep: Callable[[float], None]
) -> list[str]:
    """Select these objects; those that were not selected before, in order. ``version``: such as "66.0".

    Safe to repeat. Raises NeedsPerson where we may not, or the organisation has no room for another object: without
    an add-on there are five (Salesforce reference, section 8).
    """
    for name in object_names:
        if not _OBJECT.fullmatch(name):
            raise OurBug(f"salesforce: {soql.shown(name)} is no name of an object", crm=CRM)
    members = {member_name(name): name for name in object_names}
    deploying = Deploying(calls, "select objects for Change Data Capture", sleep=sleep, fix=_FIX)
    created = deploying.deploy(channel_package(object_names, version))
    return [name for member, name in members.items() if member in created]


def event_of(object_name: str) -> str:
    """The change event of an object: ``LeadChangeEvent``, ``Deal__ChangeEvent`` for ``Deal__c``."""
    stem = object_name.removesuffix("__c")
    return f"{stem}{'__' if stem != object_name else ''}ChangeEvent"


def member_name(object_name: str) -> str:
    """The full name of an object's member; a custom object's event has one underscore there.

    The reference (section 11) names a standard object's only; the custom one's is not verified, and no sync of ours
    needs it.
    """
    return f"{CHANNEL}_{event_of(object_name).replace('__', '_')}"


def member_xml(object_name: str) -> bytes:
    """``platformEventChannelMembers/X.platformEventChannelMember``."""
    root = ET.Element(KIND, xmlns=NAMESPACE)
    for key, text in (("eventChannel", CHANNEL), ("selectedEntity", event_of(object_name))):
        ET.SubElement(root, key).text = text
    return document(root)


def channel_package(object_names: Sequence[str], version: str) -> bytes:
    """The whole deployment."""
    names = [member_name(name) for name in object_names]
    files = {"package.xml": manifest({KIND: names}, version)}
    for name in object_names:
        path = f"platformEventChannelMembers/{member_name(name)}.platformEventChannelMember"
        files[path] = member_xml(name)
    return zipped(files)
