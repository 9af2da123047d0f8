"""Every fault at every call of a sync: it ends in the undisturbed state, after at most one more run.

The calls come from the request log of an undisturbed sync, so that one nobody listed fails a test. What each pair of
call and fault comes to stands in the table of docs/reliability.md: a run of these tests writes it, and every run
compares what it finds with it.

    LEADPACT_TEST_ALL_FAULTS=1                          tries every pair instead of a selection
    LEADPACT_TEST_ALL_FAULTS=1 LEADPACT_WRITE_DOCS=1    and writes the table
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
ALL_VARIABLE = "LEADPACT_TEST_ALL_FAULTS"
WRITE_VARIABLE = "LEADPACT_WRITE_DOCS"
#: Seconds that an answer may be silent where it is late, and how late it is: the client gives up first.
IMPATIENT, LATE_MS = 0.4, 700

SAME, ONE_MORE, REFUSED = "=", "+1", "R"


@dataclass(frozen=True)
class Call:
    """One request of a sync: the ``number``-th that a CRM gets with this method and path."""

    crm: str
    name: str
    method: str
    path: str  #: a regular expression
    number: int = 1
    moment: str = "later"


CONTACTS, DATA = r"^/crm/v3/objects/contacts", r"^/services/data/v\d+\.0"
CALLS = (
    Call("hubspot", "token", "POST", r"^/oauth/[^/]+/token$"),
    Call("hubspot", "whose account", "GET", r"^/account-info/v3/details$"),
    Call("hubspot", "properties", "GET", r"^/crm/v3/properties/contacts$"),
    Call("hubspot", "stages", "GET", r"^/crm/v3/pipelines/contacts$"),
    Call("hubspot", "what time it is", "GET", CONTACTS + r"\?limit=1$"),
    Call("hubspot", "everything", "GET", CONTACTS + r"\?limit=100&", moment="first"),
    Call("hubspot", "what changed", "POST", CONTACTS + "/search$"),
    Call("hubspot", "address of who withdraws", "POST", CONTACTS + "/batch/read$"),
    Call("hubspot", "withdrawal", "POST", r"^/communication-preferences/v4/statuses/batch/unsubscribe-all\?"),
    Call("hubspot", "withdrawal read back", "POST", CONTACTS + "/batch/read$", 2),
    Call("hubspot", "create", "POST", CONTACTS + "/batch/upsert$"),
    Call("hubspot", "stage clear", "POST", CONTACTS + "/batch/update$"),
    Call("hubspot", "handover", "POST", CONTACTS + "/batch/update$", 2),
    Call("hubspot", "update", "POST", CONTACTS + "/batch/update$", 3),
    Call("salesforce", "token", "POST", r"^/services/oauth2/token$"),
    Call("salesforce", "organisation's fields", "GET", DATA + r"/sobjects/Organization/describe$"),
    Call("salesforce", "whose organisation", "GET", DATA + r"/query/\?q=SELECT.*FROM\+Organization$"),
    Call("salesforce", "fields", "GET", DATA + r"/sobjects/Lead/describe$"),
    Call("salesforce", "stages", "GET", DATA + r"/query/\?q=SELECT.*FROM\+LeadStatus\b"),
    Call("salesforce", "how far changes go", "GET", DATA + r"/sobjects/Lead/updated\?"),
    Call("salesforce", "everything", "GET", DATA + r"/query/\?q=SELECT.*FROM\+Lead\b", moment="first"),
    Call("salesforce", "what changed", "GET", DATA + r"/queryAll/\?q=SELECT.*FROM\+Lead\b"),
    Call("salesforce", "withdrawal", "PATCH", DATA + "/composite/sobjects$"),
    Call("salesforce", "withdrawal read back", "POST", DATA + "/composite/sobjects/Lead$"),
    Call("salesforce", "create", "PATCH", DATA + "/composite/sobjects/Lead/Leadpact_HubSpot_Id__c$"),
    Call("salesforce", "create read back", "POST", DATA + "/composite/sobjects/Lead$", 2),
    Call("salesforce", "update", "PATCH", DATA + "/composite/sobjects$", 2),
    Call("salesforce", "update read back", "POST", DATA + "/composite/sobjects/Lead$", 3),
)


@dataclass(frozen=True)
class Fault:
    """What goes wrong once: ``spell`` is what the sandbox is asked for. ``day``: a day's budget is used up."""

    name: str
    kind: str
    spell: Mapping[str, Any] = field(hash=False)
    crm: str | None = None  #: None: it can happen with either
    day: bool = False


