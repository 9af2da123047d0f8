"""A house to tell stories in: both pretend CRMs over real HTTP, a real PostgreSQL, and a config folder.

``house`` is empty, ``furnished`` has Leadpact's fields in both CRMs. Every run and every ``--json`` document a
test asks the house for is checked at the end: one document, and four numbers that add up to the targets.
"""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.crm import AtPoint, no_stop
from connectors.sandbox.serving import Serving, sandbox
from sync.app import App, opened
from sync.app_clock import CLOCK_HOLDS
from sync.cli import main
from sync.initdir import write_config
from sync.run import Asked, perform
from sync.settings import Settings, load_settings
from sync.setup import create_missing
from sync.tally import Outcome

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECRETS = ("LEADPACT_HUBSPOT__ACCESS_TOKEN", "LEADPACT_SALESFORCE__CLIENT_SECRET")
SAME = {
    "firstname": "FirstName",
    "lastname": "LastName",
    "company": "Company",
    "jobtitle": "Title",
    "phone": "Phone",
    "city": "City",
    "country": "Country",
    "annualrevenue": "AnnualRevenue",
}
OBJECTS = {"hubspot": "contacts", "salesforce": "Lead"}


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said, and how it ended. ``document`` only where ``--json`` was asked for and it ended well."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; a second one, or a word beside it, is a ValueError."""
        return json.loads(self.out)


