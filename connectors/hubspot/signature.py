"""Whether a request really comes from HubSpot (HubSpot reference, section 10.3).

Verify first, then parse (``events``). HubSpot's own helper is not used: it accepts a time stamp of tomorrow,
decodes nothing in the address, and fails with a TypeError where a signature is missing or is no ASCII
(HubSpot reference, section 2.4).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Literal

from connectors.address import check_address

SignatureVersion = Literal["v1", "v2", "v3"]

#: How far the time stamp of a v3 request may be from our clock, into the past or the future.
WINDOW = timedelta(minutes=5)

OLD_HEADER = "X-HubSpot-Signature"
OLD_VERSION_HEADER = "X-HubSpot-Signature-Version"
HEADER = "X-HubSpot-Signature-v3"
TIME_HEADER = "X-HubSpot-Request-Timestamp"

#: The only escapes that are undone in the address before it is signed; every other one stays as it was sent.
_UNDONE = {
    "3A": ":",
    "2F": "/",
    "3F": "?",
    "40": "@",
    "21": "!",
    "24": "$",
    "27": "'",
    "28": "(",
    "29": ")",
    "2A": "*",
    "2C": ",",
    "3B": ";",
}
_ESCAPE = re.compile(f"%({'|'.join(_UNDONE)})", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Doubt(Enum):
    """Why a request is not taken for HubSpot's."""

    UNSIGNED = "it carries no signature"
    OLD_VERSION = "it is signed in an old way, which is not allowed here"
    NO_TIME = "its time stamp is missing or cannot be read"
    TOO_OLD = "its time stamp is more than five minutes old"
    FROM_THE_FUTURE = "its time stamp is more than five minutes ahead"
    WRONG = "its signature is wrong"


class NotFromHubSpot(Exception):
    """A request that is not to be believed; to be answered with 401. Its text tells ``doubt``, nothing else."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(f"This request is not taken for HubSpot's: {doubt.value}")
        self.doubt = doubt


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in.

    ``target`` is its path and query as in the request line: nothing decoded, nothing sorted. ``headers`` in
    any case. ``body`` is the raw bytes.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Knows the app's client secret and the address that HubSpot calls.

    ``public_url`` is the outside of our "/" (scheme, host, and a path where a proxy adds one): behind a proxy
    the Host header says something else, so it is never looked at. ``old_versions`` lets v1 and v2 in: they
    carry no time, so whoever has seen one such request can send it again for ever.
    Raises ValueError for an empty secret, ``session.PlainAddress`` (a ValueError) for an address that is
    neither https nor on this machine.
    """

    client_secret: str = field(repr=False)
    public_url: str
    old_versions: bool = False

    def __post_init__(self) -> None:
        if not self.client_secret:
            raise ValueError("without a client secret anybody could sign as HubSpot")
        check_address(self.public_url)

    def verify(self, request: Received, now: datetime) -> SignatureVersion:
        """The version of a signature that is right; ``now`` is aware. Raises NotFromHubSpot.

        A request with a v3 signature is judged by that alone: a wrong one is not made good by an older one.
        """
        headers = {name.lower(): value for name, value in request.headers.items()}
        uri = self.public_url.rstrip("/") + request.target
        given = headers.get(HEADER.lower())
        if given is None:
            return self._verify_old(request, headers, uri)
        stamp = _fresh(headers.get(TIME_HEADER.lower()), now)
        _compare(given, signature_v3(self.client_secret, request.method, uri, request.body, stamp))
        return "v3"

    def _verify_old(self, request: Received, headers: Mapping[str, str], uri: str) -> SignatureVersion:
        given = headers.get(OLD_HEADER.lower())
        if given is None:
            raise NotFromHubSpot(Doubt.UNSIGNED)
        if not self.old_versions:
            raise NotFromHubSpot(Doubt.OLD_VERSION)
        version = headers.get(OLD_VERSION_HEADER.lower(), "").strip().lower()
        if version == "v1":
            _compare(given, signature_v1(self.client_secret, request.body))
            return "v1"
        if version == "v2":
            _compare(given, signature_v2(self.client_secret, request.method, uri, request.body))
            return "v2"
        raise NotFromHubSpot(Doubt.UNSIGNED)


def signature_v1(secret: str, body: bytes) -> str:
    """Hexadecimal SHA-256 of secret and body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def signature_v2(secret: str, method: str, uri: str, body: bytes) -> str:
    """Hexadecimal SHA-256 of secret, method, address and body."""
    return hashlib.sha256(_bytes(secret + method.upper() + uri) + body).hexdigest()


def signature_v3(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """Base64 of the HMAC-SHA-256 of method, address, body and time stamp (milliseconds since 1970)."""
    signed = _bytes(method.upper() + undo_escapes(uri)) + body + timestamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def undo_escapes(uri: str) -> str:
    """An address with the twelve escapes undone that HubSpot undoes; once, so that ``%253A`` stays."""
    return _ESCAPE.sub(lambda found: _UNDONE[found[1].upper()], uri)


def _fresh(stamp: str | None, now: datetime) -> str:
    """The time stamp as text, if it is near enough. Raises NotFromHubSpot."""
    text = (stamp or "").strip()
    # Fourteen digits reach the year 5138: any such number is a date.
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        raise NotFromHubSpot(Doubt.NO_TIME)
    age = now - (_EPOCH + timedelta(milliseconds=int(text)))
    if age > WINDOW:
        raise NotFromHubSpot(Doubt.TOO_OLD)
    if age < -WINDOW:
        raise NotFromHubSpot(Doubt.FROM_THE_FUTURE)
    return text


def _compare(given: str, expected: str) -> None:
    # As bytes: compare_digest refuses texts beyond ASCII, and the header is a stranger's.
    if not hmac.compare_digest(_bytes(given.strip()), expected.encode()):
        raise NotFromHubSpot(Doubt.WRONG)


def _bytes(text: str) -> bytes:
    try:
        # Bytes of a request line that are no UTF-8 arrive as surrogates, and are signed as the bytes they were.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
