"""Drift among many: what changed without a time stamp is found, all of it and nothing else, for the cost that was told.

Three hundred records as it comes; LEADPACT_TEST_DRIFT_RECORDS=50000 is the size that is promised.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Any

RECORDS = int(os.environ.get("LEADPACT_TEST_DRIFT_RECORDS", "300"))
CHANGED = 25
LONG_AGO = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)


def _agreed(house: Any) -> list[tuple[str, str]]:
    """Half as many people as records, in both CRMs, who agree; the ids of contact and lead."""
    numbers = range(RECORDS // 2)
    contacts = house.load(
        "hubspot",
        *(
            {"email": f"p{n}@shop{n}.example", "lastname": f"Sommer{n}", "company": f"Shop {n}"}
            for n in numbers
        ),
    )
    leads = house.load(
        "salesforce",
        *(
            {"Email": f"p{n}@shop{n}.example", "LastName": f"Sommer{n}", "Company": f"Shop {n}"}
            for n in numbers
        ),
    )
    for _ in range(2):  # the second reads our own writes of the first
        house.later(3_600)
        house.sync()
    house.serving.clock.set(NOW)
    return list(zip(contacts, leads, strict=True))


def test_every_untold_change_among_many_is_found_and_no_other_and_repaired_by_a_plan(furnished: Any) -> None:
    house = furnished
    house.environ["LEADPACT_GUARDS__MAX_STAGE_MOVES"] = str(RECORDS)
    pairs = _agreed(house)
    changed = pairs[:: len(pairs) // CHANGED][:CHANGED]
    # Stamped as older than the last reading, as after a restored backup: no change log tells of it.
    house.serving.clock.set(LONG_AGO)
    for number, (contact, lead) in enumerate(changed):
        if number % 2:
            house.edit("hubspot", contact, city="Bonn")
        else:
            house.edit("salesforce", lead, City="Bonn")
    house.serving.clock.set(NOW)
    mark = house.mark()

    found = house.command("--json", "drift")

    wanted = {
        ("salesforce", lead) if not n % 2 else ("hubspot", contact)
        for n, (contact, lead) in enumerate(changed)
    }
    assert {(one["crm"], one["record_id"]) for one in found.document["drifted"]} == wanted
    assert all(one["fields"] == ["city"] for one in found.document["drifted"])
    assert house.wrote_nothing(mark)
    # What it costs is told before anything is read, and it reads every record once.
    told = house.command("drift").out.splitlines()[0]
    cost = re.fullmatch(
        rf"reading {RECORDS} records in \d+ slices, with (\d+) calls to HubSpot and (\d+) to Salesforce", told
    )
    assert cost is not None, told

    repaired = house.command("--json", "drift", "--repair")

    assert repaired.code == 0, repaired.out + repaired.err
    assert repaired.document["records_read"] == 2 * CHANGED
    cities = [house.record("salesforce", lead)["City"] for _, lead in changed]
    assert cities == ["Bonn"] * CHANGED
    assert [house.record("hubspot", contact)["city"] for contact, _ in changed] == cities
    assert house.command("--json", "drift").document["drifted"] == []
