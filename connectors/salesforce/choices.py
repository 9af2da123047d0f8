"""How Salesforce may be talked to, as far as a config chooses it. Nothing here sends anything."""

from __future__ import annotations

#: Calls that write, under way at the same time at most. Fewer than with HubSpot: records of one parent wait for each
#: other there, and are refused as locked after some seconds (Salesforce reference, section 5).
WRITE_THREADS = 4
