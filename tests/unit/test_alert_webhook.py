"""What becomes of an alert that is posted: taken, tried again, refused, or nobody knows. The address is a secret."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from sync.mails.sender import MailAway, MailRefused, MailUnsure, NotSent
from sync.mails.webhook import post


class Answers(HTTPServer):
    """Answers every POST with ``status``; 0: hangs up without an answer."""

    status = 200
    bodies: list[Any]


class Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.status == 0:
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def chat() -> Iterator[Answers]:
    server = Answers(("127.0.0.1", 0), Handler)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/hooks/secret-word"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_whoever_says_2xx_has_taken_it(chat: Answers, status: int) -> None:
    chat.status = status
    heard: list[str] = []
    post(_url(chat.server_port), {"text": "Grüße"}, before_content=lambda: heard.append("content"))
    assert chat.bodies == [{"text": "Grüße"}]
    assert heard == ["content"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, MailAway),
        (429, MailAway),
        (500, MailAway),
        (503, MailAway),
        (400, MailRefused),
        (404, MailRefused),
        # A redirect might lead to anybody, so nobody follows it.
        (302, MailRefused),
        (307, MailRefused),
        (0, MailUnsure),
    ],
)
def test_any_other_answer_says_what_follows_and_not_where_it_went(
    chat: Answers, status: int, kind: type[NotSent]
) -> None:
    chat.status = status
    with pytest.raises(kind) as told:
        post(_url(chat.server_port), {"text": "x"})
    assert len(chat.bodies) == 1
    assert "secret-word" not in f"{told.value!r} {told.value} {told.value.fix}"


def test_a_webhook_that_is_not_there_is_away() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(MailAway, match="cannot be reached"):
            post(_url(free.getsockname()[1]), {"text": "x"})
