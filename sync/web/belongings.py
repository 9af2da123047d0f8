"""What the endpoints are handed. Whoever serves them builds it (``joined``); a test makes its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from connectors.hubspot.signature import Verifier
from sync.inbox import Wanted
from sync.metrics import Metrics
from sync.store.inbox import Hints


class WayIn(Protocol):
    """Keeps hints (``sync.store.intake.Intake``)."""

    def start(self) -> None: ...

    def put(self, hints: Hints, now: datetime) -> Future[None]:
        """Done once they are durable; NotStored where they cannot be kept."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long anybody may keep us busy. Sizes in bytes, times in seconds."""

    body_bytes: int = 2 * 1024 * 1024
    body_seconds: float = 10.0  #: to send a whole body
    head_seconds: float = 10.0  #: to send a whole head, and between two requests
    store_seconds: float = 4.0  #: HubSpot waits 5 for an answer (HubSpot reference, section 10.2)
    most_connections: int = 1_000
    most_waiting: int = 100_000  #: records in the inbox before we call ourselves not ready
    come_again_seconds: int = 10  #: what Retry-After says


@dataclass(frozen=True)
class WebBelongings:
    """``accounts``: CRM to the account whose events are taken (HubSpot portal id, Salesforce organisation id).

    ``verifier`` None: there is no endpoint for HubSpot. ``secret_path`` None: none for Salesforce.
    ``certificate_header``: the header in which the proxy says that Salesforce showed its client certificate; it must
    say SUCCESS, and the proxy must set it on every request. None: no such header is ever looked at.
    ``unready``: why this process should get no work now. ``answers``: what the JSON API tells, by name; both may
    take their time, they are called in threads. ``api_token`` None: the API answers on this machine alone.
    """

    clock: Callable[[], datetime]
    accounts: Mapping[str, str]
    wanted: Wanted
    way_in: WayIn
    metrics: Metrics
    unready: Callable[[], list[str]]
    verifier: Verifier | None = None
    secret_path: str | None = field(default=None, repr=False)
    certificate_header: str | None = None
    answers: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    api_token: str | None = field(default=None, repr=False)
    limits: Limits = Limits()
