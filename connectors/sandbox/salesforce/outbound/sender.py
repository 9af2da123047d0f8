"""The thread that delivers outbound messages after the transaction that caused them.

It reads and marks the queue through a connection of its own, so that the org's one thread never waits for a
listener. Whether a try is due is asked of the sandbox's clock, which a test may move.
"""

from __future__ import annotations

import http.client
import logging
import sqlite3
import threading
import traceback
from pathlib import Path
from urllib.parse import urlsplit

from connectors.sandbox.requestlog import Call, RequestLog
from connectors.sandbox.salesforce.org import FILE, Org
from connectors.sandbox.salesforce.outbound.actions import Action, actions
from connectors.sandbox.salesforce.outbound.envelope import is_heard, message
from connectors.sandbox.salesforce.outbound.queue import Note, Outcome, Queue
from connectors.sandbox.side import Ask

LOG = "requests-salesforce.sqlite"
#: Seconds between two looks at the clock while something waits, and for a listener to answer.
LOOK_SECONDS = 0.05
LISTENER_SECONDS = 5.0
_CLIENT = "outbound-message"

log = logging.getLogger("leadpact.sandbox")


class Sender:
    """Delivers for one org. ``look`` starts it where there is something to deliver, ``close`` ends it."""

    def __init__(self, org: Org, folder: Path) -> None:
        self._org = org
        self._folder = folder
        self._thread: threading.Thread | None = None
        self._something = threading.Event()
        self._over = threading.Event()

    def look(self) -> None:
        """After a control: see whether there is an action now. To be called on the org's thread."""
        if self._thread is None and actions(self._org):
            self._thread = threading.Thread(target=self._run, name="leadpact-outbound", daemon=True)
            self._thread.start()
        self.wake()

    def wake(self) -> None:
        """After a transaction: something may be due. Costs nothing where nobody listens."""
        self._something.set()

    def close(self) -> None:
        """Stop delivering; a message under way is waited for."""
        self._over.set()
        self._something.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        queue = Queue(str(self._folder / FILE))
        requests = RequestLog(self._folder / LOG) if (self._folder / LOG).exists() else None
        try:
            while not self._over.is_set():
                self._something.wait(LOOK_SECONDS if self._rest(queue, requests) else None)
                self._something.clear()
        finally:
            queue.close()
            if requests is not None:
                requests.close()

    def _rest(self, queue: Queue, requests: RequestLog | None) -> bool:
        """Deliver what is due; whether something is left for later."""
        try:
            for action, notes in queue.due(self._org.now()):
                for start in range(0, len(notes), action.most):
                    if self._over.is_set():
                        return True
                    self._deliver(queue, requests, action, notes[start : start + action.most])
            return queue.waits()
        except sqlite3.OperationalError as busy:
            # A long transaction holds the file, or a reset took the tables away: look again in a moment.
            log.debug("outbound messages wait: %s", busy)
            return True
        except Exception as bug:  # noqa: BLE001 - one message's bug must not silence all others
            # Neither the message nor the locals: they may hold a person's data.
            frames = "".join(traceback.format_tb(bug.__traceback__))
            log.error("salesforce sandbox: %s in an outbound message\n%s", type(bug).__name__, frames)
            return False

    def _deliver(self, queue: Queue, requests: RequestLog | None, action: Action, notes: list[Note]) -> None:
        rows = queue.records(action, notes)
        queue.mark([each for each in notes if each.record not in rows], "dropped")
        notes = [each for each in notes if each.record in rows]
        if not notes:
            return
        sobject = self._org.full.objects[action.object]
        told = [(each.id, rows[each.record]) for each in notes]
        body = message(action, sobject, told, action.session)
        for repeated in range(action.duplicates + 1):
            outcome = post(action.url, body)
            queue.settle(action, notes, outcome, self._org.now())
            if requests is not None:
                # A session id is a credential and stays out of the log.
                kept = message(action, sobject, told, None)
                self._keep(requests, action, kept, outcome)
            if not outcome.heard and not repeated:
                return

    def _keep(self, requests: RequestLog, action: Action, body: bytes, outcome: Outcome) -> None:
        """Note the call in the log of this port: under a path of its own, without the listener's address."""
        path = f"/outbound/{action.id}"
        ask = Ask("POST", path, (), {"user-agent": _CLIENT}, body, path)
        call = Call(self._org.now(), outcome.status, outcome.said or None, 0, len(body), False)
        requests.add(ask, call)


def post(url: str, body: bytes) -> Outcome:
    """One try. A listener that does not answer in time, or not with an acknowledgement, has not heard."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LISTENER_SECONDS)
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "User-Agent": _CLIENT}
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as broken:
        return Outcome(None, False, f"no answer ({type(broken).__name__})")
    finally:
        connection.close()
    if answer.status != 200:
        return Outcome(answer.status, False, "refused")
    heard = is_heard(content)
    return Outcome(200, heard, "" if heard else "not acknowledged")
