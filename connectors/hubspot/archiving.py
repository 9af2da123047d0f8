"""Taking records away: HubSpot archives them, and a person can bring them back for 90 days.

HubSpot reference, section 4.6. Nothing here deletes for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import orjson

from connectors.crm import Written
from connectors.errors import ConnectorError, RetryLater
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.batches import BATCH
from connectors.hubspot.errors import Refusal


def archive(api: Api, object_name: str, ids: Sequence[str]) -> list[Written]:
    """Archive the named records, 100 a call; one result an id (``trace`` is the id), in order.

    A record that is not there any more counts as archived: HubSpot says nothing about it. Raises the four kinds
    while nothing has been archived; afterwards what was not sent comes back as refused with the error's code.
    """
    results: dict[str, Written] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), BATCH):
        some = wanted[start : start + BATCH]
        body = orjson.dumps({"inputs": [{"id": one} for one in some]})
        try:
            api.call(_nothing, api.batches.archive, object_name, body)
        except ConnectorError as error:
            if not results and not isinstance(error, Refusal):
                raise
            unsure = isinstance(error, RetryLater) and error.sent
            outcome: Literal["refused", "unknown"] = "unknown" if unsure else "refused"
            for one in some:
                results[one] = Written(one, outcome, one, code=error.code, message=str(error))
            continue
        results.update((one, Written(one, "written", one)) for one in some)
    return [results[one] for one in wanted]


def _nothing(_: Reply) -> None:
    """The answer has no body (204)."""
