"""What looks for secrets in the logs of all tests finds them: each kind, wherever it stands."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.credentials import (
    HUBSPOT_CLIENT_SECRET,
    HUBSPOT_TOKEN,
    SALESFORCE_CLIENT_SECRET,
)

PLANTED = (
    HUBSPOT_TOKEN,
    HUBSPOT_CLIENT_SECRET,
    SALESFORCE_CLIENT_SECRET,
    "planted-path-of-a-story",
    "00DgK000000sand!AQEAQ.session_of_a_test",
    "anna.sommer+news@mail.sommer.example",
)


@pytest.mark.parametrize("secret", PLANTED)
@pytest.mark.parametrize("room", ["sync.anything", "connectors.anything", "mapping.anything"])
def test_a_secret_that_one_of_our_loggers_says_is_found(leaks: Any, room: str, secret: str) -> None:
    logging.getLogger(room).error("it went wrong for %s", secret)
    assert leaks.taken() == [f"{room}: {secret}"]
    logging.getLogger(room).error("it went wrong", extra={"lead": secret})
    assert leaks.taken() == [f"{room}: {secret}"]


@pytest.mark.parametrize("secret", PLANTED)
def test_a_secret_in_the_log_of_a_process_or_of_its_database_is_found(
    leaks: Any, tmp_path: Path, secret: str
) -> None:
    for place in ("leadpact/process-3.log", "data/postgresql/log"):
        log = tmp_path / place
        log.parent.mkdir(parents=True)
        log.write_text(f"2026-11-22T09:00:00Z INFO sync.run: began\nan error about {secret}, somehow\n")
        leaks.look_into(tmp_path)
        assert leaks.taken() == [f"{log.name}: {secret}"]
        log.unlink()


@pytest.mark.parametrize("secret", PLANTED)
def test_a_secret_that_a_command_prints_is_found_and_whom_it_was_asked_for_it_may_name(
    leaks: Any, tmp_path: Path, secret: str
) -> None:
    said = tmp_path / "said"
    said.mkdir()
    (said / "0-explain.out").write_text(f'{{"email": "{secret}"}}')
    leaks.look_into(tmp_path)
    assert leaks.taken() == ([] if "@" in secret else [f"0-explain.out: {secret}"])
    (said / "0-explain.log").write_text(f"leadpact: nothing is known of {secret}")
    leaks.look_into(tmp_path)
    assert f"0-explain.log: {secret}" in leaks.taken()


def test_what_a_log_may_say_is_no_leak(leaks: Any, tmp_path: Path) -> None:
    said = "job 4 of hubspot ended; leadpact.example was looked up; lead 0193-ab; see sommer@ and .example"
    logging.getLogger("sync.anything").error(said)
    (tmp_path / "process-1.log").write_text(said)
    leaks.look_into(tmp_path)
    assert leaks.taken() == []
