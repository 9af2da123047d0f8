"""The server that Leadpact brings, opened and left by several threads of one process at once."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from sync.store.embedded import EmbeddedServer

THREADS, TIMES = 4, 8


def test_threads_of_one_process_open_and_leave_it_at_once() -> None:
    def use(number: int) -> list[int]:
        answers = []
        for _ in range(TIMES):
            server = EmbeddedServer(folder)
            with psycopg.connect(server.url, autocommit=True) as connection:
                row = connection.execute("SELECT %s::int", (number,)).fetchone()
                answers += row or ()
            server.close()
        return answers

    # None of pytest's folders: those are closed to a server that runs as another user, as it does for root.
    with tempfile.TemporaryDirectory(prefix="leadpact-threads-") as name:
        folder = Path(name) / "postgresql"
        kept = EmbeddedServer(folder)
        with ThreadPoolExecutor(THREADS) as pool:
            answered = list(pool.map(use, range(THREADS)))
        kept.close()

    assert answered == [[number] * TIMES for number in range(THREADS)]
