"""Builds what reads the logs of both CRMs, from the settings; only ``sync.pulllogs_…`` call it.

Each has sessions and tokens of its own: the journal is opened by the app itself, and a stream of changes stays open
for hours beside whatever else is called.
"""

from __future__ import annotations

import random
from contextlib import ExitStack

from connectors.hubspot.api import RATES, Api
from connectors.hubspot.journal import Journal
from connectors.hubspot.subscriptions import JOURNAL_SCOPES, JournalSubscriptions
from connectors.hubspot.token import AppTokens
from connectors.retry import Retry
from connectors.salesforce.pubsub.listening import PubSub
from connectors.salesforce.pubsub.wire import Wire
from connectors.salesforce.token import Tokens
from connectors.sandbox.credentials import HUBSPOT_CLIENT_ID as PRETEND_CLIENT_ID
from sync.app_crms import Belongings, salesforce_grant, salesforce_login
from sync.settings import Settings


def journal(
    settings: Settings, owned: Belongings, account: str, stack: ExitStack
) -> tuple[Journal, JournalSubscriptions]:
    """HubSpot's Webhooks Journal of one portal, and what it is to hold (HubSpot reference, section 10.4).

    Its sessions are closed with ``stack``. Nothing is sent yet.
    """
    ours, attached = settings.hubspot, owned.attached
    url = attached.hubspot_url if attached else ours.base_url
    secret = ours.client_secret.get_secret_value() if ours.client_secret else ""
    app = (PRETEND_CLIENT_ID, attached.hubspot_client_secret) if attached else (ours.client_id or "", secret)
    sessions = [owned.session() for _ in range(3)]
    for session in sessions:
        stack.callback(session.close)
    retry = Retry(sleep=owned.patience.sleep, jitter=random.uniform)
    tokens = AppTokens(sessions[0], url, *app, JOURNAL_SCOPES, clock=owned.clock)
    quota = owned.quota("hubspot", (url, app[0], "journal"), (ours.daily_share, ours.daily_reserve), RATES)
    api = Api(tokens, url, sessions[1], quota, retry)
    return Journal(api, sessions[2], retry, account=account), JournalSubscriptions(api)


def pubsub(settings: Settings, owned: Belongings, stack: ExitStack) -> PubSub:
    """Salesforce's Pub/Sub API (Salesforce reference, section 8); closed with ``stack``. Nothing is sent yet.

    Raises OSError where ``salesforce.ca_file`` cannot be read.
    """
    ours, attached = settings.salesforce, owned.attached
    login, loopback = salesforce_login(settings, attached)
    session = owned.session(ours.ca_file, loopback)
    stack.callback(session.close)
    tokens = Tokens(session, login, salesforce_grant(settings, attached, owned.clock))
    endpoint, ca_file = ours.pubsub_endpoint, ours.ca_file
    if attached and attached.pubsub:
        endpoint, ca_file = attached.pubsub, attached.ca_file
    found = PubSub(Wire(endpoint, ca_file), tokens, retry=Retry(sleep=owned.patience.sleep))
    stack.callback(found.close)
    return found
