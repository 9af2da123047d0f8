"""How many webhook requests and events are taken in a second, verified and durable, on the embedded PostgreSQL.

    python -m bench.webhooks [--seconds 5] [--processes 1 2] [--connections 10]

Real HTTP over loopback, v3 signatures, fsync on. The senders are processes of their own; on a machine with two cores
they take one of them, so read the columns "cpu ms": what a request costs our process and the database, whoever else is
at work; a core of its own takes 1,000 divided by that in a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import psycopg
from prometheus_client import CollectorRegistry

from connectors.hubspot.signature import HEADER, TIME_HEADER, Verifier, signature_v3
from sync.inbox import Wanted
from sync.jobs import drain_inbox
from sync.metrics import Metrics
from sync.store.embedded import EmbeddedServer
from sync.store.intake import Intake
from sync.store.jobs import enqueue_on
from sync.store.statements import load_statements
from sync.store.store import Store
from sync.web.belongings import WebBelongings
from sync.web.endpoints import HUBSPOT, web_app
from sync.web.listening import listen

SECRET, PORTAL = "bench-client-secret", 7
#: Different records in the events; more requests than that tell of them again.
RECORDS = 50_000
#: Events of a full request (HubSpot reference, section 10.1).
FULL = 100


@dataclass(frozen=True)
class Figures:
    """One measure: requests and events a second, milliseconds to an answer, processor time of the servers."""

    processes: int
    events: int
    requests_per_s: float
    events_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    server_cpu_ms: float  #: a request
    database_cpu_ms: float  #: a request
    refused: int
    stored_rows: int
    stored_events: int
    transactions: int


def _clock() -> datetime:
    return datetime.now(UTC)


def _belongings(url: str, connection_id: int, port: int) -> tuple[WebBelongings, Intake]:
    # As `serve` does it: the job that answers is queued in the same transaction.
    way_in = Intake(url, connection_id, partial(_enqueue, load_statements(), connection_id))
    return WebBelongings(
        clock=_clock,
        accounts={"hubspot": str(PORTAL), "salesforce": "00D000000000001EAA"},
        wanted=Wanted({"hubspot": "contacts", "salesforce": "Lead"}),
        way_in=way_in,
        metrics=Metrics(CollectorRegistry()),
        unready=list,
        verifier=Verifier(SECRET, f"http://127.0.0.1:{port}"),
    ), way_in


def _enqueue(
    statements: Mapping[str, str], number: int, connection: psycopg.Connection, crm: str, urgent: bool
) -> None:
    enqueue_on(connection, statements, number, drain_inbox(crm, urgent=urgent))


def _serve(url: str, connection_id: int, port: int, told: Connection) -> None:
    """One server process: says when it listens, and at the end how many transactions it took."""

    async def run() -> int:
        belongings, way_in = _belongings(url, connection_id, port)
        listening = await listen(web_app(belongings), "127.0.0.1", port, belongings.limits, share_port=True)
        told.send("listening")
        await asyncio.get_running_loop().run_in_executor(None, told.recv)
        await listening.close()
        return way_in.transactions

    told.send(asyncio.run(run()))


def _requests(port: int, events: int, count: int) -> list[bytes]:
    """Whole requests, signed now: they are good for five minutes."""
    stamp = str(int(time.time() * 1000))
    made = []
    for number in range(count):
        body = json.dumps(
            [
                {
                    **{
                        "portalId": PORTAL,
                        "appId": 1,
                        "subscriptionId": 12,
                        "eventId": number,
                        "attemptNumber": 0,
                    },
                    **{"occurredAt": int(stamp), "subscriptionType": "contact.propertyChange"},
                    **{
                        "propertyName": "jobtitle",
                        "propertyValue": "Head of E-Commerce",
                        "changeSource": "CRM_UI",
                    },
                    "objectId": (number * events + place) * 7919 % RECORDS,
                }
                for place in range(events)
            ]
        ).encode()
        signature = signature_v3(SECRET, "POST", f"http://127.0.0.1:{port}{HUBSPOT}", body, stamp)
        head = (
            f"POST {HUBSPOT} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"{HEADER}: {signature}\r\n{TIME_HEADER}: {stamp}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def _send(port: int, events: int, connections: int, seconds: float, told: Connection) -> None:
    """One sender process: as many requests as are answered in the time, over so many connections."""
    requests = _requests(port, events, 2_000 if events == 1 else 300)
    took: list[float] = []
    refused = 0

    async def one(offset: int, end: float) -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        place = offset
        while (began := time.perf_counter()) < end:
            writer.write(requests[place % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            if b"Content-Length: 0" not in head:
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
            took.append(time.perf_counter() - began)
            refused += not head.startswith(b"HTTP/1.1 200")
            place += connections
        writer.close()

    async def all_of_them() -> None:
        end = time.perf_counter() + seconds
        await asyncio.gather(*(one(number, end) for number in range(connections)))

    told.send("ready")
    told.recv()
    asyncio.run(all_of_them())
    told.send((took, refused))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _database(folder: Path) -> Iterator[tuple[str, int]]:
    server = EmbeddedServer(folder / "postgresql")
    store = Store(server.url)
    store.use(str(PORTAL), "00D000000000001EAA", _clock())
    try:
        yield server.url, store.runs.connection_id
    finally:
        store.close()
        server.close()


def _started(target: Any, *arguments: Any) -> tuple[Any, Connection]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(*arguments, there))
    process.start()
    here.recv()
    return process, here


def measure(
    url: str, connection_id: int, *, events: int, processes: int, connections: int, seconds: float
) -> Figures:
    """So many server processes on one port, and two senders."""
    with psycopg.connect(url, autocommit=True) as person:
        person.execute("TRUNCATE inbox")
        port = _free_port()
        servers = [_started(_serve, url, connection_id, port) for _ in range(processes)]
        senders = [_started(_send, port, events, connections // 2, seconds) for _ in range(2)]
        backend = psutil.Process(person.info.backend_pid)
        before, database_before = _cpu_of_all(servers), _cpu_of_database(backend)
        for _, pipe in senders:
            pipe.send("go")
        answers = [pipe.recv() for _, pipe in senders]
        cpu = _cpu_of_all(servers) - before
        database_cpu = _cpu_of_database(backend) - database_before
        for _, pipe in servers:
            pipe.send("stop")
        transactions = sum(pipe.recv() for _, pipe in servers)
        for process, _ in (*servers, *senders):
            process.join()
        rows, stored = person.execute("SELECT count(*), coalesce(sum(events), 0) FROM inbox").fetchone() or (
            0,
            0,
        )
    took = sorted(one for some, _ in answers for one in some)

    def at(share: float) -> float:
        return float(took[min(int(share * len(took)), len(took) - 1)]) * 1000

    rate = len(took) / seconds
    return Figures(
        processes, events, rate, rate * events, at(0.5), at(0.95), at(0.99), cpu * 1000 / len(took),
        database_cpu * 1000 / len(took),
        sum(refused for _, refused in answers), int(rows), int(stored), transactions,
    )  # fmt: skip


def _cpu_of_all(processes: Sequence[tuple[Any, Connection]]) -> float:
    return sum(_cpu(process.pid) for process, _ in processes)


def _cpu_of_database(backend: psutil.Process) -> float:
    """Of the server behind a connection, with everybody who works for it."""
    parent = backend.parent()
    workers = parent.children() if parent is not None else []
    return sum(_cpu(one.pid) for one in workers)


def _cpu(pid: int) -> float:
    """Processor seconds so far."""
    times = psutil.Process(pid).cpu_times()
    seconds: float = times.user + times.system
    return seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line a measure."""
    parser = argparse.ArgumentParser(
        description="Webhook requests and events a second, verified and durable."
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--connections", type=int, default=10, help="HubSpot's usual number of requests at a time"
    )
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, _database(Path(folder)) as (url, connection_id):
        print(
            f"{'servers':>7} {'events':>7} {'requests/s':>11} {'events/s':>9} {'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7}"
            f" {'server cpu ms':>14} {'database cpu ms':>16} {'requests a commit':>18}"
        )
        for processes in asked.processes:
            for events in (1, FULL):
                one = measure(
                    url, connection_id, events=events, processes=processes,
                    connections=asked.connections, seconds=asked.seconds,
                )  # fmt: skip
                requests = one.requests_per_s * asked.seconds
                if one.refused or one.stored_events != round(requests) * events:
                    raise SystemExit(
                        f"{one.refused} refused, {one.stored_events} events stored of {requests * events}"
                    )
                print(
                    f"{processes:>7} {events:>7} {one.requests_per_s:>11,.0f} {one.events_per_s:>9,.0f}"
                    f" {one.p50_ms:>7.1f} {one.p95_ms:>7.1f} {one.p99_ms:>7.1f}"
                    f" {one.server_cpu_ms:>14.2f} {one.database_cpu_ms:>16.2f}"
                    f" {requests / max(one.transactions, 1):>18.1f}"
                )


if __name__ == "__main__":
    main()
