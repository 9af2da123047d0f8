"""Two workers meet the same new people at once: one record each, every change kept, and nobody waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import Any

#: Rounds of this test; a nightly run asks for more.
ROUNDS = int(os.environ.get("LEADPACT_TWO_WORKERS_ROUNDS", "5"))
#: Seconds that one sync of a few people may take; a deadlock would take for ever.
PATIENCE = 120


def _start(house: Any) -> subprocess.Popen[str]:
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "sync", "--config", str(house.config), "--json", "sync", "--approve"],
        env={**foreign, **house.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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


def test_two_workers_that_meet_the_same_new_people_make_one_record_each(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", "stage IN ('mql', 'sql')", "email IS NOT NULL")
    house.sync()
    for number in range(ROUNDS):
        contacts = house.load("hubspot", *_people(number))
        workers = [_start(house) for _ in range(2)]
        for worker in workers:
            _, errors = worker.communicate(timeout=PATIENCE)
            assert worker.returncode == 0, errors
        house.later(60)
        house.sync()

        live = [row for row in house.records("salesforce").values() if not row["IsDeleted"]]
        assert Counter(row["Email"] for row in live).most_common(1)[0][1] == 1, f"round {number}"
        assert len(live) == 3 * (number + 1)
        mates = {row["Leadpact_HubSpot_Id__c"]: row for row in live}
        for contact in contacts:
            assert house.record("hubspot", contact)["leadpact_salesforce_id"] == mates[contact]["Id"]
            assert mates[contact]["Title"] == f"Head {number}"
    assert not house.command("--json", "held").document["held"]
    assert house.command("--json", "agree").document["unexplained"] == 0
