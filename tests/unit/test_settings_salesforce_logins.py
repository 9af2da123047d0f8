"""The three ways of logging in to Salesforce, as a config asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sync.settings import Settings, WrongConfig, load_settings

HUBSPOT = {"LEADPACT_HUBSPOT__ACCESS_TOKEN": "x"}


def loaded(folder: Path, text: str, environ: Mapping[str, str]) -> Settings:
    path = folder / "leadpact.toml"
    path.write_text(f"[salesforce]\n{text}", encoding="utf-8")
    return load_settings(path, {**HUBSPOT, **environ})


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", ["CLIENT_ID", "CLIENT_SECRET"]),
        ("auth = 'client_credentials'\nclient_id = 'x'", ["CLIENT_SECRET"]),
        ("auth = 'jwt'", ["CLIENT_ID", "USERNAME", "KEY_FILE"]),
        ("auth = 'jwt'\nclient_id = 'x'\nusername = 'y'\nkey_file = 'z.pem'", []),
        ("auth = 'refresh_token'\nclient_id = 'x'", ["CLIENT_SECRET", "REFRESH_TOKEN"]),
    ],
)
def test_each_way_misses_what_it_needs_and_nothing_else(
    tmp_path: Path, text: str, missing: list[str]
) -> None:
    found = loaded(tmp_path, text, {}).missing_secrets()
    assert [one["where"] for one in found] == [f"LEADPACT_SALESFORCE__{name}" for name in missing]


def test_the_key_file_stands_beside_the_config_and_may_come_from_the_environment(tmp_path: Path) -> None:
    from_file = loaded(tmp_path, "key_file = 'keys/salesforce.pem'", {})
    assert from_file.salesforce.key_file == str(tmp_path / "keys/salesforce.pem")
    from_environment = loaded(tmp_path, "", {"LEADPACT_SALESFORCE__KEY_FILE": "other.pem"})
    assert from_environment.salesforce.key_file == str(tmp_path / "other.pem")


def test_a_refresh_token_never_stands_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(WrongConfig, match="refresh_token is a secret") as wrong:
        loaded(tmp_path, "refresh_token = 'planted'", {})
    assert "planted" not in str(wrong.value)


@pytest.mark.parametrize("host", ["acme.lightning.force.com", "ACME--uat.sandbox.Lightning.force.com"])
def test_the_address_of_the_pages_is_not_taken_for_the_my_domain(tmp_path: Path, host: str) -> None:
    with pytest.raises(WrongConfig, match="login_url must be the My Domain address"):
        loaded(tmp_path, f"login_url = 'https://{host}'", {})


def test_an_unknown_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongConfig, match="auth"):
        loaded(tmp_path, "auth = 'password'", {})
