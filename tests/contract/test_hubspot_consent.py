"""Consent against the sandbox: statuses, withdrawals, and that nobody is ever brought back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import hubspot.communication_preferences as preferences
import orjson
import pytest
import requests
from hubspot import HubSpot
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm import Write
from connectors.errors import NeedsPerson, OurBug
from connectors.hubspot.api import Api, Version
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.neverback import refuse_to_subscribe
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import CrmSession, open_session

VERSIONS: tuple[Version, ...] = ("v3", "2026-03", "2026-09")
MARKETING, SERVICE = "146200001", "146200002"
ADA = "ada@acme.test"


class Account:
    def __init__(self, served: Serving) -> None:
        self.url, self.token = served.hubspot_url, str(served.ready["hubspot_token"])
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        self.vendor = HubSpot(access_token=self.token, host=self.url, retry=False)

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def asked(self) -> list[dict[str, Any]]:
        log = self.http.get(f"{self.url}/_sandbox/requests?bodies=1", timeout=60).json()
        return [call for call in log["requests"] if "communication-preferences" in call["path"]]

    def v4(self, path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        address = f"{self.url}/communication-preferences/v4/{path}"
        answer = self.http.request(method, address, json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def quota(self) -> Quota:
        ledger = MemoryLedger(time.monotonic)
        return Quota("hubspot", {}, ledger=ledger, clock=lambda: datetime.now(UTC), sleep=time.sleep)

    def connect(self, version: Version = "v3") -> HubSpotCrm:
        retry = Retry(sleep=time.sleep)
        return HubSpotCrm(self.token, self.url, open_session(), self.quota(), retry=retry, version=version)

    def api(self, session: CrmSession) -> Api:
        return Api(self.token, self.url, session, self.quota(), Retry(sleep=time.sleep))

    def standing(self, email: str = ADA) -> dict[str, str]:
        return {
            str(row["subscriptionId"]): row["status"] for row in self.v4(f"statuses/{email}?channel=EMAIL")
        }


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with sandbox() as serving:
        yield serving


@pytest.fixture
def account(served: Serving) -> Iterator[Account]:
    found = Account(served)
    found.control("reset")
    found.connect().write("contacts", [Write("a", None, {"email": ADA})])
    found.http.delete(f"{found.url}/_sandbox/requests", timeout=60)
    yield found
    found.http.close()


def wanted(subscription: str = MARKETING) -> preferences.PublicUpdateSubscriptionStatusRequest:
    return preferences.PublicUpdateSubscriptionStatusRequest(
        email_address=ADA,
        subscription_id=subscription,
        legal_basis="CONSENT_WITH_NOTICE",
        legal_basis_explanation="Asked by telephone",
    )


def test_the_vendors_client_subscribes_unsubscribes_and_cannot_bring_back(account: Account) -> None:
    api = account.vendor.communication_preferences
    kinds = api.definition_api.get_page().subscription_definitions
    assert [kind.id for kind in kinds] == [MARKETING, SERVICE]
    assert api.status_api.subscribe(wanted()).status == "SUBSCRIBED"
    left = api.status_api.unsubscribe(wanted())
    assert (left.status, left.legal_basis) == ("NOT_SUBSCRIBED", "CONSENT_WITH_NOTICE")
    with pytest.raises(preferences.ApiException) as refused:
        api.status_api.subscribe(wanted())
    assert refused.value.status == 400
    found = api.status_api.get_email_status(ADA)
    assert (found.recipient, {row.status for row in found.subscription_statuses}) == (ADA, {"NOT_SUBSCRIBED"})


def test_a_withdrawal_through_the_api_shows_in_the_contact(account: Account) -> None:
    account.vendor.communication_preferences.status_api.unsubscribe(wanted())
    names = ["hs_email_optout", f"hs_email_optout_{MARKETING}", f"hs_email_optout_{SERVICE}"]
    contact = account.vendor.crm.contacts.basic_api.get_by_id(ADA, id_property="email", properties=names)
    assert [contact.properties[name] == "true" for name in names] == [False, True, False]


def test_leaving_every_mail_is_a_wide_status(account: Account) -> None:
    assert account.v4(f"statuses/{ADA}/unsubscribe-all?channel=EMAIL") == []
    account.control("people", action="unsubscribe", email=ADA)
    [wide] = account.v4(f"statuses/{ADA}/unsubscribe-all?channel=EMAIL")
    assert (wide["status"], wide["wideStatusType"]) == ("UNSUBSCRIBED", "PORTAL_WIDE")
    status = account.vendor.communication_preferences.status_api.get_email_status(ADA)
    assert {row.source_of_status for row in status.subscription_statuses} == {"PORTAL_WIDE_STATUS"}
    [row] = account.v4("statuses/batch/unsubscribe-all/read?channel=EMAIL", {"inputs": [ADA]})
    assert row["wideStatuses"][0]["status"] == "UNSUBSCRIBED"


def test_the_newer_api_says_what_became_of_a_change(account: Account) -> None:
    def put(state: str) -> str:
        body = {"channel": "EMAIL", "statusState": state, "subscriptionId": int(MARKETING)}
        return str(account.v4(f"statuses/{ADA}", body)[0]["setStatusSuccessReason"])

    assert put("UNSUBSCRIBED") == "REQUESTED_CHANGE_OCCURRED"
    assert put("UNSUBSCRIBED") == "NO_STATUS_CHANGE"
    assert put("SUBSCRIBED") == "RESUBSCRIBE_OCCURRED"


def test_an_erased_person_leaves_no_consent_behind(account: Account) -> None:
    account.vendor.communication_preferences.status_api.subscribe(wanted())
    account.control("people", action="gdpr_delete", email=ADA)
    assert set(account.standing().values()) == {"NOT_SPECIFIED"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("again", ["accepted", "refused"])
def test_a_withdrawal_is_written_once_and_may_be_repeated(
    account: Account, version: Version, again: str
) -> None:
    account.control("limits", unsubscribe_again=again)
    consents = account.connect(version).consents
    assert [kind.id for kind in consents.subscriptions()] == [MARKETING, SERVICE]
    for _ in range(2):
        [standing] = consents.unsubscribe(
            "Ada@ACME.test", [MARKETING], "CONSENT_WITH_NOTICE", "Asked by telephone"
        )
        assert (standing.subscription, standing.unsubscribed, standing.subscribed) == (MARKETING, True, False)
    assert standing.explanation == "Asked by telephone"
    assert account.standing() == {MARKETING: "UNSUBSCRIBED", SERVICE: "NOT_SPECIFIED"}
    # One definition, three questions and one withdrawal: whoever has left is not sent off again.
    writes = [c for c in account.asked() if c["path"].endswith(("/unsubscribe", "/batch/write"))]
    assert len(writes) == 1


def test_no_address_stands_in_the_address_of_a_call_or_in_a_text(account: Account) -> None:
    [standing] = account.connect().consents.unsubscribe(ADA, [SERVICE])
    account.connect("2026-09").consents.unsubscribe(ADA, [MARKETING])
    assert account.asked()
    assert not any("ada" in call["path"] for call in account.asked())
    assert "ada" not in repr(standing)


@pytest.mark.parametrize("version", VERSIONS)
def test_statuses_are_read_in_batches(account: Account, version: Version) -> None:
    account.control("people", action="unsubscribe", email=ADA)
    people = [f"p{n}@acme.test" for n in range(149)]
    found = list(account.connect(version).consents.standings([*people, ADA, ADA.upper()]))
    assert len(found) == 300
    assert {s.email for s in found if s.unsubscribed} == {ADA}
    assert len(account.asked()) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_withdrawal_that_hubspot_refuses_is_not_passed_over(account: Account, version: Version) -> None:
    with pytest.raises(OurBug):
        account.connect(version).consents.unsubscribe(ADA, ["999"])


@pytest.mark.parametrize(
    ("scopes", "named"),
    [
        (["crm.objects.contacts.read"], "communication_preferences.read"),
        (["communication_preferences.read"], "communication_preferences.statuses.batch.read"),
        (
            ["communication_preferences.read", "communication_preferences.statuses.batch.read"],
            "communication_preferences.write",
        ),
    ],
)
def test_the_missing_right_is_named(account: Account, scopes: list[str], named: str) -> None:
    account.control("limits", scopes=scopes)
    consents = account.connect().consents

    def list_and_leave() -> None:
        consents.subscriptions()
        consents.unsubscribe(ADA, [MARKETING])

    with pytest.raises(NeedsPerson) as raised:
        list_and_leave()
    assert named in raised.value.fix


def test_no_call_of_the_vendors_client_can_subscribe_through_our_session(account: Account) -> None:
    account.vendor.communication_preferences.status_api.unsubscribe(wanted())
    with open_session() as session:
        api = account.api(session)
        body = orjson.dumps({"emailAddress": ADA, "subscriptionId": MARKETING})
        with pytest.raises(OurBug, match="never"):
            api.call(lambda reply: reply, api.preferences.subscribe, body)
        assert session.calls == 0
    assert account.standing()[MARKETING] == "UNSUBSCRIBED"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_opt_out_cannot_be_taken_back_by_writing_the_contact(account: Account, version: Version) -> None:
    account.control("people", action="unsubscribe", email=ADA)
    crm = account.connect(version)
    [slab] = crm.find("contacts", [], "email", [ADA])
    record = slab.frame["_id"][0]
    for value in ("false", None):
        fields = {"hs_email_optout": value, f"hs_email_optout_{MARKETING}": value}
        [written] = crm.write("contacts", [Write("a", record, fields)])
        assert written.outcome == "refused"
    assert set(account.standing().values()) == {"UNSUBSCRIBED"}


STATES = st.sampled_from(["SUBSCRIBED", "NOT_SPECIFIED", "subscribed", "", None, 1])
ROOT = "https://api.hubapi.com/communication-preferences"


@given(st.lists(STATES | st.just("UNSUBSCRIBED"), max_size=4), st.sampled_from(["v4", "2026-03", "2026-09"]))
def test_a_batch_leaves_only_if_all_of_it_are_withdrawals(states: list[Any], version: str) -> None:
    body = orjson.dumps({"inputs": [{"statusState": state} for state in states]})
    url = f"{ROOT}/{version}/statuses/batch/write"
    if states and set(states) == {"UNSUBSCRIBED"}:
        refuse_to_subscribe(url, body)
    else:
        with pytest.raises(OurBug):
            refuse_to_subscribe(url, body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("v3/subscribe", b"{}"),
        ("v3/subscribe/", b"{}"),
        ("v3/%73ubscribe", b"{}"),
        ("v4/statuses/ada@acme.test", b'{"statusState":"SUBSCRIBED"}'),
        ("v4/statuses/batch/write", b"not json"),
        ("v4/statuses/batch/write", b'["inputs"]'),
        ("v4/statuses/batch/write", None),
        ("2027-03/something/new", b"{}"),
    ],
)
def test_what_could_subscribe_or_is_not_known_is_never_sent(path: str, body: bytes | None) -> None:
    with pytest.raises(OurBug):
        refuse_to_subscribe(f"{ROOT}/{path}", body)
