"""The certificates of a folder's pretend CRMs: an authority of its own, and one for this machine's loopback.

Made when somebody first asks, once a folder. The authority's key is thrown away as soon as it has signed,
so that nothing else can ever be signed with it.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.sandbox.clock import real_time
from connectors.sandbox.folder import locked

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CA, CHAIN, KEY = "ca.pem", "server.pem", "server-key.pem"
LIFETIME = timedelta(days=3650)
_LOCK, _WAIT_SECONDS = "certificates.lock", 30.0


def ca_file(folder: Path) -> Path:
    """The authority's certificate (PEM), for clients to trust. Made where there is none yet."""
    found = folder / CA
    if not found.exists():
        with locked(folder / _LOCK, _WAIT_SECONDS):
            if not found.exists():
                _make(folder)
    return found


def key_and_chain(folder: Path) -> tuple[bytes, bytes]:
    """The server's key and certificate (PEM), good for ``localhost`` and ``127.0.0.1``."""
    ca_file(folder)
    return (folder / KEY).read_bytes(), (folder / CHAIN).read_bytes()


def server_context(folder: Path) -> ssl.SSLContext:
    """What a TLS server of this folder presents itself with."""
    ca_file(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / CHAIN, folder / KEY)
    return context


def _make(folder: Path) -> None:
    # Here and not above: a tenth of a second that only those pay who use TLS.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _signed("Leadpact sandbox authority", authority, None)
    leaf = _signed("localhost", authority, server)
    key = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / KEY, key)
    _write(folder / CHAIN, leaf.public_bytes(serialization.Encoding.PEM))
    # Last, because its presence says that all three are there.
    _write(folder / CA, root.public_bytes(serialization.Encoding.PEM))


def _signed(
    name: str, authority: ec.EllipticCurvePrivateKey, server: ec.EllipticCurvePrivateKey | None
) -> x509.Certificate:
    """A certificate by the authority: its own where ``server`` is None, else the server's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names = {
        role: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)])
        for role, each in (("subject", name), ("issuer", "Leadpact sandbox authority"))
    }
    now = real_time()
    is_root = server is None
    subject_key = (server or authority).public_key()
    builder = (
        x509.CertificateBuilder(names["issuer"], names["subject"], subject_key, x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject_key), critical=False)
        .add_extension(_usage(is_root), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
    )
    if not is_root:
        here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(here), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(authority, hashes.SHA256())


def _usage(is_root: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    os.replace(draft, path)
