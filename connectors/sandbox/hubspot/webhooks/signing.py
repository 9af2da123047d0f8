"""How HubSpot signs what it sends (HubSpot reference, section 10.3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal

# What the newest way undoes in an address before signing it; it touches no other escape.
_LITERAL = ":/?@!$'()*,;"


def signed_address(url: str) -> str:
    """The address as the newest signature sees it."""
    for character in _LITERAL:
        escape = f"%{ord(character):02X}"
        url = url.replace(escape, character).replace(escape.lower(), character)
    return url


def signature_headers(
    secret: str, method: str, url: str, body: bytes, at_ms: int, old: Literal["v1", "v2"]
) -> dict[str, str]:
    """The headers of one request: the newest signature, and beside it one of an old version."""
    key = secret.encode()
    material = key + body if old == "v1" else key + f"{method}{url}".encode() + body
    told = f"{method}{signed_address(url)}".encode() + body + str(at_ms).encode()
    newest = hmac.new(key, told, hashlib.sha256).digest()
    return {
        "X-HubSpot-Signature": hashlib.sha256(material).hexdigest(),
        "X-HubSpot-Signature-Version": old,
        "X-HubSpot-Signature-v3": base64.b64encode(newest).decode("ascii"),
        "X-HubSpot-Request-Timestamp": str(at_ms),
    }
