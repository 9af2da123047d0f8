"""The scene of the faults: two CRMs and a memory at two moments, and what an undisturbed sync makes of each.

At the ``first`` moment nothing was ever synced, so that both CRMs are read whole; at the ``later`` one people have
changed something of everything since, and only that is read. Every case goes back to one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from connectors.errors import ConnectorError
from connectors.sandbox.hubspot.oauth import CLIENT_ID, REFRESH_TOKEN
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import READ_SECONDS
from sync.app import opened
from sync.app_crms import Patience
from sync.cli import told
from sync.errors import Stopped
from sync.initdir import write_config
from sync.run import Asked, perform
from sync.settings import Settings, load_settings
from sync.setup import create_missing
from sync.tally import Outcome

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


@dataclass(frozen=True)
class Ended:
    """How a sync ended: the exit code of the command, what it said where it stopped, what it did where not."""

    code: int
    said: str = ""
    outcome: Outcome | None = None


@dataclass
class Scene:
    """Two served CRMs, a database, and the config that joins them."""

    config: Path
    serving: Serving
    database: str
    end_state: Callable[..., Any]  #: reads both CRMs and our tables

    def environ(self) -> dict[str, str]:
        ready = self.serving.ready
        return {
            "LEADPACT_HUBSPOT__BASE_URL": self.serving.hubspot_url,
            "LEADPACT_HUBSPOT__AUTH": "oauth",
            "LEADPACT_HUBSPOT__CLIENT_ID": CLIENT_ID,
            "LEADPACT_HUBSPOT__CLIENT_SECRET": str(ready["hubspot_client_secret"]),
            "LEADPACT_HUBSPOT__REFRESH_TOKEN": REFRESH_TOKEN,
            "LEADPACT_SALESFORCE__LOGIN_URL": self.serving.salesforce_url,
            "LEADPACT_SALESFORCE__CLIENT_ID": str(ready["salesforce_client_id"]),
            "LEADPACT_SALESFORCE__CLIENT_SECRET": str(ready["salesforce_client_secret"]),
            "LEADPACT_DATABASE__DIR": str(self.config.parent / "data"),
            "LEADPACT_DATABASE__URL": self.database,
        }

    def settings(self) -> Settings:
        return load_settings(self.config, self.environ())

    def url(self, crm: str) -> str:
        return self.serving.hubspot_url if crm == "hubspot" else self.serving.salesforce_url

    def control(self, crm: str, name: str, /, **body: Any) -> Any:
        answer = requests.post(f"{self.url(crm)}/_sandbox/{name}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def look(self, crm: str, name: str, **query: str) -> Any:
        answer = requests.get(f"{self.url(crm)}/_sandbox/{name}", params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def repair(self, crm: str) -> None:
        """Nothing goes wrong any more."""
        assert requests.delete(f"{self.url(crm)}/_sandbox/faults", timeout=60).status_code == 200

    def load(self, crm: str, **row: Any) -> str:
        return str(self.control(crm, "load", object=OBJECTS[crm], rows=[row])["ids"][0])

    def edit(self, crm: str, record_id: str, **values: Any) -> None:
        key = "properties" if crm == "hubspot" else "fields"
        wanted = {"action": "edit", "object": OBJECTS[crm], "id": record_id, key: values}
        self.control(crm, "people", **wanted)

    def sync(self, read_seconds: float = READ_SECONDS) -> Ended:
        """One sync, as the command does it; waiting takes no time. Its four numbers add up to its targets."""
        patience = Patience(self.let_pass, read_seconds)
        try:
            with opened(self.settings(), clock=self.serving.clock.now, patience=patience) as app:
                outcome = perform(app.work(), Asked("sync", approve=True, collect=True))
        except Stopped as stop:
            return Ended(stop.exit_code, str(stop))
        except ConnectorError as error:
            return Ended(told(error)[2], told(error)[0])
        numbers = outcome.numbers
        assert numbers.targets == numbers.written + numbers.unchanged + numbers.held + numbers.refused
        assert outcome.busy == 0
        return Ended(1 if outcome.became else 0, "", outcome)

    def let_pass(self, seconds: float) -> None:
        """The time that somebody would wait has passed, where it is counted: in the windows of the call budget."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(
                "UPDATE call_window SET held_until = held_until - %(waited)s * interval '1 second', calls_at ="
                " ARRAY(SELECT at - %(waited)s * interval '1 second' FROM unnest(calls_at) AS at ORDER BY at)",
                {"waited": seconds},
            )

    def let_the_day_pass(self) -> None:
        """What was heard of a used-up day was heard days ago."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("UPDATE call_day SET heard = heard - interval '3 days'")

    def mark(self) -> dict[str, int]:
        return {crm: int(self.look(crm, "requests", limit="1")["newest"]) for crm in OBJECTS}

    def requests(self, mark: Mapping[str, int]) -> dict[str, list[dict[str, Any]]]:
        """What both CRMs were asked since a mark."""
        return {
            crm: self.look(crm, "requests", after=str(mark[crm]), bodies="1")["requests"] for crm in OBJECTS
        }

    def records(self) -> dict[str, dict[str, Any]]:
        """Every record of both CRMs, by CRM and id."""
        found = {}
        for crm, name in OBJECTS.items():
            for record in self.look(crm, "state", object=name, limit="1000")["records"]:
                found[f"{crm}:{record.get('id') or record['Id']}"] = record
        return found

    def state(self, known: set[str]) -> Any:
        """Both CRMs and our tables as they are. ``known``: the records that were there before the sync."""
        return self.end_state(self.records(), self.database, known)

    def differs(self, expected: Any, known: set[str], *, at_once: bool) -> list[str]:
        """What is not as after an undisturbed sync; ``at_once``: nor is the way to it."""
        found = self.state(known)
        whole: list[str] = found.differences(expected)
        return whole if at_once else found.of_the_end().differences(expected.of_the_end())


@dataclass
class Start:
    """One moment to start from: what both CRMs keep as ``name``, our memory, what an undisturbed sync makes of it."""

    name: str
    now: datetime
    rows: Any
    known: set[str] = field(default_factory=set)
    requests: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    expected: Any = None
    expected_next: Any = None  #: after one more sync at the same moment


def _couple(scene: Scene, email: str, first: str, last: str, **more: Any) -> tuple[str, str]:
    """One person in both CRMs; ``more`` are HubSpot's properties."""
    company = f"{last} Versand GmbH"
    return (
        scene.load("hubspot", email=email, firstname=first, lastname=last, company=company, **more),
        scene.load("salesforce", Email=email, FirstName=first, LastName=last, Company=company),
    )


