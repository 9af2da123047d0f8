"""What becomes of a write before it is sent: refused, or in the right call at the right turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm import Write, Written
from connectors.salesforce.outgoing import Outgoing, Preparing, rounds
from connectors.salesforce.schema import described_from

ONE, TWO = "0015500001QdQWaAAN", "0015500001QdQWbAAN"


@pytest.fixture(scope="session")
def ready(describe: dict[str, Any]) -> Callable[[Write], Outgoing]:
    """A write that may be sent, made ready for it."""

    def readied(write: Write) -> Outgoing:
        prepared = Preparing(described_from(describe)).ready(write)
        assert isinstance(prepared, Outgoing)
        return prepared

    return readied


@pytest.mark.parametrize(
    ("write", "code", "fields"),
    [
        (Write("a", ONE, {"Name": "planted-value"}), "STRING_TOO_LONG", ("Name",)),
        (
            Write("a", ONE, {"AnnualRevenue": "planted-value"}),
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            ("AnnualRevenue",),
        ),
        (
            Write("a", ONE, {"NumberOfEmployees": "1.5"}),
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            ("NumberOfEmployees",),
        ),
        (Write("a", ONE, {"Phone": "planted-value"}), "INVALID_FIELD", ("Phone",)),
        (Write("a", "planted-value", {"Name": "A"}), "MALFORMED_ID", ("Id",)),
        (Write("a", ONE, {"Id": TWO}), "INVALID_FIELD_FOR_INSERT_UPDATE", ("Id",)),
        (Write("a", None, {"Name": "A"}, ("Site", "planted-value")), "INVALID_FIELD", ("Site",)),
        (Write("a", None, {"Name": "A"}, ("Key__c", "")), "REQUIRED_FIELD_MISSING", ("Key__c",)),
        (Write("a", None, {"Name": "A"}, ("Nope__c", "planted-value")), "INVALID_FIELD", ("Nope__c",)),
        (Write("a", None, {"Name": "A"}, ("Key__c", "k" * 33)), "STRING_TOO_LONG", ("Key__c",)),
    ],
)
def test_what_would_be_refused_is_not_sent(
    describe: dict[str, Any], write: Write, code: str, fields: tuple[str, ...]
) -> None:
    result = Preparing(described_from(describe)).ready(write)
    assert isinstance(result, Written)
    assert (result.trace, result.outcome, result.code, result.fields) == ("a", "refused", code, fields)
    assert "planted-value" not in result.message


def test_a_text_that_is_too_long_is_refused_with_both_lengths(describe: dict[str, Any]) -> None:
    result = Preparing(described_from(describe)).ready(Write("a", ONE, {"Name": "eleven-char"}))
    assert isinstance(result, Written)
    assert result.message == "Name: 11 characters, the field takes 10"


def test_the_key_of_an_upsert_wins_over_a_value_of_the_same_field(ready: Callable[[Write], Outgoing]) -> None:
    write = Write("a", None, {"Key__c": "other", "Name": "A"}, ("Key__c", "k1"))
    assert ready(write).body == {"Key__c": "k1", "Name": "A"}


@given(st.lists(st.tuples(st.sampled_from(["id", "key", "new"]), st.integers(0, 9)), max_size=700))
def test_every_write_is_sent_once_in_full_batches_and_in_its_records_order(
    ready: Callable[[Write], Outgoing],
    wanted: list[tuple[str, int]],
) -> None:
    outgoing = []
    for place, (kind, number) in enumerate(wanted):
        key = ("Key__c", f"k{number}") if kind == "key" else None
        record_id = f"00155000000000{number}" if kind == "id" else None
        outgoing.append(ready(Write(str(place), record_id, {"Name": "A"}, key)))
    in_turn = [[batch for batch, _ in some] for some in rounds(outgoing)]
    sent = [item for some in in_turn for batch in some for item in batch]
    assert sorted(item.write.trace for item in sent) == sorted(item.write.trace for item in outgoing)
    for some in in_turn:
        targets = [item.target for batch in some for item in batch]
        assert len(set(targets)) == len(targets), "two calls under way at the same time hit one record"
        for batch in some:
            assert 0 < len(batch) <= 200
            assert len({item.route for item in batch}) == 1
    for target in {item.target for item in outgoing}:
        traces = [int(item.write.trace) for item in sent if item.target == target]
        assert traces == sorted(traces)
