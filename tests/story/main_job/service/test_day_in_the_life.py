"""A day and a night with one worker: schedules, an expired token, a used-up quota, an outage, a renamed choice.

The clock of both CRMs is moved two hours at a time, and with it ours; the worker is a real process with the real
schedules of a small firm. The test prints what happened hour by hour, and what the operator was told and when.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from sync.jobs_after import LATER, SOON_AT_MOST
from sync.jobs_watch import crons_of

#: A Sunday, at ten in Berlin; the page of the week comes on Monday.
BEGINS = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
STEP = 7_200
BERLIN = ZoneInfo("Europe/Berlin")
SCHEDULES = {
    "INCREMENTAL": "0 */2 * * *",
    "AGREE": "10 */6 * * *",
    "RESCORE": "30 1 * * *",
    "DRIFT": "0 3 * * *",
    "RETENTION": "30 3 * * *",
    "ALERTS": "*/5 * * * *",
    "REPORT": "0 6 * * 1",
    "SCHEMAS": "50 * * * *",
    "MAIL": "off",
}
NIGHTLY = ("rescore", "drift", "retention", "report")
#: Longer than we wait within a call, so that the job itself waits.
AWAY = {"match": "/services/data", "status": 503, "times": -1, "headers": {"Retry-After": "1800"}}
#: What HubSpot allows in a day on which we have used as much already.
CALLS_A_DAY = 300
#: Also what waits for the leads of another run, for seconds. What waits for a CRM waits longer.
UNDER_WAY = (
    "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
    " OR status = 'todo' AND coalesce(scheduled_at, now()) <= now() + make_interval(secs => %s)"
)
TIME_PASSES = "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at > now()"


@dataclass
class Day:
    """The worker's day. ``told``: (hour, an alert as the operator's chat got it)."""

    crew: Any
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    at: datetime | None = None  #: the moment that ``last`` holds of
    last: dict[str, datetime] = field(default_factory=dict)

    @property
    def house(self) -> Any:
        return self.crew.house

    @cached_property
    def crons(self) -> Mapping[str, Any]:
        """Every schedule of the day by its name. Nobody rewrites the config."""
        return crons_of(self.house.settings(self.crew.environ).schedule)

    def due(self) -> dict[str, datetime]:
        """When each schedule was due last. The clock stands still between two steps, and each looks many times."""
        now = self.house.serving.clock.now()
        if self.at != now:
            self.at, self.last = now, {name: cron.last(now, BERLIN) for name, cron in self.crons.items()}
        return self.last

    def hour(self) -> str:
        return str(self.house.serving.clock.now().astimezone(BERLIN).strftime("%a %H:%M"))

    def note(self, what: str) -> None:
        self.happened.append(f"{self.hour()}  {what}")

    def goes_on(self) -> None:
        """Two hours pass, and everything that was due in them is done, or put off."""
        self.house.later(STEP)
        self.crew.ask(TIME_PASSES)
        runs = self.crew.ask("SELECT coalesce(max(run_id), 0) FROM run")[0][0]
        self.crew.wait(self._settled, f"{self.hour()} to end")
        wanted = "SELECT command, state, written FROM run WHERE run_id > %s ORDER BY run_id"
        for command, state, written in self.crew.ask(wanted, runs):
            self.note(f"{command}: {state}, {written} written")

    def seen_to(self) -> bool:
        """Whether the worker has seen to every schedule that is due by now."""
        seen = dict(self.crew.ask("SELECT name, due_at FROM schedule"))
        return all(name in seen and seen[name] >= due for name, due in self.due().items())

    def _settled(self) -> bool:
        assert SOON_AT_MOST < LATER
        return self.seen_to() and self.crew.ask(UNDER_WAY, SOON_AT_MOST) == [(0,)]

    def told_of(self, kind: str) -> list[str]:
        """The states in which an alert of this kind was told of."""
        return [one["state"] for _, one in self.told if one["kind"] == kind]


@contextmanager
def _listening(day: Day) -> Iterator[str]:
    """The operator's chat: an address that takes what it is told."""

    class Takes(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            day.told += [(day.hour(), one) for one in json.loads(body)["alerts"]]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is said of it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/planted-address-of-the-operator"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def day(furnished: Any, crew_of: Any, forks: Any) -> Iterator[Day]:
    """Sunday at ten: both CRMs agree about five people, and a worker begins."""
    house = furnished
    house.serving.clock.set(BEGINS)
    day = Day(crew_of(house, forks))
    with _listening(day) as address:
        day.crew.environ |= {f"LEADPACT_SCHEDULE__{name}": cron for name, cron in SCHEDULES.items()}
        day.crew.environ |= {
            "LEADPACT_NOTIFY__ALERT_WEBHOOK": address,
            "LEADPACT_ALERTS__REFUSED_HOURS": "1",
        }
        yield day
    print("\n".join(day.happened))  # noqa: T201
    print("\n".join(f"told {hour}  {one['kind']} {one['state']}: {one['said']}" for hour, one in day.told))  # noqa: T201


def _use_up(house: Any) -> None:
    """Somebody else's program uses the calls of HubSpot's day."""
    headers = {"Authorization": f"Bearer {house.serving.ready['hubspot_token']}"}
    house.control("hubspot", "limits", {"daily": CALLS_A_DAY})
    with requests.Session() as session:
        for _ in range(CALLS_A_DAY):
            asked = session.get(
                f"{house.url('hubspot')}/account-info/v3/details", headers=headers, timeout=60
            )
            if asked.status_code == 429:
                return


def _rename(house: Any, name: str, old: str, new: str) -> None:
    """An admin renames a choice of one of our properties in HubSpot."""
    headers = {"Authorization": f"Bearer {house.serving.ready['hubspot_token']}"}
    url = f"{house.url('hubspot')}/crm/v3/properties/contacts/{name}"
    there = requests.get(url, headers=headers, timeout=60).json()["options"]
    options = [{**one, "value": new, "label": new} if one["value"] == old else one for one in there]
    requests.patch(url, json={"options": options}, headers=headers, timeout=60).raise_for_status()


def _becomes_hot(house: Any, contact: str) -> None:
    stamp = house.serving.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    house.edit(
        "hubspot",
        contact,
        **{"industry": "RETAIL", "annualrevenue": "40000000", "jobtitle": "Head of Marketing"},
        **{"country": "Germany", "num_conversion_events": "3", "recent_conversion_date": stamp},
        **{"recent_conversion_event_name": "Kontakt", "hs_analytics_num_visits": "7"},
        hs_analytics_last_visit_timestamp=stamp,
    )


def test_a_day_with_everything_that_goes_wrong_ends_in_agreement_and_somebody_was_told(day: Day) -> None:
    house, crew = day.house, day.crew
    pairs = [house.couple(f"p{n}@shop{n}.example", {"lastname": f"Sommer{n}"}) for n in range(5)]
    house.sync()
    crew.start("worker")
    crew.wait(day.seen_to, "the schedules to be seen")

    house.edit("hubspot", pairs[0][0], jobtitle="Head of Sunday")
    day.goes_on()
    assert house.record("salesforce", pairs[0][1])["Title"] == "Head of Sunday"
    _the_token_expires(day, pairs)
    _the_quota_is_used_up_until_midnight(day, pairs)
    _salesforce_is_away_at_night(day, pairs)
    _a_choice_is_renamed(day, pairs)

    assert crew.running[0].stop() == 0
    assert not crew.jobs()
    said = crew.running[0].said()
    assert {name: said.count(f"{name} is due") for name in NIGHTLY} == dict.fromkeys(NIGHTLY, 1)
    assert sum("rescore: done" in what for what in day.happened) >= 1
    assert (house.folder / "data" / "reports" / "2026-11-23.html").exists()
    told = house.command("--json", "agree")
    assert (told.code, told.document["unexplained"]) == (0, 0), told.document
    assert told.document["agreed"] == told.document["linked"] == len(pairs)
    assert house.sync().numbers.written == 0
    for kind in ("job", "quota", "refused"):
        assert day.told_of(kind), kind
    said += str(day.told)
    for secret in (*house.serving.ready.values(), "shop0.example", "planted-address"):
        assert not isinstance(secret, str) or secret.startswith("http") or secret not in said


def _the_token_expires(day: Day, pairs: list[tuple[str, str]]) -> None:
    """14:00 and 16:00: a person has to act, and is told once."""
    house = day.house
    house.edit("salesforce", pairs[1][1], City="Köln")
    house.control("hubspot", "limits", {"token": "expired"})
    day.note("HubSpot's token expires")
    day.goes_on()
    (parked,) = [one for one in day.crew.jobs() if one["what"] == "incremental"]
    assert (parked["state"], parked["kind"]) == ("parked", "NotAllowed")
    assert parked["fix"]
    day.goes_on()
    assert day.told_of("job")[0] == "open"
    house.control("hubspot", "limits", {"token": "valid"})
    day.note("somebody puts in a new token")
    day.goes_on()
    assert house.record("hubspot", pairs[1][0])["city"] == "Köln"


def _the_quota_is_used_up_until_midnight(day: Day, pairs: list[tuple[str, str]]) -> None:
    house = day.house
    house.edit("hubspot", pairs[2][0], jobtitle="Head of Night")
    _use_up(house)
    day.note("another program has used up HubSpot's day")
    for _ in range(2):
        day.goes_on()
        assert house.record("salesforce", pairs[2][1]).get("Title") is None
    assert day.told_of("quota") == ["open"]
    day.goes_on()
    assert day.hour() == "Mon 00:00"
    day.note("HubSpot's new day")


def _salesforce_is_away_at_night(day: Day, pairs: list[tuple[str, str]]) -> None:
    house = day.house
    house.control("salesforce", "faults", AWAY)
    day.note("Salesforce goes away")
    house.edit("hubspot", pairs[3][0], jobtitle="Head of Dawn")
    for _ in range(2):
        day.goes_on()
    waiting = {one["what"] for one in day.crew.jobs() if one["state"] == "waiting"}
    assert "incremental" in waiting
    requests.delete(f"{house.url('salesforce')}/_sandbox/faults", timeout=60).raise_for_status()
    day.note("Salesforce is back")
    day.goes_on()
    assert house.record("salesforce", pairs[2][1])["Title"] == "Head of Night"
    assert house.record("salesforce", pairs[3][1])["Title"] == "Head of Dawn"


def _a_choice_is_renamed(day: Day, pairs: list[tuple[str, str]]) -> None:
    house = day.house
    _rename(house, "leadpact_temperature", "hot", "heiss")
    day.note("an admin renames hot in HubSpot")
    _becomes_hot(house, pairs[4][0])
    day.goes_on()
    assert [one["code"] for one in house.command("--json", "refused").document["refused"]] != []
    assert day.told_of("schema") == ["open"], "which choice is gone is told before anybody asks why"
    day.goes_on()
    assert day.told_of("refused") == ["open"]
    assert house.command("setup", "--apply").code == 0
    day.note("somebody has read the alert: setup adds the choice again")
    day.goes_on()
    assert house.record("hubspot", pairs[4][0])["leadpact_temperature"] == "hot"
    assert day.told_of("schema") == ["open", "over"]
