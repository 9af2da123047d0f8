"""Wrong input at the command line: nothing starts, the mistake is named, no secret and no traceback is shown."""

from __future__ import annotations

import socket
from typing import Any

import psycopg
import pytest

PLANTED = "planted-secret-4711"
TOKEN, SECRET = "LEADPACT_HUBSPOT__ACCESS_TOKEN", "LEADPACT_SALESFORCE__CLIENT_SECRET"


def _refused(told: Any, code: int, *words: str) -> None:
    """It ended with this code, said these words on stderr, and showed neither secret nor traceback."""
    said = told.out + told.err
    assert told.code == code, said
    for word in words:
        assert word.casefold() in said.casefold(), said
    assert PLANTED not in said
    assert "Traceback" not in said


@pytest.fixture
def planted(house: Any) -> Any:
    """A house with a planted secret wherever a secret can stand."""
    house.environ.update({TOKEN: PLANTED, SECRET: PLANTED})
    return house


FILES = [
    ("leadpact.toml", "[sync]", '[sync]\nmoode = "full"', ("leadpact.toml:", "moode", "mode")),
    ("leadpact.toml", "[guards]", "[guardz]\nx = 1\n[guards]", ("guardz", "guards")),
    ("leadpact.toml", "max_creates = 500", 'max_creates = "many"', ("leadpact.toml:", "max_creates")),
    ("leadpact.toml", "[sync]", f'[hubspot]\naccess_token = "{PLANTED}"\n[sync]', ("access_token", "secret")),
    ("leadpact.toml", "[sync]", "[sync", ("leadpact.toml:",)),
    (
        "fields.toml",
        'if_both_changed = "hold"',
        'if_both_chnged = "hold"',
        ("if_both_chnged", "if_both_changed"),
    ),
    ("fields.toml", "[fields.job_title]", "[fields.job_titel]", ("job_titel", "job_title")),
    (
        "fields.toml",
        'if_both_changed = "hold"',
        'if_both_changed = "oldest"',
        ("fields.toml:", "if_both_changed"),
    ),
    ("policy.toml", "points = 25", 'points = "25"', ("policy.toml:", "points")),
    ("policy.toml", 'when = "is_decision_maker"', 'when = "is_decision_maker AND ("', ("policy.toml:",)),
    (
        "policy.toml",
        'when = "is_decision_maker"',
        'when = "is_decision_makr"',
        ("policy.toml:", "is_decision_makr"),
    ),
    ("policy.toml", "industry = 'E-Commerce'", "industry = 'E-Comerce'", ("policy.toml:", "E-Comerce")),
    ("policy.toml", 'when = "is_decision_maker"', 'when = "annual_revenue"', ("policy.toml:",)),
    (
        "leadpact.toml",
        'create_in_hubspot = "false"',
        'create_in_hubspot = "stagee = 1"',
        ("leadpact.toml:", "stagee"),
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "words"), FILES, ids=[new for _, _, new, _ in FILES])
def test_a_mistake_in_a_config_file_is_named_with_its_place(
    planted: Any, name: str, old: str, new: str, words: tuple[str, ...]
) -> None:
    planted.rewrite(name, old, new)
    mark = planted.mark()

    told = planted.command("sync", "--approve")

    _refused(told, 2, *words)
    assert planted.mark() == mark, "nothing was started: no CRM was called"


VARIABLES = [
    ("LEADPACT_SYNC__MOODE", PLANTED, ("LEADPACT_SYNC__MOODE",)),
    (
        "LEADPACT_HUBSPOT__ACCES_TOKEN",
        PLANTED,
        ("LEADPACT_HUBSPOT__ACCES_TOKEN", "LEADPACT_HUBSPOT__ACCESS_TOKEN"),
    ),
    ("LEADPACT_GUARDS__MAX_CREATES", PLANTED, ("LEADPACT_GUARDS__MAX_CREATES",)),
    ("LEADPACT_HUBSPOT__BASE_URL", f"http://user:{PLANTED}@example.com", ("LEADPACT_HUBSPOT__BASE_URL",)),
    (TOKEN, f"{PLANTED}\nX-Evil: 1", (TOKEN,)),
    ("LEADPACT_DATABASE__URL", f"mysql://leadpact:{PLANTED}@db/leads", ("LEADPACT_DATABASE__URL",)),
]


@pytest.mark.parametrize(("variable", "value", "words"), VARIABLES, ids=[name for name, _, _ in VARIABLES])
def test_a_mistake_in_the_environment_is_named_by_its_variable(
    planted: Any, variable: str, value: str, words: tuple[str, ...]
) -> None:
    _refused(planted.command("sync", environ={variable: value}), 2, *words)


