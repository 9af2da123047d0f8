"""Writing to the HubSpot sandbox: bad rows, lost answers, limits, and a stage that moves forward only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from connectors.crm import Crm, FieldSpec, Write, Written
from connectors.errors import RetryLater
from connectors.hubspot.api import RATES
from connectors.hubspot.crm import HubSpotCrm
from connectors.quota import MemoryLedger, Quota, Rate
from connectors.retry import Retry
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

KEY = "leadpact_key"


class Account:
    """One HubSpot account with our key property, its controls, and a connector to it."""

    def __init__(self, served: Serving) -> None:
        self.url = served.hubspot_url
        self.token = str(served.ready["hubspot_token"])
        self.slept: list[float] = []
        self.session = requests.Session()
        self.session.trust_env = False
        self.control("reset")
        self.control("limits", ten_secondly=None, secondly_search=None)
        self.crm: Crm = self.connect({})
        self.crm.add_fields("contacts", [FieldSpec(KEY, "Lead key", "text", unique=True)])
        self.crm.describe("contacts")

    def connect(self, rates: dict[str, Rate]) -> HubSpotCrm:
        quota = Quota(
            "hubspot",
            rates,
            ledger=MemoryLedger(time.monotonic),
            clock=lambda: datetime.now(UTC),
            sleep=self.sleep,
        )
        return HubSpotCrm(self.token, self.url, open_session(), quota, retry=Retry(sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        """Real, because the sandbox counts its windows in real time; cut short, because faults don't."""
        self.slept.append(seconds)
        time.sleep(min(seconds, 1.2))

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.session.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, path: str, **kind: Any) -> None:
        self.control("faults", match={"path": path}, **kind)

    def count(self) -> int:
        return sum(len(slab.frame) for slab in self.crm.changes("contacts", [], None).slabs)

    def write(self, *writes: Write) -> list[Written]:
        return self.crm.write("contacts", writes)


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with sandbox() as serving:
        yield serving


@pytest.fixture
def hubspot(served: Serving) -> Iterator[Account]:
    account = Account(served)
    yield account
    account.crm.close()
    account.session.close()


def upserts(count: int, **more: str) -> list[Write]:
    return [
        Write(f"t{n}", None, {"email": f"P{n}@Acme.test", **more}, key=(KEY, f"K{n}")) for n in range(count)
    ]


def outcomes(results: list[Written]) -> list[tuple[str, str]]:
    return [(w.outcome, w.code) for w in results]


def test_shuffled_results_with_lower_case_addresses_find_their_writes(hubspot: Account) -> None:
    written = hubspot.write(*upserts(230))
    assert [w.stored["email"] for w in written] == [f"p{n}@acme.test" for n in range(230)]
    assert all(w.created for w in written)
    again = hubspot.write(*upserts(230, firstname="Ada"))
    assert [w.record_id for w in again] == [w.record_id for w in written]
    assert not any(w.created for w in again)


def test_new_records_without_a_key_find_their_writes(hubspot: Account) -> None:
    writes = [Write(f"t{n}", None, {"firstname": f"Ada {n}", "phone": f"+49 {n}"}) for n in range(120)]
    written = hubspot.write(*writes)
    assert [w.stored["firstname"] for w in written] == [f"Ada {n}" for n in range(120)]
    assert len({w.record_id for w in written}) == 120


def bad_rows(write: Write, number: int) -> Write:
    """Every fourth row is wrong in its own way."""
    wrong = {
        0: {"lifecyclestage": "Customer"},
        4: {"no_such_property": "1"},
        8: {"createdate": "2020-01-01T00:00:00Z"},
        12: {"email": "not-an-address"},
    }.get(number % 16, {})
    return Write(write.trace, write.record_id, {**write.values, **wrong}, key=write.key)


@pytest.mark.parametrize("tolerant", [True, False])
def test_bad_rows_are_refused_and_the_others_written(hubspot: Account, tolerant: bool) -> None:
    hubspot.control("limits", trace_id_update=tolerant)
    ids = [w.record_id for w in hubspot.write(*upserts(48))]
    updates = [Write(f"t{n}", record_id, {"firstname": "Eva"}) for n, record_id in enumerate(ids)]
    results = hubspot.write(*(bad_rows(write, n) for n, write in enumerate(updates)))
    codes = ["INVALID_OPTION", "PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE", "INVALID_EMAIL"] * 3
    assert [w.code for w in results[::4]] == codes
    assert all(w.outcome == "written" for n, w in enumerate(results) if n % 4)
    assert {w.stored["firstname"] for w in results if w.outcome == "written"} == {"Eva"}


def test_a_taken_address_is_refused_alone(hubspot: Account) -> None:
    hubspot.write(Write("x", None, {"email": "p3@acme.test"}))
    results = hubspot.write(*upserts(5))
    assert outcomes(results) == [("written", "")] * 3 + [("refused", "CONFLICT"), ("written", "")]
    assert "p3@acme" not in results[3].message


def test_records_that_are_gone_are_refused_alone(hubspot: Account) -> None:
    [one, two, three] = (str(w.record_id) for w in hubspot.write(*upserts(3)))
    hubspot.control("people", action="delete", id=two)
    results = hubspot.write(*(Write(i, i, {"firstname": "Eva"}) for i in (one, two, three, "999")))
    refused = ("refused", "OBJECT_NOT_FOUND")
    assert outcomes(results) == [("written", ""), refused, ("written", ""), refused]


