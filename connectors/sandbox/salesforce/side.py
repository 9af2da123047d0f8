"""The pretend Salesforce as the sandbox's server sees it: requests in, answers out, state in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from connectors.sandbox.keeping import Shelf
from connectors.sandbox.salesforce import control, oauth, usage
from connectors.sandbox.salesforce.call import answer_json
from connectors.sandbox.salesforce.loading import Loader
from connectors.sandbox.salesforce.moments import http_date
from connectors.sandbox.salesforce.org import FILE, Clock, Org
from connectors.sandbox.salesforce.outbound.actions import unheard
from connectors.sandbox.salesforce.outbound.sender import Sender
from connectors.sandbox.salesforce.pubsub.changelog import PERSON, origin_of
from connectors.sandbox.salesforce.refusals import BareStatus, Refusal
from connectors.sandbox.salesforce.resources import is_write, route, versions
from connectors.sandbox.salesforce.soap import endpoint
from connectors.sandbox.salesforce.soap import envelope as soap
from connectors.sandbox.salesforce.soap.faults import Fault, as_fault
from connectors.sandbox.side import Answer, Ask, Backend

LONGEST_URI = 16_384
OAUTH = {
    "/services/oauth2/token": oauth.token,
    "/services/oauth2/revoke": oauth.revoke,
    "/services/oauth2/userinfo": oauth.user_info,
    "/services/oauth2/introspect": oauth.introspect,
}


class SalesforceSide:
    """One pretend org, kept in ``salesforce.sqlite`` in ``folder``."""

    name = "salesforce"

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.org = Org(folder, clock)
        self._folder = folder
        self._shelf = Shelf(folder, self.name)
        self.outbound = Sender(self.org, folder)
        self.outbound.look()

    def answer(self, ask: Ask) -> Answer:
        """Answer one request. What it writes is kept whole, or not at all when it is refused."""
        self.org.changes.announce(origin_of(ask.path, ask.headers))
        dialect = soap.dialect_of(ask)
        answer = self._outside(ask) if dialect is None else self._soap(ask, dialect)
        if answer is None:
            answer = self._counted(ask)
        self.outbound.wake()
        headers = {"Date": http_date(self.org.now()), **answer.headers}
        return Answer(answer.status, answer.body, headers, answer.content_type)

    def _outside(self, ask: Ask) -> Answer | None:
        """What needs no session and counts as no call: too long a request, the versions, the token endpoint."""
        path = ask.path.rstrip("/")
        size = len(ask.raw_path or ask.path) if ask.query and "?" in ask.raw_path else _uri_size(ask)
        if size > LONGEST_URI:
            return _error(Refusal(414, "URI_TOO_LONG", f"The URI is longer than {LONGEST_URI} bytes"))
        if size + sum(len(name) + len(value) + 4 for name, value in ask.headers.items()) > LONGEST_URI:
            text = f"The URI and the request headers are longer than {LONGEST_URI} bytes"
            return _error(Refusal(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", text))
        if path == "/services/data" and ask.method in ("GET", "HEAD"):
            return answer_json(versions())
        work = OAUTH.get(path)
        return None if work is None else self._session(work, ask)

    def _session(self, work: Callable[[Org, Ask], Answer], ask: Ask) -> Answer:
        db = self.org.store.db
        db.execute("BEGIN IMMEDIATE")
        try:
            return work(self.org, ask)
        except Refusal as refused:
            return _error(refused)
        finally:
            db.execute("COMMIT")

    def _counted(self, ask: Ask) -> Answer:
        """A call of the REST API: a live session, one call of the budget, then the work."""
        db = self.org.store.db
        try:
            db.execute("BEGIN IMMEDIATE")
            oauth.check_session(self.org, ask)
            self.org.settle()
            usage.spend(self.org)
            db.execute("COMMIT")
        except Refusal as refused:
            db.execute("ROLLBACK")
            return _error(refused, usage.header(self.org))
        except BaseException:
            # A bug in one call must not leave its transaction to the next.
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        try:
            answer = self._whole(lambda: route(self.org, ask))
        except Refusal as refused:
            answer = _error(refused)
        except BareStatus as bare:
            answer = Answer(bare.status, content_type=None)
        return Answer(
            answer.status, answer.body, {**answer.headers, **usage.header(self.org)}, answer.content_type
        )

    def _soap(self, ask: Ask, dialect: soap.Dialect) -> Answer:
        """A call of the SOAP API. A fault undoes what the call did, but not that it was counted."""
        db = self.org.store.db
        try:
            call = soap.read(ask)
            db.execute("BEGIN IMMEDIATE")
            try:
                endpoint.admit(self.org, call)
            finally:
                db.execute("COMMIT")
            self.org.changes.announce(endpoint.origin(call))
            return self._whole(lambda: endpoint.work(self.org, call))
        except Refusal as refused:
            return soap.faulted(as_fault(refused), dialect)
        except Fault as fault:
            return soap.faulted(fault, dialect)

    def _whole(self, work: Callable[[], Answer]) -> Answer:
        """What a call does, kept whole or not at all. Raises what the work raised, after everything is undone."""
        db = self.org.store.db
        db.execute("BEGIN IMMEDIATE")
        self.org.begin()
        try:
            answer = work()
            db.execute("COMMIT")
            return answer
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        locks = self.org.switches["row_locks"]
        self.org.store.db.execute("ROLLBACK")
        self.org.undone()
        self.org.change_switches(
            {"row_locks": locks}
        )  # a lock that was met is spent, whatever became of the call

    def reset(self, seed: int | None = None) -> None:
        """Forget everything; the org is as new. Its ids do not depend on the seed."""
        del seed  # ids count up from one, so they are the same under every seed
        # A message under way must not be marked in the new org, whose numbers start again.
        self.outbound.close()
        self.org.reset()
        self.outbound = Sender(self.org, self._folder)

    def states(self) -> list[str]:
        """The names under which states of the org were kept."""
        return self._shelf.names()

    def keep(self, name: str) -> None:
        """Keep the org as it is now under a name. Raises ControlRefused."""
        self._shelf.keep(name, {FILE: self.org.store.db})

    def go_back(self, name: str) -> None:
        """Be the org that was kept under a name. Raises ControlRefused."""
        kept = self._shelf.find(name)
        self.outbound.close()
        self.org.go_back(kept / FILE)
        self.outbound = Sender(self.org, self._folder)
        self.outbound.look()

    def limits(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change limits and switches (see ``switches.py``); returns all in force."""
        return self.org.change_switches(wanted)

    def people(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Act as a person, or as an administrator of the org (see ``control.ACTIONS``)."""
        db = self.org.store.db
        db.execute("BEGIN IMMEDIATE")
        self.org.changes.announce(PERSON)
        self.org.begin()
        try:
            self.org.settle()
            done = control.people(self.org, wanted)
            db.execute("COMMIT")
            self.outbound.look()
            return done
        except BaseException:
            self._roll_back()
            raise

    def state(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        """What the org holds now (see ``control.state``)."""
        self.org.settle()
        return control.state(self.org, wanted)

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Store rows in bulk, all or none, and return their ids in order."""
        db = self.org.store.db
        db.execute("BEGIN IMMEDIATE")
        try:
            with unheard(self.org):
                made = Loader(self.org, control.object_named(self.org, object_name)).load(rows)
            db.execute("COMMIT")
            return made
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def is_write(self, ask: Ask) -> bool:
        """Whether a request is one that changes records or metadata."""
        return is_write(ask) if soap.dialect_of(ask) is None else endpoint.is_write(ask)

    def open_pubsub(self, folder: Path) -> Backend:
        """The server of Pub/Sub for this org, not started yet; ``folder`` keeps its certificates."""
        # Here and not above: gRPC takes a good part of a second to load, and few ever need it.
        from connectors.sandbox.salesforce.pubsub.opening import open_server

        return open_server(self.org, folder)

    def close(self) -> None:
        """Stop telling listeners, write everything out and close the file."""
        self.outbound.close()
        self.org.store.close()


def _uri_size(ask: Ask) -> int:
    return len(ask.raw_path or ask.path) + sum(len(name) + len(value) + 2 for name, value in ask.query)


def _error(refused: Refusal, headers: Mapping[str, str] | None = None) -> Answer:
    return answer_json(refused.body(), refused.status, {**refused.headers, **(headers or {})})