def _hubspot(status: int, category: str, message: str = "", **more: Any) -> Fault:
    name = more.pop("name", f"{status} {category}".strip())
    headers = more.pop("headers", {})
    body = {"status": "error", "message": message or category, "category": category, "correlationId": "c-1"}
    spell = {"status": status, "body": {**body, **more}, "headers": headers}
    return Fault(name, "status", spell, "hubspot", "DAILY" in more.values())


def _salesforce(status: int, code: str, message: str = "") -> Fault:
    body = [{"errorCode": code, "message": message or code}]
    name = f"{status} {code}".strip() + (" concurrent" if message.startswith("Concurrent") else "")
    day = code == "REQUEST_LIMIT_EXCEEDED" and not message.startswith("Concurrent")
    return Fault(name, "status", {"status": status, "body": body}, "salesforce", day)


FAULTS = (
    Fault("cut off before", "drop", {"drop": "before"}),
    Fault("cut off after", "drop", {"drop": "after"}),
    Fault("too late", "delay", {"delay": LATE_MS}),
    Fault("no body", "truncate", {"truncate": 0}),
    Fault("half a body", "truncate", {"truncate": 60}),
    Fault("200 HTML", "html", {"html": 200}),
    Fault("404 HTML", "html", {"html": 404}),
    Fault("502 HTML", "html", {"html": 502}),
    Fault("503 HTML", "html", {"html": 503}),
    Fault("500", "status", {"status": 500}),
    Fault("504", "status", {"status": 504}),
    _hubspot(400, "VALIDATION_ERROR"),
    _hubspot(401, "EXPIRED_AUTHENTICATION"),
    _hubspot(403, "MISSING_SCOPES"),
    _hubspot(404, "OBJECT_NOT_FOUND"),
    _hubspot(409, "CONFLICT"),
    _hubspot(423, "", name="423 locked"),
    _hubspot(429, "RATE_LIMITS", name="429 ten seconds", policyName="TEN_SECONDLY_ROLLING"),
    _hubspot(429, "RATE_LIMITS", name="429 a second", policyName="SECONDLY"),
    _hubspot(429, "RATE_LIMITS", name="429 the day", policyName="DAILY"),
    _hubspot(477, "MIGRATION_IN_PROGRESS", name="477 for 5 s", headers={"Retry-After": "5"}),
    _hubspot(477, "MIGRATION_IN_PROGRESS", name="477 for long", headers={"Retry-After": "86400"}),
    Fault("521", "status", {"status": 521}, "hubspot"),
    _salesforce(400, "JSON_PARSER_ERROR"),
    _salesforce(400, "UNABLE_TO_LOCK_ROW"),
    _salesforce(400, "UNKNOWN_EXCEPTION"),
    _salesforce(401, "INVALID_SESSION_ID"),
    _salesforce(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    _salesforce(
        403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    ),
    _salesforce(403, "INSUFFICIENT_ACCESS"),
    _salesforce(404, "NOT_FOUND"),
    _salesforce(409, "CONFLICT"),
    _salesforce(420, ""),
    _salesforce(500, "UNKNOWN_EXCEPTION"),
    _salesforce(503, "SERVER_UNAVAILABLE"),
)


def _fits(call: Call, fault: Fault) -> bool:
    return fault.crm in (None, call.crm)


def _selected() -> list[tuple[Call, Fault]]:
    """Each call with one fault by itself, of all kinds in turn: at once, each meets nearly all of them."""
    fits = {call: [fault for fault in FAULTS if _fits(call, fault)] for call in CALLS}
    return [(call, fits[call][number * 11 % len(fits[call])]) for number, call in enumerate(CALLS)]


EVERYTHING = [(call, fault) for call in CALLS for fault in FAULTS if _fits(call, fault)]
CELLS = EVERYTHING if os.environ.get(ALL_VARIABLE) else _selected()


def _id(pair: Call | Fault) -> str:
    return f"{pair.crm} {pair.name}" if isinstance(pair, Call) else pair.name


@pytest.mark.parametrize("moment", ["first", "later"])
def test_every_call_of_a_sync_is_in_the_matrix(starts: Mapping[str, Any], moment: str) -> None:
    known = {(call.crm, call.method, call.path): call for call in CALLS}
    made: Counter[tuple[str, str, str]] = Counter()
    for crm, requests in starts[moment].requests.items():
        for request in requests:
            assert request["status"] < 300, request
            fits = [
                key
                for key in known
                if key[:2] == (crm, request["method"]) and re.search(key[2], request["path"])
            ]
            assert len(fits) == 1, f"{crm} {request['method']} {request['path']} is in no row, or in several"
            made[fits[0]] += 1
    listed = Counter((call.crm, call.method, call.path) for call in CALLS if call.moment == moment)
    if moment == "later":
        assert made == listed
    else:
        # The calls of a first sync are those of a later one, but for reading whole CRMs.
        assert listed <= made


def _ask_for(scene: Any, call: Call, fault: Fault) -> None:
    match = {"method": call.method, "path": call.path}
    scene.control(call.crm, "faults", match=match, skip=call.number - 1, **fault.spell)


def _came_to(scene: Any, start: Any, call: Call, fault: Fault) -> str:
    """One cell of the table; fails where the state is not the undisturbed one after one more run."""
    _ask_for(scene, call, fault)
    ended = scene.sync(**({"read_seconds": IMPATIENT} if fault.kind == "delay" else {}))
    assert scene.look(call.crm, "faults")["faults"][0]["fired"] == 1
    if ended.code in (0, 1) and not scene.differs(start.expected, start.known, at_once=True):
        return SAME
    if ended.code in (3, 4):
        assert call.crm in ended.said.lower()
        assert "@" not in ended.said
    if fault.day:
        scene.let_the_day_pass()
    refused = set(scene.state(start.known).tables["refused"]) - set(start.expected.tables["refused"])
    again = scene.sync()
    assert again.code in (0, 1), again.said
    assert scene.state(start.known).created == start.expected.created
    if left := scene.differs(start.expected, start.known, at_once=False):
        # A run that was remembered in part is read again, and has then heard the echo of its own writes.
        scene.sync()
        left = scene.differs(start.expected_next, start.known, at_once=False)
    assert not left, "\n".join(left)
    if ended.code in (3, 4):
        return str(ended.code)
    return REFUSED if refused else ONE_MORE


@pytest.fixture(scope="module")
def promised() -> dict[tuple[str, str, str], str]:
    """The table of the page: what each CRM, call and fault comes to."""
    return _table(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}


@pytest.fixture(scope="module")
def found() -> Iterator[dict[tuple[str, str, str], str]]:
    """What this run finds; written to the page where that is asked for."""
    cells: dict[tuple[str, str, str], str] = {}
    yield cells
    if os.environ.get(WRITE_VARIABLE):
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_with_table(text, {**_table(text), **cells}), encoding="utf-8")


