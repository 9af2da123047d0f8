"""The vendors' own addresses, leading to the pretend CRMs: for clients that cannot be told another one.

An HTTP proxy on loopback. It takes ``CONNECT api.hubapi.com:443``, speaks TLS under a certificate of its own making
and hands on, byte for byte, to the pretend CRM that stands there. A client needs what every client has: a
proxy (``HTTPS_PROXY``) and a file of certificates to trust. Nothing in it is changed, and nobody else is reached:
a host that no CRM stands for is refused and remembered.

The certificates are made once for a folder: what trusts them may be installed for longer than one run.
"""

from __future__ import annotations

import selectors
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.sandbox.folder import locked

HUBSPOT = ("api.hubapi.com",)
SALESFORCE = ("login.salesforce.com", "test.salesforce.com", "leadpact-sandbox.my.salesforce.com")
_ROOT, _LEAF = "authority.pem", "host.pem"
_AT_ONCE = 65_536
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Detour:
    """A running proxy: its address, the certificates a client has to trust, and the hosts it refused."""

    url: str
    ca_file: Path
    refused: list[str] = field(default_factory=list)

    def environ(self) -> dict[str, str]:
        """What sends the usual clients of Python and Node this way."""
        trusted = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        return {"HTTPS_PROXY": self.url, "https_proxy": self.url} | dict.fromkeys(trusted, str(self.ca_file))


@contextmanager
def detour(hubspot_url: str, salesforce_url: str, folder: Path) -> Iterator[Detour]:
    """The proxy while the context lasts; ``folder`` holds its certificates, or gets them."""
    hosts = dict.fromkeys(HUBSPOT, hubspot_url) | dict.fromkeys(SALESFORCE, salesforce_url)
    ca_file, context = authority(folder), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / _LEAF)
    refused: list[str] = []
    with _Server(("127.0.0.1", 0), _handler(hosts, context, refused)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Detour(f"http://127.0.0.1:{server.server_address[1]}", ca_file, refused)
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    # Clients keep connections open after their last call; nobody waits for those.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


def _handler(
    hosts: Mapping[str, str], context: ssl.SSLContext, refused: list[str]
) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # Either end may leave in the middle of anything; the other end then sees it leave.
            with suppress(OSError):
                self._lead()

        def _lead(self) -> None:
            self.request.settimeout(_SECONDS)
            method, _, rest = _head(self.request).partition(" ")
            host = rest.partition(" ")[0].rpartition(":")[0]
            if method != "CONNECT" or host not in hosts:
                refused.append(host or method)
                self.request.sendall(
                    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            place = urlsplit(hosts[host])
            with (
                closing(context.wrap_socket(self.request, server_side=True)) as client,
                socket.create_connection((str(place.hostname), int(place.port or 80)), _SECONDS) as crm,
            ):
                _between(client, crm)

    return Handler


def _head(client: socket.socket) -> str:
    """The first line of a request; its other lines are read and left."""
    read = b""
    while b"\r\n\r\n" not in read and len(read) < _AT_ONCE:
        part = client.recv(4096)
        if not part:
            break
        read += part
    return read.partition(b"\r\n")[0].decode("latin-1")


def _between(client: ssl.SSLSocket, crm: socket.socket) -> None:
    """Hand on in both directions until one end closes."""
    # Not select(): it knows no file above number 1,023, and whoever runs us may have as many open.
    with selectors.DefaultSelector() as both:
        for end in (client, crm):
            both.register(end, selectors.EVENT_READ)
        _hand_on(client, crm, both)


def _hand_on(client: ssl.SSLSocket, crm: socket.socket, both: selectors.BaseSelector) -> None:
    while True:
        # What is deciphered already no longer shows on the socket.
        ready = [client] if client.pending() else [key.fileobj for key, _ in both.select(_SECONDS)]
        if not ready:
            return
        for source in (end for end in (client, crm) if end in ready):
            part = source.recv(_AT_ONCE)
            if not part:
                return
            (crm if source is client else client).sendall(part)


def authority(folder: Path) -> Path:
    """The file that makes a client trust the detours of this folder; it and its certificates are made once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder / "certificates.lock"):
        if not (folder / _ROOT).exists():
            _make_certificates([*HUBSPOT, *SALESFORCE], folder)
    return folder / _ROOT


def _make_certificates(hosts: list[str], folder: Path) -> None:
    """A certificate for all hosts, and the authority of our own that signs it and then loses its key."""
    signer, issuer = ec.generate_private_key(ec.SECP256R1()), _name("Leadpact detour: tests only")
    basic = x509.BasicConstraints(ca=True, path_length=0)
    root = _signed(issuer, issuer, signer, signer, [(basic, True), (_usage(signs=True), True)])
    key = ec.generate_private_key(ec.SECP256R1())
    more: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName([*map(x509.DNSName, hosts)]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    ]
    leaf = _signed(_name(hosts[0]), issuer, key, signer, more)
    pem = serialization.Encoding.PEM
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / _LEAF).touch(mode=0o600)
    (folder / _LEAF).write_bytes(key.private_bytes(pem, kind, plain) + leaf.public_bytes(pem))
    # Last: where it is, everything is.
    (folder / _ROOT).write_bytes(root.public_bytes(pem))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=3_650))
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for extension, critical in [*extensions, (subject_key, False)]:
        made = made.add_extension(extension, critical)
    return made.sign(signer, hashes.SHA256())
