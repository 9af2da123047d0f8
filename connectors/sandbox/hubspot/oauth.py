"""OAuth: access tokens for a code or a refresh token, and what a token says (HubSpot reference, section 8).

The old endpoints (v1) take their parameters in the address or in the body, the others in the body alone; the
answers of v1 carry fewer names. Where the reference gives no text, the code follows it and the text is ours.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from connectors.sandbox.credentials import HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET, HUBSPOT_REFRESH_TOKEN
from connectors.sandbox.hubspot.account import APP_HOST, APP_ID, OWNERS, PORTAL_ID
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import Refused, expired_token, no_resource
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.side import Answer

CLIENT_ID = HUBSPOT_CLIENT_ID
REFRESH_TOKEN = HUBSPOT_REFRESH_TOKEN
CODE = "eu1-leadpact-sandbox-code"
REDIRECT = "https://leadpact.example/connected"
LASTS_SECONDS = 1_800

SCOPES = (
    "oauth",
    "communication_preferences.read_write",
    "communication_preferences.statuses.batch.read",
    "communication_preferences.statuses.batch.write",
    "crm.export",
    "crm.lists.read",
    "crm.lists.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.leads.read",
    "crm.objects.leads.write",
    "crm.objects.owners.read",
    "crm.schemas.companies.read",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "forms",
)
_INSTALLER = OWNERS[0]


def token(portal: Portal, call: Call) -> Answer:
    """``POST /oauth/{version}/token``: grants ``authorization_code`` and ``refresh_token``."""
    form = _form(call)
    _known_app(form)
    grant = form.get("grant_type")
    # The specification of 2026-09 does not list this grant (HubSpot reference, section 8).
    if grant == "client_credentials" and call.version != "2026-09":
        return answer(200, _of_the_app(portal, form))
    if grant == "authorization_code":
        if form.get("code") != CODE:
            raise _refused("BAD_AUTH_CODE", "missing or unknown auth code", "invalid_grant")
        if form.get("redirect_uri") != REDIRECT:
            raise _refused("BAD_REDIRECT_URI", "missing or invalid redirect uri", "invalid_request")
        refresh = REFRESH_TOKEN
        _keep(portal, refresh, revoked=False)
    elif grant == "refresh_token":
        refresh = form.get("refresh_token", "")
        if not _is_live_refresh(portal, refresh):
            text = "refresh token is invalid, expired or revoked"
            raise _refused("BAD_REFRESH_TOKEN", "missing or invalid refresh token", "invalid_grant", text)
    else:
        raise _refused("BAD_GRANT_TYPE", "missing or unknown grant type", "unsupported_grant_type")
    access = f"eu1-{portal.fresh_id()}"
    portal.database.execute(
        "INSERT INTO token (value, expires) VALUES (?, ?)", (access, portal.now() + LASTS_SECONDS * 1000)
    )
    body: dict[str, Any] = {
        "token_type": "bearer",
        "refresh_token": refresh,
        "access_token": access,
        "expires_in": LASTS_SECONDS,
    }
    if not _is_v1(call):
        body |= {"hub_id": PORTAL_ID, "scopes": list(SCOPES), "user_id": _INSTALLER.user_id}
        body["token_use"] = "access_token"
    return answer(200, body)


def _of_the_app(portal: Portal, form: dict[str, str]) -> dict[str, Any]:
    """A token of the app itself, for the scopes it asks for: no account's, and without a refresh token."""
    access = f"eu1-{portal.fresh_id()}"
    portal.events.grant(access, portal.now() + LASTS_SECONDS * 1000, form.get("scope", "").split())
    return {"token_type": "bearer", "access_token": access, "expires_in": LASTS_SECONDS}


def introspect(portal: Portal, call: Call) -> Answer:
    """``POST …/token/introspect``: what a token is; one that is worth nothing is only not active."""
    form = _form(call)
    _known_app(form)
    given = form.get("token", "")
    left = seconds_left(portal, given)
    if left is not None and left > 0:
        body = {**_access_body(given, left), "token_use": "access_token", "client_id": CLIENT_ID}
    elif _is_live_refresh(portal, given):
        body = {**_refresh_body(given), "token_use": "refresh_token", "app_id": int(APP_ID)}
    else:
        return answer(200, {"active": False})
    return answer(200, {"active": True, **body})


