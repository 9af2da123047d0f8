"""The controls of one port, under ``/_sandbox/``: what a test or an admin does to a pretend CRM.

======================  ===================================================================================
``POST reset``          ``{seed?}``: a new account without records, faults or latency; ``{to: name}``: the
                        account as it was kept under that name, without faults or latency
``POST keep``           ``{name}``: keeps the account as it is now, to go back to; ``GET`` lists the names
``GET clock``           ``{now, frozen}``; one clock for both ports
``POST clock``          one of ``{now: time}`` (freezes), ``{advance_seconds}``, ``{run: true}`` (real time)
``POST latency``        ``{ms}`` before every answer of the CRM, not of the controls
``POST limits``         the side's call limits and switches; ``{}`` or ``GET`` shows all in force
``POST faults``         ``{match?, times?, skip?}`` and one of ``status`` (with ``body``, ``headers``),
                        ``html``, ``drop``, ``delay``, ``truncate``; ``GET`` lists them, ``DELETE`` forgets
``POST people``         act as a person in the CRM; ``{action: other_apps, calls}``: other integrations
                        make so many calls, which count in the day's budget; ``{made, used}``
``GET requests``        ``after``, ``limit``, ``writes=0|1``, ``bodies=1``: ``{requests, next, newest}``;
                        ``DELETE`` forgets them
``GET state``           what the CRM holds; the query is the side's
``POST load``           ``{object, rows}``: ``{ids}``; records without any API call
======================  ===================================================================================

Every control takes and answers a JSON object. What is not understood is answered 400 with
``{"error": what was expected}``, so that a misspelt key never looks like success.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

import orjson

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.faults import Conditions
from connectors.sandbox.requestlog import RequestLog
from connectors.sandbox.side import Answer, Ask, ControlRefused, Side

PREFIX = "/_sandbox/"

Control = Callable[[Ask], Mapping[str, Any]]


class Controls:
    """Answers what is asked under ``/_sandbox/``. The clock is shared, the rest is one port's."""

    def __init__(self, side: Side, clock: SandboxClock, conditions: Conditions, log: RequestLog) -> None:
        self._side = side
        self._clock = clock
        self._conditions = conditions
        self._log = log
        self._routes: Mapping[str, Mapping[str, Control]] = {
            "": {"GET": self._index},
            "reset": {"POST": self._reset},
            "keep": {"GET": self._kept, "POST": self._keep},
            "clock": {"GET": self._time, "POST": self._move_clock},
            "latency": {"GET": self._latency, "POST": self._set_latency},
            "limits": {"GET": self._limits, "POST": self._limits},
            "faults": {"GET": self._faults, "POST": self._add_fault, "DELETE": self._clear_faults},
            "people": {"POST": self._people},
            "requests": {"GET": self._requests, "DELETE": self._clear_requests},
            "state": {"GET": self._state},
            "load": {"POST": self._load},
        }

    def answer(self, ask: Ask) -> Answer:
        """Answer one control: 200 with JSON, 400 for a wrong body, 403 to a web page, 404 or 405 otherwise."""
        if not _from_this_machine(ask):
            return _json(403, {"error": "the controls are for programs on this machine, not for web pages"})
        name = ask.path.removeprefix(PREFIX).strip("/")
        methods = self._routes.get(name)
        if methods is None:
            known = ", ".join(sorted(filter(None, self._routes)))
            return _json(404, {"error": f"there is no control {name!r}; there are: {known}"})
        control = methods.get(ask.method)
        if control is None:
            allowed = ", ".join(sorted(methods))
            return _json(405, {"error": f"{name} takes {allowed}"}, {"Allow": allowed})
        try:
            return _json(200, control(ask))
        except ControlRefused as refused:
            return _json(400, {"error": str(refused)})

    def _index(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        controls = {name: sorted(methods) for name, methods in self._routes.items() if name}
        return {"side": self._side.name, "now": self._clock.now().isoformat(), "controls": controls}

    def _reset(self, ask: Ask) -> Mapping[str, Any]:
        """A new account, or one that was kept: no faults, no latency. The shared clock and the request log stay."""
        wanted = _body(ask, {"seed", "to"})
        seed = wanted.get("seed")
        if len(wanted) > 1:
            raise ControlRefused("at most one of seed, to was expected")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise ControlRefused("seed: a whole number was expected")
        if "to" in wanted:
            self._side.go_back(_name(wanted["to"], "to"))
        else:
            self._side.reset(seed)
        self._conditions.clear()
        return {"reset": self._side.name, **(wanted or {"seed": None})}

    def _kept(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        return {"kept": self._side.states()}

    def _keep(self, ask: Ask) -> Mapping[str, Any]:
        self._side.keep(_name(_body(ask, {"name"}).get("name"), "name"))
        return {"kept": self._side.states()}

    def _time(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        return {"now": self._clock.now().isoformat(), "frozen": self._clock.frozen}

    def _move_clock(self, ask: Ask) -> Mapping[str, Any]:
        wanted = _body(ask, {"now", "advance_seconds", "run"})
        if len(wanted) != 1:
            raise ControlRefused("exactly one of now, advance_seconds, run was expected")
        if "now" in wanted:
            self._clock.set(moment(wanted["now"], "now"))
        elif "advance_seconds" in wanted:
            try:
                self._clock.advance(_number(wanted["advance_seconds"], "advance_seconds"))
            except ValueError as error:
                raise ControlRefused(f"advance_seconds: {error}") from error
        elif wanted["run"] is True:
            self._clock.run()
        else:
            raise ControlRefused("run: true was expected")
        return {"now": self._clock.now().isoformat(), "frozen": self._clock.frozen}

    def _latency(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        return {"ms": self._conditions.latency_ms}

    def _set_latency(self, ask: Ask) -> Mapping[str, Any]:
        ms = _number(_body(ask, {"ms"}).get("ms"), "ms")
        if ms < 0:
            raise ControlRefused("ms: milliseconds from 0 were expected")
        self._conditions.latency_ms = ms
        return {"ms": ms}

    def _limits(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        return self._side.limits(_body(ask))

    def _faults(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        return {"faults": [fault.as_json() for fault in self._conditions.faults]}

    def _add_fault(self, ask: Ask) -> Mapping[str, Any]:
        return self._conditions.add(_body(ask)).as_json()

    def _clear_faults(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        forgotten = len(self._conditions.faults)
        self._conditions.faults.clear()
        return {"forgotten": forgotten}

    def _people(self, ask: Ask) -> Mapping[str, Any]:
        return self._side.people(_body(ask))

    def _requests(self, ask: Ask) -> Mapping[str, Any]:
        wanted = _query(ask, {"after", "limit", "writes", "bodies"})
        limit = wanted.get("limit")
        return self._log.read(
            after=_count(wanted.get("after", "0"), "after"),
            limit=None if limit is None else _count(limit, "limit"),
            writes=_yes_or_no(wanted.get("writes"), "writes"),
            bodies=_yes_or_no(wanted.get("bodies"), "bodies") or False,
        )

    def _clear_requests(self, ask: Ask) -> Mapping[str, Any]:
        _query(ask)
        self._log.clear()
        return {"newest": self._log.newest()}

    def _state(self, ask: Ask) -> Mapping[str, Any]:
        return self._side.state(dict(ask.query))

    def _load(self, ask: Ask) -> Mapping[str, Any]:
        wanted = _body(ask, {"object", "rows"})
        name, rows = wanted.get("object"), wanted.get("rows")
        if not isinstance(name, str) or not name:
            raise ControlRefused("object: the name of an object was expected")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ControlRefused("rows: a list of objects was expected")
        return {"ids": self._side.load(name, [with_times(row) for row in rows])}


def moment(wanted: object, name: str) -> datetime:
    """An ISO 8601 time with a zone, as an aware datetime. Raises ControlRefused naming the key."""
    try:
        found = datetime.fromisoformat(wanted) if isinstance(wanted, str) else None
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise ControlRefused(f"{name}: a time such as 2026-01-31T08:00:00Z was expected")
    return found


def with_times(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row for ``Side.load`` with the ISO times of its underscore keys turned into datetimes.

    ``_created`` and ``_modified`` are one time each, ``_history`` maps a property to a list of
    ``[time, value]``. Raises ControlRefused.
    """
    if not row.keys() & {"_created", "_modified", "_history"}:
        return row
    turned = dict(row)
    for name in ("_created", "_modified"):
        if name in turned:
            turned[name] = moment(turned[name], name)
    if "_history" in turned:
        turned["_history"] = _history(turned["_history"])
    return turned


def _history(wanted: object) -> dict[str, list[tuple[datetime, Any]]]:
    expected = "_history: an object of property names and lists of [time, value] was expected"
    if not isinstance(wanted, dict) or not all(isinstance(steps, list) for steps in wanted.values()):
        raise ControlRefused(expected)
    turned: dict[str, list[tuple[datetime, Any]]] = {}
    for name, steps in wanted.items():
        if not all(isinstance(step, list) and len(step) == 2 for step in steps):
            raise ControlRefused(expected)
        turned[name] = [(moment(at, f"_history.{name}"), value) for at, value in steps]
    return turned


def _from_this_machine(ask: Ask) -> bool:
    """Whether a program asks, and not a web page that someone on this machine happens to look at.

    A page of another site names itself in Origin; one whose name was pointed at 127.0.0.1 gives itself
    away by Host.
    """
    host = ask.headers.get("host", "").lower().rpartition(":")[0] or ask.headers.get("host", "").lower()
    return "origin" not in ask.headers and host in ("127.0.0.1", "localhost")


def _json(status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    body = orjson.dumps(dict(content), option=orjson.OPT_NON_STR_KEYS)
    return Answer(status, body, headers or {})


def _body(ask: Ask, known: set[str] | None = None) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object. ``known`` None lets every key pass."""
    try:
        wanted = orjson.loads(ask.body) if ask.body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise ControlRefused(f"a JSON object was expected: {error}") from error
    if not isinstance(wanted, dict):
        raise ControlRefused("a JSON object was expected")
    _refuse_unknown(wanted, known)
    return wanted


def _query(ask: Ask, known: AbstractSet[str] = frozenset()) -> dict[str, str]:
    wanted = dict(ask.query)
    _refuse_unknown(wanted, known)
    return wanted


def _refuse_unknown(wanted: Mapping[str, Any], known: AbstractSet[str] | None) -> None:
    unknown = [] if known is None else sorted(set(wanted) - known)
    if unknown:
        expected = ", ".join(sorted(known or ())) or "nothing"
        raise ControlRefused(f"unknown key {unknown[0]!r}; expected: {expected}")


def _name(wanted: object, key: str) -> str:
    if not isinstance(wanted, str):
        raise ControlRefused(f"{key}: a name was expected")
    return wanted


def _number(wanted: object, name: str) -> float:
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not math.isfinite(wanted):
        raise ControlRefused(f"{name}: a number was expected")
    return wanted


def _count(wanted: str, name: str) -> int:
    if not wanted.isascii() or not wanted.isdigit() or len(wanted) > 18:
        raise ControlRefused(f"{name}: a whole number from 0 was expected")
    return int(wanted)


def _yes_or_no(wanted: str | None, name: str) -> bool | None:
    if wanted not in (None, "0", "1"):
        raise ControlRefused(f"{name}: 0 or 1 was expected")
    return None if wanted is None else wanted == "1"