@dataclass
class House:
    """Both CRMs, a database of its own, and a config folder that joins them."""

    folder: Path
    serving: Serving
    database: str
    environ: dict[str, str] = field(default_factory=dict)
    runs: list[dict[str, int]] = field(default_factory=list)  #: the numbers of every run, to be added up
    at_work: int = 0  #: apps that are open in this process
    read: tuple[Any, Settings] | None = None  #: the newest settings, and what they were read from
    forks: Any = None  #: starts ``process``; without it they start as a user starts them
    http: requests.Session = field(default_factory=requests.Session)  #: to the controls of both CRMs

    # --- the CRMs ---------------------------------------------------------------------------------------

    def url(self, crm: str) -> str:
        return self.serving.hubspot_url if crm == "hubspot" else self.serving.salesforce_url

    def control(self, crm: str, name: str, body: Mapping[str, Any]) -> Any:
        """One control of the sandbox; anything but 200 fails the test."""
        answer = self.http.post(f"{self.url(crm)}/_sandbox/{name}", json=dict(body), timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def look(self, crm: str, name: str, **query: str) -> Any:
        answer = self.http.get(f"{self.url(crm)}/_sandbox/{name}", params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def load(self, crm: str, *rows: Mapping[str, Any]) -> list[str]:
        """Records without any API call; returns their ids in order."""
        wanted = {"object": OBJECTS[crm], "rows": [dict(row) for row in rows]}
        return [str(each) for each in self.control(crm, "load", wanted)["ids"]]

    def couple(
        self,
        email: str,
        both: Mapping[str, Any] | None = None,
        hubspot: Mapping[str, Any] | None = None,
        salesforce: Mapping[str, Any] | None = None,
    ) -> tuple[str, str]:
        """One person in both CRMs; returns the contact's id and the lead's.

        ``both`` is said in HubSpot's words and holds in Salesforce too, for the names in ``SAME``.
        """
        known = {"firstname": "Anna", "lastname": "Sommer", "company": "Sommer Versand GmbH", **(both or {})}
        theirs = {SAME[name]: value for name, value in known.items()}
        (contact,) = self.load("hubspot", {"email": email, **known, **(hubspot or {})})
        (lead,) = self.load("salesforce", {"Email": email, **theirs, **(salesforce or {})})
        return contact, lead

    def edit(self, crm: str, record_id: str, **values: Any) -> None:
        """A person types new values into a record."""
        key = "properties" if crm == "hubspot" else "fields"
        self.control(crm, "people", {"action": "edit", "object": OBJECTS[crm], "id": record_id, key: values})

    def unsubscribe(self, crm: str, record_id: str) -> None:
        """The person behind a record opts out of e-mail."""
        self.control(crm, "people", {"action": "unsubscribe", "object": OBJECTS[crm], "id": record_id})

    def record(self, crm: str, record_id: str) -> dict[str, Any]:
        """What the CRM holds about a record, whoever may see it."""
        found = self.look(crm, "state", object=OBJECTS[crm], id=record_id)["records"]
        assert found, f"{crm} has no record {record_id}"
        return dict(found[0].get("properties") or found[0])

    def records(self, crm: str) -> dict[str, dict[str, Any]]:
        """Every record of a CRM by its id."""
        rows: dict[str, dict[str, Any]] = {}
        after: dict[str, str] = {}
        while True:
            page = self.look(crm, "state", object=OBJECTS[crm], limit="1000", **after)["records"]
            for each in page:
                number = str(each.get("id") or each["Id"])
                rows[number] = dict(each.get("properties") or each)
            if len(page) < 1000:
                return rows
            after = {"after": str(page[-1].get("id") or page[-1]["Id"])}

    def later(self, seconds: float) -> None:
        """Time passes in both CRMs, and for Leadpact with them."""
        self.serving.clock.advance(seconds)
        if self.at_work:
            # An app that is open asks the CRMs the time only so often.
            time.sleep(CLOCK_HOLDS)

    def mark(self) -> dict[str, int]:
        """The newest request of each CRM, to ask for what came after it."""
        return {crm: int(self.look(crm, "requests", limit="1")["newest"]) for crm in OBJECTS}

    def writes(self, mark: Mapping[str, int]) -> dict[str, list[dict[str, Any]]]:
        """The writing requests that each CRM got since a mark, bodies included."""
        return {
            crm: self.look(crm, "requests", after=str(mark[crm]), writes="1", bodies="1")["requests"]
            for crm in OBJECTS
        }

    def wrote_nothing(self, mark: Mapping[str, int]) -> bool:
        """Whether neither CRM got a writing request since a mark, by their own logs."""
        return not any(self.writes(mark).values())

    # --- Leadpact ---------------------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        return self.folder / "leadpact.toml"

    def settings(self, environ: Mapping[str, str] | None = None) -> Settings:
        """The config as it is now. What was read once is as good as read again while nothing is changed in it."""
        whole = {**self.environ, **(environ or {})}
        files = tuple((path.name, path.read_bytes()) for path in sorted(self.folder.glob("*.toml")))
        asked = (files, tuple(sorted(whole.items())))
        if self.read is None or self.read[0] != asked:
            self.read = (asked, load_settings(self.config, whole))
        return self.read[1]

    def rewrite(self, name: str, old: str, new: str) -> None:
        """Change a file of the config, as a person does with an editor."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    @contextmanager
    def app(self, environ: Mapping[str, str] | None = None, *, at_point: AtPoint = no_stop) -> Iterator[App]:
        with opened(self.settings(environ), at_point=at_point) as app:
            self.at_work += 1
            try:
                yield app
            finally:
                self.at_work -= 1

    def run(self, command: str = "sync", environ: Mapping[str, str] | None = None, **asked: Any) -> Outcome:
        """One run in this process, with the changes it made."""
        with self.app(environ) as app:
            outcome = perform(app.work(), Asked(command, collect=True, **asked))
        numbers = outcome.numbers
        names = ("targets", "written", "unchanged", "held", "refused")
        self.runs.append({name: getattr(numbers, name) for name in names})
        return outcome

    def sync(self, environ: Mapping[str, str] | None = None) -> Outcome:
        """A sync that may write."""
        return self.run("sync", environ, approve=True)

    def explain(self, key: str) -> Any:
        """What ``explain KEY --json`` says."""
        told = self.command("--json", "explain", key)
        assert told.code == 0, told.err
        return told.document

    def command(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Told:
        """``leadpact --config … ARGUMENTS`` in this process, with the environment of the house alone."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with _environment({**self.environ, **(environ or {})}), redirect_stdout(out), redirect_stderr(err):
            try:
                main(["--config", str(self.config), *arguments])
            except SystemExit as end:
                code = int(end.code or 0)
        return self._noted(arguments, Told(code, out.getvalue(), err.getvalue()))

    def process(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Told:
        """The same as ``command``, as a process of its own."""
        ours = {**self.environ, **(environ or {})}
        argv = ["-m", "sync", "--config", str(self.config), *arguments]
        if self.forks is not None:
            done = self.forks.run(argv, ours, timeout=120)
        else:
            done = subprocess.run(
                [sys.executable, *argv],
                env={**_without_ours(os.environ), **ours},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        return self._noted(arguments, Told(done.returncode, done.stdout, done.stderr))

    def _noted(self, arguments: tuple[str, ...], told: Told) -> Told:
        self._kept(arguments, told)
        if "--json" in arguments and told.code in (0, 1, 3) and told.out.strip():
            document = told.document
            if "targets" in document:
                self.runs.append(document)
        return told

    def _kept(self, arguments: tuple[str, ...], told: Told) -> None:
        """Lay what was said beside the logs, where secrets are looked for at the end."""
        said = self.folder.parent / "said"
        said.mkdir(exist_ok=True)
        name = f"{'-'.join(word for word in arguments if word.isalpha())}-{uuid.uuid4().hex[:8]}"
        (said / f"{name}.out").write_text(told.out, encoding="utf-8")
        (said / f"{name}.log").write_text(told.err, encoding="utf-8")


def _without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("LEADPACT_")}


@contextmanager
def _environment(ours: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with exactly these variables of Leadpact's."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({**_without_ours(before), **ours})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def memory(embedded_url: str, reused: Callable[[str, str], Any]) -> Any:
    """The database of every house of the session, on the session's embedded server.

    ``tests/story/test_migrations`` begins with nothing; a story finds it migrated and empty.
    """
    return reused(embedded_url, "main_job")


@pytest.fixture(scope="session")
def crms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Both pretend CRMs for the whole session; ``house`` empties them before every test."""
    with sandbox(tmp_path_factory.mktemp("crms") / "sandbox") as serving:
        yield serving


@pytest.fixture(scope="session")
def house_in() -> Callable[[Path, Any], House]:
    """A house around a folder and CRMs that somebody else brings; only its own config says where they are."""
    return lambda folder, crms: House(folder, crms, "")


@pytest.fixture(scope="session")
def empty_again() -> Callable[[House], None]:
    """Empties both CRMs of a session: kept empty once and then gone back to, for half of what a new account costs."""
    kept: list[str] = []

    def emptied(house: House) -> None:
        for crm in OBJECTS:
            house.control(crm, "reset", {"to": "empty"} if kept else {})
        if not kept:
            # Windows of rate limits pass by the sandbox's clock, and in a story that stands still.
            house.control("hubspot", "limits", {"ten_secondly": None, "secondly_search": None, "daily": None})
            kept.extend(house.control(crm, "keep", {"name": "empty"})["kept"][0] for crm in OBJECTS)

    return emptied


@pytest.fixture
def house(
    tmp_path: Path, crms: Serving, memory: Any, empty_again: Callable[[House], None]
) -> Iterator[House]:
    """Empty CRMs without our fields, an empty database, and the config of ``init`` in mode full."""
    crms.clock.set(NOW)
    house = House(tmp_path / "leadpact", crms, memory.empty())
    # Both CRMs are on this machine, whatever proxy the environment names.
    house.http.trust_env = False
    empty_again(house)
    write_config(house.folder)
    house.rewrite("leadpact.toml", 'mode = "observe"', 'mode = "full"')
    house.environ.update(_access(house))
    with house.http:
        yield house
    for numbers in house.runs:
        parts = sum(numbers[name] for name in ("written", "unchanged", "held", "refused"))
        assert parts == numbers["targets"], numbers


def _access(house: House) -> dict[str, str]:
    ready = house.serving.ready
    return {
        "LEADPACT_HUBSPOT__BASE_URL": house.serving.hubspot_url,
        "LEADPACT_HUBSPOT__ACCESS_TOKEN": str(ready["hubspot_token"]),
        "LEADPACT_SALESFORCE__LOGIN_URL": house.serving.salesforce_url,
        "LEADPACT_SALESFORCE__CLIENT_ID": str(ready["salesforce_client_id"]),
        "LEADPACT_SALESFORCE__CLIENT_SECRET": str(ready["salesforce_client_secret"]),
        "LEADPACT_DATABASE__URL": house.database,
        "LEADPACT_DATABASE__DIR": str(house.folder / "data"),
    }


@dataclass(frozen=True)
class Beginning:
    """What a house was when it was kept; its CRMs' part lies with them. ``told``: what its maker said of it."""

    rows: Any
    folder: Path
    now: datetime
    told: Any


@pytest.fixture(scope="session")
def beginnings(tmp_path_factory: pytest.TempPathFactory) -> Callable[[House, Any, str, Any], Any]:
    """Brings houses to how several tests begin: the first is made so, and the others go back to it."""
    kept: dict[str, Beginning] = {}

    def begun(house: House, memory: Any, name: str, make: Callable[[House], Any]) -> Any:
        if name in kept:
            return _go_back(house, memory, name, kept[name])
        told, folder = make(house), tmp_path_factory.mktemp("kept") / "folder"
        for crm in OBJECTS:
            house.control(crm, "keep", {"name": name})
        shutil.copytree(house.folder, folder)
        kept[name] = Beginning(memory.rows(), folder, house.serving.clock.now(), copy.deepcopy(told))
        return told

    return begun


def _go_back(house: House, memory: Any, name: str, kept: Beginning) -> Any:
    for crm in OBJECTS:
        house.control(crm, "reset", {"to": name})
    memory.empty()
    memory.put_back(kept.rows)
    shutil.rmtree(house.folder)
    shutil.copytree(kept.folder, house.folder)
    house.serving.clock.set(kept.now)
    return copy.deepcopy(kept.told)


@pytest.fixture
def begin(house: House, memory: Any, beginnings: Callable[..., Any]) -> Callable[..., Any]:
    """``begin(make, *words)``: the house as it is after ``make(house, *words)``, which is called once a session.

    Both CRMs with their time, our memory and the config are what they were then; returns what ``make`` returned.
    """

    def begun(make: Callable[..., Any], *words: str) -> Any:
        name = "-".join((make.__module__.rpartition(".")[2], make.__name__, *words))
        return beginnings(house, memory, name, lambda house: make(house, *words))

    return begun


@pytest.fixture
def furnished(house: House, begin: Callable[..., Any]) -> House:
    """A house whose CRMs have Leadpact's fields."""
    begin(_furnish)
    return house


def _furnish(house: House) -> None:
    with house.app() as app:
        create_missing(app.work())
