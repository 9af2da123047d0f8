"""`check` says before the first write what Salesforce would refuse of every new record."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def creating(furnished: Any) -> Any:
    """A house that creates leads in Salesforce."""
    furnished.rewrite(
        "leadpact.toml", 'create_in_salesforce = "', 'create_in_salesforce = "email IS NOT NULL OR '
    )
    return furnished


def _said(house: Any, word: str) -> list[tuple[str, str, str]]:
    """(file, severity, problem) of what `check` says about a word, and the exit code it ends with."""
    told = house.command("--json", "check")
    found = [one for one in told.document["problems"] if word in one["problem"]]
    assert told.code == (1 if any(one["severity"] == "error" for one in told.document["problems"]) else 0)
    assert all(one["fix"] for one in found)
    return [(one["where"].partition(":")[0], one["severity"], one["problem"]) for one in found]


def _stand_ins(house: Any, **texts: str) -> None:
    """The config with these stand-ins for what is not known, and no others."""
    path = house.folder / "leadpact.toml"
    before = path.read_text(encoding="utf-8").partition("\n[salesforce.required]\n")[0]
    said = "".join(f'{name} = "{text}"\n' for name, text in texts.items())
    path.write_text(f"{before}\n[salesforce.required]\n{said}", encoding="utf-8")


def test_a_field_that_salesforce_demands_and_nothing_fills_is_an_error(creating: Any) -> None:
    assert _said(creating, "demands") == []
    _stand_ins(creating, Company="[unbekannt]")
    [(file, severity, problem)] = _said(creating, "demands")
    assert (file, severity) == ("fields.toml", "warning")
    assert "LastName" in problem
    creating.rewrite(
        "fields.toml", 'salesforce = "LastName"\n', 'salesforce = "LastName"\ndirection = "to_hubspot"\n'
    )
    [(file, severity, problem)] = _said(creating, "demands")
    assert (file, severity) == ("leadpact.toml", "error")
    assert "LastName" in problem


def test_what_is_never_created_needs_nothing(furnished: Any) -> None:
    path = furnished.folder / "leadpact.toml"
    text = path.read_text(encoding="utf-8")
    start = text.index("create_in_salesforce")
    path.write_text(
        text[:start] + 'create_in_salesforce = "false"' + text[text.index("\n", start) :], encoding="utf-8"
    )
    _stand_ins(furnished, Company="[unbekannt]")
    assert _said(furnished, "demands") == []


def test_a_record_type_that_the_integration_user_may_not_give_is_an_error_and_would_be_refused(
    creating: Any,
) -> None:
    types = [{"name": "Partner", "available": False}, {"name": "Direct Sale", "default": True}]
    creating.control("salesforce", "limits", {"record_types": {"Lead": types}})
    with creating.app() as app:
        of_lead = {one.name: one for one in app.work().crms["salesforce"].describe("Lead").record_types}
    assert {name: (one.usable, one.default) for name, one in of_lead.items()} == {
        "Partner": (False, False),
        "Direct Sale": (True, True),
    }
    named = {"LastName": "[unbekannt]", "Company": "[unbekannt]"}
    _stand_ins(creating, **named, RecordTypeId=of_lead["Partner"].id)
    [(file, severity, _)] = _said(creating, "Partner")
    assert (file, severity) == ("leadpact.toml", "error")
    creating.load("hubspot", {"email": "anna@sommer.de", "lastname": "Sommer"})
    creating.sync()
    refused = creating.command("--json", "refused").document["refused"]
    assert "RecordTypeId" in [one["fields"] for one in refused]
    assert creating.records("salesforce") == {}

    right = of_lead["Direct Sale"].id
    _stand_ins(creating, **named, RecordTypeId=right[:15])
    assert _said(creating, "record type") == []
    creating.later(3_600)
    assert creating.sync().numbers.refused == 0
    [lead] = creating.records("salesforce").values()
    assert lead["RecordTypeId"] == right

    _stand_ins(creating, **named, RecordTypeId="012000000000999AAA")
    [(file, severity, _)] = _said(creating, "no active record type")
    assert (file, severity) == ("leadpact.toml", "error")
