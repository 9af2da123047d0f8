"""Every write ends as written, refused or unknown: batches, matching, isolating, lost answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm import Write, Written
from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.hubspot.api import RATES
from connectors.hubspot.batches import Batch, rounds, twice
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.errors import problem_of
from connectors.hubspot.matching import Answer, Result, masked, refused, settle
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.session import open_session

BASE = "https://api.hubapi.com"
BATCH = f"{BASE}/crm/v3/objects/contacts/batch"
KEY = "leadpact_key"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

Body = dict[str, Any]
Respond = Callable[[Body], tuple[int, Body] | Exception]


class Account:
    """Answers batch calls by a rule, and keeps what was asked."""

    def __init__(self, respond: Respond) -> None:
        self.asked: list[list[Body]] = []
        self._respond = respond
        seconds: list[float] = []
        ledger = MemoryLedger(lambda: sum(seconds))
        quota = Quota("hubspot", RATES, ledger=ledger, clock=lambda: NOON, sleep=seconds.append)
        self.crm = HubSpotCrm(
            "token", BASE, open_session(), quota, retry=Retry(sleep=seconds.append, jitter=min, tries=3)
        )

    def write(self, *writes: Write) -> list[Written]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            names = ["email", "firstname", "phone"]
            found: list[Body] = [{"name": name, "type": "string", "fieldType": "text"} for name in names]
            found.append({"name": KEY, "type": "string", "fieldType": "text", "hasUniqueValue": True})
            found.append({"name": "at", "type": "datetime", "fieldType": "date"})
            mock.get(f"{BASE}/crm/v3/properties/contacts", json={"results": found})
            mock.get(f"{BASE}/crm/v3/pipelines/contacts", status=403)
            for kind in ("update", "upsert", "create", "read"):
                mock.add_callback(responses.POST, f"{BATCH}/{kind}", callback=self._answer)
            return self.crm.write("contacts", writes)

    def _answer(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        body = orjson.loads(request.body)
        self.asked.append(body["inputs"])
        answer = self._respond({**body, "kind": request.url.rpartition("/")[2]})
        if isinstance(answer, Exception):
            raise answer
        return answer[0], {}, orjson.dumps(answer[1])


def stored(given: Body, number: int) -> Body:
    """A result as HubSpot gives it: e-mail in lower case, no trace."""
    values = dict(given["properties"])
    if values.get("email"):
        values["email"] = values["email"].lower()
    return {
        "id": given.get("id") if "idProperty" not in given and "id" in given else str(number),
        "properties": values,
    }


def accepts(body: Body) -> tuple[int, Body]:
    return 200, {"results": [stored(given, 900 + n) for n, given in enumerate(body["inputs"])][::-1]}


def upsert(trace: str, key: str, **values: str | None) -> Write:
    return Write(trace, None, values, key=(KEY, key))


def update(trace: str, record_id: str, **values: str | None) -> Write:
    return Write(trace, record_id, values)


def create(trace: str, **values: str | None) -> Write:
    return Write(trace, None, values)


REPEATABLE: list[Callable[..., Write]] = [update, upsert]


def outcomes(results: Iterable[Written]) -> list[tuple[str, str, str]]:
    return [(w.trace, w.outcome, w.code) for w in results]


def test_results_in_any_order_find_their_writes() -> None:
    account = Account(accepts)
    writes = [
        upsert("a", "K1", email="Ada@Acme.test"),
        update("b", "7", firstname="Bo"),
        upsert("c", "K2", firstname="Cy"),
        create("d", email="Di@Acme.test"),
        create("e", email="Ed@Acme.test"),
    ]
    results = account.write(*writes)
    assert outcomes(results) == [(t, "written", "") for t in "abcde"]
    assert [r.stored.get(KEY) for r in results[:3:2]] == ["K1", "K2"]
    assert [r.stored.get("email") for r in results[3:]] == ["di@acme.test", "ed@acme.test"]
    assert results[1].record_id == "7"
    assert [r.created for r in results] == [False, False, False, True, True]


def test_the_second_change_of_a_record_goes_into_a_later_call() -> None:
    account = Account(accepts)
    results = account.write(
        update("a", "7", firstname="Ada"), update("b", "8"), update("c", "7", firstname="Eva")
    )
    assert [[given["objectWriteTraceId"] for given in call] for call in account.asked] == [["a", "b"], ["c"]]
    assert outcomes(results) == [("a", "written", ""), ("b", "written", ""), ("c", "written", "")]


def test_the_second_write_with_a_key_is_refused() -> None:
    account = Account(accepts)
    results = account.write(upsert("a", "K1", phone="1"), upsert("b", " k1", phone="2"))
    assert outcomes(results) == [("a", "written", ""), ("b", "refused", "DUPLICATE_KEY")]


def test_an_upsert_says_whether_the_record_is_new() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        status, answer = accepts(body)
        for result in answer["results"]:
            result["new"] = result["properties"][KEY] == "K1"
        return status, answer

    results = Account(respond).write(upsert("a", "K1"), upsert("b", "K2"))
    assert [r.created for r in results] == [True, False]


def test_stored_times_are_spelled_like_read_ones() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        return 200, {"results": [{"id": "7", "properties": {"at": "1767225600123", "phone": ""}}]}

    [result] = Account(respond).write(update("a", "7", phone=None, at="2026-01-01"))
    assert result.stored == {"at": "2026-01-01T00:00:00.123Z", "phone": None}


def test_what_hubspot_shows_beside_what_was_sent_is_not_taken_for_an_answer() -> None:
    shown = {"phone": "5", "email": "ada@acme.test", "lastmodifieddate": "2026-01-01T00:00:00Z", KEY: "K1"}
    account = Account(lambda _: (200, {"results": [{"id": "7", "properties": shown}]}))
    [updated] = account.write(update("a", "7", phone="5"))
    [upserted] = account.write(upsert("a", "K1", phone="5"))
    assert (updated.stored, upserted.stored) == ({"phone": "5"}, {"phone": "5", KEY: "K1"})


def test_an_odd_value_in_an_answer_does_not_forget_the_write() -> None:
    results = Account(lambda body: (200, {"results": [{"id": "7", "properties": {"phone": 5}}]}))
    assert results.write(update("a", "7", phone="5"))[0].stored == {"phone": "5"}


@pytest.mark.parametrize("status", [200, 207])
def test_errors_are_seen_whatever_the_status_says(status: int) -> None:
    def respond(body: Body) -> tuple[int, Body]:
        error = {
            "status": "error",
            "category": "CONFLICT",
            "message": "Contact already exists. Existing ID: 17",
            "context": {"objectWriteTraceId": ["b"], "existingId": ["17"]},
        }
        good = [given for given in body["inputs"] if given["objectWriteTraceId"] != "b"]
        return status, {**accepts({"inputs": good})[1], "numErrors": 1, "errors": [error]}

    results = Account(respond).write(create("a", phone="1"), create("b", phone="2"), create("c", phone="3"))
    assert outcomes(results) == [("a", "written", ""), ("b", "refused", "CONFLICT"), ("c", "written", "")]
    assert results[1].message == "Contact already exists. Existing ID: 17"


def test_an_unknown_record_is_refused_alone() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        error = {"category": "OBJECT_NOT_FOUND", "message": "…", "context": {"ids": ["8"]}}
        return 207, {"results": [{"id": "7", "properties": {}}], "errors": [error]}

    results = Account(respond).write(update("a", "7"), update("b", "8"))
    assert outcomes(results) == [("a", "written", ""), ("b", "refused", "OBJECT_NOT_FOUND")]


def whole(code: str, message: str, *names: str) -> Body:
    """The refusal of a whole batch (HubSpot reference, section 5.2)."""
    errors = [{"message": message, "code": code, "context": {"propertyName": list(names)}}]
    return {"status": "error", "category": "VALIDATION_ERROR", "message": message, "errors": errors}


def test_who_carries_an_unknown_property_is_refused_without_a_search_for_it() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        if any("phone" in given["properties"] for given in body["inputs"]):
            return 400, whole("PROPERTY_DOESNT_EXIST", 'Property "phone" does not exist', "phone")
        return accepts(body)

    account = Account(respond)
    writes = [update(str(n), str(n), **({"phone": "1"} if n % 2 else {"firstname": "x"})) for n in range(20)]
    results = account.write(*writes)
    assert [r.outcome for r in results] == ["written", "refused"] * 10
    assert results[1].fields == ("phone",)
    assert len(account.asked) == 2


def test_one_bad_row_in_a_hundred_is_found_by_halving() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        if any(given["properties"]["firstname"] == "bad" for given in body["inputs"]):
            return 400, {"status": "error", "message": "something is not valid"}
        return accepts(body)

    account = Account(respond)
    writes = [update(str(n), str(n), firstname="bad" if n == 37 else "good") for n in range(100)]
    results = account.write(*writes)
    assert [r.trace for r in results if r.outcome != "written"] == ["37"]
    assert len(account.asked) <= 16


@given(bad=st.sets(st.integers(0, 129)), count=st.integers(0, 130), kind=st.sampled_from(REPEATABLE))
def test_every_write_has_exactly_one_result_in_its_place(
    bad: set[int], count: int, kind: Callable[..., Write]
) -> None:
    def respond(body: Body) -> tuple[int, Body]:
        if any(given["properties"]["firstname"] == "bad" for given in body["inputs"]):
            return 400, whole("INVALID_OPTION", "bad was not one of the allowed options", "firstname")
        return accepts(body)

    writes = [kind(f"t{n}", str(n), firstname="bad" if n in bad else "good") for n in range(count)]
    results = Account(respond).write(*writes) if writes else []
    assert [r.trace for r in results] == [w.trace for w in writes]
    assert {n for n, r in enumerate(results) if r.outcome == "refused"} == {n for n in bad if n < count}


def test_a_lost_answer_to_an_upsert_is_asked_for_again() -> None:
    answers: list[Exception | None] = [requests.ConnectionError("reset"), None]

    def respond(body: Body) -> tuple[int, Body] | Exception:
        return answers.pop(0) or accepts(body)

    account = Account(respond)
    assert outcomes(account.write(upsert("a", "K1"))) == [("a", "written", "")]
    assert len(account.asked) == 2


@pytest.mark.parametrize("failure", [requests.ReadTimeout("Ada"), (504, {}), (502, {})])
def test_a_lost_answer_to_a_create_is_unknown_and_never_asked_for_again(failure: Any) -> None:
    account = Account(lambda body: failure)
    results = account.write(create("a", email="Ada@acme.test"), create("b", email="Bo@acme.test"))
    assert [r.outcome for r in results] == ["unknown", "unknown"]
    assert len(account.asked) == 1
    assert "Ada" not in results[0].message


def test_an_update_that_stays_without_an_answer_is_unknown() -> None:
    account = Account(lambda body: (504, {}))
    assert [r.outcome for r in account.write(update("a", "7"))] == ["unknown"]
    assert len(account.asked) == 3


def test_nothing_written_means_that_the_error_is_raised() -> None:
    with pytest.raises(NeedsPerson):
        Account(lambda body: (401, {})).write(update("a", "7"))
    with pytest.raises(RetryLater):
        Account(lambda body: (423, {})).write(update("a", "7"))
    with pytest.raises(OurBug):
        Account(lambda body: (400, {"message": "Unable to infer object type from: 0-99"})).write(
            update("a", "7")
        )


def test_what_was_written_before_a_failure_is_not_forgotten() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        return accepts(body) if len(body["inputs"]) == 100 else (401, {"message": "secret"})

    results = Account(respond).write(*(update(str(n), str(n), phone="1") for n in range(150)))
    assert [r.outcome for r in results] == ["written"] * 100 + ["unknown"] * 50
    assert {r.code for r in results[100:]} == {"NOT_SENT"}


def test_batches_are_under_way_at_the_same_time_and_every_result_is_in_its_place() -> None:
    # Each of the three waits for the others: one after the other, none would be answered.
    met = threading.Barrier(3, timeout=20)

    def respond(body: Body) -> tuple[int, Body]:
        met.wait()
        return accepts(body)

    writes = [update(str(n), str(n), phone=str(n)) for n in range(250)]
    results = Account(respond).write(*writes)
    assert [(r.trace, r.outcome, r.stored["phone"]) for r in results] == [
        (str(n), "written", str(n)) for n in range(250)
    ]


def test_a_failure_leaves_what_is_under_way_to_end_and_begins_no_other_batch() -> None:
    answered, other_begun, refused_now = [], threading.Event(), threading.Event()

    def respond(body: Body) -> tuple[int, Body]:
        if body["inputs"][0]["objectWriteTraceId"] == "0":
            assert other_begun.wait(20)
            refused_now.set()
            return 401, {}
        other_begun.set()
        # What is under way is answered only after the failure.
        assert refused_now.wait(20)
        answered.append(body["inputs"][0]["objectWriteTraceId"])
        return accepts(body)

    writes = [update(str(n), str(n), phone="1") for n in range(5_000)]
    results = Account(respond).write(*writes)
    begun = {n for start in map(int, answered) for n in range(start, start + 100)}
    assert begun
    assert len(begun) < 4_900
    assert {n for n, r in enumerate(results) if r.outcome == "written"} == begun
    assert {r.code for n, r in enumerate(results) if n not in begun} == {"NOT_SENT"}


def test_an_answer_that_forgets_a_write_leaves_it_unknown() -> None:
    results = Account(lambda body: (200, {"results": []})).write(update("a", "7"), create("b", phone="1"))
    assert outcomes(results) == [("a", "unknown", "NOT_IN_ANSWER"), ("b", "unknown", "NOT_IN_ANSWER")]


def test_an_upsert_whose_answer_hides_the_key_is_looked_up() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        if body["kind"] == "read":
            return 200, {"results": [{"id": "901", "properties": {KEY: "K1"}}]}
        return 200, {"results": [{"id": "901", "properties": {}}, {"id": "902", "properties": {}}]}

    results = Account(respond).write(upsert("a", "K1"), upsert("b", "K2"))
    assert [(r.outcome, r.record_id) for r in results] == [("written", "901"), ("unknown", None)]


def test_errors_that_name_nobody_are_pinned_down_by_halving() -> None:
    def respond(body: Body) -> tuple[int, Body]:
        good = [g for g in body["inputs"] if g["properties"]["firstname"] != "bad"]
        errors = [{"category": "VALIDATION_ERROR", "message": "?"}] * (len(body["inputs"]) - len(good))
        return 207, {**accepts({"inputs": good})[1], "errors": errors}

    writes = [update(str(n), str(n), firstname="bad" if n in {2, 5} else "good") for n in range(8)]
    results = Account(respond).write(*writes)
    assert [r.trace for r in results if r.outcome == "refused"] == ["2", "5"]


def test_a_key_must_be_a_property() -> None:
    with pytest.raises(NeedsPerson, match="leadpact_id"):
        Account(accepts).write(Write("a", None, {}, key=("leadpact_id", "1")))


def test_a_trace_that_comes_twice_is_our_bug() -> None:
    with pytest.raises(OurBug):
        Account(accepts).write(update("a", "7"), update("a", "8"))


def test_new_records_that_are_told_apart_by_nothing_stay_open() -> None:
    batch = Batch("create", (create("a", phone="1"), create("b", phone="1")))
    results = [Result("1", {"phone": "1"}), Result("2", {"phone": "1"})]
    alike = settle(batch, Answer(results), lambda _, values: values)
    assert sorted(w.record_id or "" for w in alike.done.values()) == ["1", "2"]
    hidden = settle(batch, Answer([Result("1"), Result("2")]), lambda _, values: values)
    assert [w.trace for w in hidden.open] == ["a", "b"]


WRITES = st.lists(
    st.builds(
        Write,
        trace=st.uuids().map(str),
        record_id=st.none() | st.sampled_from(["1", "2", "3"]),
        values=st.just({}),
        key=st.none() | st.tuples(st.just(KEY), st.sampled_from(["k1", "K1", "k2", "k3"])),
    ),
    max_size=250,
    unique_by=lambda write: write.trace,
)


@given(writes=WRITES)
def test_every_batch_is_one_that_hubspot_takes(writes: list[Write]) -> None:
    doubled = twice(writes)
    in_turn = rounds([w for w in writes if w.trace not in doubled])
    made = [batch for some in in_turn for batch in some]
    assert sorted(w.trace for b in made for w in b.writes) == sorted(
        w.trace for w in writes if w.trace not in doubled
    )
    for batch in made:
        ids = [w.record_id for w in batch.writes if w.record_id is not None]
        assert 0 < len(batch.writes) <= 100
        assert len(set(ids)) == len(ids)
    for some in in_turn:
        ids = [w.record_id for batch in some for w in batch.writes if w.record_id is not None]
        assert len(set(ids)) == len(ids), "two batches under way at the same time carry one record"
    for record_id in ("1", "2", "3"):
        order = [w.trace for b in made for w in b.writes if w.record_id == record_id]
        assert order == [w.trace for w in writes if w.record_id == record_id]


@pytest.mark.parametrize(
    ("message", "clean"),
    [
        (
            "Lovelace was not one of the allowed options: [a, b]",
            "… was not one of the allowed options: [a, b]",
        ),
        ("lovelace is wrong", "… is wrong"),
        ("Contact already exists. Existing ID: 17", "Contact already exists. Existing ID: 17"),
        ("someone.else@acme.test is taken", "… is taken"),
        ("key KEY-77 is taken", "key … is taken"),
    ],
)
def test_messages_are_kept_without_the_values(message: str, clean: str) -> None:
    write = Write("a", None, {"lastname": "Lovelace", "country": "ey"}, key=(KEY, "KEY-77"))
    assert masked(message, write) == clean


def test_the_sentences_inside_a_list_of_errors_are_told() -> None:
    message = (
        'Property values were not valid: [{"isValid":false,"message":"\\"x\\" is a read only property; its value '
        'cannot be set.","error":"READ_ONLY_VALUE","name":"x","localizedErrorMessage":"…","portalId":1}]'
    )
    result = refused(create("a", x="1"), problem_of({"category": "VALIDATION_ERROR", "message": message}))
    assert result.message == '"x" is a read only property; its value cannot be set.'
    assert (result.code, result.fields) == ("READ_ONLY_VALUE", ("x",))
