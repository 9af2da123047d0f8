"""The pilot: while it stands, only the people of one HubSpot list are synced, and at most so many."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from connectors.crm import RECORD_ID, Crm
from sync.errors import GuardStopped

if TYPE_CHECKING:
    from connectors.hubspot.lists import Lists


@runtime_checkable
class HasLists(Protocol):
    """A CRM that keeps lists of people."""

    @property
    def lists(self) -> Lists: ...


class Pilot:
    """The people of one list, read once a command, when they are first asked for.

    Raises GuardStopped, and nothing is written, where the list is not there or has more than ``size`` people.
    """

    def __init__(self, crm: Crm, list_id: str, size: int) -> None:
        self._crm = crm
        self.list_id = list_id
        self._size = size

    @cached_property
    def members(self) -> frozenset[str]:
        """The ids of the HubSpot contacts on the list."""
        if not isinstance(self._crm, HasLists) or self._crm.lists.get(self.list_id) is None:
            raise GuardStopped(
                f"scope.pilot: HubSpot has no list {self.list_id}. Nothing was written",
                fix="name a list by the number in its address, or take scope.pilot out",
            )
        found: set[str] = set()
        for page in self._crm.lists.members(self.list_id):
            found.update(page[RECORD_ID].to_list())
            if len(found) > self._size:
                raise GuardStopped(
                    f"scope.pilot: more than {self._size} people are on HubSpot list {self.list_id}, and"
                    " guards.pilot_size allows no more. Nothing was written",
                    fix="take people off the list, or raise guards.pilot_size in the config",
                )
        return frozenset(found)