@pytest.mark.parametrize(("call", "fault"), CELLS, ids=_id)
def test_a_fault_ends_as_the_page_says(
    starts: Mapping[str, Any], again: Any, promised: Any, found: Any, call: Call, fault: Fault
) -> None:
    start = starts[call.moment]
    with again(start) as scene:
        cell = _came_to(scene, start, call, fault)
    found[call.crm, call.name, fault.name] = cell
    if not os.environ.get(WRITE_VARIABLE):
        assert cell == promised.get((call.crm, call.name, fault.name))


#: Not repeated: where a call can do without its answer, those that follow from it are not made.
GIVEN_UP = re.compile(
    r"40\d (HTML|[A-Z_]*(ERROR|SCOPES|FOUND|CONFLICT|ACCESS|AUTHENTICATION|EXCEEDED))$|.*the day|.*long"
)


#: Judged as 500 and 503 HTML are, by either CRM's connector: whatever is 5xx may have been carried out.
SAME_AS_ANOTHER = {"504"}


def _at_all_calls() -> list[tuple[Fault, ...]]:
    """What is tried at once: a fault of either CRM by itself; those of one CRM beside those of the other."""
    met = [fault for fault in FAULTS if not GIVEN_UP.match(fault.name)]
    if not os.environ.get(ALL_VARIABLE):
        met = [fault for fault in met if fault.name not in SAME_AS_ANOTHER]
    alone, *of_one = ([fault for fault in met if fault.crm == crm] for crm in (None, "hubspot", "salesforce"))
    beside = zip_longest(*of_one)
    return [(fault,) for fault in alone] + [tuple(filter(None, faults)) for faults in beside]


