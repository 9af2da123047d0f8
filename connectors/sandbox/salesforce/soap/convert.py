"""``convertLead``: up to 100 leads a call, each with a result of its own (Salesforce reference, section 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.conversion import convert
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.records import id_of
from connectors.sandbox.salesforce.refusals import Refusal, RowRefused
from connectors.sandbox.salesforce.soap.envelope import SoapCall, flag, leaf, parts_of, tag, text_of
from connectors.sandbox.salesforce.soap.faults import Fault, as_fault

MOST_LEADS = 100
LONGEST_NAME = 80
#: The parts of a LeadConvert that are texts, by their name in ``conversion.convert``.
TEXTS = {
    "convertedStatus": "status",
    "accountId": "account_id",
    "contactId": "contact_id",
    "opportunityId": "opportunity_id",
    "opportunityName": "opportunity_name",
    "ownerId": "owner_id",
}
FLAGS = {"doNotCreateOpportunity": "no_opportunity", "overwriteLeadSource": "overwrite_source"}
#: Understood and without effect: no mail leaves the sandbox, and no other record is looked for.
IDLE = frozenset({"sendNotificationEmail", "bypassAccountDedupeCheck", "bypassContactDedupeCheck"})
#: For person accounts, which the pretend org does not have.
PERSON = frozenset({"relatedPersonAccountId", "relatedPersonAccountRecord"})
KNOWN = frozenset({"leadId", *TEXTS, *FLAGS, *IDLE, *PERSON})


def convert_leads(org: Org, call: SoapCall) -> str:
    """Convert the leads of a call one after the other; the results in the order asked. Raises Fault."""
    asked = [part for _, part in parts_of(call, call.body, ("leadConverts",))]
    if len(asked) > MOST_LEADS:
        text = f"record limit reached. cannot submit more than {MOST_LEADS} records into this call"
        raise Fault("EXCEEDED_ID_LIMIT", text)
    read = [_read(call, part) for part in asked]
    allow = flag(call.header("DuplicateRuleHeader", "allowSave"))
    writer = Writer(user=seed.INTEGRATION_USER, api=False, allow_save=allow)
    return "".join(
        tag("result", each_alone(org, partial(_converted, org, wanted, writer), _refused)) for wanted in read
    )


def each_alone(org: Org, step: Callable[[], str], refused: Callable[[RowRefused], str]) -> str:
    """What one item of a call gives; where it is refused, nothing of it stays and the others are unaffected.

    A value of a wrong type ends the whole call. Raises Fault.
    """
    db = org.store.db
    db.execute("SAVEPOINT item")
    try:
        result = step()
    except RowRefused as refusal:
        db.execute("ROLLBACK TO item")
        org.undone()
        result = refused(refusal)
    except Refusal as refusal:
        raise as_fault(refusal) from None
    db.execute("RELEASE item")
    return result


def errors_of(refused: RowRefused) -> str:
    """The ``errors`` of a result."""
    fields = [leaf("fields", name) for name in refused.fields]
    return tag("errors", *fields, leaf("message", refused.message), leaf("statusCode", refused.code))


def _read(call: SoapCall, element: Element) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for name, part in parts_of(call, element, KNOWN):
        text = text_of(part)
        if name in FLAGS:
            wanted[FLAGS[name]] = flag(text)
        elif name in IDLE:
            flag(text)
        elif text is not None:
            wanted[TEXTS.get(name, name)] = text
    return wanted


def _converted(org: Org, wanted: Mapping[str, Any], writer: Writer) -> str:
    if not PERSON.isdisjoint(wanted):
        raise RowRefused("INVALID_FIELD", "person accounts are not enabled in this org")
    if "status" not in wanted:
        raise RowRefused("INVALID_STATUS", "invalid convertedStatus: null")
    name = wanted.get("opportunity_name", "")
    if len(name) > LONGEST_NAME:
        text = f"Opportunity Name: data value too large: {name} (max length={LONGEST_NAME})"
        raise RowRefused("STRING_TOO_LONG", text, ["opportunityName"])
    lead = id_of(org.full.objects["Lead"], wanted.get("leadId"))
    made = convert(org, lead, {**wanted, "by_api": True}, writer)
    return _result(made["account_id"], made["contact_id"], lead, made["opportunity_id"], True)


def _refused(refused: RowRefused) -> str:
    return _result(None, None, None, None, False, errors_of(refused))


def _result(
    account: str | None,
    contact: str | None,
    lead: str | None,
    opportunity: str | None,
    success: bool,
    errors: str = "",
) -> str:
    """The parts of a LeadConvertResult in the order of their names."""
    return "".join(
        (
            leaf("accountId", account),
            leaf("contactId", contact),
            errors,
            leaf("leadId", lead),
            leaf("opportunityId", opportunity),
            leaf("success", success),
        )
    )
