"""Two workers sync the same people at once, and are killed: one record each, every change kept, nobody waits for ever.

``LEADPACT_TWO_WORKERS_ROUNDS`` says how many rounds; of every three, in one nobody is killed, in one the first
worker, in one both, each at a moment of its own. The moments follow from the round's number.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

#: Rounds of this test, one of each kind; the long form is 200 (docs/reliability.md).
ROUNDS = int(os.environ.get("LEADPACT_TWO_WORKERS_ROUNDS", "3"))
#: Seconds that one sync of a few people may take; a deadlock would take for ever.
PATIENCE = 300


@dataclass
class Syncing:
    """A house whose syncs run beside each other, as processes of their own."""

    house: Any
    forks: Any
    said: Path  #: the folder of what they say
    started: int = 0

    def start(self) -> tuple[Any, Path]:
        """A sync that has begun, and the file of its errors."""
        self.started += 1
        errors = self.said / f"{self.started}.log"
        argv = ["-m", "sync", "--config", str(self.house.config), "--json", "sync", "--approve"]
        return self.forks.start(argv, self.house.environ, errors.with_suffix(".out"), errors), errors


@pytest.fixture
def syncing(furnished: Any, forks: Any, tmp_path: Path) -> Syncing:
    return Syncing(furnished, forks, tmp_path)


def _people(number: int) -> list[dict[str, str]]:
    return [
        {
            "email": f"new{number}-{each}@shop{number}.example",
            "firstname": "Anna",
            "lastname": f"Sommer{number}x{each}",
            "company": f"Shop {number}",
            "jobtitle": f"Head {number}",
        }
        for each in range(3)
    ]


def _both_at_once(syncing: Syncing, number: int, usual: float) -> None:
    """Two syncs side by side; ``usual``: the seconds that one takes, within which the doomed are killed."""
    moments = random.Random(number)
    began = time.monotonic()
    workers = [syncing.start() for _ in range(2)]
    for worker, _ in workers[: number % 3]:
        time.sleep(max(0.0, began + moments.uniform(0.3, 1.1) * usual - time.monotonic()))
        worker.kill()
    for place, (worker, errors) in enumerate(workers):
        code = worker.wait(PATIENCE)
        assert code == 0 or place < number % 3, f"round {number}: {errors.read_text(encoding='utf-8')}"
    _wait_until_alone(syncing.house.database)


def _wait_until_alone(database: str) -> None:
    """Let the database notice that a client has died; a person who starts the next sync takes longer."""
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    until = time.monotonic() + PATIENCE
    with psycopg.connect(database, autocommit=True) as connection:
        while connection.execute(others).fetchone() != (0,):
            assert time.monotonic() < until, "a killed sync is still connected"
            time.sleep(0.02)


def test_two_workers_on_the_same_people_make_one_record_each_and_lose_no_change_also_when_killed(
    syncing: Syncing,
) -> None:
    house = syncing.house
    house.rewrite("leadpact.toml", "stage IN ('mql', 'sql')", "email IS NOT NULL")
    began = time.monotonic()
    first, errors = syncing.start()
    first.wait(PATIENCE)
    assert errors.read_text(encoding="utf-8") == ""
    usual = time.monotonic() - began
    mates: dict[str, str] = {}
    for number in range(ROUNDS):
        edited = sorted(mates.items())[number % 7 :: 7][:2]
        for contact, lead in edited:
            house.edit("hubspot", contact, city=f"Town {number}")
            house.edit("salesforce", lead, Title=f"Chief {number}")
        contacts = house.load("hubspot", *_people(number))
        house.later(5)
        _both_at_once(syncing, number, usual)
        house.later(60)
        assert house.sync().busy == 0

        live = {key: row for key, row in house.records("salesforce").items() if not row["IsDeleted"]}
        assert Counter(row["Email"] for row in live.values()).most_common(1)[0][1] == 1, f"round {number}"
        assert len(live) == 3 * (number + 1) == len(house.records("hubspot"))
        mates = {str(row["Leadpact_HubSpot_Id__c"]): key for key, row in live.items()}
        for contact in contacts:
            assert house.record("hubspot", contact)["leadpact_salesforce_id"] == mates[contact]
            assert live[mates[contact]]["Title"] == f"Head {number}"
        for contact, lead in edited:
            assert live[lead]["City"] == f"Town {number}", f"round {number}"
            assert house.record("hubspot", contact)["jobtitle"] == f"Chief {number}", f"round {number}"
    assert not house.command("--json", "held").document["held"]
    assert house.command("--json", "agree").document["unexplained"] == 0
