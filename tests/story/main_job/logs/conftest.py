"""A house that pulls the logs of both CRMs, and does by hand what a worker does by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
import requests

from connectors.sandbox.hubspot.oauth import CLIENT_ID
from sync import pulllogs_hubspot, pulllogs_salesforce
from sync.jobs_kinds import Given, do
from sync.store.offsets import PullGap

#: Seconds a story waits for a log to be read to its end.
PATIENCE = 180.0
LOGS = {"hubspot": pulllogs_hubspot, "salesforce": pulllogs_salesforce}


@dataclass
class Ears:
    """Listens to both logs of a house, and works off what that brings."""

    house: Any
    app: Any = None
    said: list[str] = field(default_factory=list)  #: what each job said

    def person(self, crm: str, action: str, record: str, **wanted: Any) -> Any:
        object_name = "contacts" if crm == "hubspot" else "Lead"
        return self.house.control(
            crm, "people", {"action": action, "object": object_name, "id": record, **wanted}
        )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to both logs while the context lasts; it is left once everything that happened is heard."""
        with ExitStack() as stack:
            for crm in LOGS:
                stack.enter_context(self._listening(crm))
            yield
            self.hear()

    @contextmanager
    def _listening(self, crm: str) -> Iterator[None]:
        stop, failed = threading.Event(), list[BaseException]()

        def listen() -> None:
            with self.house.app() as app:
                try:
                    LOGS[crm].listen(app, stop)
                except BaseException as error:  # noqa: BLE001 - raised in the test
                    failed.append(error)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE)
        if failed:
            raise failed[0]

    def hear(self) -> None:
        """Wait until both logs have told everything that happened up to now."""
        self.house.later(1)
        until, now = time.monotonic() + PATIENCE, self.house.serving.clock.now()
        while len(self.ask("SELECT name FROM pull_log WHERE known_until >= %s", now)) < len(LOGS):
            assert time.monotonic() < until, "the logs were not read to their end"
            time.sleep(0.02)

    def ask(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.house.database, autocommit=True) as connection:
            found = connection.execute(statement.encode(), parameters)
            return found.fetchall() if found.description else []

    def work_off(self) -> list[str]:
        """Do every queued job, and those that follow, as a worker would; what each was."""
        done: list[str] = []
        taken = (
            "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = (SELECT id FROM procrastinate_jobs"
            " WHERE status = 'todo' ORDER BY priority DESC, id LIMIT 1) RETURNING id, args, queue_name"
        )
        work = self.app.work()
        while rows := self.ask(taken):
            ((job, args, queue),) = rows
            said = do(args["what"], Given(self.app, work, queue.split(":")[0], args))
            for more in said.then:
                work.store.jobs.enqueue(more)
            self.ask("DELETE FROM procrastinate_jobs WHERE id = %s", job)
            self.said.append(said.words)
            done.append(args["what"])
        return sorted(done)

    def gaps(self) -> list[PullGap]:
        """What the logs could not tell, the oldest first."""
        return list(reversed(self.app.work().store.offsets.newest_gaps(100)))

    def at_once(self, records: list[str], **values: Any) -> None:
        """A program changes several leads in one transaction."""
        ready, url = self.house.serving.ready, self.house.url("salesforce")
        form = {
            "grant_type": "client_credentials",
            "client_id": ready["salesforce_client_id"],
            "client_secret": ready["salesforce_client_secret"],
        }
        token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=60).json()["access_token"]
        rows = [{"attributes": {"type": "Lead"}, "Id": record, **values} for record in records]
        answer = requests.patch(
            f"{url}/services/data/v66.0/composite/sobjects",
            json={"records": rows},
            headers={"Authorization": f"Bearer {token}", "Sforce-Call-Options": "client=import"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        assert all(one["success"] for one in answer.json()), answer.text

    def written(self, mark: Any) -> int:
        """The records that both CRMs were asked by Leadpact to write since a mark."""
        calls = [call for found in self.house.writes(mark).values() for call in found]
        ours = [
            call
            for call in calls
            if ("/crm/" in call["path"] or "/sobjects" in call["path"])
            and "import" not in str(call["client"])
        ]
        return sum(call["records"] or 1 for call in ours)


@pytest.fixture
def ears(furnished: Any) -> Iterator[Callable[[], Ears]]:
    """Switches the logs of the house on."""
    house, opened = furnished, ExitStack()

    def begin() -> Ears:
        house.environ |= {
            "LEADPACT_HUBSPOT__JOURNAL": "true",
            "LEADPACT_HUBSPOT__JOURNAL_SECONDS": "0.1",
            "LEADPACT_HUBSPOT__CLIENT_ID": CLIENT_ID,
            "LEADPACT_HUBSPOT__CLIENT_SECRET": str(house.serving.ready["hubspot_client_secret"]),
            "LEADPACT_SALESFORCE__PUBSUB": "true",
            "LEADPACT_SALESFORCE__PUBSUB_ENDPOINT": str(house.serving.pubsub),
            "LEADPACT_SALESFORCE__CA_FILE": str(house.serving.ca_file),
        }
        house.control("salesforce", "limits", {"pubsub_keepalive_ms": 100})
        return Ears(house, opened.enter_context(house.app()))

    with opened:
        yield begin
