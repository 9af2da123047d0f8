"""Everything as one file: started, waited for, downloaded and read as slabs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from connectors.crm import ABSENT, ARCHIVED, CREATED_AT, MODIFIED_AT, RECORD_ID, SLAB_SCHEMA, Write
from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.hubspot.exports import read_table, slab_of

FIELDS = ["email", "firstname", "jobtitle", "annualrevenue", "lifecyclestage"]
VERSIONS = ("v3", "2026-03", "2026-09")


def exported(account: Any, crm: Any, fields: list[str] = FIELDS, **asked: Any) -> pl.DataFrame:
    export = crm.exports.start("contacts", fields, **asked)
    frames = [slab.frame for slab in crm.exports.slabs(export, "contacts", fields, account.slept.append)]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict(SLAB_SCHEMA))


def listed(crm: Any, fields: list[str] = FIELDS) -> pl.DataFrame:
    frames = [slab.frame for slab in crm.changes("contacts", fields, None).slabs]
    return pl.DataFrame(pl.concat(frames).sort(RECORD_ID))


def people(account: Any) -> None:
    rows = [
        {"email": "ada@acme.test", "firstname": 'Ada "the first", of\nUlm', "annualrevenue": "20000000"},
        {"email": "zoë@acme.test", "firstname": "Zoë; ünïcode 🙂", "jobtitle": "=1+1"},
        {"firstname": "null", "lifecyclestage": "customer"},
    ]
    account.control("load", object="contacts", rows=rows)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_export_holds_what_a_list_holds(account: Any, version: Any) -> None:
    people(account)
    crm = account.connect(version)
    found = exported(account, crm).sort(RECORD_ID)
    whole = listed(crm)
    assert found.columns[:5] == [RECORD_ID, MODIFIED_AT, CREATED_AT, ARCHIVED, ABSENT]
    assert found.select(sorted(found.columns)).rows() == whole.select(sorted(whole.columns)).rows()
    assert {name: found.schema[name] for name in SLAB_SCHEMA} == dict(SLAB_SCHEMA)


def test_a_property_that_is_not_in_the_file_was_not_returned(account: Any) -> None:
    people(account)
    crm = account.connect()
    found = exported(account, crm, ["email", "no_such_property"])
    assert "no_such_property" not in found.columns
    assert found["email"].null_count() == 1


def test_a_large_export_is_unzipped_and_cut_into_slabs(account: Any) -> None:
    rows = [{"email": f"p{n}@acme.test", "jobtitle": f"{n}" * 40} for n in range(12_000)]
    account.control("load", object="contacts", rows=rows)
    crm = account.connect(slab_rows=5_000)
    export = crm.exports.start("contacts", FIELDS)
    slabs = list(crm.exports.slabs(export, "contacts", FIELDS, account.slept.append))
    assert [len(slab.frame) for slab in slabs] == [5_000, 5_000, 2_000]
    assert pl.concat([slab.frame for slab in slabs])[RECORD_ID].n_unique() == 12_000


def test_only_the_members_of_a_list_or_what_changed_since_is_exported(account: Any) -> None:
    ada, bob = account.contacts("ada", "bob")
    crm = account.connect()
    pilot = crm.lists.create("Pilot")
    crm.lists.add(pilot.id, [bob])
    assert exported(account, crm, list_id=pilot.id)[RECORD_ID].to_list() == [bob]
    account.control("clock", advance_seconds=3_600)
    crm.write("contacts", [Write("t", ada, {"jobtitle": "CEO"})])
    since = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    assert exported(account, crm, modified_since=since)[RECORD_ID].to_list() == [ada]


class Waiting:
    """Sleeps by moving the account's clock."""

    def __init__(self, account: Any) -> None:
        self._account = account
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._account.control("clock", advance_seconds=seconds)


def test_an_export_is_waited_for_ever_more_patiently_and_the_next_one_waits_for_it(account: Any) -> None:
    people(account)
    account.control("limits", export_ms=100_000)
    crm = account.connect()
    first, second = crm.exports.start("contacts", FIELDS), crm.exports.start("contacts", FIELDS)
    assert (crm.exports.state(first).status, crm.exports.state(second).status) == ("PROCESSING", "PENDING")
    sleep = Waiting(account)
    assert sum(len(s.frame) for s in crm.exports.slabs(first, "contacts", FIELDS, sleep)) == 3
    assert sleep.slept[:6] == [1, 2, 4, 8, 16, 30]
    assert 100 <= sum(sleep.slept) < 140
    assert not crm.exports.state(second).complete
    assert sum(len(s.frame) for s in crm.exports.slabs(second, "contacts", FIELDS, sleep)) == 3


def test_an_address_that_ran_out_is_asked_for_again_and_is_never_told(account: Any) -> None:
    people(account)
    crm = account.connect()
    export = crm.exports.start("contacts", FIELDS)
    state = crm.exports.state(export)
    assert state.address not in repr(state)
    account.control("clock", advance_seconds=301)
    assert account.http.get(state.address, timeout=60).status_code == 403
    fault = {"match": {"path": "/export-files/*"}, "times": 1, "status": 403}
    account.control("faults", **fault)
    assert sum(len(s.frame) for s in crm.exports.slabs(export, "contacts", FIELDS, account.slept.append)) == 3
    account.control("faults", **{**fault, "times": 9})
    with pytest.raises(RetryLater) as failed:
        list(crm.exports.slabs(export, "contacts", FIELDS, account.slept.append))
    assert "export-files" not in f"{failed.value!r} {failed.value}"


def test_an_empty_account_exports_nobody(account: Any) -> None:
    assert len(exported(account, account.connect())) == 0


def test_the_thirty_first_export_of_a_day_is_left_to_another_day(account: Any) -> None:
    crm = account.connect()
    for _ in range(30):
        crm.exports.start("contacts", ["email"])
    with pytest.raises(RetryLater):
        crm.exports.start("contacts", ["email"])
    account.control("clock", advance_seconds=86_401)
    crm.exports.start("contacts", ["email"])


def test_without_the_scope_a_person_is_told(account: Any) -> None:
    crm = account.connect()
    crm.describe("contacts")
    account.control("limits", scopes=["crm.objects.contacts.read"])
    with pytest.raises(NeedsPerson) as refused:
        crm.exports.start("contacts", ["email"])
    assert "crm.export" in refused.value.fix


@pytest.mark.parametrize(
    "text", [b'"Record ID","email"\n"1","a"\n"2","b","c","d"\n', b'"email"\n"ada@acme.test"\n']
)
def test_a_file_of_another_shape_is_our_bug_and_tells_nobodys_values(account: Any, text: bytes) -> None:
    schema = account.connect().describe("contacts")
    with pytest.raises(OurBug) as raised:
        slab_of(read_table(text), schema, ["email"])
    assert "ada@" not in str(raised.value)
