"""Taking records away: HubSpot archives them, and a person can bring them back for 90 days.

HubSpot reference, section 4.6. Nothing here deletes for good.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from connectors.crm import Written
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.batches import BATCH
from connectors.hubspot.errors import Refusal
from connectors.removing import remove


def archive(api: Api, object_name: str, ids: Sequence[str]) -> list[Written]:
    """Archive the named records, 100 a call; one result an id (``trace`` is the id), in order.

    A record that is not there any more counts as archived: HubSpot says nothing about it. Raises the four kinds
    while nothing has been archived; afterwards what was not sent comes back as refused with the error's code.
    """

    def send(some: Sequence[str]) -> list[Written]:
        body = orjson.dumps({"inputs": [{"id": one} for one in some]})
        api.call(_nothing, api.batches.archive, object_name, body)
        return [Written(one, "written", one) for one in some]

    return remove(ids, BATCH, send, answers=(Refusal,))


def _nothing(_: Reply) -> None:
    """The answer has no body (204)."""
