"""A server that is slow to start is waited for; one that does not start is an error all the same."""

from __future__ import annotations

import subprocess

import pytest

from sync.store.embedded import patiently


class Slow:
    """Starts at the given attempt; before it the package's own patience ends."""

    def __init__(self, at: int) -> None:
        self.at, self.tried = at, 0

    def start(self) -> None:
        self.tried += 1
        if self.tried < self.at:
            raise subprocess.TimeoutExpired("pg_ctl", 10)


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_server_that_starts_slowly_is_joined(at: int) -> None:
    server = Slow(at)
    patiently(server.start, attempts=4)
    assert server.tried == at


def test_a_server_that_never_starts_is_given_up() -> None:
    server = Slow(5)
    with pytest.raises(subprocess.TimeoutExpired):
        patiently(server.start, attempts=4)
    assert server.tried == 4


def test_another_failure_is_not_tried_again() -> None:
    tried = []

    def start() -> None:
        tried.append(1)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        patiently(start)
    assert len(tried) == 1
