"""Where a CRM may be: ``https``, or ``http`` on this machine, which is where the sandbox listens.

Apart from ``connectors.session``, because settings are read where nothing is sent.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


class PlainAddress(ValueError):
    """An ``http`` address that is not on this machine: credentials would travel in the clear."""


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address (no port) is this machine's loopback interface."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_address(url: str) -> str:
    """The address of a CRM without a slash at its end: ``https``, or ``http`` on the loopback interface.

    Raises PlainAddress for anything else, and for an address that carries a user or password.
    """
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password:
        raise PlainAddress("the address of a CRM is https://HOST, without user or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise PlainAddress(f"{parts.hostname} must be reached by https; http is for this machine only")
    return url.rstrip("/")
