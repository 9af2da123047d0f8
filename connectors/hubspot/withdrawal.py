"""Withdrawals on their way to HubSpot: a contact who wants no mail leaves all of it, by the consent API.

``hs_email_optout`` reads like a property and cannot be written like one (HubSpot reference, section 14). To the rest
of Leadpact it is a property that takes "true" and nothing else: nobody is ever brought back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connectors.crm import RECORD_ID, Slab, Write, Written
from connectors.errors import ConnectorError, RetryLater
from connectors.hubspot.consent import Consents
from connectors.hubspot.schema import EMAIL, OPT_OUT

_log = logging.getLogger(__name__)

#: Nothing but a withdrawal is ever sent.
NEVER_BACK = "NEVER_BACK"
NO_ADDRESS = "NO_ADDRESS"

Named = Callable[[Sequence[str], Sequence[str]], Sequence[Slab]]
Send = Callable[[Sequence[Write]], list[Written]]


def write_with_withdrawals(
    writes: Sequence[Write], send: Send, named: Named, consents: Consents
) -> list[Written]:
    """Write the properties by ``send`` and the withdrawals by ``consents``; one result a write, in order.

    ``named`` reads (fields, ids). A write is written when both its parts are; ``stored`` then says how the contact
    stands. Raises as ``send`` does where nothing was written before; a withdrawal that fails is refused with the
    error's code, whatever became of the other properties.
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
    results.update(_withdrawn(leaving, ready, sent, named, consents))
    return [results[write.trace] for write in writes]


def _without(write: Write) -> Write:
    return replace(write, values={name: value for name, value in write.values.items() if name != OPT_OUT})


def _withdrawn(
    leaving: Mapping[str, Write],
    ready: Mapping[str, Written],
    sent: Mapping[str, Written],
    named: Named,
    consents: Consents,
) -> dict[str, Written]:
    """The results of the withdrawals, by trace. ``sent``: what became of the other properties."""
    back = {trace for trace in ready if leaving[trace].values[OPT_OUT] != "true"}
    done = {trace: _refused(ready[trace], NEVER_BACK, "Nobody is ever brought back") for trace in back}
    going = {trace: str(one.record_id) for trace, one in ready.items() if trace not in back}
    if not going:
        return done
    try:
        addresses = _column(named, EMAIL, list(going.values()))
    except ConnectorError as error:
        if not any(one.outcome == "written" for one in sent.values()):
            raise
        return done | {trace: _refused(ready[trace], error.code, str(error)) for trace in going}
    for trace, record in going.items():
        if not addresses.get(record):
            done[trace] = _refused(
                ready[trace], NO_ADDRESS, "The contact has no address to take off the lists"
            )
    left = {trace: record for trace, record in going.items() if trace not in done}
    try:
        consents.leave_everything([str(addresses[record]) for record in left.values()])
    except ConnectorError as error:
        unsure = isinstance(error, RetryLater) and error.sent
        for trace in left:
            failed = _refused(ready[trace], error.code, str(error))
            done[trace] = replace(failed, outcome="unknown") if unsure else failed
        return done
    stands = _read_back(named, list(left.values()))
    for trace, record in left.items():
        stored = {**ready[trace].stored, OPT_OUT: stands[record]} if record in stands else ready[trace].stored
        done[trace] = replace(ready[trace], stored=stored)
    return done


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
