"""``merge``: up to three leads, contacts or accounts into one of them, 200 requests a call.

The master keeps its own values and takes those that the request gives it; nothing is filled from the records
that end (Salesforce reference, section 6).
"""

from __future__ import annotations

from functools import partial
from typing import Any
from xml.etree.ElementTree import Element

from connectors.sandbox.salesforce import ids, seed
from connectors.sandbox.salesforce.conversion import merge
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.records import Records, id_of
from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.soap.convert import each_alone, errors_of
from connectors.sandbox.salesforce.soap.envelope import XSI, SoapCall, leaf, parts_of, tag, text_of
from connectors.sandbox.salesforce.soap.faults import Fault, malformed

MOST_REQUESTS = 200
#: The declared name of a request, and the one that jsforce sends.
REQUESTS = ("request", "mergeRequests")
#: Of a MergeRequest; the last only informs the Apex triggers of a merge.
PARTS = ("masterRecord", "recordToMergeIds", "additionalInformationMap")


def merge_records(org: Org, call: SoapCall) -> str:
    """Merge what each request of a call names; the results in the order asked. Raises Fault."""
    asked = [part for _, part in parts_of(call, call.body, REQUESTS)]
    if len(asked) > MOST_REQUESTS:
        text = f"record limit reached. cannot submit more than {MOST_REQUESTS} records into this call"
        raise Fault("EXCEEDED_ID_LIMIT", text)
    return "".join(
        tag("result", each_alone(org, partial(_merged, org, call, part), _refused)) for part in asked
    )


def _merged(org: Org, call: SoapCall, element: Element) -> str:
    masters, losers = [], []
    for name, part in parts_of(call, element, PARTS):
        if name == "masterRecord":
            masters.append(part)
        elif name == "recordToMergeIds":
            losers.append(text_of(part))
    if len(masters) != 1:
        raise malformed("A MergeRequest has one masterRecord")
    sobject, values = _record(org, call, masters[0])
    master = id_of(sobject, values.pop("Id", None))
    writer = Writer(user=seed.INTEGRATION_USER)
    if values:
        Records(org).update(sobject.name, master, values, writer)
    moved: list[str] = []
    gone = [id_of(sobject, each) for each in losers]
    merge(org, sobject, master, gone, writer, fill=False, moved=moved)
    merged = [leaf("mergedRecordIds", each) for each in gone]
    related = [leaf("updatedRelatedIds", each) for each in moved]
    return "".join((leaf("id", master), *merged, leaf("success", True), *related))


def _record(org: Org, call: SoapCall, element: Element) -> tuple[SObject, dict[str, Any]]:
    """The object and the values of an sObject: text as sent, None for what stands in ``fieldsToNull``.

    Partner records carry their type as an element, enterprise records as ``xsi:type``.
    """
    values: dict[str, Any] = {}
    named = (element.get(f"{{{XSI}}}type") or "").rpartition(":")[2]
    for child in element:
        space, _, name = child.tag.removeprefix("{").rpartition("}")
        if space not in (call.dialect.sobject, call.dialect.api):
            raise malformed(f"Element {{{space}}}{name} invalid at this location")
        text = text_of(child)
        if name == "type":
            named = text or ""
        elif name == "fieldsToNull":
            values[text or ""] = None
        elif text is not None:
            # An empty element changes nothing; what shall be empty stands in fieldsToNull.
            values[name] = text
    sobject = org.seen.find(named)
    if sobject is None:
        whole = ids.to_18(values.get("Id"))
        sobject = org.seen.of_id(whole) if whole and not named else None
    if sobject is None:
        raise Fault("INVALID_TYPE", f"sObject type '{named}' is not supported.", "InvalidSObjectFault")
    return sobject, values


def _refused(refused: RowRefused) -> str:
    return errors_of(refused) + leaf("id", None) + leaf("success", False)