def _people(scene: Scene) -> dict[str, tuple[str, str]]:
    return {
        "one side each": _couple(scene, "anna@mueller.example", "Anna", "Müller"),
        "by hold": _couple(scene, "lukasz@hold.example", "Łukasz", "Żółć"),
        "back": _couple(scene, "bea@rueck.example", "Béa", "Rück", **SHOP, **WARM),
        "opt-out": _couple(scene, "olga@aus.example", "Olga", "Außen"),
        "opt-out there": _couple(scene, "ida@weg.example", "Ida", "Weg"),
        "refused": _couple(scene, "rita@lang.example", "Rita", "Lang"),
    }


def _newcomers(scene: Scene, word: str) -> None:
    """Who is in one CRM only: a create on each side."""
    hot = {"email": f"zoe@{word}.example", "firstname": "Zoë", "lastname": "Heiß", "company": "Heiß"}
    scene.load("hubspot", **hot, **SHOP, **WARM)
    scene.load(
        "salesforce", Email=f"uenal@{word}.example", FirstName="Ünal", LastName="Späth", Company="Späth AG"
    )


def _what_people_do(scene: Scene, people: Mapping[str, tuple[str, str]]) -> None:
    """Something of everything that a sync has to deal with."""
    scene.edit("hubspot", people["one side each"][0], jobtitle="Geschäftsführerin")
    scene.edit("salesforce", people["one side each"][1], Phone="+49 221 1234567")
    scene.edit("hubspot", people["by hold"][0], email="eins@hold.example")
    scene.edit("salesforce", people["by hold"][1], Email="zwei@hold.example")
    rejected = {"Leadpact_Sales_Accepted__c": "false", "Leadpact_Rejection_Reason__c": "zu früh"}
    scene.edit("salesforce", people["back"][1], **rejected)
    scene.control("hubspot", "people", action="unsubscribe", object="contacts", id=people["opt-out"][0])
    scene.edit("salesforce", people["opt-out there"][1], HasOptedOutOfEmail=True)
    # Salesforce takes 40 characters of a first name.
    scene.edit("hubspot", people["refused"][0], firstname="R" * 60)
    _newcomers(scene, "spaeter")