def revoke(portal: Portal, call: Call) -> Answer:
    """``POST …/token/revoke``: the token is worth nothing from now on; unknown ones are no error."""
    form = _form(call)
    _known_app(form)
    _drop(portal, form.get("token", ""))
    return answer(200, {})


def about_access(portal: Portal, call: Call) -> Answer:
    """``GET /oauth/v1/access-tokens/{token}``."""
    left = seconds_left(portal, call.parts[0])
    if left is None:
        raise no_resource()
    if left <= 0:
        raise expired_token(-left)
    return answer(200, _access_body(call.parts[0], left))


def about_refresh(portal: Portal, call: Call) -> Answer:
    """``GET /oauth/v1/refresh-tokens/{token}``."""
    if not _is_live_refresh(portal, call.parts[0]):
        raise no_resource()
    return answer(200, _refresh_body(call.parts[0]))


def delete_refresh(portal: Portal, call: Call) -> Answer:
    """``DELETE /oauth/v1/refresh-tokens/{token}``."""
    if not _is_live_refresh(portal, call.parts[0]):
        raise no_resource()
    _drop(portal, call.parts[0])
    return answer(204)


def seconds_left(portal: Portal, access: str) -> int | None:
    """How long an access token is still good for, negative once it is over; None: there is no such token."""
    row = portal.database.execute("SELECT expires FROM token WHERE value = ?", (access,)).fetchone()
    return None if row is None or row[0] is None else (int(row[0]) - portal.now()) // 1000


def _access_body(access: str, left: int) -> dict[str, Any]:
    return {**_whose(access), "app_id": int(APP_ID), "expires_in": left, "token_type": "access"}


def _refresh_body(refresh: str) -> dict[str, Any]:
    return {**_whose(refresh), "client_id": CLIENT_ID, "token_type": "refresh"}


def _whose(given: str) -> dict[str, Any]:
    return {
        "token": given,
        "user": _INSTALLER.email,
        "user_id": _INSTALLER.user_id,
        "hub_id": PORTAL_ID,
        "hub_domain": APP_HOST,
        "scopes": list(SCOPES),
    }


def _is_live_refresh(portal: Portal, refresh: str) -> bool:
    """Refresh tokens do not expire; there is one, from the beginning, until somebody revokes it."""
    row = portal.database.execute("SELECT 1 FROM token WHERE value = ? AND revoked", (refresh,)).fetchone()
    return refresh == REFRESH_TOKEN and row is None


def _keep(portal: Portal, refresh: str, *, revoked: bool) -> None:
    portal.database.execute("INSERT OR REPLACE INTO token (value, revoked) VALUES (?, ?)", (refresh, revoked))


def _drop(portal: Portal, given: str) -> None:
    if given == REFRESH_TOKEN:
        _keep(portal, given, revoked=True)
        # What came from it goes with it.
        portal.database.execute("DELETE FROM token WHERE expires IS NOT NULL")
    else:
        portal.database.execute("DELETE FROM token WHERE value = ?", (given,))


def _is_v1(call: Call) -> bool:
    return call.ask.path.startswith("/oauth/v1/")


def _form(call: Call) -> dict[str, str]:
    sent = dict(parse_qsl(call.ask.body.decode("utf-8", "replace"), keep_blank_values=True))
    return {**dict(call.ask.query), **sent} if _is_v1(call) else sent


def _known_app(form: dict[str, str]) -> None:
    if form.get("client_id") != CLIENT_ID:
        raise _refused("BAD_CLIENT_ID", "missing or unknown client id", "invalid_client")
    if form.get("client_secret") != HUBSPOT_CLIENT_SECRET:
        raise _refused("BAD_CLIENT_SECRET", "missing or invalid client secret", "invalid_client")


def _refused(code: str, message: str, error: str, description: str | None = None) -> Refused:
    refused = Refused(400, message, error=error, error_description=description or message)
    # Here, and nowhere else, the status is the code (HubSpot reference, section 8).
    refused.more["status"] = code
    return refused