def _all_ids(faults: tuple[Fault, ...]) -> str:
    return ", ".join(map(_id, faults))


@pytest.mark.parametrize("faults", _at_all_calls(), ids=_all_ids)
def test_a_fault_at_all_calls_that_the_page_says_it_passes_leaves_no_trace(
    starts: Mapping[str, Any], again: Any, promised: Any, faults: tuple[Fault, ...]
) -> None:
    start = starts["later"]
    passes = [
        (call, fault)
        for call in CALLS
        for fault in faults
        if call.moment == "later" and promised.get((call.crm, call.name, fault.name)) == SAME
    ]
    assert {fault for _, fault in passes} == set(faults)
    with again(start) as scene:
        for call, fault in passes:
            _ask_for(scene, call, fault)
        late = any(fault.kind == "delay" for fault in faults)
        ended = scene.sync(**({"read_seconds": IMPATIENT} if late else {}))
        assert ended.code in (0, 1), ended.said
        for crm in CRMS.values():
            fired = [each["fired"] for each in scene.look(crm, "faults")["faults"]]
            assert fired == [1] * sum(call.crm == crm for call, _ in passes)
        assert not scene.differs(start.expected, start.known, at_once=True)


def test_the_page_has_a_cell_for_every_call_and_fault_and_no_other(promised: Any) -> None:
    assert promised.keys() == {(call.crm, call.name, fault.name) for call, fault in EVERYTHING}
    assert set(promised.values()) <= {SAME, ONE_MORE, REFUSED, "3", "4"}


CRMS = {"HubSpot": "hubspot", "Salesforce": "salesforce"}


def _table(text: str) -> dict[tuple[str, str, str], str]:
    cells = {}
    for title, crm in CRMS.items():
        lines = [line for line in _part(text, title).splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        for row in rows[2:]:
            cells.update({(crm, name, row[0]): cell for name, cell in zip(rows[0][1:], row[1:], strict=True)})
    return cells


def _part(text: str, title: str) -> str:
    """What stands under a CRM's heading, up to the next one."""
    return re.split(r"^#", text.partition(f"### {title}\n")[2], maxsplit=1, flags=re.M)[0]


def _with_table(text: str, cells: Mapping[tuple[str, str, str], str]) -> str:
    for title, crm in CRMS.items():
        names = [call.name for call in CALLS if call.crm == crm]
        rows = ["| " + " | ".join(["", *names]) + " |", "|" + "---|" * (len(names) + 1)]
        for fault in FAULTS:
            if fault.crm in (None, crm):
                said = [cells.get((crm, name, fault.name), "?") for name in names]
                rows.append("| " + " | ".join([fault.name, *said]) + " |")
        text = text.replace(
            f"### {title}\n{_part(text, title)}", f"### {title}\n\n" + "\n".join(rows) + "\n\n"
        )
    return text
