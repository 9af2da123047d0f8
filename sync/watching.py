"""Salesforce tells what changes only in objects that are selected for it: ``setup --apply`` selects ours.

Salesforce reference, section 8. Where a config has a topic of its own, its channel is the administrator's affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from connectors.errors import NeedsPerson
from sync.sentences import clause
from sync.settings import Settings
from sync.work import Work

CRM = "salesforce"


@runtime_checkable
class CanWatch(Protocol):
    """A CRM whose objects are selected before it tells what changes in them."""

    def watch(self, object_names: Sequence[str]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Watched:
    """``wanted``: the object that is to be selected, None: none. ``by_hand``: why and how a person has to do it."""

    wanted: str | None = None
    selected: bool = False
    by_hand: str = ""

    def told(self, *, really: bool) -> str:
        """What a setup did, or would do, in a sentence."""
        if self.wanted is None:
            return ""
        if not really:
            return f" --apply also selects {self.wanted} for Change Data Capture in Salesforce."
        if self.by_hand:
            return f" {self.by_hand}"
        return (
            f" {self.wanted} is now selected for Change Data Capture in Salesforce." if self.selected else ""
        )


def watch_changes(work: Work, settings: Settings, *, really: bool) -> Watched:
    """Select the synced object where change events are listened to. Raises the connectors' errors but NeedsPerson:
    what only a person can do is told, because everything else that a setup does is of use without it."""
    ours, crm = settings.salesforce, work.crms[CRM]
    if not ours.pubsub or ours.pubsub_topic is not None or not isinstance(crm, CanWatch):
        return Watched()
    name = work.objects[CRM]
    if not really:
        return Watched(name)
    try:
        return Watched(name, selected=bool(crm.watch([name])))
    except NeedsPerson as refused:
        return Watched(name, by_hand=f"{refused}: {clause(refused.fix)}.")
