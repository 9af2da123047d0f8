"""The only tenacity policy: it waits seconds, never hours.

A CRM that is busy for a moment is asked again here. One that says "tomorrow", or does not answer after a
few tries, is left to the job that wanted it: the error is raised on, and minutes to hours are waited for
there and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

import tenacity

from connectors.atonce import attentive
from connectors.errors import RetryLater

T = TypeVar("T")

#: No single wait is longer, in seconds; a CRM that asks for more is not asked again here.
LONGEST_WAIT = 30.0

#: Seconds before the second try where the CRM named none; doubled each time.
FIRST_WAIT = 0.5

#: Tries in all, the first one included.
TRIES = 6


class Retry:
    """Repeats what may work in a few seconds.

    ``sleep`` takes seconds. ``jitter`` takes two numbers and returns one between them, so that workers that
    were stopped together do not come back together.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], None],
        tries: int = TRIES,
        longest_wait: float = LONGEST_WAIT,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._sleep = attentive(sleep)
        self._tries = tries
        self._longest = longest_wait
        self._jitter = jitter

    def __call__(self, call: Callable[[], T], *, repeatable: bool) -> T:
        """What ``call`` returns. ``repeatable``: doing it twice leaves the CRM as doing it once.

        Raises what ``call`` raised when waiting does not help: anything but RetryLater at once; a RetryLater
        that names a time or a wait beyond ``longest_wait``; one that may have been carried out
        (``sent``) where ``repeatable`` is False; and the last one after ``tries`` tries.
        """
        try:
            return call()
        except RetryLater as error:
            if not self._helps(error, repeatable):
                raise
            first = [error]

        def again() -> T:
            # The first try was made already: most succeed, and the policy costs as much as deciding what to send.
            if first:
                raise first.pop()
            return call()

        retrying = tenacity.Retrying(
            sleep=self._sleep,
            stop=tenacity.stop_after_attempt(self._tries),
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: self._helps(error, repeatable)),
            reraise=True,
        )
        return retrying(again)

    def _helps(self, error: BaseException, repeatable: bool) -> bool:
        if not isinstance(error, RetryLater) or error.not_before is not None:
            return False
        if error.sent and not repeatable:
            return False
        return error.wait_seconds is None or error.wait_seconds <= self._longest

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.wait_seconds if isinstance(error, RetryLater) else None
        if asked is not None:
            # Never sooner than the CRM asked for; a little later, so that not all come at once.
            return min(asked + self._jitter(0.0, max(asked * 0.25, 0.1)), self._longest)
        ceiling = FIRST_WAIT * 2.0 ** (state.attempt_number - 1)
        return min(self._jitter(ceiling / 2, ceiling), self._longest)
