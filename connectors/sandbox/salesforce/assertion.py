"""JWT bearer assertions: signed by the key of the app's certificate, for a user who may use the app.

Salesforce reference, section 1. The largest age of ``exp`` is documented as three and as five minutes: the switch
``jwt_longest_s`` says which.
"""

from __future__ import annotations

from typing import Any

import jwt

from connectors.sandbox.salesforce import connected_app, seed
from connectors.sandbox.salesforce.connected_app import Denied
from connectors.sandbox.salesforce.org import Org

AUDIENCES = frozenset(
    {"https://login.salesforce.com", "https://test.salesforce.com", seed.INSTANCE_URL}
)  # External Client Apps take the My Domain only; connected apps take all three.
_UNCHECKED = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


def check(org: Org, assertion: str, client_id: str, host: str) -> None:
    """Let an assertion pass that is signed, meant for us, in its time and of a user who may. Raises Denied.

    ``host`` is where the request arrived: on loopback that is the org's own address.
    """
    claims = _decoded(assertion, None)
    if claims.get("iss") != client_id:
        raise Denied("invalid_client_id", "client identifier invalid")
    key = connected_app.certificate_key(org)
    if key is None:
        raise Denied("invalid_grant", "invalid assertion")
    claims = _decoded(assertion, key)
    audience = claims.get("aud")
    if not isinstance(audience, str) or audience.rstrip("/") not in AUDIENCES | {f"http://{host}"}:
        raise Denied("invalid_grant", "audience is invalid")
    now = org.now().timestamp()
    if not now < _seconds(claims.get("exp")) <= now + org.switches["jwt_longest_s"]:
        raise Denied("invalid_grant", "expired authorization code")
    user = connected_app.integration_user(org)
    subject = str(claims.get("sub", "")).lower()
    if subject != str(user.get("Username")).lower() or not connected_app.settings(org)["preauthorised"]:
        raise Denied("invalid_grant", "user hasn't approved this consumer")


def _decoded(assertion: str, key: Any) -> dict[str, Any]:
    options: Any = {**_UNCHECKED, "verify_signature": key is not None}
    try:
        return dict(jwt.decode(assertion, key or "", algorithms=["RS256"], options=options))
    except jwt.PyJWTError:
        raise Denied("invalid_grant", "invalid assertion") from None


def _seconds(value: object) -> float:
    """``exp`` as seconds; some clients send it as text. What is no number is long over."""
    try:
        return float(str(value))
    except ValueError:
        return 0.0
