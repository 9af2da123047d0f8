"""What a storm is made of: people who type, CRMs that stumble, a hand that kills; and what was written, by the logs."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

PATH = "planted-path-of-the-storm"
#: Pairs that are in agreement before the storm.
PAIRS = 10
#: The sandbox keeps so much of a body; what a longer one said of later records is not in the log.
BODY_KEPT = 16_384
SHOP = {
    "industry": "RETAIL",
    "annualrevenue": "40000000",
    "jobtitle": "Head of Marketing",
    "country": "Germany",
}
#: What goes wrong between us and a CRM: all of it passes, but for a write that may have been carried out.
FAULTS: tuple[Mapping[str, Any], ...] = (
    {"status": 503},
    {"status": 429},
    {"html": 502},
    {"drop": "before"},
    {"drop": "after"},
    {"truncate": 20},
    {"delay": 400},
)
EVENTS = (
    *({"eventType": f"contact.{kind}"} for kind in ("creation", "deletion", "merge")),
    *(
        {"eventType": "contact.propertyChange", "propertyName": name}
        for name in ("jobtitle", "firstname", "annualrevenue", "recent_conversion_date", "hs_email_optout")
    ),
)


@dataclass(frozen=True, slots=True)
class Written:
    """One value that we sent, by the log of the CRM that got it. ``record``: None for a new one."""

    crm: str
    record: str | None
    field: str
    value: Any


@dataclass
class Ledger:
    """Every write that both CRMs got and did not refuse, in their order."""

    house: Any
    mark: dict[str, int]
    writes: list[Written] = field(default_factory=list)
    cut_off: int = 0  #: requests whose body was too long for the log

    def read_on(self) -> None:
        """Take what is new in the logs, before they drop their oldest bodies."""
        for crm, after in self.mark.items():
            told = self.house.look(crm, "requests", after=str(after), writes="1", bodies="1")
            self.mark[crm] = int(told["next"])
            for request in told["requests"]:
                self._read(crm, request)

    def _read(self, crm: str, request: Mapping[str, Any]) -> None:
        fault = request["fault"] or ""
        carried_out = request["status"] in (200, 201, 204, 207) or fault.startswith(
            ("drop after", "truncate")
        )
        if not carried_out or not request["body"] or request["path"].rpartition("/")[2] == "token":
            return
        for row in self._rows(request["body"]):
            values = row.get("properties") or {
                name: value for name, value in row.items() if name not in ("attributes", "id", "Id")
            }
            record = row.get("id") or row.get("Id")
            self.writes += [Written(crm, record, name, value) for name, value in values.items()]

    def _rows(self, body: str) -> Iterator[Mapping[str, Any]]:
        if len(body) >= BODY_KEPT:
            self.cut_off += 1
        start = body.find("[", max(body.find('"inputs"'), body.find('"records"')))
        decoder, place = json.JSONDecoder(), start + 1
        while start >= 0 and (place := body.find("{", place)) >= 0:
            try:
                row, place = decoder.raw_decode(body, place)
            except json.JSONDecodeError:
                return
            yield row

    def by_field(self) -> dict[tuple[str, str, str], list[Any]]:
        """(CRM, record, field) to the values that it was sent, in their order."""
        found = defaultdict(list)
        for one in self.writes:
            if one.record is not None:
                found[one.crm, one.record, one.field].append(one.value)
        return found


@dataclass
class People:
    """People in both CRMs. Each value is typed once and never again, so that an old one that returns is seen.

    ``typed``: (CRM, record, field) to the last value; of these fields only this CRM's people type anything.
    """

    house: Any
    dice: random.Random
    pairs: list[tuple[str, str]]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    typed: dict[tuple[int, str], str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    gone_quiet: set[int] = field(default_factory=set)
    did: Counter[str] = field(default_factory=Counter)

    def act(self) -> None:
        """Somebody does something; often it is the same record again."""
        acts = (
            *[(self._title, "a title in HubSpot")] * 4,
            *[(self._city, "a city in Salesforce")] * 4,
            *[(self._name, "a name, in either")] * 2,
            (self._burst, "a burst"),
            (self._warm, "somebody becomes hot"),
            (self._arrive, "somebody new in HubSpot"),
            (self._arrive_in_salesforce, "somebody new in Salesforce"),
            (self._leave, "an opt-out"),
        )
        act, what = self.dice.choice(acts)
        self.did[what] += 1
        act(self.dice.randrange(len(self.pairs)))

    def _title(self, which: int) -> None:
        self._type("hubspot", which, "jobtitle", "Head")

    def _city(self, which: int) -> None:
        self._type("salesforce", which, "City", "Town")

    def _type(self, crm: str, which: int, name: str, word: str) -> None:
        value = f"{word} {next(self.numbers):05}"
        self.house.edit(crm, self.pairs[which][crm == "salesforce"], **{name: value})
        self.typed[which, name] = value

    def _name(self, which: int) -> None:
        crm, name = self.dice.choice((("hubspot", "firstname"), ("salesforce", "FirstName")))
        value = f"Anna {next(self.numbers):05}"
        self.house.edit(crm, self.pairs[which][crm == "salesforce"], **{name: value})

    def _burst(self, which: int) -> None:
        for _ in range(8):
            self.dice.choice((self._title, self._city, self._name))(which)

    def _warm(self, which: int) -> None:
        self.house.edit("hubspot", self.pairs[which][0], **self._hot())

    def _hot(self) -> dict[str, str]:
        lately = (self.house.serving.clock.now() - timedelta(hours=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "annualrevenue": SHOP["annualrevenue"],
            "num_conversion_events": "3",
            "recent_conversion_event_name": "Kontakt",
            "hs_analytics_num_visits": "7",
            "hs_analytics_last_visit_timestamp": lately,
            "recent_conversion_date": lately,
        }

    def _arrive(self, _: int) -> None:
        number = next(self.numbers)
        self.new.append(f"new{number}@storm{number}.example")
        values = {
            "email": self.new[-1],
            "firstname": "Neu",
            "lastname": f"Sturm{number}",
            "company": f"Storm {number} KG",
            **SHOP,
        }
        made = self._person("hubspot", {"object": "contacts", "properties": values})
        self.house.edit("hubspot", made, **self._hot())

    def _arrive_in_salesforce(self, _: int) -> None:
        number = next(self.numbers)
        self.new.append(f"new{number}@storm{number}.example")
        values = {"Email": self.new[-1], "LastName": f"Sturm{number}", "Company": f"Storm {number} KG"}
        self._person("salesforce", {"object": "Lead", "fields": values})

    def _person(self, crm: str, wanted: Mapping[str, Any]) -> str:
        return str(self.house.control(crm, "people", {"action": "create", **wanted})["id"])

    def _leave(self, which: int) -> None:
        if which not in self.gone_quiet and len(self.gone_quiet) < PAIRS // 2:
            self.gone_quiet.add(which)
            self.house.unsubscribe("hubspot", self.pairs[which][0])


#: Each is killed at least once.
VICTIMS = frozenset(("serve", "worker 1", "worker 2", "database"))


@dataclass
class Storm:
    """Processes that are killed in turn, and come back."""

    crew: Any
    dice: random.Random
    data: Path
    port: int
    places: dict[str, Any] = field(
        default_factory=dict
    )  #: serve and both workers to the process that fills it
    kills: Counter[str] = field(default_factory=Counter)
    back_at: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        for name in ("serve", "worker 1", "worker 2"):
            self._launch(name)

    def _launch(self, name: str) -> None:
        self.crew.launch(name.split()[0])
        self.places[name] = self.crew.running[-1]

    def kill_something(self) -> None:
        """``kill -9``, of the database or of a process that is there."""
        # One that has not begun yet does nothing that could break.
        ready = [name for name, one in self.places.items() if "working on" in one.said()]
        names = [name for name in ready if name not in self.back_at]
        if not names:
            return
        names.append("database")
        fewest = min(self.kills[name] for name in names)
        name = self.dice.choice([one for one in names if self.kills[one] <= fewest])
        if name == "database":
            with contextlib.suppress(ProcessLookupError, FileNotFoundError, IndexError):
                pid = (self.data / "postgresql" / "postmaster.pid").read_text().split()[0]
                os.kill(int(pid), signal.SIGKILL)
        else:
            self.places[name].kill()
            self.back_at[name] = time.monotonic() + self.dice.uniform(0.0, 2.0)
        self.kills[name] += 1

    def bring_back(self, *, all_of_them: bool = False) -> None:
        """Start again whoever was killed a moment ago."""
        for name, moment in list(self.back_at.items()):
            if all_of_them or time.monotonic() >= moment:
                del self.back_at[name]
                self._launch(name)

    def spared(self) -> set[str]:
        """Whom nobody has killed yet."""
        return set(VICTIMS - self.kills.keys())

    def died_by_themselves(self) -> list[str]:
        """Processes that ended though nobody killed them, with what they said last."""
        return [
            f"{name}: {one.said()[-2000:]}"
            for name, one in self.places.items()
            if name not in self.back_at and one.process.poll() is not None
        ]

    def ask(self, statement: str) -> Any:
        """One number of the database, None while it is away."""
        try:
            with psycopg.connect(self.crew.house.database, autocommit=True, connect_timeout=5) as connection:
                row = connection.execute(statement.encode()).fetchone()
        except psycopg.OperationalError:
            return None
        return row[0] if row else None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _tell(house: Any, port: int) -> None:
    """Both CRMs are told where to tell what happens, and to tell it badly."""
    url = f"http://127.0.0.1:{port}/webhooks"
    house.control("hubspot", "limits", {"webhook_duplicates": 3, "webhook_order": "shuffled"})
    declared = {"action": "declare_webhooks", "events": list(EVENTS), "target_url": f"{url}/hubspot"}
    house.control("hubspot", "people", declared)
    message = {"action": "outbound_message", "object": "Lead", "fields": ["Email", "Title", "City"]}
    how = {"on": "created_or_edited", "duplicates": 1, "reorder": True, "from_integration_user": False}
    house.control("salesforce", "people", {**message, **how, "url": f"{url}/salesforce/outbound/{PATH}"})


@pytest.fixture
def shore(furnished: Any) -> Iterator[tuple[Any, Path]]:
    """A house with a database server that nobody else uses, and time that runs; and the folder of that server.

    The folder is none of pytest's: those are closed to a server that runs as another user, as it does for root.
    """
    house = furnished
    house.serving.clock.run()
    with tempfile.TemporaryDirectory(prefix="leadpact-storm-") as name:
        house.environ |= {"LEADPACT_DATABASE__URL": "embedded", "LEADPACT_DATABASE__DIR": name}
        with house.app() as app:
            house.database = app.database
        yield house, Path(name)


@pytest.fixture
def storm_of(shore: tuple[Any, Path], crew_of: Callable[..., Any], forks: Any) -> Callable[..., Any]:
    """Makes people, processes and the ledger of one storm, from the seed of its dice."""
    house, data = shore

    def make(seed: str) -> tuple[People, Storm, Ledger]:
        port = _free_port()
        house.rewrite(
            "leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "has_contact_data"'
        )
        house.environ |= {
            "LEADPACT_GUARDS__MAX_SHARE_OF_LEADS": "1",
            "LEADPACT_HUBSPOT__CLIENT_SECRET": str(house.serving.ready["hubspot_client_secret"]),
            "LEADPACT_WEB__PUBLIC_URL": f"http://127.0.0.1:{port}",
            "LEADPACT_WEB__PORT": str(port),
            "LEADPACT_WEB__SECRET_PATH": PATH,
        }
        pairs = [
            house.couple(f"p{number}@shop{number}.example", {"lastname": f"Sommer{number}"}, SHOP)
            for number in range(PAIRS)
        ]
        house.sync()
        _tell(house, port)
        crew = crew_of(house, forks)
        crew.environ["LEADPACT_SCHEDULE__INCREMENTAL"] = "* * * * *"
        people = People(house, random.Random(f"{seed}/people"), pairs)
        return people, Storm(crew, random.Random(f"{seed}/kills"), data, port), Ledger(house, house.mark())

    return make


@pytest.fixture(scope="session")
def stumble() -> Callable[[Any, random.Random], None]:
    """One thing goes wrong between us and a CRM, once or twice."""

    def make(house: Any, dice: random.Random) -> None:
        crm = dice.choice(("hubspot", "salesforce"))
        match = {"hubspot": "/crm/", "salesforce": "/services/data/"}[crm]
        house.control(crm, "faults", {**dice.choice(FAULTS), "match": match, "times": dice.choice((1, 1, 2))})

    return make


@pytest.fixture(scope="session")
def quiet() -> Callable[[Any], None]:
    """Nothing goes wrong any more."""

    def make(house: Any) -> None:
        for crm in ("hubspot", "salesforce"):
            requests.delete(f"{house.url(crm)}/_sandbox/faults", timeout=60).raise_for_status()

    return make
