"""The Pub/Sub server of one org, put together."""

from __future__ import annotations

from pathlib import Path

from connectors.sandbox.certificates import key_and_chain
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.pubsub.feed import Feed
from connectors.sandbox.salesforce.pubsub.service import PubSubServer


def open_server(org: Org, folder: Path) -> PubSubServer:
    """A server for the changes of an org, not started yet; ``folder`` keeps its certificates.

    Of the org only its clock, its file and the schema in force are used, which other threads may read.
    """
    key, chain = key_and_chain(folder)
    return PubSubServer(lambda: Feed(org.file.resolve(), org.now, lambda: org.seen), key, chain)
