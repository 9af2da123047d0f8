"""The pretend CRMs by TLS: their certificates, https, and a server that starts with its first caller."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.sandbox.certificates import CA, CHAIN, KEY, ca_file, key_and_chain
from connectors.sandbox.detached import SandboxUnavailable, attach
from connectors.sandbox.folder import Ports
from connectors.sandbox.latestart import LateStart
from connectors.sandbox.server import PortInUse
from connectors.sandbox.serving import sandbox


def test_certificates_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    first = ca_file(tmp_path).read_bytes()
    assert ca_file(tmp_path).read_bytes() == first
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (CA, CHAIN, KEY)} == {0o600}


def test_many_who_ask_at_once_get_one_authority(tmp_path: Path) -> None:
    found: list[bytes] = []
    asking = [threading.Thread(target=lambda: found.append(ca_file(tmp_path).read_bytes())) for _ in range(4)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_the_server_is_signed_by_the_authority_for_this_machine_only(tmp_path: Path) -> None:
    key, chain = key_and_chain(tmp_path)
    root = x509.load_pem_x509_certificate(ca_file(tmp_path).read_bytes())
    leaf = x509.load_pem_x509_certificate(chain)
    leaf.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    # The authority's own key is nowhere: nobody can sign with it any more.
    public = root.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert b"PRIVATE KEY" in key
    assert leaf.public_key() != public


def test_both_sides_are_served_by_https_where_it_was_asked_for(tmp_path: Path) -> None:
    with sandbox(tmp_path, tls=True) as serving:
        ready = serving.ready
        assert ready["hubspot"].startswith("https://127.0.0.1:")
        for url in (ready["hubspot"], ready["salesforce"]):
            answer = requests.get(f"{url}/_sandbox/clock", verify=ready["ca_file"], timeout=60)
            assert answer.status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{ready['hubspot']}/_sandbox/clock", timeout=60)
        with pytest.raises(SandboxUnavailable, match="TLS"):
            attach(tmp_path)


def test_the_ready_line_names_what_pubsub_needs(tmp_path: Path) -> None:
    with sandbox(tmp_path) as serving:
        host, port = str(serving.ready["pubsub"]).split(":")
        context = ssl.create_default_context(cafile=serving.ready["ca_file"])
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection((host, int(port)), 10) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            assert secured.selected_alpn_protocol() == "h2"


def test_a_port_that_is_asked_for_is_the_port_of_pubsub(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with sandbox(tmp_path, pubsub_port=port) as serving:
        assert serving.pubsub == f"127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortInUse, match=f"port {port} for the Pub/Sub sandbox"),
            sandbox(pubsub_port=port),
        ):
            raise AssertionError("a taken port was opened")


def test_who_attaches_is_told_of_pubsub_too(tmp_path: Path) -> None:
    with sandbox(tmp_path) as serving, attach(tmp_path) as attached:
        assert (attached.pubsub, attached.ca_file) == (serving.pubsub, str(serving.ca_file))


@pytest.mark.parametrize(
    ("said", "ports"),
    [
        ({"hubspot": 1, "salesforce": 2}, Ports(1, 2)),
        ({"hubspot": 1, "salesforce": 2, "pubsub": 3, "tls": True, "pid": 4}, Ports(1, 2, 3, True)),
    ],
)
def test_what_an_older_server_told_is_understood(said: dict[str, int], ports: Ports) -> None:
    assert Ports.told(said) == ports


class Echo:
    """A server that gives back what it gets; counts how often it was made, started and stopped."""

    made = 0

    def __init__(self) -> None:
        Echo.made += 1
        self.stopped = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def start(self) -> int:
        self._thread.start()
        return int(self._listening.getsockname()[1])

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        self.stopped = True

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            with caller:
                while piece := caller.recv(1000):
                    caller.sendall(piece)


async def _said(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text)
        return await reader.readexactly(len(text))
    finally:
        writer.transport.abort()


def test_a_server_is_made_for_its_first_caller_and_only_once() -> None:
    Echo.made = 0
    backends: list[Echo] = []

    async def run() -> None:
        late = LateStart("echo", lambda: backends.append(Echo()) or backends[-1])  # type: ignore[func-returns-value]
        port = await late.start(0)
        assert Echo.made == 0
        assert await _said(port, b"one") == b"one"
        assert await _said(port, b"x" * 200_000) == b"x" * 200_000
        await late.stop()

    asyncio.run(run())
    assert (Echo.made, backends[0].stopped) == (1, True)


def test_a_server_that_nobody_called_was_never_made() -> None:
    Echo.made = 0

    async def run() -> None:
        late = LateStart("echo", Echo)
        await late.start(0)
        await late.stop()
        await late.stop()

    asyncio.run(run())
    assert Echo.made == 0


def test_a_server_that_could_not_be_made_is_made_for_the_next_caller() -> None:
    made: list[str] = []

    def at_the_second_try() -> Echo:
        made.append("try")
        if len(made) == 1:
            raise OSError("no luck")
        return Echo()

    async def run() -> None:
        late = LateStart("echo", at_the_second_try)
        port = await late.start(0)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await _said(port, b"one")
        assert await _said(port, b"two") == b"two"
        await late.stop()

    asyncio.run(run())
    assert len(made) == 2


def test_who_still_talks_when_the_server_stops_is_hung_up_on() -> None:
    async def run() -> bytes:
        late = LateStart("echo", Echo)
        port = await late.start(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        await late.stop()
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    assert asyncio.run(run()) == b""
