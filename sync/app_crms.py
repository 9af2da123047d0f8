"""Builds the two connectors from the settings; only ``sync.app`` and ``sync.app_logs`` call it.

A pretend CRM is built like a real one: what differs is its address and its credentials.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors.crm import Crm
from connectors.hubspot.api import RATES
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.token import OAuthTokens
from connectors.quota import Lane, Quota, Rate
from connectors.retry import Retry
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.grants import ClientCredentials, Grant, JwtBearer, RefreshToken
from connectors.sandbox.credentials import HUBSPOT_CLIENT_ID as PRETEND_CLIENT_ID
from connectors.sandbox.credentials import HUBSPOT_REFRESH_TOKEN as PRETEND_REFRESH_TOKEN
from connectors.sandbox.detached import Attached
from connectors.session import READ_SECONDS, CrmSession, open_session
from sync.sections import HubSpotSettings
from sync.settings import Settings
from sync.store.calls import CallLedgers
from sync.wrongconfig import WrongConfig, problem

#: The host behind every sandbox organisation; nothing is ever sent there, the session goes to loopback.
SANDBOX_LOGIN = "https://{domain}.salesforce.com"


@dataclass(frozen=True)
class Patience:
    """How both connectors wait: ``sleep`` takes seconds, ``read_seconds`` is how long an answer may be silent."""

    sleep: Callable[[float], None] = time.sleep
    read_seconds: float = READ_SECONDS


@dataclass(frozen=True)
class Belongings:
    """What both connectors are built from, beside their settings."""

    attached: Attached | None
    ledgers: CallLedgers
    clock: Callable[[], datetime]
    lane: Lane
    patience: Patience = Patience()

    def session(self, ca_file: str | None = None, loopback: str | None = None) -> CrmSession:
        """A session that waits as long as our patience lasts."""
        return open_session(ca_file=ca_file, loopback=loopback, read_seconds=self.patience.read_seconds)

    def quota(
        self, crm: str, app: Sequence[str], day: tuple[float, int | None], rates: Mapping[str, Rate]
    ) -> Quota:
        """The call budget of one app, shared with every process on this database.

        ``app``: what tells one app of one account from another; only a digest of it is kept. ``day``: our share of it,
        and the calls of that share that a backfill leaves.
        """
        fingerprint = hashlib.sha256("\n".join(app).encode()).hexdigest()[:16]
        return Quota(
            crm,
            rates,
            ledger=self.ledgers.of(fingerprint),
            clock=self.clock,
            sleep=self.patience.sleep,
            share=day[0],
            reserve=day[1],
            lane=self.lane,
        )


def hubspot(settings: Settings, owned: Belongings) -> HubSpotCrm:
    ours, attached = settings.hubspot, owned.attached
    session = owned.session()
    url = attached.hubspot_url if attached else ours.base_url
    token = _hubspot_token(ours, attached, session, url, owned.clock)
    app = (url, token if isinstance(token, str) else ours.client_id or PRETEND_CLIENT_ID)
    return HubSpotCrm(
        token,
        url,
        session,
        owned.quota("hubspot", app, (ours.daily_share, ours.daily_reserve), RATES),
        retry=Retry(sleep=owned.patience.sleep, jitter=random.uniform),
        version=ours.api_family,
        overlap_seconds=ours.overlap_seconds,
        list_threads=ours.list_threads,
        write_threads=ours.write_threads,
        full_read=ours.full_read,
        sleep=owned.patience.sleep,
    )


def _hubspot_token(
    ours: HubSpotSettings,
    attached: Attached | None,
    session: CrmSession,
    url: str,
    clock: Callable[[], datetime],
) -> str | OAuthTokens:
    """A token that stands in the settings, or an app that renews its own; a pretend account has both."""
    if ours.auth == "token":
        return attached.hubspot_token if attached else _secret(ours.access_token)
    app = (
        (PRETEND_CLIENT_ID, attached.hubspot_client_secret, PRETEND_REFRESH_TOKEN)
        if attached
        else (ours.client_id or "", _secret(ours.client_secret), _secret(ours.refresh_token))
    )
    return OAuthTokens(session, url, *app, clock=clock, version=ours.oauth_version)


def salesforce(settings: Settings, owned: Belongings) -> Crm:
    ours, attached = settings.salesforce, owned.attached
    login, loopback = salesforce_login(settings, attached)
    client_id = attached.salesforce_client_id if attached else ours.client_id or ""
    return SalesforceCrm(
        session=owned.session(ours.ca_file, loopback),
        login_url=login,
        grant=salesforce_grant(settings, attached, owned.clock),
        api_version=ours.api_version,
        quota=owned.quota("salesforce", (login, client_id), (ours.daily_share, ours.daily_reserve), {}),
        write_threads=ours.write_threads,
        sleep=owned.patience.sleep,
    )


def salesforce_login(settings: Settings, attached: Attached | None) -> tuple[str, str | None]:
    """Where to log in, and the host on this machine that stands behind it (None: the real one)."""
    if attached:
        return SANDBOX_LOGIN.format(domain=attached.salesforce_domain), _host(attached.salesforce_url)
    login = settings.salesforce.login_url
    return login, _host(login) if login.startswith("http://") else None


def salesforce_grant(settings: Settings, attached: Attached | None, clock: Callable[[], datetime]) -> Grant:
    """The way of logging in. A pretend organisation takes its fixed client credentials. Raises WrongConfig."""
    ours = settings.salesforce
    if attached:
        return ClientCredentials(attached.salesforce_client_id, attached.salesforce_client_secret)
    client_id = ours.client_id or ""
    if ours.auth == "jwt":
        return JwtBearer(client_id, ours.username or "", _private_key(settings), ours.login_url, clock)
    if ours.auth == "refresh_token":
        return RefreshToken(client_id, _secret(ours.client_secret), _secret(ours.refresh_token))
    return ClientCredentials(client_id, _secret(ours.client_secret))


def _private_key(settings: Settings) -> str:
    path = Path(settings.salesforce.key_file or "")
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        what = f"salesforce.key_file: {path.name} cannot be read as a key"
    where = settings.where("salesforce.key_file")
    raise WrongConfig([problem(where, what, "name a file with an RSA key as PEM that Leadpact may read")])


def _secret(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _host(url: str) -> str:
    return urlsplit(url).netloc
