"""Batches that HubSpot refuses as a whole, and the same record or key more than once in one call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.crm import FieldSpec, Write

KEY = "leadpact_key"


def writing_calls(account: Any) -> int:
    return sum(call["method"] == "POST" and "/batch/" in call["path"] for call in account.calls())


def by_address(count: int, bad: set[int]) -> list[Write]:
    return [
        Write(
            f"t{n}",
            None,
            {"lifecyclestage": "Customer" if n in bad else "lead"},
            key=("email", f"p{n}@acme.test"),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("bad", [set(), {0}, {99}, {13, 57}, set(range(10, 20))])
def test_an_upsert_by_address_tolerates_no_bad_row_and_is_halved_until_it_stands_alone(
    account: Any, bad: set[int]
) -> None:
    found = account.connect().write("contacts", by_address(100, bad))
    assert {n for n, w in enumerate(found) if w.outcome == "refused"} == bad
    assert {w.code for w in found if w.outcome == "refused"} <= {"INVALID_OPTION"}
    assert {w.outcome for n, w in enumerate(found) if n not in bad} == {"written"}
    # Halving a hundred rows takes seven steps at most, two calls each, for each bad row.
    assert writing_calls(account) <= 1 + 14 * len(bad)
    rows = account.call("GET", "/crm/v3/objects/contacts?limit=100")["results"]
    assert len(rows) == 100 - len(bad)


def test_one_address_in_two_spellings_is_one_key(account: Any) -> None:
    writes = [
        Write("first", None, {"firstname": "Ada"}, key=("email", "ada@acme.test")),
        Write("second", None, {"firstname": "Eva"}, key=("email", " ADA@Acme.test")),
    ]
    found = account.connect().write("contacts", writes)
    assert [(w.outcome, w.code) for w in found] == [("written", ""), ("refused", "DUPLICATE_KEY")]


def test_two_new_records_with_one_address_end_as_one_and_a_conflict(account: Any) -> None:
    writes = [Write(t, None, {"email": "ada@acme.test", "firstname": t}) for t in ("a", "b", "c")]
    found = account.connect().write("contacts", writes)
    assert sorted(w.outcome for w in found) == ["refused", "refused", "written"]
    assert {w.code for w in found if w.outcome == "refused"} == {"CONFLICT"}
    assert len(account.call("GET", "/crm/v3/objects/contacts")["results"]) == 1


def test_many_changes_of_one_record_are_made_in_their_order_and_only_its_own_wait(account: Any) -> None:
    ada, bob = account.contacts("ada", "bob")
    account.http.delete(f"{account.url}/_sandbox/requests", timeout=60)
    writes = [Write(f"a{n}", ada, {"firstname": f"Ada {n}"}) for n in range(4)]
    writes.insert(2, Write("b", bob, {"firstname": "Bob"}))
    found = account.connect().write("contacts", writes)
    assert {w.outcome for w in found} == {"written"}
    assert writing_calls(account) == 4
    shown = account.call("GET", f"/crm/v3/objects/contacts/{ada}?properties=firstname")
    assert shown["properties"]["firstname"] == "Ada 3"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_written_every_row_ends_once_and_what_is_written_is_there(
    account: Any, data: st.DataObject
) -> None:
    account.control("reset")
    account.control("limits", ten_secondly=None, secondly_search=None)
    crm = account.connect()
    crm.add_fields("contacts", [FieldSpec(KEY, "Key", "text", unique=True)])
    ids = account.contacts("ada", "bob", "eve")
    rows = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["update", "upsert", "create"]),
                st.sampled_from([*ids, "4242"]),
                st.sampled_from(["k1", "k2", "k3"]),
                st.sampled_from(
                    [{}, {"no_such": "1"}, {"lifecyclestage": "Customer"}, {"hs_object_id": "1"}]
                ),
            ),
            min_size=1,
            max_size=12,
        )
    )
    writes = [
        Write(
            f"t{n}",
            record if kind == "update" else None,
            {"firstname": f"N{n}", **wrong},
            key=(KEY, key) if kind == "upsert" else None,
        )
        for n, (kind, record, key, wrong) in enumerate(rows)
    ]
    found = crm.write("contacts", writes)
    assert [w.trace for w in found] == [w.trace for w in writes]
    held = {
        row["id"]: row["properties"]["firstname"]
        for row in account.call("GET", "/crm/v3/objects/contacts?limit=100&properties=firstname")["results"]
    }
    last: dict[str | None, str | None] = {}
    for write, done in zip(writes, found, strict=True):
        sound = set(write.values) == {"firstname"}
        known = write.record_id != "4242"
        assert done.outcome in ({"written", "refused"} if sound and known else {"refused"})
        if sound and known and write.key is None:
            assert done.outcome == "written"
        if done.outcome == "written":
            last[done.record_id] = write.values["firstname"]
    assert {record: held[str(record)] for record in last} == last
