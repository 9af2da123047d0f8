"""The scene of the kills: two CRMs and a memory, and what one undisturbed sync makes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from connectors.sandbox.serving import Serving, sandbox
from sync.app import opened
from sync.initdir import write_config
from sync.run import Asked, perform
from sync.settings import load_settings
from sync.setup import create_missing
from sync.store.embedded import EmbeddedServer
from sync.tally import Outcome

RUNNER = Path(__file__).with_name("kill_runner.py")
BEFORE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NOW = BEFORE + timedelta(hours=3)
OBJECTS = {"hubspot": "contacts", "salesforce": "Lead"}
SHOP = {
    "industry": "RETAIL",
    "annualrevenue": "40.000.000",
    "jobtitle": "Head of Marketing",
    "country": "Germany",
}
WARM = {
    "num_conversion_events": "3",
    "recent_conversion_date": "2026-11-18T10:00:00Z",
    "recent_conversion_event_name": "Kontakt",
    "hs_analytics_num_visits": "7",
    "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z",
}


@dataclass
class Scene:
    """Two served CRMs, a database, and the config that joins them."""

    config: Path
    serving: Serving
    database: str | None  #: None: the embedded server beside the config
    forks: Any  #: starts the syncs that are killed

    def environ(self) -> dict[str, str]:
        ready = self.serving.ready
        return {
            "LEADPACT_HUBSPOT__BASE_URL": self.serving.hubspot_url,
            "LEADPACT_HUBSPOT__ACCESS_TOKEN": str(ready["hubspot_token"]),
            "LEADPACT_SALESFORCE__LOGIN_URL": self.serving.salesforce_url,
            "LEADPACT_SALESFORCE__CLIENT_ID": str(ready["salesforce_client_id"]),
            "LEADPACT_SALESFORCE__CLIENT_SECRET": str(ready["salesforce_client_secret"]),
            "LEADPACT_DATABASE__DIR": str(self.config.parent / "data"),
            # Two slices: a run passes most points twice, and may have remembered one half.
            "LEADPACT_SYNC__SLICE_LEADS": "8",
            **({"LEADPACT_DATABASE__URL": self.database} if self.database else {}),
        }

    def url(self, crm: str) -> str:
        return self.serving.hubspot_url if crm == "hubspot" else self.serving.salesforce_url

    def control(self, crm: str, name: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url(crm)}/_sandbox/{name}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def look(self, crm: str, name: str, **query: str) -> Any:
        answer = requests.get(f"{self.url(crm)}/_sandbox/{name}", params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def load(self, crm: str, **row: Any) -> str:
        return str(self.control(crm, "load", object=OBJECTS[crm], rows=[row])["ids"][0])

    def edit(self, crm: str, record_id: str, **values: Any) -> None:
        key = "properties" if crm == "hubspot" else "fields"
        self.control(
            crm, "people", **{"action": "edit", "object": OBJECTS[crm], "id": record_id, key: values}
        )

    def sync(self, *, approve: bool = False, at_once: bool = False) -> Outcome:
        """An undisturbed sync; its four numbers add up to its targets. ``at_once``: in one slice."""
        slices = {"LEADPACT_SYNC__SLICE_LEADS": "1000"} if at_once else {}
        with opened(load_settings(self.config, self.environ() | slices)) as app:
            outcome = perform(app.work(), Asked("sync", approve=approve, collect=True))
        numbers = outcome.numbers
        assert numbers.targets == numbers.written + numbers.unchanged + numbers.held + numbers.refused
        assert outcome.busy == 0
        return outcome

    def disturbed(self, **wanted: Any) -> subprocess.CompletedProcess[str]:
        """A sync in a process of its own, with what ``kill_runner`` is to do to it."""
        told: subprocess.CompletedProcess[str] = self.forks.run(
            [str(RUNNER), str(self.config), json.dumps(wanted)], self.environ()
        )
        return told

    def wait_until_alone(self) -> None:
        """Let the database notice that a client has died; a person who starts the next sync takes longer."""
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        until = time.monotonic() + 20
        with psycopg.connect(str(self.database), autocommit=True) as connection:
            while connection.execute(others).fetchone() != (0,):
                assert time.monotonic() < until, "a killed sync is still connected"
                time.sleep(0.01)

    def mark(self) -> dict[str, str]:
        return {crm: str(self.look(crm, "requests", limit="1")["newest"]) for crm in OBJECTS}

    def written(self, mark: Mapping[str, str]) -> list[str]:
        """The bodies of the writing requests that both CRMs got since a mark."""
        return [
            json.dumps(request["body"])
            for crm in OBJECTS
            for request in self.look(crm, "requests", after=mark[crm], writes="1", bodies="1")["requests"]
            if request["path"].rpartition("/")[2] != "token"
        ]

    def records(self) -> dict[str, dict[str, Any]]:
        """Every record of both CRMs, by CRM and id."""
        found = {}
        for crm, name in OBJECTS.items():
            for record in self.look(crm, "state", object=name, limit="1000")["records"]:
                found[f"{crm}:{record.get('id') or record['Id']}"] = record
        return found


@dataclass(frozen=True)
class Start:
    """What every case begins with. ``known``: the records that were there before the sync."""

    folder: Path
    server: EmbeddedServer
    known: set[str]


@dataclass(frozen=True)
class Undisturbed:
    """What one undisturbed sync makes of the start, and which points it passed in how long."""

    points: list[str]
    seconds: float
    expected: Any
    expected_next: Any  #: after one more sync at the same moment


def _couple(scene: Scene, email: str, first: str, last: str, **more: Any) -> tuple[str, str]:
    """One person in both CRMs; ``more`` are HubSpot's properties."""
    company = f"{last} Versand GmbH"
    return (
        scene.load("hubspot", email=email, firstname=first, lastname=last, company=company, **more),
        scene.load("salesforce", Email=email, FirstName=first, LastName=last, Company=company),
    )


