"""Which logs a config wants to be pulled. Every process offers to; one at a time does (``sync.jobs_streams``)."""

from __future__ import annotations

import threading

from sync.app import App
from sync.jobs_streams import Stream
from sync.settings import Settings


def streams_of(settings: Settings) -> tuple[Stream, ...]:
    """One stream a log; none where the config wants none."""
    streams = []
    if settings.hubspot.journal:
        streams.append(Stream("hubspot journal", _journal))
    if settings.salesforce.pubsub:
        streams.append(Stream("salesforce changes", _changes))
    return tuple(streams)


def _journal(app: App, stop: threading.Event) -> None:
    # Only here, like the other: a worker that listens to nothing begins without gRPC and its threads.
    from sync.pulllogs_hubspot import listen

    listen(app, stop)


def _changes(app: App, stop: threading.Event) -> None:
    from sync.pulllogs_salesforce import listen

    listen(app, stop)