def _write_config(folder: Path) -> Path:
    write_config(folder)
    config = folder / "leadpact.toml"
    text = config.read_text(encoding="utf-8").replace('mode = "observe"', 'mode = "full"')
    # The second create for whom there is none yet, so that both CRMs get new records.
    text = text.replace('create_in_hubspot = "false"', 'create_in_hubspot = "has_contact_data"')
    config.write_text(text, encoding="utf-8")
    return config


@dataclass(frozen=True)
class Stage:
    """Where every case plays: one scene for the session, and the database that it remembers in."""

    scene: Scene
    memory: Any

    def keep(self, name: str) -> Start:
        """The scene as it is now, to be gone back to."""
        for crm in OBJECTS:
            self.scene.control(crm, "keep", name=name)
        return Start(name, self.scene.serving.clock.now(), self.memory.rows())

    @contextmanager
    def again(self, start: Start) -> Iterator[Scene]:
        """The scene as it was then, without what has gone wrong since."""
        for crm in OBJECTS:
            self.scene.control(crm, "reset", to=start.name)
        self.scene.serving.clock.set(start.now)
        self.scene.database = self.memory.empty()
        self.memory.put_back(start.rows)
        yield self.scene


def _undisturbed(start: Start, stage: Stage) -> Start:
    with stage.again(start) as scene:
        start.known = set(scene.records())
        mark = scene.mark()
        assert scene.sync().outcome is not None
        start.requests = scene.requests(mark)
        start.expected = scene.state(start.known)
        assert scene.sync().code == 0
        start.expected_next = scene.state(start.known)
    return start


@pytest.fixture(scope="session")
def stage(
    embedded_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    end_state: Callable[..., Any],
    reused: Callable[[str, str], Any],
) -> Iterator[Stage]:
    """Both CRMs, a database and a config."""
    folder, memory = tmp_path_factory.mktemp("faults"), reused(embedded_url, "faults")
    with sandbox(folder / "crms") as serving:
        scene = Scene(_write_config(folder / "config"), serving, memory.empty(), end_state)
        # Windows of rate limits pass by the sandbox's clock, and here that stands still.
        scene.control("hubspot", "limits", ten_secondly=None, secondly_search=None, daily=None)
        yield Stage(scene, memory)


@pytest.fixture(scope="session")
def starts(stage: Stage) -> Mapping[str, Start]:
    """Both moments, with what one undisturbed sync comes to."""
    scene = stage.scene
    scene.serving.clock.set(BEFORE)
    with opened(scene.settings()) as app:
        create_missing(app.work())
    people = _people(scene)
    _newcomers(scene, "frueh")
    first = stage.keep("first")
    assert scene.sync().outcome is not None
    scene.serving.clock.advance(3_600)
    _what_people_do(scene, people)
    scene.serving.clock.set(NOW)
    later = stage.keep("later")
    return {"first": _undisturbed(first, stage), "later": _undisturbed(later, stage)}


@pytest.fixture(scope="session")
def again(stage: Stage) -> Callable[[Start], AbstractContextManager[Scene]]:
    """A start, again."""
    return stage.again
