"""A withdrawal waits for nothing else that the same run has to write."""

from __future__ import annotations

import json
from typing import Any


def test_a_withdrawal_is_written_alone_and_before_everything_else(furnished: Any) -> None:
    house = furnished
    anna, lead = house.couple("anna@sommer-versand.de", {"jobtitle": "Head of Marketing"})
    ben, _ = house.couple(
        "ben@winter-shop.de", {"firstname": "Ben", "lastname": "Winter", "company": "Winter"}
    )
    house.sync()
    house.later(3600)
    house.edit("hubspot", ben, jobtitle="Managing Director")
    house.edit("hubspot", anna, jobtitle="Chief Marketing Officer")
    house.unsubscribe("hubspot", anna)
    mark = house.mark()
    house.sync()
    bodies = [json.loads(each["body"]) for each in house.writes(mark)["salesforce"]]
    first, *rest = [body["records"] for body in bodies]
    assert [{name: value for name, value in row.items() if name != "attributes"} for row in first] == [
        {"id": lead, "HasOptedOutOfEmail": True}
    ]
    assert {row["Title"] for rows in rest for row in rows if "Title" in row} == {
        "Managing Director",
        "Chief Marketing Officer",
    }
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True
