"""Merging records into one of them: SOAP only, leads, contacts or accounts (Salesforce reference, section 6).

The records that end go to the recycle bin and name the winner as their ``MasterRecordId``; what pointed at
them points at the winner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.errors import ConnectorError, OurBug, RetryLater
from connectors.salesforce import soap, soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.convert import refusal
from connectors.salesforce.errors import CRM, Unreadable, translate
from connectors.salesforce.ids import eighteen

#: The most records that one winner takes in at a time.
MOST_LOSERS = 2


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge that was made: the winner, what it took in, and the records that now point at it.

    ``related_ids`` is empty where only the records themselves could be asked. Ids have 18 characters.
    """

    record_id: str
    merged_ids: tuple[str, ...]
    related_ids: tuple[str, ...] = ()


def merge_records(
    calls: Calls,
    object_name: str,
    winner_id: str,
    loser_ids: Sequence[str],
    values: Mapping[str, str | None] | None = None,
) -> Merged:
    """Merge one or two records into ``winner_id``, which keeps its values and takes ``values`` (None empties).

    Where the outcome of the call is not known, the records are asked what became of them; a RetryLater with
    ``sent`` is raised where not all of them have ended in the winner. Raises RecordRefused where Salesforce
    will not merge them, OurBug for no or more than two losers.
    """
    losers = tuple(map(eighteen, loser_ids))
    if not 1 <= len(losers) <= MOST_LOSERS:
        raise OurBug(f"salesforce: a merge takes one or two records, not {len(losers)}", crm=CRM)
    parts = _asked(object_name, winner_id, losers, values or {})
    try:
        return calls.retried(lambda: _attempt(calls, parts), repeatable=False)
    except RetryLater as error:
        if not error.sent:
            raise
        failure = error
    try:
        ended = _ended_in(calls, object_name, eighteen(winner_id), losers)
    except ConnectorError:
        # The first failure says more than that of the question about it.
        ended = set()
    if set(losers) <= ended:
        return Merged(eighteen(winner_id), losers)
    raise failure


def _attempt(calls: Calls, parts: str) -> Merged:
    answer = soap.once(calls, "merge", parts)
    if len(answer) != 1:
        raise translate(Unreadable())
    result = answer[0]
    if soap.text_of(result, "success") != "true":
        raise refusal(soap.errors_of(result), "the records were not merged")
    return Merged(
        eighteen(soap.text_of(result, "id") or ""),
        tuple(map(eighteen, soap.texts_of(result, "mergedRecordIds"))),
        tuple(map(eighteen, soap.texts_of(result, "updatedRelatedIds"))),
    )


def _asked(object_name: str, winner_id: str, losers: Sequence[str], values: Mapping[str, str | None]) -> str:
    """A MergeRequest. Field names are checked as names; their values are escaped."""
    soql.select(object_name, ["Id", *values])
    emptied = [("fieldsToNull", name) for name, value in values.items() if value is None]
    parts = [("type", object_name), *emptied, ("Id", winner_id), *values.items()]
    record = "".join(soap.leaf(f"sf:{name}", value) for name, value in parts)
    ended = "".join(soap.leaf("recordToMergeIds", each) for each in losers)
    return f"<request><masterRecord>{record}</masterRecord>{ended}</request>"


def _ended_in(calls: Calls, object_name: str, winner_id: str, losers: Sequence[str]) -> set[str]:
    """Those of the losers that were merged into the winner."""
    where = f"Id IN ({','.join(map(soql.text, losers))})"
    page = calls.query(soql.select(object_name, ["Id", "MasterRecordId"], where), deleted_too=True)
    rows = page.get("records", []) if isinstance(page, dict) else []
    return {
        eighteen(row["Id"]) for row in rows if eighteen(str(row.get("MasterRecordId") or "")) == winner_id
    }