def _people_of_the_first_sync(scene: Scene) -> dict[str, tuple[str, str]]:
    return {
        "one side each": _couple(scene, "anna@mueller.example", "Anna", "Müller"),
        "by rule": _couple(scene, "joerg@groesse.example", "Jörg", "Größe"),
        "by hold": _couple(scene, "lukasz@hold.example", "Łukasz", "Żółć"),
        "back": _couple(scene, "bea@rueck.example", "Béa", "Rück", **SHOP, **WARM),
        "opt-out": _couple(scene, "olga@aus.example", "Olga", "Außen"),
        "refused": _couple(scene, "rita@lang.example", "Rita", "Lang"),
        "money": _couple(scene, "max@geld.example", "Max", "Geld"),
        "still": _couple(scene, "stella@ruhig.example", "Stella", "Ruhig"),
    }


def _what_people_do(scene: Scene, people: Mapping[str, tuple[str, str]]) -> None:
    """Something of everything that a sync has to deal with."""
    scene.edit("hubspot", people["one side each"][0], jobtitle="Geschäftsführerin")
    scene.edit("salesforce", people["one side each"][1], Phone="+49 221 1234567")
    scene.edit("hubspot", people["by rule"][0], jobtitle="Leiter Märkte")
    scene.edit("salesforce", people["by rule"][1], Title="Head of Öl")
    scene.edit("hubspot", people["by hold"][0], email="eins@hold.example")
    scene.edit("salesforce", people["by hold"][1], Email="zwei@hold.example")
    rejected = {"Leadpact_Sales_Accepted__c": "false", "Leadpact_Rejection_Reason__c": "zu früh"}
    scene.edit("salesforce", people["back"][1], **rejected)
    scene.control("hubspot", "people", action="unsubscribe", object="contacts", id=people["opt-out"][0])
    # Salesforce takes 40 characters of a first name.
    scene.edit("hubspot", people["refused"][0], firstname="R" * 60)
    scene.edit("salesforce", people["money"][1], AnnualRevenue=12_500_000.25)
    scene.load(
        "hubspot", email="zoe@heiss.example", firstname="Zoë", lastname="Heiß", company="Heiß", **SHOP, **WARM
    )
    scene.load(
        "hubspot", email="mia@heiss.example", firstname="Mia", lastname="Süß", company="Süß", **SHOP, **WARM
    )
    scene.load(
        "salesforce", Email="uenal@spaeth.example", FirstName="Ünal", LastName="Späth", Company="Späth AG"
    )
    scene.load(
        "salesforce", Email="eva@spaeth.example", FirstName="Eva", LastName="Späth", Company="Späth AG"
    )
    _couple(scene, "paar@neu.example", "Paul", "Neu")
    _couple(scene, "tim@doppel.example", "Tim", "Doppel")
    scene.load(
        "salesforce", Email="tim@doppel.example", FirstName="Tim", LastName="Doppel", Company="Doppel KG"
    )


def _write_config(folder: Path) -> Path:
    write_config(folder)
    config = folder / "leadpact.toml"
    text = config.read_text(encoding="utf-8").replace('mode = "observe"', 'mode = "full"')
    # The second create for whom there is none yet, so that both CRMs get new records.
    text = text.replace('create_in_hubspot = "false"', 'create_in_hubspot = "has_contact_data"')
    config.write_text(text, encoding="utf-8")
    return config


@contextmanager
def _served(folder: Path, config: Path, database: str | None, forks: Any) -> Iterator[Scene]:
    with sandbox(folder) as serving:
        scene = Scene(config, serving, database, forks)
        # Windows of rate limits pass by the sandbox's clock, and here that stands still.
        scene.control("hubspot", "limits", ten_secondly=None, secondly_search=None, daily=None)
        yield scene


