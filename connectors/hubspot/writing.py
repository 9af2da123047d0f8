"""Writing records: every write ends as written, refused or unknown, and none is lost.

Updates and upserts may be repeated, so a lost answer is simply asked for again. A create without a key may
not: where its answer is lost, it is reported as unknown. A batch that HubSpot refuses as a whole has
written nothing (HubSpot reference, section 5.2): the rows that its answer blames are taken out, or it is
halved until the bad row stands alone. Where an account has no unique property, ``unkeyed`` looks records up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from connectors.atonce import at_once, stop_if_interrupted
from connectors.crm import ObjectSchema, Write, Written
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.hubspot import matching
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.batches import Batch, kind_of, rounds, twice
from connectors.hubspot.choices import WRITE_THREADS
from connectors.hubspot.errors import CRM, UNKNOWN_OBJECT, Problem, Refusal
from connectors.hubspot.matching import Answer, Result, Settled, refused, unknown
from connectors.hubspot.unkeyed import Find, placed, without_unique_key
from connectors.hubspot.values import odd_kinds, plain_texts

#: A property that no write may carry: who carries it is to blame, whatever the value.
ALWAYS_WRONG = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})

#: Refusals of the request and not of a row, besides an unknown object: halving it would only multiply them.
NOT_FOUND = 404

#: Another batch of the same call was carried out, and this one was not even sent.
NOT_SENT = "NOT_SENT"


class Writer:
    """Writes the records of one account. ``describe`` gives the schema of an object, kept by the caller.

    ``find`` looks up records by a value, where an account has no unique property to upsert by (``unkeyed``).
    At most ``threads`` batches are under way at the same time.
    """

    def __init__(
        self, api: Api, describe: Callable[[str], ObjectSchema], find: Find, threads: int = WRITE_THREADS
    ) -> None:
        self._api = api
        self._describe = describe
        self._find = find
        self._threads = threads

    def write(self, object_name: str, writes: Sequence[Write]) -> list[Written]:
        """One Written for each write, in their order.

        Raises the four kinds only where nothing was written: else what was not sent comes back as unknown with
        the code ``NOT_SENT``, so that what was written is not forgotten. After a failure no batch is begun, and
        those under way are waited for. Raises OurBug for a trace that comes twice, NeedsPerson for a key that is
        no property.
        """
        if len({w.trace for w in writes}) != len(writes):
            raise OurBug("Two writes of one call have the same trace", crm=CRM, code="DUPLICATE_TRACE")
        if not writes:
            return []
        schema = self._describe(object_name)
        _check_keys(schema, writes)
        done = twice(writes)
        looked_up = [w for w in writes if w.trace not in done and without_unique_key(schema, w)]
        sent, refusals = placed(self._find, schema, looked_up)
        done |= refusals
        odd = odd_kinds(schema.fields)
        calls: list[_Call] = []
        try:
            for batches in rounds([sent.get(w.trace, w) for w in writes if w.trace not in done]):
                some = [_Call(self._api, object_name, odd, batch) for batch in batches]
                calls += some
                at_once([call.carry_out for call in some], self._threads)
        except ConnectorError as error:
            text = f"Not sent: {error}"
            answered = _answered(calls)
            if not answered:
                raise
            not_sent = {w.trace: unknown(w, NOT_SENT, text) for w in writes if w.trace not in answered}
            done = {**not_sent, **done}
        done = {**_answered(calls), **done}
        return [done[w.trace] for w in writes]


def _answered(calls: Sequence[_Call]) -> dict[str, Written]:
    return {trace: one for call in calls for trace, one in call.done.items()}


def _check_keys(schema: ObjectSchema, writes: Sequence[Write]) -> None:
    """A key that is no property could neither be written nor looked up."""
    names = {w.key[0] for w in writes if kind_of(w) == "upsert" and w.key is not None}
    for name in sorted(names):
        if name not in schema.fields:
            raise NeedsPerson(
                f"HubSpot has no property {name} of {schema.object}",
                crm=CRM,
                code="NO_KEY",
                fix="Run the setup, which creates the properties that Leadpact needs.",
            )


class _Call:
    """One batch of a ``write``, and what has become of its writes so far. No two threads share it.

    ``odd``: see ``values.odd_kinds``.
    """

    def __init__(self, api: Api, object_name: str, odd: Mapping[str, str], batch: Batch) -> None:
        self._api = api
        self._object = object_name
        self._odd = odd
        self._batch = batch
        self.done: dict[str, Written] = {}

    def carry_out(self) -> None:
        """Send the batch, in parts where HubSpot refuses it as a whole, and settle every write in it."""
        self._send(self._batch)

    def _send(self, batch: Batch) -> None:
        stop_if_interrupted()
        try:
            answer = self._post(batch)
        except Refusal as refusal:
            self._isolate(batch, refusal)
        except RetryLater as error:
            if not error.sent:
                raise
            text = f"{error}; it may have been carried out"
            self._add({w.trace: unknown(w, error.code, text) for w in batch.writes})
        else:
            settled = matching.settle(batch, answer, self._spell)
            self._add(settled.done)
            self._settle_open(batch, settled)

    def _post(self, batch: Batch) -> Answer:
        endpoints: Mapping[str, Callable[..., Reply]] = {
            "update": self._api.batches.update,
            "upsert": self._api.batches.upsert,
            "create": self._api.batches.create,
        }
        return self._api.call(
            matching.decode_answer,
            endpoints[batch.kind],
            self._object,
            batch.body(),
            repeatable=batch.kind != "create",
        )

    def _isolate(self, batch: Batch, refusal: Refusal) -> None:
        problem = refusal.problem
        if refusal.status == NOT_FOUND or UNKNOWN_OBJECT in problem.message:
            raise refusal.as_bug() from None
        if len(batch.writes) == 1:
            self._add({w.trace: refused(w, problem, refusal.status) for w in batch.writes})
            return
        blamed = [w for w in batch.writes if _blames(problem, w)]
        rest = batch.only(w for w in batch.writes if w not in blamed)
        if blamed and problem.codes and ALWAYS_WRONG.issuperset(problem.codes):
            self._add({w.trace: refused(w, problem, refusal.status) for w in blamed})
            parts = [rest]
        elif blamed and rest.writes:
            parts = [rest, batch.only(blamed)]
        else:
            parts = batch.halves()
        for part in parts:
            if part.writes:
                self._send(part)

    def _settle_open(self, batch: Batch, settled: Settled) -> None:
        """Writes that the answer neither confirmed nor refused by name."""
        if not settled.open:
            return
        if settled.problems and not settled.results:
            self._settle_blameless(batch, settled)
        elif batch.kind == "upsert" and not settled.problems:
            self._look_up(settled.open)
        else:
            text = "HubSpot's answer does not mention this write"
            self._add({w.trace: unknown(w, matching.NOT_IN_ANSWER, text) for w in settled.open})

    def _settle_blameless(self, batch: Batch, settled: Settled) -> None:
        """Errors that name nobody. Every result has its write, so the open ones were not carried out."""
        if batch.kind == "create" or len(settled.open) == 1:
            self._add({w.trace: refused(w, settled.problems[0]) for w in settled.open})
            return
        for part in batch.only(settled.open).halves():
            self._send(part)

    def _look_up(self, writes: Sequence[Write]) -> None:
        """Upserts whose records the answer shows without their keys: read them by their keys."""
        for name in dict.fromkeys(w.key[0] for w in writes if w.key is not None):
            some = [w for w in writes if w.key is not None and w.key[0] == name]
            asked = sorted({name, *(field for w in some for field in w.values)})
            inputs = [{"id": w.key[1]} for w in some if w.key is not None]
            body = orjson.dumps({"idProperty": name, "properties": asked, "inputs": inputs})
            found = self._api.read(matching.decode_answer, self._api.batches.read, self._object, body)
            answer = Answer(results=[_without_trace(r) for r in found.results])
            settled = matching.settle(Batch("upsert", tuple(some)), answer, self._spell)
            self._add(settled.done)
            text = "HubSpot's answer does not mention this write"
            self._add({w.trace: unknown(w, matching.NOT_IN_ANSWER, text) for w in settled.open})

    def _spell(self, names: Iterable[str], values: Mapping[str, str | None]) -> Mapping[str, str | None]:
        return plain_texts(names, values, self._odd)

    def _add(self, done: Mapping[str, Written]) -> None:
        self.done.update(done)


def _without_trace(result: Result) -> Result:
    return Result(result.id, result.properties)


def _blames(problem: Problem, write: Write) -> bool:
    """Whether the refusal of a batch points at this write: by trace, record, key or property."""
    if problem.traces:
        return write.trace in problem.traces
    if write.record_id in problem.ids:
        return True
    key_name, key = write.key if write.key is not None else (None, None)
    return key in problem.ids or any(name in write.values or name == key_name for name in problem.fields)
