"""Withdrawals on their way to HubSpot: a contact who wants no mail leaves all of it, by the consent API.

``hs_email_optout`` reads like a property and cannot be written like one (HubSpot reference, section 14). To the rest
of Leadpact it is a property that takes "true" and nothing else: nobody is ever brought back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from msgspec.structs import replace

from connectors.atonce import at_once
from connectors.crm import RECORD_ID, Slab, Write, Written
from connectors.errors import ConnectorError, RetryLater
from connectors.hubspot.consent import MOST, Consents
from connectors.hubspot.schema import EMAIL, OPT_OUT

_log = logging.getLogger(__name__)

#: Nothing but a withdrawal is ever sent.
NEVER_BACK = "NEVER_BACK"
NO_ADDRESS = "NO_ADDRESS"

Named = Callable[[Sequence[str], Sequence[str]], Sequence[Slab]]
Send = Callable[[Sequence[Write]], list[Written]]


def write_with_withdrawals(
    writes: Sequence[Write], send: Send, named: Named, consents: Consents, threads: int
) -> list[Written]:
    """Write the properties by ``send`` and the withdrawals by ``consents``; one result a write, in order.

    ``named`` reads (fields, ids). At most ``threads`` lots of withdrawals are under way at the same time. A write is
    written when both its parts are; ``stored`` then says how the contact stands. Raises as ``send`` does where nothing
    was written before; a withdrawal that fails is refused with the error's code, whatever became of the other
    properties.
    """
    plain = [_without(write) for write in writes]
    # A new contact without an address is on no list: once it has one, its withdrawal is written like any other.
    leaving = {
        write.trace: write
        for write in writes
        if OPT_OUT in write.values and (write.record_id is not None or write.values.get(EMAIL))
    }
    if not leaving:
        return send(plain)
    ordinary = [write for write in plain if write.values or write.record_id is None]
    results = {one.trace: one for one in send(ordinary)} if ordinary else {}
    sent = dict(results)
    for trace, write in leaving.items():
        results.setdefault(trace, Written(trace, "written", write.record_id))
    ready = {trace: one for trace, one in results.items() if trace in leaving and one.outcome == "written"}
    results.update(_withdrawn(leaving, ready, sent, _Lists(named, consents, threads)))
    return [results[write.trace] for write in writes]


def _without(write: Write) -> Write:
    if OPT_OUT not in write.values:
        return write
    return replace(write, values={name: value for name, value in write.values.items() if name != OPT_OUT})


@dataclass(frozen=True, slots=True)
class _Lists:
    """What takes people off the lists of an account, and says how they stand."""

    named: Named
    consents: Consents
    threads: int


@dataclass(slots=True)
class _Lot:
    """Contacts who leave with one call. ``going``: trace to record id; ``done``: what became of them, by trace."""

    lists: _Lists
    ready: Mapping[str, Written]
    going: Mapping[str, str]
    done: dict[str, Written] = field(default_factory=dict)

    def leave(self) -> None:
        """Take them off the lists. What fails is raised, and stands in ``done`` where it was their leaving."""
        addresses = _column(self.lists.named, EMAIL, list(self.going.values()))
        for trace, record in self.going.items():
            if not addresses.get(record):
                text = "The contact has no address to take off the lists"
                self.done[trace] = _refused(self.ready[trace], NO_ADDRESS, text)
        left = {trace: record for trace, record in self.going.items() if trace not in self.done}
        try:
            self.lists.consents.leave_everything([str(addresses[record]) for record in left.values()])
        except ConnectorError as error:
            unsure = isinstance(error, RetryLater) and error.sent
            for trace in left:
                failed = _refused(self.ready[trace], error.code, str(error))
                self.done[trace] = replace(failed, outcome="unknown") if unsure else failed
            raise
        stands = _read_back(self.lists.named, list(left.values()))
        for trace, record in left.items():
            one = self.ready[trace]
            stored = {**one.stored, OPT_OUT: stands[record]} if record in stands else one.stored
            self.done[trace] = replace(one, stored=stored)


def _withdrawn(
    leaving: Mapping[str, Write], ready: Mapping[str, Written], sent: Mapping[str, Written], lists: _Lists
) -> dict[str, Written]:
    """The results of the withdrawals, by trace. ``sent``: what became of the other properties."""
    back = {trace for trace in ready if leaving[trace].values[OPT_OUT] != "true"}
    done = {trace: _refused(ready[trace], NEVER_BACK, "Nobody is ever brought back") for trace in back}
    going = {trace: str(one.record_id) for trace, one in ready.items() if trace not in back}
    waiting = iter(going.items())
    lots = [_Lot(lists, ready, dict(islice(waiting, MOST))) for _ in range(0, len(going), MOST)]
    try:
        at_once([lot.leave for lot in lots], lists.threads)
    except ConnectorError as error:
        if not any(lot.done for lot in lots) and not any(one.outcome == "written" for one in sent.values()):
            raise
        done |= {trace: _refused(ready[trace], error.code, str(error)) for trace in going}
    return done | {trace: one for lot in lots for trace, one in lot.done.items()}


def _read_back(named: Named, ids: Sequence[str]) -> dict[str, str | None]:
    """How contacts who were taken off the lists stand now; empty where that cannot be read."""
    try:
        return _column(named, OPT_OUT, ids)
    except ConnectorError as error:
        # They are off the lists; that they could not be read again changes nothing about it.
        _log.warning("how withdrawals stand could not be read back: %s", error.code)
        return {}


def _column(named: Named, field: str, ids: Sequence[str]) -> dict[str, str | None]:
    """One property of the named contacts, by id."""
    if not ids:
        return {}
    return {
        record: value
        for slab in named((field,), ids)
        if field in slab.frame.columns
        for record, value in slab.frame.select(RECORD_ID, field).iter_rows()
    }


def _refused(one: Written, code: str, message: str) -> Written:
    return replace(one, outcome="refused", code=code, message=message, fields=(OPT_OUT,))
