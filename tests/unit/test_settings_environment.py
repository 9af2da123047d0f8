"""Settings from variables, from the files they name, and from a directory of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sync.environment import leaves, variable_of
from sync.settings import Settings, WrongConfig, load_settings
from sync.wrongconfig import Problem

PLANTED = "pl4nted-s3cret"
TOKEN = "LEADPACT_HUBSPOT__ACCESS_TOKEN"


def load(folder: Path, environ: Mapping[str, str], text: str = "") -> Settings:
    (folder / "leadpact.toml").write_text(text, encoding="utf-8")
    return load_settings(folder / "leadpact.toml", environ)


def only_problem(folder: Path, environ: Mapping[str, str], text: str = "") -> Problem:
    with pytest.raises(WrongConfig) as caught:
        load(folder, environ, text)
    assert PLANTED not in str(caught.value.problems) + str(caught.value)
    (one,) = caught.value.problems
    return one


def token_of(found: Settings) -> str:
    return found.required_secret("hubspot.access_token")


@pytest.mark.parametrize(
    ("variable", "text", "read"),
    [
        ("LEADPACT_SYNC__MODE", "full", lambda s: s.sync.mode == "full"),
        ("LEADPACT_SYNC__SLICE_LEADS", "7", lambda s: s.sync.slice_leads == 7),
        ("LEADPACT_HUBSPOT__DAILY_SHARE", "0.5", lambda s: s.hubspot.daily_share == 0.5),
        ("LEADPACT_LOCALE__DECIMAL_COMMA", "true", lambda s: s.locale.decimal_comma is True),
        ("LEADPACT_LOCALE__CURRENCY__HUBSPOT", "CHF", lambda s: s.locale.currency.hubspot == "CHF"),
        ("LEADPACT_SANDBOX__HUBSPOT_PORT", "8080", lambda s: s.sandbox and s.sandbox.hubspot_port == 8080),
        ("LEADPACT_SCOPE__LEADS", "false", lambda s: s.scope.leads == "false"),
    ],
)
def test_any_single_setting_can_come_from_a_variable(
    tmp_path: Path, variable: str, text: str, read: object
) -> None:
    assert callable(read)
    assert read(load(tmp_path, {variable: text}))


def test_a_variable_wins_over_the_file_and_leaves_its_neighbours(tmp_path: Path) -> None:
    found = load(tmp_path, {"LEADPACT_SYNC__MODE": "full"}, "[sync]\nmode = 'observe'\nslice_leads = 9\n")
    assert (found.sync.mode, found.sync.slice_leads) == ("full", 9)


def test_what_a_section_asks_of_its_settings_together_is_judged_when_all_are_known(tmp_path: Path) -> None:
    sender = "[notify]\nsender = 'leadpact@shop.example'\n"
    host = {"LEADPACT_NOTIFY__SMTP_HOST": "mail.shop.example"}
    assert load(tmp_path, host, sender).notify.smtp_host == "mail.shop.example"
    with pytest.raises(WrongConfig) as wrong:
        load(tmp_path, host, "")
    assert "no sender" in str(wrong.value)


def test_every_setting_has_a_variable_of_its_own() -> None:
    names = [variable_of(path) for path, _ in leaves()]
    assert len(names) == len(set(names))
    # A setting called like another's _FILE variable could not be told from it.
    assert not {f"{name}_FILE" for name in names} & set(names)


def test_tables_of_free_names_come_from_files_only(tmp_path: Path) -> None:
    one = only_problem(tmp_path, {"LEADPACT_SALESFORCE__REQUIRED": "{}"})
    assert one["where"] == "LEADPACT_SALESFORCE__REQUIRED"
    assert "unknown" in one["problem"]


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("LEADPACT_HUBSPOT__ACESS_TOKEN", TOKEN),
        ("LEADPACT_HUBSPOT_ACCESS_TOKEN", TOKEN),
        ("leadpact_hubspot__access_token", TOKEN),
        ("LEADPACT_HUBSPOT__ACCESS_TOKEN_FIEL", f"{TOKEN}_FILE"),
        ("LEADPACT_CONFG", "LEADPACT_CONFIG"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest(tmp_path: Path, variable: str, nearest: str) -> None:
    one = only_problem(tmp_path, {variable: PLANTED})
    assert one["where"] == variable
    assert f"did you mean {nearest}?" in one["fix"]


def test_variables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    assert load(tmp_path, {"PATH": "/bin", "HUBSPOT__ACCESS_TOKEN": "x"}).hubspot.access_token is None


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("LEADPACT_SYNC__SLICE_LEADS", PLANTED, "must be a whole number"),
        ("LEADPACT_SYNC__SLICE_LEADS", "0", "must be at least 1"),
        ("LEADPACT_SYNC__MODE", PLANTED, "'observe', 'own_fields' or 'full'"),
        ("LEADPACT_LOCALE__DECIMAL_COMMA", PLANTED, "must be true or false"),
        ("LEADPACT_HUBSPOT__BASE_URL", f"http://{PLANTED}", "https://"),
        (TOKEN, "", "is empty"),
        (TOKEN, f"{PLANTED} ", "a space"),
        (TOKEN, f"{PLANTED}\nX-Header: 1", "a line break"),
        (TOKEN, f"{PLANTED}ü", "a character"),
        ("LEADPACT_DATABASE__URL", f"{PLANTED}://x", "postgresql://"),
    ],
)
def test_a_wrong_value_names_its_variable_and_not_itself(
    tmp_path: Path, variable: str, text: str, says: str
) -> None:
    one = only_problem(tmp_path, {variable: text})
    assert one["where"] == variable
    assert says in one["problem"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_variable_is_read_without_the_line_break_at_its_end(tmp_path: Path, end: str) -> None:
    (tmp_path / "token").write_text(PLANTED + end, newline="")
    assert token_of(load(tmp_path, {f"{TOKEN}_FILE": str(tmp_path / "token")})) == PLANTED
    assert token_of(load(tmp_path, {f"{TOKEN}_FILE": "token"})) == PLANTED


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: no such file"),
        (f"{PLANTED}\n{PLANTED}\n".encode(), "a line break"),
        (b"\xff\xfe" + PLANTED.encode(), "one short text in UTF-8"),
        (PLANTED.encode() * 10_000, "one short text in UTF-8"),
    ],
)
def test_a_file_that_holds_no_secret_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    one = only_problem(tmp_path, {f"{TOKEN}_FILE": "token"})
    assert one["where"] == f"{TOKEN}_FILE"
    assert says in one["problem"]


def test_a_variable_and_its_file_do_not_stand_beside_each_other(tmp_path: Path) -> None:
    one = only_problem(tmp_path, {TOKEN: PLANTED, f"{TOKEN}_FILE": "token"})
    assert one["where"] == f"{TOKEN}_FILE"


def test_a_secrets_directory_is_read_by_the_variables_names(tmp_path: Path) -> None:
    secrets = tmp_path / "run" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "leadpact_hubspot__access_token").write_text(f"{PLANTED}\n")
    (secrets / "LEADPACT_SALESFORCE__CLIENT_SECRET").write_text("other")
    (secrets / "somebody_elses").write_text("not ours")
    (secrets / "..data").mkdir()
    found = load(tmp_path, {"LEADPACT_SECRETS_DIR": "run/secrets"})
    assert token_of(found) == PLANTED
    assert found.required_secret("salesforce.client_secret") == "other"
    assert token_of(load(tmp_path, {"LEADPACT_SECRETS_DIR": str(secrets), TOKEN: "stronger"})) == "stronger"


def test_a_misspelt_file_of_the_secrets_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "leadpact_hubspot__token").write_text(PLANTED)
    one = only_problem(tmp_path, {"LEADPACT_SECRETS_DIR": "."})
    assert one["where"] == "leadpact_hubspot__token"
    assert TOKEN in one["fix"]


def test_a_secrets_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    one = only_problem(tmp_path, {"LEADPACT_SECRETS_DIR": "none"})
    assert one["where"] == "LEADPACT_SECRETS_DIR"


def test_a_variable_can_name_another_policy(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[policy]\nscore_step = 1\n")
    (tmp_path / "b.toml").write_text("[policy]\nscore_step = 2\n")
    text = "[files]\npolicy = 'a.toml'\n"
    assert load(tmp_path, {}, text).policy["policy"]["score_step"] == 1
    assert load(tmp_path, {"LEADPACT_FILES__POLICY": "b.toml"}, text).policy["policy"]["score_step"] == 2
    one = only_problem(tmp_path, {"LEADPACT_FILES__POLICY": "none.toml"}, text)
    assert one["where"] == "none.toml"
    assert "LEADPACT_FILES__POLICY names this file" in one["fix"]


def test_the_switches_of_the_test_suite_are_no_settings_and_stop_nobody(tmp_path: Path) -> None:
    switches = ("LEADPACT_REQUIRE_ALL", "LEADPACT_TEST_STORM_SECONDS", "LEADPACT_TWO_WORKERS_ROUNDS")
    assert load(tmp_path, dict.fromkeys(switches, "60")) == load(tmp_path, {})
