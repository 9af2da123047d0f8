"""Who may call the APIs of the app itself: those with its developer key, or with a token of its own.

HubSpot reference, sections 8 and 10.
"""

from __future__ import annotations

from connectors.sandbox.hubspot.errors import expired_token, missing_scopes, no_credentials
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.webhooks.journal_calls import FILES
from connectors.sandbox.side import Ask

DEVELOPER_KEY = "leadpact-sandbox-developer-key"
#: Where a developer key is asked for, where a token of the app, and where the address is enough.
WITH_KEY = ("/webhooks/", "/app-webhooks/")
WITH_APP_TOKEN = "/webhooks-journal/"
OPEN = FILES


def admit_key(ask: Ask) -> None:
    """Raises Refused (401) without the developer key, which clients send as ``hapikey``."""
    if ask.first("hapikey") != DEVELOPER_KEY:
        raise no_credentials()


def admit_app(portal: Portal, ask: Ask, scope: str) -> None:
    """``scope`` is the end of the name of a scope of the journal. Raises Refused: 401, or 403 without it."""
    scheme, _, token = ask.headers.get("authorization", "").partition(" ")
    granted = portal.events.granted(token.strip()) if scheme.lower() == "bearer" else None
    if granted is None:
        raise no_credentials()
    ends, scopes = granted
    if ends <= portal.now():
        raise expired_token((portal.now() - ends) // 1000)
    needed = f"developer.webhooks_journal.{scope}"
    if needed not in scopes:
        raise missing_scopes([needed])
