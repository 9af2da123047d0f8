"""Converting leads: SOAP only, 100 a call, one result for each lead (Salesforce reference, section 6).

A lead is never converted twice: Salesforce refuses the second time. So where the outcome of a call is not
known, the leads themselves are asked what became of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from connectors.errors import ConnectorError, RecordRefused, RetryLater
from connectors.salesforce import soap, soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.codes import CODES, Kind
from connectors.salesforce.errors import CRM, Unreadable, answer_error, field_names, translate
from connectors.salesforce.ids import eighteen

#: The most leads of one call.
MOST_LEADS = 100

_OUTCOME = ("Id", "IsConverted", "ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId")


@dataclass(frozen=True, slots=True)
class Conversion:
    """One lead to convert. Ids may have 15 or 18 characters.

    ``status`` is the API name of a LeadStatus that counts as converted. Without ``account_id`` or
    ``contact_id`` those records are created; an existing contact needs its account, too, and existing records
    are filled only where they are empty. An opportunity is created, named ``opportunity_name`` (at most 80
    characters) or by Salesforce, unless ``opportunity_id`` names one or ``no_opportunity`` is set. A lead that
    a queue owns needs ``owner_id``, a user.
    """

    lead_id: str
    status: str
    account_id: str | None = None
    contact_id: str | None = None
    opportunity_id: str | None = None
    opportunity_name: str | None = field(default=None, repr=False)
    no_opportunity: bool = False
    overwrite_lead_source: bool = False
    owner_id: str | None = None
    notify_owner: bool = False


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of one lead. ``failure`` is None where it is converted; ids have 18 characters.

    A failure is a RecordRefused for a lead that Salesforce will not convert, and one of the other kinds where
    the call failed; a RetryLater with ``sent`` is a conversion whose outcome nobody could tell.
    """

    lead_id: str
    account_id: str | None = None
    contact_id: str | None = None
    opportunity_id: str | None = None
    failure: ConnectorError | None = None


class _LeadsBusy(RetryLater):
    """Some leads of an answered call should be sent once more."""


def convert_leads(calls: Calls, conversions: Sequence[Conversion]) -> list[Converted]:
    """Convert leads; one result for each, in order.

    Raises one of the four kinds where the first call failed as a whole; later ones fail their own leads only,
    so that no conversion is lost with an exception.
    """
    done: list[Converted] = []
    for start in range(0, len(conversions), MOST_LEADS):
        batch = conversions[start : start + MOST_LEADS]
        try:
            done.extend(_convert(calls, batch))
        except ConnectorError as error:
            if not done:
                raise
            done.extend(Converted(eighteen(each.lead_id), failure=error) for each in conversions[start:])
            return done
    return done


def _convert(calls: Calls, batch: Sequence[Conversion]) -> list[Converted]:
    """One call, and again for the leads that were locked. Raises what failed before any lead was settled."""
    pending = dict(enumerate(batch))
    settled: dict[int, Converted] = {}

    def attempt() -> None:
        _attempt(calls, pending, settled)

    try:
        calls.retried(attempt, repeatable=False)
    except _LeadsBusy:
        # Still locked after all tries: what the last answer said stands.
        pending.clear()
    except ConnectorError as error:
        if isinstance(error, RetryLater) and error.sent:
            settled.update(_looked_up(calls, pending, error))
        elif not settled:
            raise
        else:
            settled.update((place, _failed(each, error)) for place, each in pending.items())
    return [settled[place] for place in range(len(batch))]


def _attempt(calls: Calls, pending: dict[int, Conversion], settled: dict[int, Converted]) -> None:
    answer = soap.once(calls, "convertLead", "".join(_asked(each) for each in pending.values()))
    if len(answer) != len(pending):
        raise translate(Unreadable())
    # Results stand in the order of the leads.
    results = {place: _result(pending[place], found) for place, found in zip(pending, answer, strict=True)}
    settled.update(results)
    for place, result in results.items():
        if not isinstance(result.failure, RetryLater):
            del pending[place]
    if pending:
        raise _LeadsBusy(f"salesforce: {len(pending)} leads are locked", crm=CRM)


def _asked(wanted: Conversion) -> str:
    """A LeadConvert; its parts in the order of their names, as Salesforce declares them."""
    parts = (
        ("accountId", wanted.account_id),
        ("contactId", wanted.contact_id),
        ("convertedStatus", wanted.status),
        ("doNotCreateOpportunity", wanted.no_opportunity),
        ("leadId", wanted.lead_id),
        ("opportunityId", wanted.opportunity_id),
        ("opportunityName", wanted.opportunity_name),
        ("overwriteLeadSource", wanted.overwrite_lead_source),
        ("ownerId", wanted.owner_id),
        ("sendNotificationEmail", wanted.notify_owner),
    )
    inside = "".join(soap.leaf(name, value) for name, value in parts)
    return f"<leadConverts>{inside}</leadConverts>"


def _result(wanted: Conversion, found: Element) -> Converted:
    if soap.text_of(found, "success") != "true":
        return _failed(wanted, refusal(soap.errors_of(found), "the lead was not converted"))
    return Converted(
        eighteen(soap.text_of(found, "leadId") or wanted.lead_id),
        _id(soap.text_of(found, "accountId")),
        _id(soap.text_of(found, "contactId")),
        _id(soap.text_of(found, "opportunityId")),
    )


def _id(text: str | None) -> str | None:
    return eighteen(text) if text else None


def _failed(wanted: Conversion, failure: ConnectorError) -> Converted:
    return Converted(eighteen(wanted.lead_id), failure=failure)


def refusal(errors: Sequence[Mapping[str, Any]], says: str) -> ConnectorError:
    """The error of one item of a SOAP call: a lock passes, everything else concerns this item alone.

    INVALID_FIELD is here a combination of parameters, not a column that is out of sight.
    """
    first = errors[0] if errors else {}
    code = str(first.get("errorCode", ""))
    if code in CODES and CODES[code].kind in (Kind.RETRY, Kind.RECORD):
        return answer_error(400, list(errors))
    known = answer_error(400, list(errors)).code
    return RecordRefused(
        f"salesforce: {says} ({known})",
        crm=CRM,
        code=known,
        fields=field_names([name for error in errors for name in error.get("fields") or ()]),
    )


def _looked_up(calls: Calls, pending: Mapping[int, Conversion], error: RetryLater) -> dict[int, Converted]:
    """What became of leads whose call broke: converted, as the leads say, or not known."""
    literals = [soql.text(eighteen(each.lead_id)) for each in pending.values()]
    prefix = soql.select("Lead", list(_OUTCOME)) + " WHERE Id"
    found: dict[str, Mapping[str, Any]] = {}
    try:
        for query in soql.in_chunks(prefix, literals):
            found.update((eighteen(row["Id"]), row) for row in calls.few(query))
    except ConnectorError:
        # The first failure says more than that of the question about it.
        found = {}
    settled: dict[int, Converted] = {}
    for place, wanted in pending.items():
        row = found.get(eighteen(wanted.lead_id), {})
        settled[place] = _as_found(wanted, row) if row.get("IsConverted") else _failed(wanted, error)
    return settled


def _as_found(wanted: Conversion, row: Mapping[str, Any]) -> Converted:
    account, contact, opportunity = (_id(row.get(name)) for name in _OUTCOME[2:])
    return Converted(eighteen(wanted.lead_id), account, contact, opportunity)
