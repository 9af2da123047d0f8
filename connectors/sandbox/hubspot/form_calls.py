"""Forms and what was sent through them (HubSpot reference, section 15).

Every form that somebody has sent is there, and "Contact us" from the beginning. The body of a submission is not in
the reference; it is as small as a reader needs.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from connectors.sandbox.hubspot.account import OPENED
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import bad_request, no_resource
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.side import Answer

FIRST_FORM = "Contact us"
FORMS_PAGE, SUBMISSIONS_PAGE = 500, 50


def form_id(name: str) -> str:
    """The id of a form: the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"form:{name}"))


def keep_submission(portal: Portal, name: str, at: int, email: str) -> None:
    """Remember that a form was sent."""
    row = (form_id(name), name, at, email)
    portal.database.execute("INSERT INTO submission (form, name, at, email) VALUES (?, ?, ?, ?)", row)


def list_forms(portal: Portal, call: Call) -> Answer:
    """``GET /marketing/v3/forms``."""
    start, limit = _place(call), call.number("limit", 20, 1, FORMS_PAGE)
    found = _names(portal)
    body: dict[str, Any] = {"results": [_body(name) for name in found[start : start + limit]]}
    return answer(200, _paged(body, start + limit, len(found)))


def get_form(portal: Portal, call: Call) -> Answer:
    """``GET /marketing/v3/forms/{id}``."""
    found = next((name for name in _names(portal) if form_id(name) == call.parts[0]), None)
    if found is None:
        raise no_resource()
    return answer(200, _body(found))


def submissions(portal: Portal, call: Call) -> Answer:
    """``GET /form-integrations/v1/submissions/forms/{id}``: newest first."""
    start, limit = _place(call), call.number("limit", 20, 1, SUBMISSIONS_PAGE)
    rows = portal.database.execute(
        "SELECT seq, at, email FROM submission WHERE form = ? ORDER BY at DESC, seq DESC", (call.parts[0],)
    ).fetchall()
    results = [
        {
            "conversionId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"submission:{seq}")),
            "submittedAt": at,
            "values": [{"name": "email", "value": email, "objectTypeId": "0-1"}],
            "pageUrl": "https://leadpact.example/contact",
        }
        for seq, at, email in rows[start : start + limit]
    ]
    return answer(200, _paged({"results": results}, start + limit, len(rows)))


def _names(portal: Portal) -> list[str]:
    rows = portal.database.execute("SELECT DISTINCT name FROM submission ORDER BY name")
    return list(dict.fromkeys([FIRST_FORM, *(name for (name,) in rows)]))


def _body(name: str) -> dict[str, Any]:
    made = wire(OPENED)
    stamps = {"createdAt": made, "updatedAt": made, "archived": False}
    return {"id": form_id(name), "name": name, "formType": "hubspot", **stamps}


def _place(call: Call) -> int:
    after = call.ask.first("after") or "0"
    if not after.isdecimal() or len(after) > 9:
        raise bad_request(f"after must be a cursor of this list, got {after}")
    return int(after)


def _paged(body: dict[str, Any], ends: int, total: int) -> dict[str, Any]:
    return {**body, "paging": {"next": {"after": str(ends)}}} if ends < total else body


#: (pattern, handler)
CALLS: tuple[tuple[str, Callable[[Portal, Call], Answer]], ...] = (
    ("marketing/v3/forms", list_forms),
    ("marketing/v3/forms/{}", get_form),
    ("form-integrations/v1/submissions/forms/{}", submissions),
)
