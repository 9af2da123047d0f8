"""How HubSpot may be talked to, as far as a config chooses it. Nothing here sends anything."""

from __future__ import annotations

from typing import Literal

#: The versions whose paths are known (HubSpot reference, section 3).
Version = Literal["v3", "2026-03", "2026-09"]

#: The versions of the token endpoint. v1 stops on 16 Feb 2027 (HubSpot reference, section 8).
OAuthVersion = Literal["v1", "v3", "2026-03", "2026-09"]

#: The ways of a full reading.
FullRead = Literal["list", "export"]

#: Pages asked for at the same time at most. Eight keep 19 calls a second going up to answers of 0.4 s.
THREADS = 8

#: Batches of writes under way at the same time at most, for the same answers and the same calls a second.
WRITE_THREADS = 8
