"""Nothing is missed while servers stop, listeners come and go, and many write at once."""

from __future__ import annotations

import json
import random
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.retry import Retry
from connectors.salesforce.grants import ClientCredentials
from connectors.salesforce.pubsub.listening import PubSub, topic_of
from connectors.salesforce.pubsub.wire import Wire
from connectors.salesforce.token import Tokens
from connectors.sandbox.serving import sandbox
from connectors.session import open_session

LEADS = topic_of("Lead")


#: Below the ports that systems lend to outgoing connections: nobody takes one of these while a server is away.
NEVER_LENT = range(20_000, 32_000)


def free_port() -> int:
    """A port to start a server on, to stop it, and to start it again."""
    for port in random.sample(NEVER_LENT, 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("a hundred ports were tried, and none of them was free")


def test_a_server_that_was_restarted_is_listened_to_again_from_where_it_stopped(tmp_path: Path) -> None:
    http, grpc = free_port(), free_port()
    again = threading.Event()

    def made(name: str) -> str:
        fields = {"LastName": name, "Company": "Engines"}
        wanted = {"action": "create", "object": "Lead", "fields": fields}
        answer = requests.post(f"http://127.0.0.1:{http}/_sandbox/people", json=wanted, timeout=60)
        return str(answer.json()["id"])

    def slept(seconds: float) -> None:
        # The first wait is over when the server is back; no time is lost in waiting for the clock.
        again.wait(60)

    with sandbox(tmp_path, salesforce_port=http, pubsub_port=grpc) as serving:
        session = open_session(loopback=f"127.0.0.1:{http}")
        grant = ClientCredentials("leadpact-sandbox", "salesforce-sandbox-secret")
        tokens = Tokens(session, "https://leadpact-sandbox.my.salesforce.com", grant)
        wire = Wire(f"127.0.0.1:{grpc}", str(serving.ca_file))
        first = made("Before")
        listening = PubSub(wire, tokens, retry=Retry(sleep=slept)).listen(LEADS)
        assert next(listening).changes[0].record_ids == (first,)
    heard: list[Any] = []
    listener = threading.Thread(target=lambda: heard.append(next(listening)))
    listener.start()
    with sandbox(tmp_path, salesforce_port=http, pubsub_port=grpc):
        second = made("After")
        again.set()
        listener.join(60)
        assert [each.record_ids for each in heard[0].changes] == [(second,)]
        listening.close()
        wire.close()


def test_listeners_that_come_and_go_while_many_write_hear_everything_once(org: Any) -> None:
    made: list[str] = []
    done = threading.Event()

    def write(writer: int) -> None:
        for number in range(8):
            made.append(org.created(LastName=f"L{writer}-{number}"))

    writers = [threading.Thread(target=write, args=(each,)) for each in range(3)]
    for each in writers:
        each.start()
    heard: list[str] = []
    place: str | None = None
    while not done.is_set():
        if not any(each.is_alive() for each in writers):
            done.set()
        # Each listener takes one batch, keeps its place, and is gone.
        with org.pubsub.listen(LEADS, place, most_pending=3, idle_seconds=0.3) as batches:
            for batch in batches:
                heard += [record for change in batch.changes for record in change.record_ids]
                place = batch.place
                if not done.is_set():
                    break
    assert sorted(heard) == sorted(made)
    assert len(heard) == 24


@pytest.mark.parametrize("stop", ["reset", "revoke"])
def test_what_ends_an_organisation_ends_no_listener(org: Any, stop: str) -> None:
    org.created()
    with org.pubsub.listen(LEADS) as batches:
        next(batches)
        if stop == "reset":
            org.control("reset")
        else:
            org.control("people", action="revoke_tokens")
        lead = org.created()
        assert next(batches).changes[0].record_ids == (lead,)


def test_secrets_and_record_values_are_in_no_text(org: Any) -> None:
    lead = org.created(Email="ada@engines.example")
    org.person("edit", id=lead, fields={"Email": "byron@engines.example"})
    heard = org.heard(LEADS)
    texts = json.dumps([repr(each) for each in heard]) + repr(org.tokens.current())
    assert "engines.example" not in texts
    assert org.tokens.current().access_token not in texts
