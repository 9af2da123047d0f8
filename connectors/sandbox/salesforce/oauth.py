"""The token endpoint and the sessions it opens (Salesforce reference, section 1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import timedelta
from urllib.parse import parse_qsl

from connectors.sandbox.salesforce import moments, seed
from connectors.sandbox.salesforce.call import answer_json
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.side import Answer, Ask

CLIENT_ID = "leadpact-sandbox"
CLIENT_SECRET = "salesforce-sandbox-secret"  # fixed on purpose: it opens a pretend CRM on loopback only
LOGIN_HOST = "https://login.salesforce.com"
COMMON_HOSTS = ("login.salesforce.com", "test.salesforce.com")


def _refused(error: str, description: str) -> Answer:
    return answer_json({"error": error, "error_description": description}, 400)


def token(org: Org, ask: Ask) -> Answer:
    """Answer ``POST /services/oauth2/token``: a token for client credentials, or an OAuth error object."""
    if ask.method != "POST":
        return _refused("invalid_request", "must use HTTP POST")
    form = dict(ask.query) | dict(parse_qsl(ask.body.decode("utf-8", "replace"), keep_blank_values=True))
    grant = form.get("grant_type")
    if not grant:
        return _refused("unsupported_grant_type", "grant type not supported")
    if grant == "refresh_token":
        return _refused("invalid_grant", "expired access/refresh token")
    if grant != "client_credentials":
        return _refused("unsupported_grant_type", "grant type not supported")
    if ask.headers.get("host", "").partition(":")[0] in COMMON_HOSTS:
        return _refused("invalid_grant", "request not supported on this domain")
    client, secret = _credentials(ask, form)
    if client != CLIENT_ID:
        return _refused("invalid_client_id", "client identifier invalid")
    if not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
        return _refused("invalid_client", "invalid client credentials")
    return answer_json(_opened(org))


def _credentials(ask: Ask, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = ask.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _opened(org: Org) -> dict[str, str]:
    now = org.now()
    number = org.store.next_number("token")
    # A counter under a digest: opaque to the client, and the same again in a repeated run.
    digest = hashlib.sha256(f"{seed.ORG_ID}:{number}".encode()).hexdigest()
    made = f"{seed.ORG_ID[:15]}!AQ.{digest}"
    org.store.db.execute("INSERT INTO _token VALUES (?, ?)", (made, moments.kept(now)))
    identity = f"{LOGIN_HOST}/id/{seed.ORG_ID}/{seed.INTEGRATION_USER}"
    issued = str(int(now.timestamp() * 1000))
    key = hmac.new(CLIENT_SECRET.encode(), f"{identity}{issued}".encode(), hashlib.sha256)
    return {
        "access_token": made,
        "signature": base64.b64encode(key.digest()).decode(),
        "scope": "api",
        "instance_url": seed.INSTANCE_URL,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
        "api_instance_url": "https://api.salesforce.com",
    }


def check_session(org: Org, ask: Ask) -> None:
    """Let a call with a live token in, and keep its session alive. Raises Refusal (401) for any other."""
    scheme, _, given = ask.headers.get("authorization", "").partition(" ")
    row = None
    if scheme.lower() in ("bearer", "oauth"):
        row = org.store.db.execute("SELECT used FROM _token WHERE token = ?", (given.strip(),)).fetchone()
    lifetime = timedelta(seconds=org.switches["token_lifetime_s"])
    if row is None or org.now() - moments.moment_of(row[0]) >= lifetime:
        raise Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
    # The timeout slides: each call starts it again.
    org.store.db.execute("UPDATE _token SET used = ? WHERE token = ?", (org.stamp(), given.strip()))


def revoke(org: Org, ask: Ask) -> Answer:
    """Answer ``/services/oauth2/revoke``: the token is dead at once."""
    form = dict(ask.query) | dict(parse_qsl(ask.body.decode("utf-8", "replace")))
    gone = org.store.db.execute("DELETE FROM _token WHERE token = ?", (form.get("token", ""),)).rowcount
    return Answer(200) if gone else _refused("invalid_token", "invalid token")


def revoke_all(org: Org) -> int:
    """End every session; returns how many there were."""
    return org.store.db.execute("DELETE FROM _token").rowcount


def user_info(org: Org, ask: Ask) -> Answer:
    """Answer ``/services/oauth2/userinfo`` for the holder of a live token. Raises Refusal (401)."""
    check_session(org, ask)
    row = org.store.row(org.full.objects["User"], seed.INTEGRATION_USER) or {}
    return answer_json(
        {
            "sub": f"{LOGIN_HOST}/id/{seed.ORG_ID}/{seed.INTEGRATION_USER}",
            "user_id": seed.INTEGRATION_USER,
            "organization_id": seed.ORG_ID,
            "preferred_username": row.get("Username"),
            "name": row.get("Name"),
            "email": row.get("Email"),
            "active": bool(row.get("IsActive")),
            "user_type": "STANDARD",
            "zoneinfo": row.get("TimeZoneSidKey"),
            "locale": row.get("LocaleSidKey"),
        }
    )


def introspect(org: Org, ask: Ask) -> Answer:
    """Answer ``/services/oauth2/introspect``: whether a token is live, and until when if nobody uses it."""
    form = dict(parse_qsl(ask.body.decode("utf-8", "replace"), keep_blank_values=True))
    client, secret = _credentials(ask, form)
    if client != CLIENT_ID or not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
        return _refused("invalid_client", "invalid client credentials")
    row = org.store.db.execute("SELECT used FROM _token WHERE token = ?", (form.get("token", ""),)).fetchone()
    until = (
        None
        if row is None
        else moments.moment_of(row[0]) + timedelta(seconds=org.switches["token_lifetime_s"])
    )
    if until is None or until <= org.now():
        return answer_json({"active": False})
    return answer_json(
        {
            "active": True,
            "scope": "api",
            "client_id": CLIENT_ID,
            "token_type": "access_token",
            "exp": int(until.timestamp()),
        }
    )
