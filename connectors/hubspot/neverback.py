"""The gate that keeps us from subscribing anybody (HubSpot reference, section 14).

Whoever left stays away until they come back by themselves. That holds for every line of this connector, the
ones not yet written included: a request about consent leaves only if it reads, or takes somebody off.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import orjson

from connectors.errors import OurBug

_ABOUT_CONSENT = re.compile(r"/(?:communication-preferences|email/public)(?:/|$)", re.IGNORECASE)
_READS = re.compile(r"/communication-preferences/[^/]+/(?:definitions|statuses/batch/read)")
_LEAVES = re.compile(r"/communication-preferences/(?:v3/unsubscribe|[^/]+/statuses/batch/unsubscribe-all)")
_SETS = re.compile(r"/communication-preferences/[^/]+/statuses/batch/write")


def refuse_to_subscribe(url: str, body: bytes | None) -> None:
    """Raises OurBug for a request that could subscribe somebody, or that nobody has shown cannot.

    Let through: definitions, statuses read in batches, withdrawals from one kind of mail or from all, and batches
    of statuses that are withdrawals one and all.
    """
    path = unquote(urlsplit(url).path).rstrip("/")
    if not _ABOUT_CONSENT.search(path):
        return
    if _READS.fullmatch(path) or _LEAVES.fullmatch(path) or (_SETS.fullmatch(path) and _only_leave(body)):
        return
    raise OurBug("This request could subscribe somebody, and we never do", crm="hubspot", code="RESUBSCRIBE")


def _only_leave(body: bytes | None) -> bool:
    try:
        rows = orjson.loads(body or b"")["inputs"]
        return bool(rows) and all(row["statusState"] == "UNSUBSCRIBED" for row in rows)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False
