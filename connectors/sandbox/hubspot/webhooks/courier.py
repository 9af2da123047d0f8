"""Takes events to the app, in the background (HubSpot reference, section 10.2).

What is due is told by the sandbox clock, so a test that moves it sees a day of retries in a moment; how long
a subscriber may take to answer is real time.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET
from connectors.sandbox.hubspot.switches import Switches
from connectors.sandbox.hubspot.webhooks.signing import signature_headers
from connectors.sandbox.hubspot.webhooks.store import Batch, EventStore, Settings

#: Seconds between two looks at a clock that somebody may have moved, while events wait for their time.
_LOOK_AGAIN = 0.05


class Courier:
    """Sends batches, each from a thread of its own, not more at a time than the app allows.

    ``now`` gives milliseconds by the sandbox clock, ``switches`` what is in force. No thread is started
    before the first ``wake``.
    """

    def __init__(self, store: EventStore, now: Callable[[], int], switches: Callable[[], Switches]) -> None:
        self._store = store
        self._now = now
        self._switches = switches
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._flying = 0
        self._known: Settings | None = None
        self._read_at: int | None = None
        self.most_flying = 0  #: the most requests that were under way at a time
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There may be something to send. To be called from the thread that answers calls."""
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._run, name="hubspot-webhooks", daemon=True)
            self._thread.start()
        self._woken.set()

    def stop(self) -> None:
        """Start no further request. One that is under way ends by itself, and is forgotten."""
        self._ended.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._woken.clear()
            self._send_due()
            waiting = self._store.counts()["waiting"] if not self._ended.is_set() else 0
            self._woken.wait(_LOOK_AGAIN if waiting else None)

    def _send_due(self) -> None:
        while not self._ended.is_set():
            # One moment for both: a clock moved in between would send what is due later by settings of before.
            now = self._now()
            settings = self._settings(now)
            if settings is None:
                return
            with self._lock:
                if self._flying >= settings.most_at_once:
                    return
            shuffled = self._switches().webhook_order == "shuffled"
            batch = self._store.next_batch(now, shuffled=shuffled)
            if batch is None:
                return
            with self._lock:
                self._flying += 1
                self.most_flying = max(self.most_flying, self._flying)
            threading.Thread(target=self._deliver, args=(settings.target_url, batch), daemon=True).start()

    def _settings(self, now: int) -> Settings | None:
        """What the app wants, or what it wanted a while ago: HubSpot looks again only now and then."""
        read_at = self._read_at
        if (
            self._known is None
            or read_at is None
            or not read_at <= now < read_at + self._switches().webhook_settings_ms
        ):
            self._known, self._read_at = self._store.settings(), now
        return self._known

    def _deliver(self, url: str, batch: Batch) -> None:
        status = self._post(url, batch.body)
        self._store.delivered(batch, status, self._now())
        with self._lock:
            self._flying -= 1
        self._woken.set()

    def _post(self, url: str, body: bytes) -> int | None:
        """The status of the answer, None where none came in time."""
        parts = urlsplit(url)
        switches = self._switches()
        headers = {
            "Content-Type": "application/json;charset=utf-8",
            "User-Agent": "leadpact-sandbox",
            **signature_headers(
                HUBSPOT_CLIENT_SECRET, "POST", url, body, self._now(), switches.webhook_old_signature
            ),
        }
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=switches.webhook_timeout_ms / 1000)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", target, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
