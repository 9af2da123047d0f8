"""The two CRMs of an app, each opened when somebody first asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from connectors.crm import Crm
from connectors.quota import Lane
from mapping.rules import CRMS
from sync.settings import Settings
from sync.store.calls import CallLedgers

if TYPE_CHECKING:
    from connectors.sandbox.detached import Attached
    from sync.app_crms import Belongings, Patience


@dataclass(frozen=True, eq=False)
class LateCrms(Mapping[str, Crm]):
    """``crms["hubspot"]`` builds the connector the first time, and ``stack`` closes it. Safe under threads.

    The vendors' clients take half a second of a processor to import, and many commands look only at what we
    remember. Raises WrongConfig for credentials that cannot be used, when they are first needed.
    """

    settings: Settings
    attached: Attached | None
    ledgers: CallLedgers
    clock: Callable[[], datetime]
    lane: Lane
    patience: Patience | None
    stack: ExitStack = field(repr=False)
    _built: dict[str, Crm] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @cached_property
    def owned(self) -> Belongings:
        """What the connectors are built from."""
        # Here and not above, as in ``_opened``: this is where the vendors' clients come in.
        from sync.app_crms import Belongings, Patience

        return Belongings(self.attached, self.ledgers, self.clock, self.lane, self.patience or Patience())

    def __getitem__(self, crm: str) -> Crm:
        with self._lock:
            if crm not in self._built:
                self._built[crm] = self._opened(crm)
            return self._built[crm]

    def _opened(self, crm: str) -> Crm:
        from sync.app_crms import hubspot, salesforce

        if crm not in CRMS:
            raise KeyError(crm)
        build = hubspot if crm == "hubspot" else salesforce
        opened: Crm = build(self.settings, self.owned)
        self.stack.callback(opened.close)
        return opened

    def __iter__(self) -> Iterator[str]:
        return iter(CRMS)

    def __len__(self) -> int:
        return len(CRMS)
