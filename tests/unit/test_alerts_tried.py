"""An admin tries whether mails and the webhook work before the first alert, and reads why they do not."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sync.cli import leadpact
from sync.errors import WrongUse
from sync.initdir import write_config
from sync.mails.words_alerts import FIX, SAID, fix_of, said
from sync.sentences import clause, joined

ANNA, BEN = "Anna Sommer <anna@team.example>", "ben@team.example"
SECRET = "hooks/secret-word"


class Chat(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent."""

    taken: list[dict[str, Any]]
    status = 200

    def do_POST(self) -> None:
        self.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def chat() -> Iterator[tuple[str, type[Chat]]]:
    """The address of a webhook, and what it is."""
    handler = type("Listening", (Chat,), {"taken": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{SECRET}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def _tried(folder: Path, notify: str, *arguments: str, environ: dict[str, str] | None = None) -> Result:
    write_config(folder)
    with (folder / "leadpact.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[notify]\n{notify}")
    wanted = ["--json", "--config", str(folder / "leadpact.toml"), "alerts", "test", *arguments]
    return CliRunner().invoke(leadpact, wanted, env=environ or {}, catch_exceptions=False)


def _server(port: int) -> str:
    return f'smtp_host = "127.0.0.1"\nsmtp_port = {port}\nencryption = "none"\nsender = "us@team.example"\n'


PEOPLE = f'[notify.monday_mail]\n"{ANNA}" = "de"\n[notify.alert_mail]\n"{BEN}" = "en"\n'


def test_everybody_who_is_named_gets_a_test_in_their_language_and_so_does_the_webhook(
    tmp_path: Path, mail_server: Callable[..., Any], chat: tuple[str, type[Chat]]
) -> None:
    server, (url, webhook) = mail_server(), chat
    told = _tried(tmp_path, _server(server.port) + PEOPLE, environ={"LEADPACT_NOTIFY__ALERT_WEBHOOK": url})
    assert told.exit_code == 0, told.output
    tried = json.loads(told.stdout)["tried"]
    assert [(one["recipient"], one["problem"]) for one in tried] == [(ANNA, ""), (BEN, ""), ("webhook", "")]
    (german,), (english,) = server.of("anna@"), server.of("ben@")
    assert (german["Subject"], english["Subject"]) == ("Leadpact: Testnachricht", "Leadpact: a test")
    (document,) = webhook.taken
    assert document["alerts"] == []
    assert document["text"].startswith("Leadpact: a test")


def test_each_failure_has_its_cause_and_a_fix_and_does_not_stop_the_others(
    tmp_path: Path, mail_server: Callable[..., Any], chat: tuple[str, type[Chat]]
) -> None:
    server, (url, webhook) = mail_server(), chat
    server.answers["RCPT", "anna@team.example"] = "550 unknown"
    webhook.status = 404
    told = _tried(tmp_path, _server(server.port) + PEOPLE, environ={"LEADPACT_NOTIFY__ALERT_WEBHOOK": url})
    assert told.exit_code == 1
    anna, ben, hook = json.loads(told.stdout)["tried"]
    assert anna["problem"] == "the mail server refuses the recipient (550)"
    assert "notify.sender" in anna["fix"]
    assert ben["problem"] == ""
    assert hook["problem"] == "the webhook does not take it (404)"
    assert SECRET not in told.output


@pytest.mark.parametrize(
    ("notify", "arguments", "code", "words"),
    [
        ("", ["--to", "nobody"], 2, "a mailbox looks like"),
        ("", ["--to", ANNA], 1, "no mail server is configured"),
        (_server(1), ["--to", ANNA], 1, "cannot be reached"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, notify: str, arguments: list[str], code: int, words: str
) -> None:
    told = _tried(tmp_path, notify, *arguments)
    assert told.exit_code == code
    assert words in told.output


def test_a_config_that_names_nobody_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="names nobody") as wrong:
        _tried(tmp_path, "")
    assert "--to" in wrong.value.fix


def test_a_mailbox_can_be_tried_that_the_config_does_not_name(
    tmp_path: Path, mail_server: Callable[..., Any]
) -> None:
    server = mail_server()
    assert _tried(tmp_path, _server(server.port) + PEOPLE, "--to", "new@team.example").exit_code == 0
    assert [str(mail["To"]) for mail in server.taken] == ["new@team.example"]


# --- sentences within sentences ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("It is revoked.", "get a new one"), "It is revoked; get a new one"),
        (("It is revoked.", ""), "It is revoked"),
        (("", " "), ""),
        (("salesforce: busy (503)", "Wait."), "salesforce: busy (503); Wait"),
    ],
)
def test_two_sentences_become_one_line(parts: tuple[str, ...], line: str) -> None:
    assert joined(*parts) == line
    assert clause(line) == line


VALUES = {
    **dict.fromkeys(("lane", "crm", "budget", "field", "log", "letters", "job", "what"), "x"),
    **dict.fromkeys(("minutes", "limit", "records", "hours", "used", "of", "share", "length"), 3),
    **dict.fromkeys(("before", "leads"), 3),
    **{f"{part}{what}": 3 for part in ("before", "after") for what in ("", "_low", "_high", "_leads")},
    **dict.fromkeys(("outcome", "band"), "x"),
    **dict.fromkeys(("said", "fix", "problem"), "Put a valid token into the settings; this one is revoked."),
}


@pytest.mark.parametrize(("name", "language"), list(itertools.product(sorted(SAID), ("de", "en"))))
def test_no_alert_has_a_full_stop_within_its_line(name: str, language: Any) -> None:
    found = {"name": name, **VALUES}
    for line in (said(found, language), fix_of(found, language)):
        assert not [bad for bad in (".;", ".,", "..", ".:") if bad in line], line
        assert not line.endswith(".")
    assert set(SAID) == set(FIX)
