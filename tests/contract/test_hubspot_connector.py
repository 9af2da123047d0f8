"""The HubSpot connector on the sandbox: over real HTTP, with state, limits and faults."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
import requests

from connectors.crm import ABSENT, RECORD_ID, Crm, FieldSpec, Slab, Write
from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.hubspot.api import Version
from connectors.hubspot.crm import HubSpotCrm
from connectors.quota import MemoryLedger, Quota, Rate
from connectors.retry import Retry
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

KEY = "leadpact_key"
START = "2026-11-22T08:00:00Z"
KEY_FIELD = FieldSpec(KEY, "Lead key", "text", unique=True)


class Account:
    """One empty HubSpot account, its controls, and a connector to it."""

    def __init__(self, served: Serving) -> None:
        self.url = served.hubspot_url
        self.token = str(served.ready["hubspot_token"])
        self.slept: list[float] = []
        self.session = requests.Session()
        self.session.trust_env = False
        self.crm: Crm = self.connect()

    def connect(self, version: Version = "v3", **settings: Any) -> HubSpotCrm:
        ledger = MemoryLedger(time.monotonic)
        rates: dict[str, Rate] = {}
        quota = Quota(
            "hubspot", rates, ledger=ledger, clock=lambda: datetime.now(UTC), sleep=self.slept.append
        )
        retry = Retry(sleep=self.slept.append)
        return HubSpotCrm(
            self.token, self.url, open_session(), quota, retry=retry, version=version, **settings
        )

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.session.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def people(self, action: str, **wanted: Any) -> str:
        return str(self.control("people", action=action, **wanted)["id"])

    def advance(self, seconds: float) -> None:
        self.control("clock", advance_seconds=seconds)


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with sandbox() as serving:
        yield serving


@pytest.fixture
def hubspot(served: Serving) -> Iterator[Account]:
    account = Account(served)
    account.control("reset")
    account.control("clock", now=START)
    account.control("limits", ten_secondly=None, secondly_search=None)
    yield account
    account.crm.close()
    account.session.close()


def rows(slabs: Iterator[Slab]) -> pl.DataFrame:
    frames = [slab.frame for slab in slabs]
    return pl.concat(frames) if frames else pl.DataFrame({RECORD_ID: []}, schema={RECORD_ID: pl.String})


def people(count: int, **more: str) -> list[Write]:
    return [Write(f"t{n}", None, {"email": f"P{n}@Acme.test", **more}) for n in range(count)]


def test_the_account_and_its_clock(hubspot: Account) -> None:
    account = hubspot.crm.account()
    assert (account.crm, account.currency, account.time_zone) == ("hubspot", "EUR", "Europe/Berlin")
    assert hubspot.crm.now() == datetime.fromisoformat(START)
    assert hubspot.crm.calls == 1


def test_stages_come_in_the_pipelines_order(hubspot: Account) -> None:
    schema = hubspot.crm.describe("contacts")
    assert schema.stages[:3] == ("subscriber", "lead", "marketingqualifiedlead")
    assert schema.fields["email"].unique
    assert schema.fields["hubspot_owner_id"].type == "reference"
    assert not schema.fields["createdate"].updatable


@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_every_family_of_paths_is_spoken(hubspot: Account, version: Version) -> None:
    crm = hubspot.connect(version)
    assert crm.add_fields("contacts", [KEY_FIELD]) == [KEY]
    [written] = crm.write("contacts", [Write("a", None, {"firstname": "Ada"}, key=(KEY, "K1"))])
    assert rows(crm.changes("contacts", ["firstname"], None).slabs)[RECORD_ID].to_list() == [
        written.record_id
    ]
    assert rows(crm.find("contacts", [], KEY, ["K1"]))[RECORD_ID].to_list() == [written.record_id]


def test_everything_is_read_and_then_only_what_changed(hubspot: Account) -> None:
    hubspot.crm.write("contacts", people(250, lastname="Lovelace"))
    reading = hubspot.crm.changes("contacts", ["email", "lastname"], None)
    everything = rows(reading.slabs)
    assert sorted(everything["email"]) == sorted(f"p{n}@acme.test" for n in range(250))
    hubspot.advance(3_600)
    changed = hubspot.people("edit", email="p7@acme.test", properties={"lastname": "King"})
    later = hubspot.crm.changes("contacts", ["lastname"], {"since": "2026-11-22T08:30:00+00:00"})
    frame = rows(later.slabs)
    assert frame[RECORD_ID].to_list() == [changed]
    assert frame["lastname"].to_list() == ["King"]
    assert later.cursor == {"since": "2026-11-22T09:00:00+00:00"}


def test_a_change_in_the_very_second_of_the_cursor_is_read_again(hubspot: Account) -> None:
    crm = hubspot.connect(overlap_seconds=0)
    cursor = crm.changes("contacts", [], None).cursor
    hubspot.people("create", properties={"email": "ada@acme.test"})
    assert len(rows(crm.changes("contacts", [], cursor).slabs)) == 1


def test_a_change_that_the_index_shows_late_is_not_missed(hubspot: Account) -> None:
    hubspot.control("limits", search_lag_ms=5_000)
    cursor = hubspot.crm.changes("contacts", ["firstname"], None).cursor
    hubspot.advance(60)
    hubspot.people("create", properties={"email": "ada@acme.test", "firstname": "Ada"})
    first = hubspot.crm.changes("contacts", ["firstname"], cursor)
    assert len(rows(first.slabs)) == 0
    hubspot.advance(60)
    assert rows(hubspot.crm.changes("contacts", ["firstname"], first.cursor).slabs)[
        "firstname"
    ].to_list() == ["Ada"]


def test_more_records_than_a_search_can_page_through_share_one_time(hubspot: Account) -> None:
    count = 10_450
    loaded = [{"email": f"p{n}@acme.test", "_modified": START, "_created": START} for n in range(count)]
    hubspot.control("load", object="contacts", rows=loaded)
    before = hubspot.crm.calls
    found = rows(hubspot.crm.changes("contacts", ["email"], {"since": START}).slabs)
    assert found["email"].n_unique() == len(found) == count
    # Two for the schema, one for the clock, and one for each page of 200.
    assert hubspot.crm.calls - before <= 3 + count // 200 + 1


def test_more_properties_than_a_search_can_carry_are_read_all_the_same(hubspot: Account) -> None:
    names = sorted(hubspot.crm.describe("contacts").fields)
    hubspot.crm.write("contacts", people(230, firstname="Ada"))
    frame = rows(hubspot.crm.changes("contacts", names, {"since": START}).slabs)
    assert set(names) <= set(frame.columns)
    assert frame["firstname"].to_list() == ["Ada"] * 230


@pytest.mark.parametrize("empty", ["null", "absent"])
def test_a_blank_is_a_blank_under_both_habits(hubspot: Account, empty: str) -> None:
    hubspot.control("limits", empty=empty)
    [with_phone, without] = hubspot.crm.write(
        "contacts",
        [Write("a", None, {"email": "a@b.test", "phone": "1"}), Write("b", None, {"email": "c@d.test"})],
    )
    frame = rows(
        hubspot.crm.fetch("contacts", ["phone"], [str(with_phone.record_id), str(without.record_id)])
    )
    assert dict(zip(frame[RECORD_ID], frame["phone"], strict=True)) == {
        with_phone.record_id: "1",
        without.record_id: None,
    }
    assert frame[ABSENT].to_list() == [None, None]


def test_records_are_found_by_address_key_and_any_other_field(hubspot: Account) -> None:
    hubspot.crm.add_fields("contacts", [KEY_FIELD])
    writes = [
        Write(f"t{n}", None, {"email": f"P{n}@acme.test", "city": f"Ulm {n}"}, key=(KEY, f"K{n}"))
        for n in range(150)
    ]
    hubspot.crm.write("contacts", writes)

    def found(where: str, values: Sequence[str]) -> list[str]:
        return sorted(rows(hubspot.crm.find("contacts", ["email", "city"], where, values))[RECORD_ID])

    everybody = found("email", [f"p{n}@ACME.test" for n in range(150)])
    assert len(everybody) == 150
    assert found(KEY, [f"K{n}" for n in range(150)] + ["K999"]) == everybody
    # More values than one search of 3,000 characters takes
    assert found("city", [f"ULM {n}" for n in range(600)]) == everybody
    assert found("hs_object_id", everybody[:3]) == everybody[:3]
    with pytest.raises(OurBug):
        found("no_such_property", ["1"])


def test_merged_and_deleted_records_are_absent(hubspot: Account) -> None:
    ids = [str(w.record_id) for w in hubspot.crm.write("contacts", people(4))]
    merged = hubspot.people("merge", id=ids[0], other=ids[1])
    hubspot.people("delete", id=ids[2])
    assert rows(hubspot.crm.fetch("contacts", ["email"], ids))[RECORD_ID].to_list() == [ids[3]]
    assert rows(hubspot.crm.fetch("contacts", [], [ids[0], ids[1], merged]))[RECORD_ID].to_list() == [merged]
    assert sorted(rows(hubspot.crm.changes("contacts", [], None).slabs)[RECORD_ID]) == sorted(
        [ids[3], merged]
    )


def test_properties_are_created_once_with_their_options(hubspot: Account) -> None:
    specs = [
        KEY_FIELD,
        FieldSpec("leadpact_score", "Score", "number", decimals=0),
        FieldSpec("leadpact_why", "Why", "long_text"),
        FieldSpec("leadpact_hot", "Hot", "boolean"),
        FieldSpec("leadpact_day", "Day", "date"),
        FieldSpec("leadpact_at", "At", "datetime"),
        FieldSpec("leadpact_band", "Band", "choice", options=(("hot", "Hot"), ("cold", "Cold"))),
    ]
    assert hubspot.crm.add_fields("contacts", specs) == [spec.name for spec in specs]
    assert hubspot.crm.add_fields("contacts", specs) == []
    fields = hubspot.crm.describe("contacts").fields
    kinds = [fields[spec.name].type for spec in specs]
    assert kinds == ["text", "number", "text", "boolean", "date", "datetime", "choice"]
    assert fields[KEY].unique
    wider = FieldSpec("leadpact_band", "Band", "choice", options=(("hot", "Hot"), ("warm", "Warm")))
    assert hubspot.crm.add_fields("contacts", [wider]) == []
    options = hubspot.crm.describe("contacts").fields["leadpact_band"].options
    assert options == (("hot", "Hot"), ("cold", "Cold"), ("warm", "Warm"))
    labels = FieldSpec("leadpact_band", "Band", "choice", options=(("hot", "Heiß"), ("warm", "Warm")))
    hubspot.crm.add_fields("contacts", [labels])
    assert hubspot.crm.describe("contacts").fields["leadpact_band"].options == options
    hubspot.crm.add_fields("contacts", [replace(labels, relabel=True)])
    options = hubspot.crm.describe("contacts").fields["leadpact_band"].options
    assert options == (("hot", "Heiß"), ("cold", "Cold"), ("warm", "Warm"))


@pytest.mark.parametrize(
    "wrong",
    [
        FieldSpec("firstname", "First name", "number"),
        FieldSpec("firstname", "First name", "text", unique=True),
    ],
)
def test_a_property_of_another_kind_needs_a_person(hubspot: Account, wrong: FieldSpec) -> None:
    with pytest.raises(NeedsPerson, match="firstname"):
        hubspot.crm.add_fields("contacts", [KEY_FIELD, wrong])
    assert KEY not in hubspot.crm.describe("contacts").fields


def test_values_come_back_as_they_were_written(hubspot: Account) -> None:
    specs = [FieldSpec("leadpact_at", "At", "datetime"), FieldSpec("leadpact_day", "Day", "date"), KEY_FIELD]
    hubspot.crm.add_fields("contacts", specs)
    values = {"leadpact_at": "2026-01-02T03:04:05.678Z", "leadpact_day": "2026-01-02", "firstname": "Zoë"}
    [written] = hubspot.crm.write("contacts", [Write("a", None, values, key=(KEY, "K1"))])
    assert {name: written.stored[name] for name in values} == values
    frame = rows(hubspot.crm.fetch("contacts", list(values), [str(written.record_id)]))
    assert {name: frame[name][0] for name in values} == values


def test_missing_rights_are_named(hubspot: Account) -> None:
    hubspot.control("limits", scopes=["crm.objects.contacts.read", "crm.schemas.contacts.read"])
    with pytest.raises(NeedsPerson) as raised:
        hubspot.crm.write("contacts", people(1))
    assert "crm.objects.contacts.write" in raised.value.fix


@pytest.mark.parametrize("token", ["expired", "revoked"])
def test_a_token_that_is_not_accepted_needs_a_person(hubspot: Account, token: str) -> None:
    hubspot.control("limits", token=token)
    for call in (hubspot.crm.account, lambda: hubspot.crm.describe("contacts")):
        with pytest.raises(NeedsPerson, match="access token"):
            call()


def test_a_day_that_is_used_up_waits_for_midnight_in_berlin(hubspot: Account) -> None:
    hubspot.crm.account()
    hubspot.control("limits", daily=1)
    with pytest.raises(RetryLater) as raised:
        hubspot.crm.describe("contacts")
    assert raised.value.not_before is not None
    assert raised.value.not_before.astimezone(UTC).hour in {22, 23}


def test_companies_have_a_time_stamp_of_another_name(hubspot: Account) -> None:
    hubspot.crm.write("companies", [Write("a", None, {"name": "Acme", "domain": "acme.test"})])
    cursor = hubspot.crm.changes("companies", ["name"], None).cursor
    hubspot.advance(3_600)
    [made] = hubspot.crm.write("companies", [Write("b", None, {"name": "Ulm AG"})])
    found = rows(hubspot.crm.changes("companies", ["name"], {"since": "2026-11-22T08:30:00+00:00"}).slabs)
    assert found[RECORD_ID].to_list() == [made.record_id]
    assert len(rows(hubspot.crm.changes("companies", ["name"], cursor).slabs)) == 2


def test_an_object_that_the_account_does_not_have_is_a_clear_failure(hubspot: Account) -> None:
    with pytest.raises((OurBug, NeedsPerson)):
        hubspot.crm.describe("butterflies")


def test_one_connector_serves_many_threads(hubspot: Account) -> None:
    ids = [str(w.record_id) for w in hubspot.crm.write("contacts", people(64, firstname="Ada"))]

    def fetch(record_id: str) -> list[str]:
        return rows(hubspot.crm.fetch("contacts", ["email"], [record_id]))[RECORD_ID].to_list()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(fetch, ids)) == [[record_id] for record_id in ids]


def test_the_number_of_calls_is_that_of_the_requests(hubspot: Account) -> None:
    hubspot.session.delete(f"{hubspot.url}/_sandbox/requests", timeout=60)
    hubspot.crm.account()
    hubspot.crm.write("contacts", people(150))
    rows(hubspot.crm.changes("contacts", ["email"], None).slabs)
    log = hubspot.session.get(f"{hubspot.url}/_sandbox/requests", timeout=60).json()
    assert hubspot.crm.calls == len(log["requests"])
