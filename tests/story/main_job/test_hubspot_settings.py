"""What the [hubspot] section switches: OAuth in every version, the family of paths, how a full reading is made."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.hubspot.crm import HubSpotCrm
from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET
from connectors.sandbox.hubspot.oauth import CLIENT_ID, REFRESH_TOKEN
from sync.wrongconfig import WrongConfig

OAUTH = {
    "LEADPACT_HUBSPOT__AUTH": "oauth",
    "LEADPACT_HUBSPOT__CLIENT_ID": CLIENT_ID,
    "LEADPACT_HUBSPOT__CLIENT_SECRET": HUBSPOT_CLIENT_SECRET,
    "LEADPACT_HUBSPOT__REFRESH_TOKEN": REFRESH_TOKEN,
}


def paths(house: Any, after: int) -> list[str]:
    calls = house.look("hubspot", "requests", after=str(after))["requests"]
    return [call["path"].split("?")[0] for call in calls]


def hubspot_of(house: Any, environ: dict[str, str]) -> tuple[HubSpotCrm, list[str]]:
    """The connector of an app, used for one full reading, and the paths that it called."""
    mark = house.mark()["hubspot"]
    with house.app(environ) as app:
        crm = app.crms["hubspot"]
        assert isinstance(crm, HubSpotCrm)
        read = sum(len(slab.frame) for slab in crm.changes("contacts", ["email"], None).slabs)
        assert read == len(house.records("hubspot"))
        return crm, paths(house, mark)


@pytest.mark.parametrize("version", ["v1", "v3", "2026-03", "2026-09"])
def test_a_sync_runs_with_the_tokens_of_an_oauth_app(furnished: Any, version: str) -> None:
    furnished.couple("anna@sommer-versand.test")
    furnished.environ.pop("LEADPACT_HUBSPOT__ACCESS_TOKEN")
    mark = furnished.mark()["hubspot"]
    outcome = furnished.sync({**OAUTH, "LEADPACT_HUBSPOT__OAUTH_VERSION": version})
    assert outcome.numbers.refused == 0
    assert outcome.numbers.targets == 2
    assert paths(furnished, mark).count(f"/oauth/{version}/token") == 1


def test_an_oauth_app_without_its_secrets_is_told_which_are_missing(house: Any) -> None:
    environ = {"LEADPACT_HUBSPOT__AUTH": "oauth"}
    with pytest.raises(WrongConfig) as refused, house.app(environ):
        raise AssertionError("an app was built")
    assert [one["where"] for one in refused.value.problems] == [
        "LEADPACT_HUBSPOT__CLIENT_ID",
        "LEADPACT_HUBSPOT__CLIENT_SECRET",
        "LEADPACT_HUBSPOT__REFRESH_TOKEN",
    ]


def test_a_refresh_token_that_was_revoked_ends_the_command_and_is_not_told(furnished: Any) -> None:
    planted = "eu1-planted-refresh"
    told = furnished.command("sync", environ={**OAUTH, "LEADPACT_HUBSPOT__REFRESH_TOKEN": planted})
    assert told.code != 0
    assert "BAD_REFRESH_TOKEN" in told.err
    assert planted not in told.err + told.out


@pytest.mark.parametrize(
    ("family", "path"),
    [
        ("v3", "/crm/v3/objects/contacts"),
        ("2026-03", "/crm/objects/2026-03/contacts"),
        ("2026-09", "/crm/objects/2026-09/contacts"),
    ],
)
def test_one_setting_chooses_the_family_of_paths(house: Any, family: str, path: str) -> None:
    house.load("hubspot", {"email": "anna@sommer-versand.test"})
    _, called = hubspot_of(house, {"LEADPACT_HUBSPOT__API_FAMILY": family})
    about_records = [each for each in called if "/objects/" in each]
    assert path in about_records
    marked = "/v3/" if family == "v3" else f"/{family}/"
    assert all(marked in each for each in about_records)


@pytest.mark.parametrize(("threads", "searches"), [("1", False), ("4", True)])
def test_a_full_reading_uses_as_many_threads_as_the_settings_say(
    house: Any, threads: str, searches: bool
) -> None:
    house.load("hubspot", *({"email": f"p{n}@acme.test"} for n in range(1_500)))
    _, called = hubspot_of(house, {"LEADPACT_HUBSPOT__LIST_THREADS": threads})
    # Only a reading of several ranges at a time asks the search where they should end.
    assert any(path.endswith("/search") for path in called) is searches


def test_a_full_reading_can_be_one_file(furnished: Any) -> None:
    contact, lead = furnished.couple("anna@sommer-versand.test", hubspot={"city": "Ulm"})
    environ = {"LEADPACT_HUBSPOT__FULL_READ": "export"}
    mark = furnished.mark()["hubspot"]
    assert furnished.sync(environ).numbers.refused == 0
    called = paths(furnished, mark)
    assert "/crm/v3/exports/export/async" in called
    assert any(path.startswith("/export-files/") for path in called)
    assert furnished.record("salesforce", lead)["City"] == "Ulm"
    assert furnished.record("hubspot", contact)["leadpact_score"]
    # What changed since is searched for, whichever way the first reading took.
    mark = furnished.mark()
    assert furnished.sync(environ).numbers.written == 0
    assert "/crm/v3/exports/export/async" not in paths(furnished, mark["hubspot"])
    assert furnished.wrote_nothing(mark)


def test_the_consent_of_people_is_reachable_from_the_connector_that_the_settings_build(house: Any) -> None:
    house.load("hubspot", {"email": "anna@sommer-versand.test"})
    with house.app() as app:
        crm = app.crms["hubspot"]
        assert isinstance(crm, HubSpotCrm)
        [kind] = [each for each in crm.consents.subscriptions() if each.active][:1]
        [after] = crm.consents.unsubscribe(
            "anna@sommer-versand.test", [kind.id], "NON_GDPR", "asked by phone"
        )
        assert after.unsubscribed


def test_pretend_crms_have_an_oauth_app_of_their_own(house: Any) -> None:
    house.rewrite(
        "leadpact.toml", "[sync]", '[hubspot]\nauth = "oauth"\n\n[sandbox]\ndir = "pretend"\n\n[sync]'
    )
    for name in [n for n in house.environ if n.startswith(("LEADPACT_HUBSPOT", "LEADPACT_SALESFORCE"))]:
        del house.environ[name]
    with house.app() as app:
        assert app.crms["hubspot"].account().account_id
