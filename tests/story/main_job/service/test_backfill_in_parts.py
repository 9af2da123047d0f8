"""A backfill that runs by itself holds few leads at a time: whoever is told of in a push waits for seconds."""

from __future__ import annotations

from typing import Any

import psycopg

from sync.jobs_kinds import HELD_AT_ONCE, Given, do

MORE = HELD_AT_ONCE + 50


def test_no_more_leads_are_held_than_are_written_within_seconds(furnished: Any) -> None:
    house = furnished
    house.sync()
    house.later(60)
    people = [f"p{number}@shop{number}.example" for number in range(MORE)]
    house.load("hubspot", *({"email": one, "company": "Shop"} for one in people))
    house.load("salesforce", *({"Email": one, "LastName": "Sommer", "Company": "Shop"} for one in people))
    held, newly = list[int](), list[int]()

    def look(point: str) -> None:
        if point == "after intents":
            with psycopg.connect(house.database, autocommit=True) as connection:
                told = "SELECT count(*), count(*) FILTER (WHERE fence = newest)"
                counted = connection.execute(
                    f"{told} FROM claim, (SELECT max(fence) AS newest FROM claim) AS n"
                ).fetchall()[0]
            held.append(counted[0])
            newly.append(counted[1])

    with house.app(at_point=look) as app:
        wanted = {"crms": ["hubspot", "salesforce"], "from": None, "to": None, "approve": True}
        said = do("backfill", Given(app, app.work(), "backfill", wanted))
        assert said.words == "1 slices left"
    assert sum(newly) == MORE
    assert max(held) <= HELD_AT_ONCE
    shown = [one for one in house.records("hubspot").values() if one.get("leadpact_salesforce_id")]
    assert len(shown) == MORE
