"""Standard objects of HubSpot that every account has, and that our pretend app was never given scopes for.

A reader that looks at everything meets them, and goes on past a 403 where it stops at a 400. Recorded is the body
for ``/crm/v3/schemas``; for the others the reference has the code alone (section 5.3), and the words of their scopes
follow the pattern of those that are documented.
"""

from __future__ import annotations

import re

from connectors.sandbox.hubspot.errors import Refused, missing_scopes

#: Their names in paths, and their type ids as far as we know them; the vendor's new client asks for deals by "0-3".
OBJECTS = {
    "deals": "0-3",
    "tickets": "0-5",
    "products": "0-7",
    "line_items": "0-8",
    "quotes": "0-14",
    "feedback_submissions": "0-19",
    "goal_targets": "0-74",
    "postal_mail": "0-116",
}
_BY_ID = {type_id: name for name, type_id in OBJECTS.items()}
_PATH = re.compile(r"/crm/(?:v3/(\w+)|(\w+)/2026-0[39])(?:/([^/]+))?(?:/.*)?")


def refuse_unseen(method: str, path: str) -> None:
    """Raises Refused (403) for a call about an object that no scope of ours covers."""
    found = _PATH.fullmatch(path.rstrip("/"))
    if found is None:
        return
    family, name = found[1] or found[2], (found[3] or "").lower()
    if family == "schemas" and not name:
        # As recorded: the older shape, whose context stands on its own (HubSpot reference, section 5.3).
        scope = "custom-object-read" if method == "GET" else "custom-object-write"
        context = {"requiredGranularScopes": [scope], "links": ["https://developers.hubspot.com/scopes"]}
        text = "One or more of the following scopes are required."
        raise Refused(403, text, "MISSING_SCOPES", context=context)
    name = _BY_ID.get(name, name)
    if name in OBJECTS and family in ("objects", "properties", "pipelines"):
        words = "schemas" if family == "properties" else "objects"
        raise missing_scopes([f"crm.{words}.{name}.{'read' if method == 'GET' else 'write'}"])
