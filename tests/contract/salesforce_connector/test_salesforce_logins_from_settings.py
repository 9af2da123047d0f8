"""A config file, an app, a pretend organisation: each way of logging in opens the same account."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from connectors.quota import MemoryLedger
from sync.app_crms import Belongings, salesforce
from sync.settings import WrongConfig, load_settings
from sync.store.calls import CallLedgers

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
SECRET = "salesforce-sandbox-secret"


def owned() -> Belongings:
    """An app's belongings without a database: only the call budget would need one."""
    ledgers = SimpleNamespace(of=lambda fingerprint: MemoryLedger(time.monotonic))
    return Belongings(None, cast(CallLedgers, ledgers), lambda: NOON, "live")


def config(folder: Path, org: Any, text: str) -> Path:
    path = folder / "leadpact.toml"
    path.write_text(f"[salesforce]\nlogin_url = '{org.url}'\nclient_id = 'leadpact-sandbox'\n{text}", "utf-8")
    return path


def people(org: Any, **wanted: Any) -> dict[str, Any]:
    answer = requests.post(f"{org.url}/_sandbox/people", json=wanted, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("auth", ["client_credentials", "jwt", "refresh_token"])
def test_each_way_of_logging_in_opens_the_organisation(org: Any, tmp_path: Path, auth: str) -> None:
    key = people(org, action="app", make_key=True)["key_file"]
    environ = {
        "LEADPACT_SALESFORCE__CLIENT_SECRET": SECRET,
        "LEADPACT_SALESFORCE__REFRESH_TOKEN": people(org, action="approve")["refresh_token"],
        "LEADPACT_SALESFORCE__USERNAME": "integration@leadpact-sandbox.example",
        "LEADPACT_SALESFORCE__KEY_FILE": key,
    }
    settings = load_settings(config(tmp_path, org, f"auth = '{auth}'"), environ)
    crm = salesforce(settings, owned())
    assert crm.account().account_id == "00DgK0000000001UAA"
    crm.close()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_key_file_that_cannot_be_read_is_a_wrong_config_with_its_line(
    org: Any, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "key.pem").write_bytes(content)
    path = config(tmp_path, org, "auth = 'jwt'\nusername = 'x@y.example'\nkey_file = 'key.pem'")
    with pytest.raises(WrongConfig) as wrong:
        salesforce(load_settings(path, {}), owned())
    (problem,) = wrong.value.problems
    assert problem["where"] == "leadpact.toml:6"
    assert "key.pem" in problem["problem"]