def _database(server: EmbeddedServer, name: str) -> str:
    """A copy of the memory that was left after the first sync."""
    with psycopg.connect(server.url.replace("/postgres?", "/template1?"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE postgres".encode())
    return server.url.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Not one of pytest's folders: the next session that starts beside this one closes those to a server that
    runs as another user, which it does where we are root."""
    with tempfile.TemporaryDirectory(prefix="leadpact-kills-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def start(folder: Path, forks: Any) -> Iterator[Start]:
    """A first sync, and what people did since."""
    config = _write_config(folder / "config")
    with _served(folder / "crms", config, None, forks) as scene:
        scene.serving.clock.set(BEFORE)
        with opened(load_settings(config, scene.environ())) as app:
            create_missing(app.work())
        people = _people_of_the_first_sync(scene)
        scene.sync(approve=True)
        scene.serving.clock.advance(3_600)
        _what_people_do(scene, people)
        scene.serving.clock.set(NOW)
        known = set(scene.records())
    # The server has stopped: this copy of its files is as good as a backup.
    subprocess.run(["cp", "-a", folder / "config" / "data", folder / "data at the start"], check=True)
    server = EmbeddedServer(folder / "config" / "data" / "postgresql")
    with psycopg.connect(server.url, autocommit=True) as connection:
        # Syncs are killed, and not this server: each case has a database made and dropped, and would wait for the disk.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield Start(folder, server, known)
    server.close()


@pytest.fixture(scope="session")
def undisturbed(start: Start, end_state: Callable[..., Any], forks: Any) -> Undisturbed:
    """What one undisturbed sync comes to. Only for who compares with it: it costs as much as the start."""
    crms = start.folder / "crms undisturbed"
    shutil.copytree(start.folder / "crms", crms)
    config = start.folder / "config" / "leadpact.toml"
    with _served(crms, config, _database(start.server, "undisturbed"), forks) as scene:
        told = scene.disturbed()
        assert told.returncode == 0, told.stderr
        alone = json.loads(told.stdout)
        expected = end_state(scene.records(), scene.database, start.known)
        scene.sync(at_once=True)
        after_one_more = end_state(scene.records(), scene.database, start.known)
    return Undisturbed(alone["points"], alone["seconds"], expected, after_one_more)


@pytest.fixture
def scene(start: Start, tmp_path: Path, forks: Any) -> Iterator[Scene]:
    """The start, again, in copies of its own."""
    shutil.copytree(start.folder / "crms", tmp_path / "crms")
    shutil.copytree(start.folder / "config", tmp_path / "config", ignore=shutil.ignore_patterns("data"))
    name = f"case_{time.monotonic_ns()}"
    config = tmp_path / "config" / "leadpact.toml"
    with _served(tmp_path / "crms", config, _database(start.server, name), forks) as scene:
        yield scene
    with psycopg.connect(start.server.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _ends_as_if_undisturbed(
    scene: Scene, start: Start, undisturbed: Undisturbed, end_state: Callable[..., Any]
) -> None:
    """After a kill: the next sync makes good, and the one after it has nothing left to write.

    Both CRMs, links, conflicts and whatever is held or refused are compared at once. Leads, bases and verdicts are
    compared after one more sync on both sides of the comparison: a slice that was remembered before the kill
    is read a second time by the sync that makes good, so that it has then already heard the echo of its own
    writes (such as the status that Salesforce gives a new lead), which an undisturbed sync hears the next time.
    """
    scene.sync()
    found = end_state(scene.records(), scene.database, start.known)
    assert found.created == undisturbed.expected.created
    assert not found.differences(
        undisturbed.expected, ("link", "conflict", "held", "refused", "claim", "cursor")
    )
    mark = scene.mark()
    # What there is to find does not depend on slices, and each costs as much again.
    assert scene.sync(at_once=True).numbers.written == 0
    assert not scene.written(mark)
    at_last = end_state(scene.records(), scene.database, start.known)
    assert not at_last.differences(undisturbed.expected_next)
    assert not list((scene.config.parent / "data" / "spill").rglob("*"))


@pytest.fixture
def ends_as_if_undisturbed(
    start: Start, undisturbed: Undisturbed, end_state: Callable[..., Any]
) -> Callable[[Scene], None]:
    """Syncs once more after a kill, and compares everything with the undisturbed sync."""
    return partial(_ends_as_if_undisturbed, start=start, undisturbed=undisturbed, end_state=end_state)


@pytest.fixture
def scene_of_its_own(start: Start, tmp_path: Path, forks: Any) -> Iterator[Scene]:
    """The start with a database server that nobody else uses, from a copy of its files."""
    with tempfile.TemporaryDirectory(prefix="leadpact-killed-server-") as name:
        config = Path(name) / "config"
        shutil.copytree(start.folder / "crms", tmp_path / "crms")
        shutil.copytree(start.folder / "config", config, ignore=shutil.ignore_patterns("data"))
        # With their owner: where we are root, the server runs as another user.
        subprocess.run(["cp", "-a", start.folder / "data at the start", config / "data"], check=True)
        with _served(tmp_path / "crms", config / "leadpact.toml", None, forks) as scene:
            yield scene
