"""HubSpot as the sandbox's server sees it: one account in one SQLite file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from connectors.sandbox.hubspot import rendering
from connectors.sandbox.hubspot.account import CURRENCY, PORTAL_ID, TIME_ZONE, TOKEN
from connectors.sandbox.hubspot.database import bring_up, empty, keep_note, note, open_database
from connectors.sandbox.hubspot.errors import (
    Refused,
    expired_token,
    missing_scopes,
    moving,
    no_credentials,
    over_limit,
)
from connectors.sandbox.hubspot.filters import register
from connectors.sandbox.hubspot.kinds import Kind, find_kind
from connectors.sandbox.hubspot.loading import load
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.oauth import seconds_left
from connectors.sandbox.hubspot.persons import act
from connectors.sandbox.hubspot.portal import Clock, Portal
from connectors.sandbox.hubspot.quota import Quota, group_of
from connectors.sandbox.hubspot.records import COLUMNS, Record, find, of_row
from connectors.sandbox.hubspot.router import Found, lacking, refuse_lacking_object, route
from connectors.sandbox.hubspot.switches import Switches, changed
from connectors.sandbox.hubspot.webhooks import admission
from connectors.sandbox.hubspot.webhooks.app_calls import declare
from connectors.sandbox.hubspot.webhooks.courier import Courier
from connectors.sandbox.hubspot.webhooks.store import EventStore, wire_of
from connectors.sandbox.keeping import Shelf, bring_back
from connectors.sandbox.side import Answer, Ask, ControlRefused

FILE = "hubspot.sqlite"
EVENTS = "hubspot-events.sqlite"


class HubSpotSide:
    """The HubSpot side. ``folder`` holds its file; ``elapsed`` is a monotonic clock in seconds."""

    name = "hubspot"

    def __init__(self, folder: Path, clock: Clock, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._shelf = Shelf(folder, self.name)
        self._database = open_database(folder / FILE)
        register(self._database)
        seed = int(note(self._database, "seed") or 0)
        self._events = EventStore(folder / EVENTS, seed)
        self._portal = Portal(self._database, clock, seed, self._events)
        self._courier = Courier(self._events, self._portal.now, lambda: self._portal.switches)
        self._quota = Quota(elapsed, note(self._database, "used"))
        self._portal.calls_today = lambda: self._quota.used_today
        self._oauth_quota = Quota(elapsed, beside=self._quota)
        with self._transaction():
            self._portal.definitions.make_standard()
            starts = int(note(self._database, "starts") or 0)
            keep_note(self._database, "starts", str(starts + 1))
        if starts:
            self._portal.reseed(seed, starts)
        self._take_up()

    def _take_up(self) -> None:
        """Go on as the files say: the switches in force, and what is still to be told."""
        kept = note(self._database, "switches")
        self._portal.switches = changed(Switches(), orjson.loads(kept)) if kept else Switches()
        if self._events.counts()["waiting"]:
            self._courier.wake()

    def answer(self, ask: Ask) -> Answer:
        """Answer one request of HubSpot's API."""
        ask = _readable(ask)
        correlation = self._portal.fresh_id()
        headers = {"x-hubspot-correlation-id": correlation}
        try:
            found = self._admitted(ask, headers)
            with self._transaction():
                self._portal.version = found.call.version
                answered = found.route.handler(self._portal, found.call)
        except Refused as refused:
            body = orjson.dumps(refused.body(correlation))
            return Answer(refused.status, body, headers)
        return Answer(answered.status, answered.body, {**answered.headers, **headers}, answered.content_type)

    def _admitted(self, ask: Ask, headers: dict[str, str]) -> Found:
        """The route of a call that may be made; fills in the limit headers. Raises Refused."""
        if ask.path.startswith(admission.WITH_KEY):
            admission.admit_key(ask)
            return route(ask)
        if ask.path.startswith(admission.WITH_APP_TOKEN):
            found = route(ask)
            admission.admit_app(self._portal, ask, found.route.scope.partition(".")[2])
            return found
        if ask.path.startswith(("/oauth/", "/export-files/", admission.OPEN)):
            # The app shows its own secret there, and no call limit is documented; the address of an export's
            # file is its own credential (HubSpot reference, section 4.5), and so is that of a journal's.
            return route(ask)
        quota, switches = self._let_in(ask)
        if switches.moving_s is not None:
            headers["Retry-After"] = str(switches.moving_s)
            raise moving()
        group = group_of(ask.method, ask.path)
        over = quota.take(switches, self._portal.moment(), group)
        headers |= quota.headers(switches, group)
        if over is not None:
            if switches.retry_after:
                headers["Retry-After"] = str(over.seconds)
            raise over_limit(over.policy, self._portal.fresh_id(), over.group)
        found = route(ask)
        refuse_lacking_object(found, switches)
        missing = lacking(found, switches.scopes) if switches.scopes is not None else []
        if missing:
            raise missing_scopes(missing)
        return found

    def _let_in(self, ask: Ask) -> tuple[Quota, Switches]:
        """Whose limits a call is counted against: the fixed token's or the OAuth app's. Raises Refused (401)."""
        switches = self._portal.switches
        scheme, _, token = ask.headers.get("authorization", "").partition(" ")
        left = seconds_left(self._portal, token.strip()) if scheme.lower() == "bearer" else None
        if left is not None:
            if left <= 0:
                raise expired_token(-left)
            return self._oauth_quota, replace(switches, ten_secondly=switches.oauth_ten_secondly, daily=None)
        if switches.token == "expired":
            raise expired_token()
        if scheme.lower() != "bearer" or token.strip() != TOKEN or switches.token == "revoked":
            raise no_credentials()
        return self._quota, switches

    def is_write(self, ask: Ask) -> bool:
        """Whether a call changes records or properties; batch/read and search do not."""
        try:
            return route(ask).route.writes
        except Refused:
            return False

    def reset(self, seed: int | None = None) -> None:
        """Forget everything and start as a new account; the same seed gives the same ids and orders."""
        self._events.forget(seed or 0)
        with self._transaction():
            empty(self._database)
            keep_note(self._database, "seed", str(seed or 0))
            keep_note(self._database, "starts", "1")
            self._portal.definitions.forget()
            self._portal.definitions.make_standard()
        self._portal.switches = Switches()
        self._portal.reseed(seed or 0)
        self._quota.clear()
        self._oauth_quota.clear()

    def states(self) -> list[str]:
        """The names under which states of the account were kept."""
        return self._shelf.names()

    def keep(self, name: str) -> None:
        """Keep the account as it is now under a name. Raises ControlRefused."""
        keep_note(self._database, "used", self._quota.kept())
        with self._events.still() as events:
            self._shelf.keep(name, {FILE: self._database, EVENTS: events})

    def go_back(self, name: str) -> None:
        """Be the account that was kept under a name; its sequences go on as after a restart.

        What the app has called in the last seconds is forgotten, what it has called that day is as it was kept.
        Raises ControlRefused.
        """
        kept = self._shelf.find(name)
        bring_back(kept / FILE, self._database)
        bring_up(self._database)
        seed, starts = (int(note(self._database, each) or 0) for each in ("seed", "starts"))
        self._events.go_back(kept / EVENTS, seed)
        keep_note(self._database, "starts", str(starts + 1))
        self._portal.happened.clear()
        self._portal.definitions.forget()
        self._portal.reseed(seed, starts)
        self._quota.clear(note(self._database, "used"))
        self._oauth_quota.clear()
        self._take_up()

    def limits(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Set limits and switches (see ``Switches``); returns all in force. Raises ControlRefused."""
        switches = changed(self._portal.switches, wanted)
        if wanted:
            self._portal.switches = switches
            keep_note(self._database, "switches", orjson.dumps(switches.wire()).decode())
        return switches.wire()

    def people(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Act as a person in HubSpot (see ``persons``), as the app's maker (see ``declare``), or as other integrations.

        Raises ControlRefused.
        """
        if wanted.get("action") == "declare_webhooks":
            return declare(self._portal, wanted)
        if wanted.get("action") == "other_apps":
            return self._other_apps(wanted)
        with self._transaction():
            return act(self._portal, wanted)

    def _other_apps(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        calls = wanted.get("calls")
        if wanted.keys() != {"action", "calls"} or not isinstance(calls, int) or calls < 0:
            raise ControlRefused("other_apps takes calls: a whole number from 0")
        made = self._quota.take_for_others(self._portal.switches, self._portal.moment(), calls)
        return {"made": made, "used": self._quota.used_today}

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Store rows in bulk, in one transaction; returns their ids. Raises ControlRefused."""
        with self._transaction():
            return load(self._portal, self._kind(object_name), rows)

    def state(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        """Records as they are now, archived ones included; ``after`` is the last id seen."""
        if wanted.get("object") == "webhooks":
            return self._told(wanted)
        account = {"portalId": PORTAL_ID, "timeZone": TIME_ZONE.key, "companyCurrency": CURRENCY}
        kind = self._kind(wanted.get("object", "contacts"))
        unknown = sorted(set(wanted) - {"object", *(key for key, _ in _STATE)})
        if unknown:
            raise ControlRefused(f"state knows object, id, limit and after, not {', '.join(unknown)}")
        limit, after, id_ = (wanted.get(key, default) for key, default in _STATE)
        if not all(text.isdecimal() and len(text) < 19 for text in (limit, after, id_)):
            raise ControlRefused("id, limit and after are whole numbers")
        count = "SELECT count(*) FROM record WHERE kind = ?"
        total = self._database.execute(count, (kind.key,)).fetchone()[0]
        if int(id_):
            record = find(self._database, kind, int(id_))
            found = [record] if record else []
        else:
            rows = self._database.execute(
                f"SELECT {COLUMNS} FROM record NOT INDEXED WHERE kind = ? AND id > ? ORDER BY id LIMIT ?",
                (kind.key, int(after), int(limit)),
            )
            found = [of_row(kind, row) for row in rows]
        return {"account": account, "total": total, "records": [self._seen(r) for r in found]}

    def _told(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        """What was sent to the app, oldest first, and what still is to be."""
        limit, after = wanted.get("limit", "100"), wanted.get("after", "0")
        if not all(text.isdecimal() and len(text) < 19 for text in (limit, after)):
            raise ControlRefused("limit and after are whole numbers")
        return {
            **self._events.counts(),
            "mostAtOnce": self._courier.most_flying,
            "subscriptions": [wire_of(one) for one in self._events.subscriptions()],
            "journal": [one.wire() for one in self._events.journal.subscriptions()],
            "records": self._events.deliveries(int(after), int(limit)),
        }

    def close(self) -> None:
        """Write everything out and close the files."""
        self._courier.stop()
        self._events.close()
        keep_note(self._database, "used", self._quota.kept())
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        self._database.close()

    def _seen(self, record: Record) -> dict[str, Any]:
        names = sorted({*record.values, *record.kind.stamps})
        return {
            "id": str(record.id),
            "archived": record.archived is not None,
            "createdAt": wire(record.created),
            "updatedAt": wire(record.modified),
            "properties": rendering.shown(self._portal, record, names),
        }

    def _kind(self, name: str) -> Kind:
        found = find_kind(name)
        if found is None:
            raise ControlRefused(f"there is no object {name}")
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            self._portal.happened.clear()
            # A property that was made and taken back must not live on in the cache.
            self._portal.definitions.forget()
            raise
        self._database.execute("COMMIT")
        self._tell()

    def _tell(self) -> None:
        """Hand over what has happened, now that it is certain.

        A server that is killed in between never tells it: events are hints, and nobody may rely on them alone.
        """
        portal = self._portal
        happened, portal.happened = portal.happened, []
        if happened:
            self._events.take(happened, portal.switches, portal.now(), portal.fresh_id())
            self._courier.wake()


_STATE = (("limit", "100"), ("after", "0"), ("id", "0"))


def _readable(ask: Ask) -> Ask:
    """The request with what is no UTF-8 in its line replaced: it came as lone surrogates, which no file takes."""
    if ask.path.isascii() and all(text.isascii() for pair in ask.query for text in pair):
        return ask
    query = tuple((_text(name), _text(value)) for name, value in ask.query)
    return replace(ask, path=_text(ask.path), query=query)


def _text(raw: str) -> str:
    return raw.encode("utf-8", "replace").decode()
