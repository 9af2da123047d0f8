"""``platformEventChannelMembers``: selecting objects for Change Data Capture by a deployment.

A member names a channel and the change event of one object (Salesforce reference, section 8). Without an add-on an
organisation has a handful of them; the switch ``cdc_entities`` says how many a deployment may reach, and the words
of the refusal beyond it are not documented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.switches import WATCHABLE

FOLDER = "platformEventChannelMembers"
EXTENSION = "platformEventChannelMember"
KIND = "PlatformEventChannelMember"
EVERY_OBJECT = "ChangeEvents"
_EVENT = "ChangeEvent"


@dataclass(frozen=True, slots=True)
class NewMember:
    """A member as a deployment has it: its file, its name there, its channel, and the event of an object."""

    file: str
    name: str
    channel: str
    entity: str


def wrong(org: Org, member: NewMember) -> str:
    """Why a member cannot be deployed; empty where it can."""
    channels = org.switches["cdc_channels"]
    if member.channel != EVERY_OBJECT and member.channel not in channels:
        return f"In field: eventChannel - no PlatformEventChannel named {member.channel} found"
    if _object_of(member.entity) not in WATCHABLE:
        return f"In field: selectedEntity - no entity named {member.entity} found"
    most = org.switches["cdc_entities"]
    if most is not None and len({*org.switches["cdc_objects"], _object_of(member.entity)}) > most:
        return f"You have selected more than the allowed number of entities: {most}"
    return ""


def add(org: Org, member: NewMember) -> bool:
    """Watch the member's object from now on; whether that is new. Where a channel is its own, it carries it too."""
    name = _object_of(member.entity)
    channel = org.switches["cdc_channels"].get(member.channel)
    missing = name not in (org.switches["cdc_objects"] if channel is None else channel)
    changed: dict[str, Any] = {"cdc_objects": _with(org.switches["cdc_objects"], name)}
    if channel is not None:
        changed["cdc_channels"] = {**org.switches["cdc_channels"], member.channel: _with(channel, name)}
    org.switches = {**org.switches, **changed}
    org.store.keep_setting("switches", org.switches)
    return missing


def _with(names: Sequence[str], name: str) -> list[str]:
    return list(dict.fromkeys((*names, name)))


def _object_of(entity: str) -> str:
    return entity.removesuffix(_EVENT) if entity.endswith(_EVENT) else ""