@pytest.mark.parametrize("variable", [TOKEN, SECRET, "LEADPACT_SALESFORCE__CLIENT_ID"])
@pytest.mark.parametrize("command", ["check", "plan"])
def test_a_missing_secret_is_named_by_its_variable(planted: Any, variable: str, command: str) -> None:
    del planted.environ[variable]

    _refused(planted.command(command), 2, variable)


def test_a_missing_config_is_named(planted: Any) -> None:
    planted.config.unlink()

    _refused(planted.command("sync"), 2, "leadpact.toml", "leadpact init")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("variable", ["LEADPACT_HUBSPOT__BASE_URL", "LEADPACT_SALESFORCE__LOGIN_URL"])
def test_a_crm_that_cannot_be_reached_ends_with_four(house: Any, variable: str) -> None:
    told = house.command("--json", "sync", environ={variable: f"http://127.0.0.1:{_free_port()}"})

    _refused(told, 4, "Salesforce" if "SALESFORCE" in variable else "HubSpot")
    assert told.out == ""


@pytest.mark.parametrize("variable", [TOKEN, SECRET, "LEADPACT_SALESFORCE__CLIENT_ID"])
def test_a_wrong_credential_ends_with_four_and_a_fix(house: Any, variable: str) -> None:
    mark = house.mark()

    told = house.command("sync", "--approve", environ={variable: PLANTED})

    _refused(told, 4, "Salesforce" if "SALESFORCE" in variable else "HubSpot", "fix:")
    assert house.wrote_nothing({**mark, "salesforce": house.mark()["salesforce"]})


def test_a_database_that_cannot_be_reached_ends_with_four_without_its_password(house: Any) -> None:
    url = f"postgresql://leadpact:{PLANTED}@127.0.0.1:{_free_port()}/leads"

    _refused(house.command("plan", environ={"LEADPACT_DATABASE__URL": url}), 4, "database")


def test_a_database_newer_than_the_program_is_refused_with_four(furnished: Any) -> None:
    house = furnished
    with psycopg.connect(house.database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO schema_migration (number, name, checksum) VALUES (9999, 'later', 'x')"
        )
    mark = house.mark()

    told = house.command("sync", "--approve")

    _refused(told, 4, "newer")
    assert house.wrote_nothing(mark)


def test_a_taken_port_is_named_with_four(house: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        told = house.command("sandbox", "serve", "--hubspot-port", str(port))

    _refused(told, 4, str(port), "fix:")


CSVS = [
    ("Email,LastName\na@b.de,Meier\nc@d.de\n", ("3",)),
    ("Email,LastNaame,Company\na@b.de,Meier,M\n", ("LastNaame",)),
    ("", ("people.csv",)),
    ("Email,LastName,Company\na@b.de,Meier,M\nno-ending@shop,Lang,L\n", ("Email",)),
]


@pytest.mark.parametrize(
    ("text", "words"), CSVS, ids=["short row", "unknown field", "empty", "an address that is none"]
)
def test_a_csv_with_a_bad_row_loads_nothing(house: Any, text: str, words: tuple[str, ...]) -> None:
    file = house.folder / "people.csv"
    file.write_text(text, encoding="utf-8")
    settings = house.config.read_text(encoding="utf-8")
    house.config.write_text(settings + '\n[sandbox]\ndir = "pretend"\n', encoding="utf-8")

    told = house.command("sandbox", "load", "salesforce", str(file))

    _refused(told, 2, *words)


def test_rows_are_loaded_into_pretend_crms_only(house: Any) -> None:
    file = house.folder / "people.csv"
    file.write_text("Email,LastName,Company\na@b.de,Meier,M\n", encoding="utf-8")

    _refused(house.command("sandbox", "load", "salesforce", str(file)), 2, "[sandbox]")


@pytest.mark.parametrize(
    "arguments",
    [("explain",), ("plan", "--limit", "0"), ("plan", "--since", "yesterday"), ("snyc",), ("apply",)],
)
def test_wrong_use_ends_with_two(house: Any, arguments: tuple[str, ...]) -> None:
    _refused(house.command(*arguments), 2)


def test_whoever_asks_for_somebody_unknown_is_told_what_a_key_is_and_not_the_address_back(
    furnished: Any,
) -> None:
    furnished.couple("anna@sommer.de")
    furnished.sync()

    told = furnished.command("explain", "nobody@nowhere.de")
    _refused(told, 2, "no lead is known by this KEY", "fix: a KEY is an e-mail address")
    assert "nobody@nowhere.de" not in told.err