def test_an_old_id_of_a_merged_record_is_refused(hubspot: Account) -> None:
    [one, two] = (str(w.record_id) for w in hubspot.write(*upserts(2)))
    hubspot.control("people", action="merge", id=one, other=two)
    [result] = hubspot.write(Write("a", one, {"firstname": "Eva"}))
    assert (result.outcome, result.code) == ("refused", "OBJECT_NOT_FOUND")


def test_changes_of_one_record_are_made_in_their_order(hubspot: Account) -> None:
    [made] = hubspot.write(*upserts(1))
    results = hubspot.write(*(Write(f"t{n}", made.record_id, {"firstname": f"Ada {n}"}) for n in range(3)))
    assert [w.stored["firstname"] for w in results] == ["Ada 0", "Ada 1", "Ada 2"]


def test_a_backward_stage_is_ignored_and_shown_so(hubspot: Account) -> None:
    [made] = hubspot.write(*upserts(1, lifecyclestage="customer"))
    [ignored] = hubspot.write(Write("a", made.record_id, {"lifecyclestage": "lead"}))
    assert (ignored.outcome, ignored.stored["lifecyclestage"]) == ("written", "customer")
    [cleared] = hubspot.write(Write("b", made.record_id, {"lifecyclestage": None}))
    assert cleared.stored["lifecyclestage"] is None
    [moved] = hubspot.write(Write("c", made.record_id, {"lifecyclestage": "lead"}))
    assert moved.stored["lifecyclestage"] == "lead"


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": "after"},
        {"drop": "before"},
        {"truncate": 40},
        {"status": 502},
        {"html": 504},
        {"status": 423},
    ],
)
def test_an_upsert_survives_a_bad_moment(hubspot: Account, fault: dict[str, Any]) -> None:
    hubspot.fault("/batch/upsert", **fault)
    assert outcomes(hubspot.write(*upserts(3))) == [("written", "")] * 3
    assert hubspot.count() == 3


@pytest.mark.parametrize(
    ("fault", "made"),
    [({"drop": "after"}, 2), ({"truncate": 40}, 2), ({"drop": "before"}, 0), ({"html": 504}, 0)],
)
def test_a_create_is_never_repeated_blindly(hubspot: Account, fault: dict[str, Any], made: int) -> None:
    hubspot.fault("/batch/create", **fault)
    results = hubspot.write(*(Write(f"t{n}", None, {"email": f"p{n}@acme.test"}) for n in range(2)))
    assert [w.outcome for w in results] == ["unknown", "unknown"]
    assert hubspot.count() == made


def test_a_create_that_was_only_held_back_is_made_once(hubspot: Account) -> None:
    hubspot.fault("/batch/create", status=429, body={"policyName": "TEN_SECONDLY_ROLLING"})
    assert outcomes(hubspot.write(Write("a", None, {"email": "p@acme.test"}))) == [("written", "")]
    assert hubspot.count() == 1


def test_a_failure_in_the_middle_does_not_forget_what_was_written(hubspot: Account) -> None:
    hubspot.fault("/batch/upsert", status=401, skip=1, times=-1)
    told = outcomes(hubspot.write(*upserts(150)))
    written, unknown = ("written", ""), ("unknown", "NOT_SENT")
    # Both batches are under way at once: either may be the one that is let in.
    assert told in ([written] * 100 + [unknown] * 50, [unknown] * 100 + [written] * 50)


def test_reading_survives_bad_moments(hubspot: Account) -> None:
    hubspot.write(*upserts(120))
    for fault in ({"truncate": 200}, {"drop": "before"}, {"html": 503}, {"status": 429}):
        hubspot.fault("/objects/contacts[?]", **fault)
    assert hubspot.count() == 120


def test_limits_are_kept_by_waiting_and_not_by_being_refused(hubspot: Account) -> None:
    crm = hubspot.connect(dict(RATES))
    crm.describe("contacts")
    hubspot.control("limits", secondly_search=5)
    hubspot.session.delete(f"{hubspot.url}/_sandbox/requests", timeout=60)
    for _ in range(9):
        list(crm.find("contacts", [], "firstname", ["ada"]))
    log = hubspot.session.get(f"{hubspot.url}/_sandbox/requests", timeout=60).json()
    assert hubspot.slept
    assert [entry["status"] for entry in log["requests"] if "search" in entry["path"]] == [200] * 9


@pytest.mark.parametrize("says_when", [False, True])
def test_a_search_that_is_refused_for_its_number_is_asked_again(hubspot: Account, says_when: bool) -> None:
    hubspot.control("limits", secondly_search=1, retry_after=says_when)
    for _ in range(3):
        list(hubspot.crm.find("contacts", [], "firstname", ["ada"]))
    assert min(hubspot.slept) >= 1.0


def test_an_account_that_is_moving_is_left_to_the_job(hubspot: Account) -> None:
    hubspot.fault("/batch/upsert", status=477, headers={"Retry-After": "3600"})
    with pytest.raises(RetryLater) as raised:
        hubspot.write(*upserts(1))
    assert raised.value.not_before is not None
    assert hubspot.slept == []
