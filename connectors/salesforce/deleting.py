"""Taking records away: Salesforce puts them into the recycle bin, where a person can take them out again.

Salesforce reference, sections 4 and 6. Nothing here empties the bin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.crm import Written
from connectors.removing import remove
from connectors.salesforce.calls import Calls, listed
from connectors.salesforce.ids import eighteen
from connectors.salesforce.outgoing import AT_ONCE

#: Gone already: what was wanted is so.
GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})


def delete(calls: Calls, ids: Sequence[str]) -> list[Written]:
    """Delete the named records, 200 a call; one result an id (``trace`` is the id), in order.

    Records that are gone already count as deleted. Raises the four kinds while nothing has been deleted;
    afterwards what was not sent comes back as refused with the error's code.
    """

    def send(some: Sequence[str]) -> list[Written]:
        path = f"composite/sobjects?ids={','.join(some)}&allOrNone=false"
        answer = listed(calls.send("DELETE", path, b"", repeatable=True), path)
        # Results stand in the order of the ids (Salesforce reference, section 4).
        return [_deleted(one, said) for one, said in zip(some, answer, strict=True)]

    return remove(ids, AT_ONCE, send)


def _deleted(record_id: str, said: Any) -> Written:
    if not isinstance(said, Mapping):
        return Written(record_id, "unknown", record_id, message="the result could not be read")
    errors = [error for error in said.get("errors") or () if isinstance(error, Mapping)]
    code = str(errors[0].get("statusCode", "")) if errors else ""
    if said.get("success") is True or code in GONE:
        return Written(record_id, "written", eighteen(record_id))
    message = str(errors[0].get("message", "")) if errors else ""
    return Written(record_id, "refused", record_id, code=code, message=message)
