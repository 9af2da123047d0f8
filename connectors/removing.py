"""Taking many records away, some at a time, with one result each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from connectors.crm import Written
from connectors.errors import ConnectorError, RetryLater


def remove(
    ids: Sequence[str],
    at_once: int,
    send: Callable[[Sequence[str]], Sequence[Written]],
    *,
    answers: tuple[type[ConnectorError], ...] = (),
) -> list[Written]:
    """One result an id (``trace`` is the id), in order; ``send`` takes at most ``at_once`` of them.

    Raises what ``send`` raises while nothing has been removed, unless it is one of ``answers``: those say
    something about the records. Afterwards a failure is the result of the records that it was about: unknown
    where the CRM may have got the call, else refused with the error's code.
    """
    results: dict[str, Written] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), at_once):
        some = wanted[start : start + at_once]
        try:
            results.update(zip(some, send(some), strict=True))
        except ConnectorError as error:
            if not results and not isinstance(error, answers):
                raise
            unsure = isinstance(error, RetryLater) and error.sent
            outcome: Literal["refused", "unknown"] = "unknown" if unsure else "refused"
            for one in some:
                results[one] = Written(one, outcome, one, code=error.code, message=str(error))
    return [results[one] for one in wanted]
