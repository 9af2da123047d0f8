"""Converting leads and merging records by SOAP: the connector against a pretend organisation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.quota import MemoryLedger, Quota
from connectors.salesforce.convert import Conversion
from connectors.salesforce.crm import SalesforceCrm
from connectors.sandbox.salesforce import seed

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONVERTED = "Closed - Converted"
LEAD = {
    "LastName": "Nguyen",
    "Company": "Nordlicht GmbH",
    "LeadSource": "Web",
    "Email": "mai@nordlicht.example",
}


class Soap:
    """What the tests of one organisation need again and again."""

    def __init__(self, org: Any, crm: SalesforceCrm) -> None:
        self.org, self.crm = org, crm

    def lead(self, **more: Any) -> str:
        found: str = self.org.load([{**LEAD, **more}])[0]
        return found

    def state(self, **wanted: str) -> dict[str, Any]:
        answer = requests.get(f"{self.org.url}/_sandbox/state", params=wanted, timeout=60)
        found: dict[str, Any] = answer.json()
        return found

    def held(self, object_name: str, record_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state(object=object_name, id=record_id)["records"][0]
        return found

    def count(self, object_name: str) -> int:
        return int(self.state()["objects"][object_name])

    def soap_calls(self) -> list[dict[str, Any]]:
        return [each for each in self.org.requests() if each["path"].startswith("/services/Soap/")]


@pytest.fixture
def soap(org: Any, crm: SalesforceCrm) -> Soap:
    return Soap(org, crm)


def test_a_lead_becomes_an_account_a_contact_and_an_opportunity(soap: Soap) -> None:
    lead = soap.lead(FirstName="Mai")
    (result,) = soap.crm.convert_leads([Conversion(lead, CONVERTED, opportunity_name="Shop & <Lager>\x00")])
    assert result.failure is None
    assert result.lead_id == lead
    held = soap.held("Lead", lead)
    assert (held["IsConverted"], held["Status"]) == (True, CONVERTED)
    assert (held["ConvertedAccountId"], held["ConvertedContactId"], held["ConvertedOpportunityId"]) == (
        result.account_id,
        result.contact_id,
        result.opportunity_id,
    )
    assert soap.held("Account", str(result.account_id))["Name"] == LEAD["Company"]
    assert soap.held("Contact", str(result.contact_id))["Email"] == LEAD["Email"]
    assert soap.held("Opportunity", str(result.opportunity_id))["Name"] == "Shop & <Lager>"


def test_what_is_there_already_is_only_filled_where_it_is_empty(soap: Soap) -> None:
    first, second = soap.lead(Phone="+49 30 1"), soap.lead(Phone="+49 30 2", Title="CTO", LeadSource="Other")
    (there,) = soap.crm.convert_leads([Conversion(first, CONVERTED, no_opportunity=True)])
    assert there.opportunity_id is None
    (again,) = soap.crm.convert_leads(
        [
            Conversion(
                second,
                CONVERTED,
                account_id=str(there.account_id)[:15],
                contact_id=there.contact_id,
                no_opportunity=True,
                overwrite_lead_source=True,
            )
        ]
    )
    assert (again.account_id, again.contact_id) == (there.account_id, there.contact_id)
    contact = soap.held("Contact", str(again.contact_id))
    assert (contact["Phone"], contact["Title"], contact["LeadSource"]) == ("+49 30 1", "CTO", "Other")


def test_each_lead_has_its_own_result_and_one_refusal_stops_no_other(soap: Soap) -> None:
    good, queued, done = soap.lead(), soap.lead(OwnerId=seed.QUEUE), soap.lead()
    soap.crm.convert_leads([Conversion(done, CONVERTED)])
    results = soap.crm.convert_leads(
        [
            Conversion(done, CONVERTED),
            Conversion(good, CONVERTED),
            Conversion(queued, CONVERTED),
            Conversion(good, "Open - Not Contacted"),
            Conversion("00QgK0000099999", CONVERTED),
        ]
    )
    codes = [None if each.failure is None else each.failure.code for each in results]
    assert codes == [
        "CANNOT_UPDATE_CONVERTED_LEAD",
        None,
        "INVALID_OWNER",
        "CANNOT_UPDATE_CONVERTED_LEAD",
        "INVALID_CROSS_REFERENCE_KEY",
    ]
    assert all(isinstance(each.failure, RecordRefused) for each in results if each.failure)
    assert not soap.held("Lead", queued)["IsConverted"]
    assert soap.count("Account") == 2


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"status": "Open - Not Contacted"}, "INVALID_STATUS"),
        ({"contact_id": "003000000000001AAA"}, "REQUIRED_FIELD_MISSING"),
        ({"no_opportunity": True, "opportunity_name": "Lager"}, "INVALID_FIELD"),
        ({"opportunity_name": "L" * 81}, "STRING_TOO_LONG"),
        ({"account_id": "no id"}, "MALFORMED_ID"),
        ({"owner_id": "005000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_a_lead_that_cannot_be_converted_as_asked_stays_a_lead(
    soap: Soap, wanted: dict[str, Any], code: str
) -> None:
    lead = soap.lead()
    (result,) = soap.crm.convert_leads([Conversion(lead, **{"status": CONVERTED, **wanted})])
    assert isinstance(result.failure, RecordRefused)
    assert result.failure.code == code
    assert not soap.held("Lead", lead)["IsConverted"]
    assert soap.count("Account") == soap.count("Contact") == 0


def test_a_refusal_never_repeats_what_stands_in_the_record(soap: Soap) -> None:
    (result,) = soap.crm.convert_leads([Conversion(soap.lead(), CONVERTED, opportunity_name="planted" * 20)])
    assert "planted" not in str(result.failure)


def test_a_queues_lead_is_converted_for_the_owner_that_is_named(soap: Soap) -> None:
    lead = soap.lead(OwnerId=seed.QUEUE)
    (result,) = soap.crm.convert_leads([Conversion(lead, CONVERTED, owner_id=seed.FIRST_SELLER)])
    assert soap.held("Contact", str(result.contact_id))["OwnerId"] == seed.FIRST_SELLER


def test_a_duplicate_rule_stops_a_conversion(soap: Soap) -> None:
    soap.org.load([{"LastName": "Nguyen", "Email": LEAD["Email"]}], "Contact")
    lead = soap.lead()
    soap.org.control("limits", duplicate_rule="block")
    (result,) = soap.crm.convert_leads([Conversion(lead, CONVERTED)])
    assert result.failure is not None
    assert result.failure.code == "DUPLICATES_DETECTED"


def test_more_than_a_hundred_leads_go_in_several_calls(soap: Soap) -> None:
    leads = soap.org.load([{**LEAD, "Email": f"p{n}@x.example"} for n in range(101)])
    results = soap.crm.convert_leads([Conversion(lead, CONVERTED, no_opportunity=True) for lead in leads])
    assert [each.lead_id for each in results] == leads
    assert all(each.failure is None for each in results)
    assert len(soap.soap_calls()) == 2


def test_a_locked_lead_is_tried_again_and_the_others_are_not(soap: Soap) -> None:
    first, second = soap.lead(), soap.lead()
    soap.org.control("limits", row_locks=1)
    results = soap.crm.convert_leads([Conversion(first, CONVERTED), Conversion(second, CONVERTED)])
    assert [each.failure for each in results] == [None, None]
    assert soap.count("Account") == 2
    assert len(soap.soap_calls()) == 2


def test_a_lead_that_stays_locked_is_for_later(soap: Soap) -> None:
    soap.org.control("limits", row_locks=50)
    (result,) = soap.crm.convert_leads([Conversion(soap.lead(), CONVERTED)])
    assert isinstance(result.failure, RetryLater)
    assert not result.failure.sent


def test_a_session_that_dies_is_replaced_once_and_the_call_made_again(soap: Soap) -> None:
    soap.crm.account()
    soap.org.act("revoke_tokens")
    soap.org.forget_requests()
    (result,) = soap.crm.convert_leads([Conversion(soap.lead(), CONVERTED)])
    assert result.failure is None
    paths = [(each["path"], each["status"]) for each in soap.org.requests()]
    assert paths == [
        ("/services/Soap/u/66.0", 500),
        ("/services/oauth2/token", 200),
        ("/services/Soap/u/66.0", 200),
    ]


def test_an_answer_that_was_lost_is_looked_up_and_nothing_is_converted_twice(soap: Soap) -> None:
    leads = [soap.lead(), soap.lead()]
    soap.org.control("faults", match={"path": "/services/Soap/"}, times=1, drop="after")
    results = soap.crm.convert_leads([Conversion(lead, CONVERTED) for lead in leads])
    assert [each.failure for each in results] == [None, None]
    assert [each.account_id for each in results] == [
        soap.held("Lead", lead)["ConvertedAccountId"] for lead in leads
    ]
    assert soap.count("Account") == 2


def test_a_conversion_that_never_arrived_is_reported_as_not_known(soap: Soap) -> None:
    lead = soap.lead()
    soap.org.control("faults", match={"path": "/services/Soap/"}, times=1, drop="before")
    (result,) = soap.crm.convert_leads([Conversion(lead, CONVERTED)])
    assert isinstance(result.failure, RetryLater)
    assert result.failure.sent
    assert not soap.held("Lead", lead)["IsConverted"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 503, "body": "<html>planted</html>"}, RetryLater),
        ({"status": 200, "body": "<html>planted</html>"}, RetryLater),
        ({"status": 200, "body": '<!DOCTYPE x [<!ENTITY a "planted">]><x>&a;</x>'}, RetryLater),
        ({"status": 500, "body": "no XML, but planted"}, RetryLater),
    ],
)
def test_a_strange_answer_is_one_of_the_four_kinds_and_is_not_repeated(
    soap: Soap, fault: dict[str, Any], kind: type[ConnectorError]
) -> None:
    lead = soap.lead()
    soap.org.control("faults", match={"path": "/services/Soap/"}, times=1, **fault)
    (result,) = soap.crm.convert_leads([Conversion(lead, CONVERTED)])
    assert isinstance(result.failure, kind)
    assert "planted" not in str(result.failure)
    assert len(soap.soap_calls()) == 1


def test_an_api_version_that_soap_no_longer_has_needs_a_person(soap: Soap) -> None:
    old = soap.org.connect(api_version="30.0")
    with pytest.raises(NeedsPerson, match="UNSUPPORTED_API_VERSION"):
        old.convert_leads([Conversion(soap.lead(), CONVERTED)])
    old.close()


def test_a_used_up_budget_is_a_guard_for_soap_too(soap: Soap) -> None:
    lead = soap.lead()
    soap.crm.account()
    soap.org.control("limits", daily=0)
    with pytest.raises(NeedsPerson) as refused:
        soap.crm.convert_leads([Conversion(lead, CONVERTED)])
    assert refused.value.code == "REQUEST_LIMIT_EXCEEDED"
    assert not soap.held("Lead", lead)["IsConverted"]


def test_the_merged_lead_ends_in_the_winner_which_takes_only_what_it_is_given(soap: Soap) -> None:
    winner, loser = soap.lead(Title=None, Phone="1"), soap.lead(Title="CTO", Phone="2")
    campaign = soap.org.load([{"Name": "Messe"}], "Campaign")[0]
    member = soap.org.load([{"CampaignId": campaign, "LeadId": loser}], "CampaignMember")[0]
    merged = soap.crm.merge_records("Lead", winner, [loser], {"City": "Köln & Umgebung", "Phone": None})
    assert merged.record_id == winner
    assert merged.merged_ids == (loser,)
    assert member in merged.related_ids
    held, gone = soap.held("Lead", winner), soap.held("Lead", loser)
    assert (held["City"], held["Phone"], held["Title"]) == ("Köln & Umgebung", None, None)
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, winner)


def test_a_merge_that_salesforce_refuses_changes_nothing(soap: Soap) -> None:
    winner, loser = soap.lead(), soap.lead()
    with pytest.raises(RecordRefused):
        soap.crm.merge_records("Lead", winner, [loser], {"Email": "no address"})
    assert not soap.held("Lead", loser)["IsDeleted"]
    with pytest.raises(OurBug):
        soap.crm.merge_records("Lead", winner, [])


@pytest.mark.parametrize(("drop", "merged"), [("after", True), ("before", False)])
def test_a_merge_whose_answer_was_lost_is_looked_up(soap: Soap, drop: str, merged: bool) -> None:
    winner, loser = soap.lead(), soap.lead()
    soap.org.control("faults", match={"path": "/services/Soap/"}, times=1, drop=drop)
    if merged:
        assert soap.crm.merge_records("Lead", winner, [loser]).merged_ids == (loser,)
    else:
        with pytest.raises(RetryLater) as lost:
            soap.crm.merge_records("Lead", winner, [loser])
        assert lost.value.sent
    assert soap.held("Lead", loser)["IsDeleted"] is merged


def test_soap_calls_count_in_the_budget_of_all_calls(soap: Soap) -> None:
    quota = Quota(
        "salesforce",
        {},
        ledger=MemoryLedger(lambda: 0.0),
        clock=lambda: NOON,
        sleep=soap.org.slept.append,
    )
    counted = soap.org.connect(quota=quota)
    before = soap.state()["calls_used"]
    counted.convert_leads([Conversion(soap.lead(), CONVERTED)])
    assert soap.state()["calls_used"] == before + 1
    counted.close()
