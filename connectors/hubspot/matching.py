"""Which result of a batch belongs to which write, and what a refusal says. Pure.

Results come in any order, e-mail addresses come back in lower case, and trace ids come back in errors but
not reliably in results (HubSpot reference, section 5.2). So nothing is matched by position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.crm import Write, Written
from connectors.hubspot.api import Reply
from connectors.hubspot.batches import Batch, folded_key
from connectors.hubspot.errors import Problem, problem_of
from connectors.hubspot.values import as_text

#: Those of the named properties that a record's values hold, in the port's spelling.
Spell = Callable[[Iterable[str], Mapping[str, str | None]], Mapping[str, str | None]]

#: An answer came, and this write is neither among its results nor its errors.
NOT_IN_ANSWER = "NOT_IN_ANSWER"


class Result(msgspec.Struct, gc=False):
    """One written record."""

    id: str
    properties: dict[str, str | None] = {}
    new: bool | None = None
    objectWriteTraceId: str | None = None


class Answer(msgspec.Struct):
    """The body of a batch write, 200 and 207 alike: either may carry errors (HubSpot reference, 1.3)."""

    results: list[Result] = []
    errors: list[dict[str, Any]] = []


class _OddResult(msgspec.Struct):
    """A written record with a value that is no text."""

    id: str
    properties: dict[str, Any] = {}
    new: bool | None = None
    objectWriteTraceId: str | None = None


class _OddAnswer(msgspec.Struct):
    results: list[_OddResult] = []
    errors: list[dict[str, Any]] = []


@dataclass(slots=True)
class Settled:
    """What an answer says: ``done`` by trace, and what it left open."""

    done: dict[str, Written] = field(default_factory=dict)
    open: list[Write] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


_AS_TOLD = msgspec.json.Decoder(Answer)
_ODD = msgspec.json.Decoder(_OddAnswer)


def decode_answer(reply: Reply) -> Answer:
    """Lenient about values: what was written must not be forgotten because an answer looks odd."""
    try:
        return _AS_TOLD.decode(reply.data)
    except msgspec.ValidationError:
        odd = _ODD.decode(reply.data)
    results = [
        Result(
            one.id,
            {name: as_text(value) for name, value in one.properties.items()},
            one.new,
            one.objectWriteTraceId,
        )
        for one in odd.results
    ]
    return Answer(results, odd.errors)


def settle(batch: Batch, answer: Answer, spell: Spell) -> Settled:
    """Match what can be matched for certain: by trace, record id, key, or the content of a new record."""
    settled = Settled()
    waiting = {w.trace: w for w in batch.writes}
    for error in answer.errors:
        problem = problem_of(error)
        named = [w for w in waiting.values() if _names(problem, w)]
        for write in named:
            settled.done[write.trace] = refused(waiting.pop(write.trace), problem)
        if not named:
            settled.problems.append(problem)
    by_id = {w.record_id: w for w in batch.writes if w.record_id is not None}
    by_key = {folded_key(w): w for w in batch.writes if w.key is not None}
    names = list(dict.fromkeys(name for name, _ in filter(None, by_key)))
    for result in answer.results:
        owner = _owner(result, batch, by_id, (names, by_key), waiting)
        if owner is None:
            settled.results.append(result)
        else:
            settled.done[owner.trace] = written(waiting.pop(owner.trace), result, spell)
    settled.open = list(waiting.values())
    if batch.kind == "create":
        _settle_by_content(settled, spell)
    return settled


def _names(problem: Problem, write: Write) -> bool:
    if problem.traces:
        return write.trace in problem.traces
    if write.record_id is not None:
        return write.record_id in problem.ids
    return write.key is not None and write.key[1] in problem.ids


def _owner(
    result: Result,
    batch: Batch,
    by_id: Mapping[str, Write],
    keyed: tuple[Sequence[str], Mapping[tuple[str, str] | None, Write]],
    waiting: Mapping[str, Write],
) -> Write | None:
    """The write that a result belongs to. ``keyed``: the properties that are keys, and the writes by their keys."""
    found: Write | None = None
    if result.objectWriteTraceId is not None:
        found = waiting.get(result.objectWriteTraceId)
    elif batch.kind == "update":
        found = by_id.get(result.id)
    elif batch.kind == "upsert":
        names, by_key = keyed
        keys = ((name, (result.properties.get(name) or "").strip().casefold()) for name in names)
        found = next((by_key[key] for key in keys if key in by_key), None)
    return found if found is not None and found.trace in waiting else None


def _settle_by_content(settled: Settled, spell: Spell) -> None:
    """New records without a trace: the one that holds exactly what was sent, as far as it shows it.

    Two writes that send the same may swap their records, which are alike. What fits more than one record
    of different content, or none, stays open.
    """
    for write in list(settled.open):
        fitting = [r for r in settled.results if _holds(r, write)]
        alike = {_shown(r, settled.open) for r in fitting}
        if len(alike) == 1:
            settled.results.remove(fitting[0])
            settled.open.remove(write)
            settled.done[write.trace] = written(write, fitting[0], spell)


def _holds(result: Result, write: Write) -> bool:
    shown = [name for name, value in write.values.items() if value is not None and name in result.properties]
    return bool(shown) and all(_fold(result.properties[n]) == _fold(write.values[n]) for n in shown)


def _shown(result: Result, writes: Iterable[Write]) -> tuple[str, ...]:
    names = sorted({name for w in writes for name in w.values})
    return tuple(_fold(result.properties.get(name)) for name in names)


def _fold(text: str | None) -> str:
    return (text or "").strip().casefold()


def written(write: Write, result: Result, spell: Spell) -> Written:
    """A write that was carried out; ``stored`` is what HubSpot showed of the properties that were sent."""
    # It shows a dozen others, too, and of a new record everything.
    names = write.values if write.key is None else {**write.values, write.key[0]: None}
    return Written(
        write.trace,
        "written",
        result.id,
        created=_is_new(write, result),
        stored=spell(names, result.properties),
    )


def _is_new(write: Write, result: Result) -> bool:
    if result.new is not None:
        return result.new
    return write.record_id is None and write.key is None


def refused(write: Write, problem: Problem, status: int | None = None) -> Written:
    """A write that HubSpot refused, in its own words, but without the values that were sent."""
    code = problem.code or (str(status) if status is not None else "REFUSED")
    return Written(
        write.trace,
        "refused",
        write.record_id,
        code=code,
        message=masked(spoken(problem), write) or code,
        fields=problem.fields,
    )


def unknown(write: Write, code: str, message: str) -> Written:
    return Written(write.trace, "unknown", write.record_id, code=code, message=message)


def spoken(problem: Problem) -> str:
    """HubSpot's sentence; the sentences inside, where it wraps a list of property errors."""
    inner: list[str] = re.findall(r'"message":"((?:[^"\\]|\\.)*)"', problem.message)
    if "[{" not in problem.message or not inner:
        return problem.message
    return "; ".join(dict.fromkeys(s.replace('\\"', '"') for s in inner))


def masked(message: str, write: Write) -> str:
    """A message without the values and addresses in it: they may be personal data, and messages are shown.

    Values of one or two characters are left: they say nothing, and would tear words apart.
    """
    values = [v for v in (*write.values.values(), write.key[1] if write.key else None) if v]
    for value in sorted((v for v in values if len(v) > 2), key=len, reverse=True):
        message = re.sub(re.escape(value), "…", message, flags=re.IGNORECASE)
    return re.sub(r"[^\s\"'<>\[\](),;:]+@[^\s\"'<>\[\](),;:]+", "…", message)[:500]
