"""The token endpoint and the sessions it opens (Salesforce reference, section 1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

from connectors.sandbox.salesforce import connected_app, moments, seed
from connectors.sandbox.salesforce.call import answer_json
from connectors.sandbox.salesforce.connected_app import Denied
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.side import Answer, Ask

CLIENT_ID = "leadpact-sandbox"
CLIENT_SECRET = "salesforce-sandbox-secret"  # fixed on purpose: it opens a pretend CRM on loopback only
LOGIN_HOST = "https://login.salesforce.com"
COMMON_HOSTS = ("login.salesforce.com", "test.salesforce.com")
JWT_KEYS = ("access_token", "scope", "instance_url", "id", "token_type")
REFRESH_TOKENS = "refresh_tokens"  # where approvals are kept: refresh token to the sessions it opened
Form = Mapping[str, str]


def _refused(error: str, description: str) -> Answer:
    return answer_json({"error": error, "error_description": description}, 400)


def token(org: Org, ask: Ask) -> Answer:
    """Answer ``POST /services/oauth2/token``: a token for one of the ``GRANTS``, or an OAuth error object."""
    if ask.method != "POST":
        return _refused("invalid_request", "must use HTTP POST")
    form = dict(ask.query) | dict(parse_qsl(ask.body.decode("utf-8", "replace"), keep_blank_values=True))
    grant = GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        return _refused("unsupported_grant_type", "grant type not supported")
    if not connected_app.settings(org)["installed"]:
        return _refused("invalid_grant", "app must be installed into org")
    try:
        return answer_json(grant(org, ask, form))
    except Denied as denied:
        return _refused(denied.error, denied.description)
    except connected_app.LoginRateExceeded:
        return _refused("invalid_grant", "login rate exceeded")


def _client_credentials(org: Org, ask: Ask, form: Form) -> dict[str, str]:
    if ask.headers.get("host", "").partition(":")[0] in COMMON_HOSTS:
        raise Denied("invalid_grant", "request not supported on this domain")
    _check_client(ask, form)
    return _opened(org)


def _jwt_bearer(org: Org, ask: Ask, form: Form) -> dict[str, str]:
    # Here and not above: the library and what lies under it are not cheap to load.
    from connectors.sandbox.salesforce import assertion

    assertion.check(org, form.get("assertion", ""), CLIENT_ID, ask.headers.get("host", ""))
    opened = _opened(org)
    return {name: opened[name] for name in JWT_KEYS}


def _refreshed(org: Org, ask: Ask, form: Form) -> dict[str, str]:
    grants = org.store.setting(REFRESH_TOKENS, {})
    given = form.get("refresh_token", "")
    if given not in grants:
        raise Denied("invalid_grant", "expired access/refresh token")
    _check_client(ask, form)
    opened = _opened(org, scope="api refresh_token")
    # Enough of its sessions to end them together; older ones have long ended by themselves.
    grants[given] = [*grants[given], opened["access_token"]][-100:]
    org.store.keep_setting(REFRESH_TOKENS, grants)
    return opened


GRANTS: Mapping[str, Callable[[Org, Ask, Form], dict[str, str]]] = {
    "client_credentials": _client_credentials,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _jwt_bearer,
    "refresh_token": _refreshed,
}


def approve(org: Org) -> str:
    """The integration user approves the app in a browser: a refresh token that lives until it is revoked."""
    number = org.store.next_number("refresh_token")
    digest = hashlib.sha256(f"refresh:{seed.ORG_ID}:{number}".encode()).hexdigest()
    made = f"5Aep861{digest}"
    org.store.keep_setting(REFRESH_TOKENS, {**org.store.setting(REFRESH_TOKENS, {}), made: []})
    return made


def _check_client(ask: Ask, form: Form) -> None:
    client, secret = _credentials(ask, form)
    if client != CLIENT_ID:
        raise Denied("invalid_client_id", "client identifier invalid")
    if not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
        raise Denied("invalid_client", "invalid client credentials")


def _credentials(ask: Ask, form: Form) -> tuple[str, str]:
    scheme, _, encoded = ask.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def open_session(org: Org) -> str:
    """A new session of the integration user. Raises LoginRateExceeded after too many in an hour."""
    connected_app.count_login(org)
    number = org.store.next_number("token")
    # A counter under a digest: opaque to the client, and the same again in a repeated run.
    digest = hashlib.sha256(f"{seed.ORG_ID}:{number}".encode()).hexdigest()
    made = f"{seed.ORG_ID[:15]}!AQ.{digest}"
    org.store.db.execute("INSERT INTO _token VALUES (?, ?)", (made, org.stamp()))
    return made


def _opened(org: Org, scope: str = "api") -> dict[str, str]:
    if not connected_app.integration_user(org).get("IsActive"):
        raise Denied("inactive_user", "user is inactive")
    made = open_session(org)
    now = org.now()
    identity = f"{LOGIN_HOST}/id/{seed.ORG_ID}/{seed.INTEGRATION_USER}"
    issued = str(int(now.timestamp() * 1000))
    key = hmac.new(CLIENT_SECRET.encode(), f"{identity}{issued}".encode(), hashlib.sha256)
    return {
        "access_token": made,
        "signature": base64.b64encode(key.digest()).decode(),
        "scope": scope,
        "instance_url": seed.INSTANCE_URL,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
        "api_instance_url": "https://api.salesforce.com",
    }


def check_session(org: Org, ask: Ask) -> None:
    """Let a call with a live token in, and keep its session alive. Raises Refusal (401) for any other."""
    scheme, _, given = ask.headers.get("authorization", "").partition(" ")
    check_token(org, given.strip() if scheme.lower() in ("bearer", "oauth") else "")


def check_token(org: Org, given: str) -> None:
    """As ``check_session``, for the token itself."""
    row = org.store.db.execute("SELECT used FROM _token WHERE token = ?", (given,)).fetchone()
    lifetime = timedelta(seconds=org.switches["token_lifetime_s"])
    if row is None or org.now() - moments.moment_of(row[0]) >= lifetime:
        raise Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
    # The timeout slides: each call starts it again.
    org.store.db.execute("UPDATE _token SET used = ? WHERE token = ?", (org.stamp(), given))


def revoke(org: Org, ask: Ask) -> Answer:
    """Answer ``/services/oauth2/revoke``: the token is dead at once, and a refresh token's sessions with it."""
    form = dict(ask.query) | dict(parse_qsl(ask.body.decode("utf-8", "replace")))
    given = form.get("token", "")
    grants = org.store.setting(REFRESH_TOKENS, {})
    opened = grants.pop(given, None)
    if opened is not None:
        org.store.keep_setting(REFRESH_TOKENS, grants)
    ended = sum(end_session(org, each) for each in [given, *(opened or [])])
    return Answer(200) if ended or opened is not None else _refused("invalid_token", "invalid token")


def end_session(org: Org, given: str) -> int:
    """End one session; returns how many there were."""
    return org.store.db.execute("DELETE FROM _token WHERE token = ?", (given,)).rowcount


def revoke_all(org: Org, *, refresh_too: bool = False) -> int:
    """End every session, and with ``refresh_too`` every approval; returns how many sessions there were."""
    if refresh_too:
        org.store.keep_setting(REFRESH_TOKENS, {})
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
