"""The app that integrations log in through, as an administrator set it up.

Its certificate checks JWT assertions; its policy says who may use it without having approved it; the org
limits how often one user logs in (Salesforce reference, section 1).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.side import ControlRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

KEY_FILE = "salesforce-jwt-key.pem"
#: SOAP ``login()`` is off in orgs made since it was announced to end; the pretend org is older than that.
START: Mapping[str, Any] = {
    "certificate": None,
    "preauthorised": True,
    "installed": True,
    "logins_per_hour": 3_600,
    "soap_login": True,
}


class Denied(Exception):
    """A login buys no session; ``error`` and ``description`` are what the token endpoint answers."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


class LoginRateExceeded(Exception):
    """The user logged in as often as an hour allows; each further try within it is refused."""


def settings(org: Org) -> dict[str, Any]:
    """The app's settings in force."""
    return {**START, **org.store.setting("app", {})}


def change(org: Org, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Change settings; returns them with the certificate's presence only. Raises ControlRefused.

    ``certificate`` is PEM text or null, ``preauthorised``, ``installed`` and ``soap_login`` are flags,
    ``logins_per_hour`` a number. ``make_key`` writes a private key into the org's folder, once, and registers
    its certificate.
    """
    kept = settings(org)
    for name in ("preauthorised", "installed", "soap_login", "make_key"):
        if not isinstance(wanted.get(name, True), bool):
            raise ControlRefused(f"{name}: true or false was expected")
    rate = wanted.get("logins_per_hour", 0)
    if isinstance(rate, bool) or not isinstance(rate, int) or rate < 0:
        raise ControlRefused("logins_per_hour: a whole number was expected")
    if wanted.get("certificate") is not None:
        _public_key(wanted["certificate"])
    kept.update({name: wanted[name] for name in START if name in wanted})
    told: dict[str, Any] = {}
    if wanted.get("make_key"):
        path = Path(org.store.db.execute("PRAGMA database_list").fetchone()[2]).with_name(KEY_FILE)
        kept["certificate"] = _certificate(_key_in(path), org)
        told["key_file"] = str(path)
    org.store.keep_setting("app", kept)
    return {**kept, "certificate": kept["certificate"] is not None, **told}


def certificate_key(org: Org) -> RSAPublicKey | None:
    """The key that checks assertions; None while the app has no certificate."""
    pem = settings(org)["certificate"]
    return None if pem is None else _public_key(pem)


def count_login(org: Org) -> None:
    """Count one login of the integration user. Raises LoginRateExceeded within 60 minutes of too many."""
    since = (org.now() - timedelta(minutes=59)).strftime("logins:%Y-%m-%dT%H:%M")
    row = org.store.db.execute(
        "SELECT ifnull(sum(value), 0) FROM _counter WHERE name LIKE 'logins:%' AND name >= ?", (since,)
    ).fetchone()
    if row[0] >= settings(org)["logins_per_hour"]:
        raise LoginRateExceeded
    org.store.next_number(org.now().strftime("logins:%Y-%m-%dT%H:%M"))


def integration_user(org: Org) -> dict[str, Any]:
    """The row of the user that the app runs as."""
    return org.store.row(org.full.objects["User"], seed.INTEGRATION_USER) or {}


# cryptography is loaded where it is used: an org without JWT starts without it.


def _public_key(pem: object) -> RSAPublicKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    if not isinstance(pem, str):
        raise ControlRefused("certificate: PEM text was expected")
    try:
        key = load_pem_x509_certificate(pem.encode()).public_key()
    except ValueError:
        raise ControlRefused("certificate: an X.509 certificate as PEM was expected") from None
    if not isinstance(key, RSAPublicKey):
        raise ControlRefused("certificate: one with an RSA key was expected")
    return key


def _key_in(path: Path) -> RSAPrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if path.exists():
        found = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(found, rsa.RSAPrivateKey):
            raise ControlRefused(f"{path.name}: an RSA key was expected")
        return found
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return key


def _certificate(key: RSAPrivateKey, org: Org) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "leadpact-sandbox")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(org.now() - timedelta(days=1))
        .not_valid_after(org.now() + timedelta(days=3_650))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
