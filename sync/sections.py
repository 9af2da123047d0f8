"""The sections of the config: their settings, types, limits and defaults.

Every setting has a reader in the program and a sentence in ``config.example.toml``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from connectors.hubspot.choices import THREADS, WRITE_THREADS, FullRead, OAuthVersion, Version
from connectors.salesforce import choices as salesforce
from sync.section import Address, Count, Filled, LoginAddress, Port, Secret, Section, Share, matching, refuse
from sync.sections_handover import HandoverSettings
from sync.sections_notify import AlertSettings, NotifySettings
from sync.sections_reports import ReportSettings
from sync.sections_service import ScheduleSettings, WebSettings, WorkerSettings


def _database(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if text != "embedded" and not text.startswith(("postgresql://", "postgres://")):
        raise refuse('must be "embedded" or an address that begins with postgresql://')
    return url


CurrencyCode = Annotated[str, matching("[A-Z]{3}", "must be three capital letters, such as EUR")]
CountryCode = Annotated[str, matching("[A-Z]{2}", "must be two capital letters, such as DE")]
ApiVersion = Annotated[str, matching(r"[1-9]\d\.0", "must look like 66.0")]
Endpoint = Annotated[str, matching(r"[A-Za-z0-9.-]+:\d{1,5}", "must look like HOST:PORT")]
PilotList = Annotated[str, matching(r"hubspot list \d+", "must look like: hubspot list 4711")]


class HubSpotSettings(Section):
    """How HubSpot is reached. ``access_token``, ``client_secret`` and ``refresh_token`` never stand in a file."""

    base_url: Address = "https://api.hubapi.com"
    #: A token that is good until it is revoked, or an app that renews its own (HubSpot reference, section 8).
    auth: Literal["token", "oauth"] = "token"
    access_token: Secret | None = None
    client_id: Filled | None = None
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    #: The version of the token endpoint; v1 stops on 16 Feb 2027 (HubSpot reference, section 8).
    oauth_version: OAuthVersion = "2026-09"
    object: Filled = "contacts"
    #: Seconds; HubSpot's search index lags behind (HubSpot reference, section 4.4).
    overlap_seconds: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    #: How much of the account's daily calls, everybody's counted, may be used when we call.
    daily_share: Share = 0.8
    #: Calls of that share that a backfill leaves to everything else; None: a quarter of it.
    daily_reserve: Count | None = None
    #: The family of paths (HubSpot reference, section 3).
    api_family: Version = "v3"
    #: Pages of a full reading that are asked for at the same time at most; 1 reads them one after the other.
    list_threads: Annotated[int, Field(ge=1, le=32)] = THREADS
    #: Batches of writes that are under way at the same time at most; 1 sends them one after the other.
    write_threads: Annotated[int, Field(ge=1, le=32)] = WRITE_THREADS
    #: Many pages, or one file (HubSpot reference, section 4.5).
    full_read: FullRead = "list"
    #: Whether the Webhooks Journal is read, which is the app's own: its id and secret open it (HubSpot reference,
    #: section 10.4).
    journal: bool = False
    #: Seconds between two questions for what is new in it.
    journal_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = 10.0


class SalesforceSettings(Section):
    """How Salesforce is reached. ``client_secret`` and ``refresh_token`` never stand in a file.

    ``auth`` is the way of logging in (Salesforce reference, section 1); ``username`` and ``key_file``, an RSA
    key as PEM, are those of JWT.
    """

    login_url: LoginAddress = "https://login.salesforce.com"
    auth: Literal["client_credentials", "jwt", "refresh_token"] = "client_credentials"
    client_id: Filled | None = None
    client_secret: Secret | None = None
    username: Filled | None = None
    key_file: Filled | None = None
    refresh_token: Secret | None = None
    api_version: ApiVersion = "66.0"
    object: Filled = "Lead"
    daily_share: Share = 0.8
    daily_reserve: Count | None = None
    #: As for HubSpot; what goes by a bulk job is one job.
    write_threads: Annotated[int, Field(ge=1, le=25)] = salesforce.WRITE_THREADS
    ca_file: Filled | None = None
    #: Whether change events are listened to (Salesforce reference, section 8).
    pubsub: bool = False
    pubsub_endpoint: Endpoint = "api.pubsub.salesforce.com:7443"
    #: Another topic than that of ``object``: a channel of one's own.
    pubsub_topic: Filled | None = None
    #: What a new record gets where Salesforce demands a value (Salesforce reference, section 6).
    required: dict[str, Filled] = Field(default={"LastName": "[unbekannt]", "Company": "[unbekannt]"})


class SandboxSettings(Section):
    """The pretend CRMs instead of the real ones. A port of 0 is any free one."""

    dir: Filled = "sandbox"
    hubspot_port: Port = 0
    salesforce_port: Port = 0


class DatabaseSettings(Section):
    """Leadpact's memory. ``url`` may hold a password, so it is never shown."""

    url: Annotated[SecretStr, AfterValidator(_database)] = SecretStr("embedded")
    dir: Filled = "leadpact-data"

    @property
    def embedded(self) -> bool:
        return self.url.get_secret_value() == "embedded"


class SyncSettings(Section):
    """How far a run goes, and in which portions."""

    mode: Literal["observe", "own_fields", "full"] = "observe"
    slice_leads: Annotated[int, Field(ge=1, le=1_000_000)] = 25_000
    claim_seconds: Annotated[float, Field(ge=10, le=86_400)] = 900.0
    language: Literal["de", "en"] = "de"
    lifecycle_alone: bool = False


class ScopeSettings(Section):
    """Conditions: who is synced, and who gets a record where there is none yet."""

    leads: Filled | None = None
    create_in_hubspot: Filled | None = None
    create_in_salesforce: Filled | None = None
    to_hubspot: Filled | None = None
    to_salesforce: Filled | None = None
    pilot: PilotList | None = None


class GuardSettings(Section):
    """Caps that stop a run before its first write."""

    max_creates: Count = 500
    max_updates: Count = 100_000
    max_stage_moves: Count = 500
    max_share_of_leads: Annotated[float, Field(ge=0, le=1)] = 1.0
    pilot_size: Count = 200
    canary: Count = 20


#: The stages, as ``mapping.lead.Stage`` spells them.
StageName = Literal[
    "visitor",
    "prospect",
    "lead",
    "nurture",
    "mql",
    "sql",
    "opportunity",
    "customer",
    "disqualified",
    "former_customer",
]


class PrivacySettings(Section):
    """Who is not scored, and how many days the history of a lead is kept, by the stage it stands in."""

    no_scoring: Filled | None = None
    #: Whether reports may show numbers by owner, who is a person.
    per_person_reports: bool = False
    keep_days: dict[StageName, Annotated[int, Field(ge=1, le=36_500)]] = Field(default={})


class CurrencySettings(Section):
    """The currency of amounts that name none, per CRM (ISO 4217)."""

    hubspot: CurrencyCode = "EUR"
    salesforce: CurrencyCode = "EUR"


class LocaleSettings(Section):
    """How numbers typed into text fields, and telephone numbers without a country, are understood."""

    region: CountryCode = "DE"
    decimal_comma: bool | None = None
    currency: CurrencySettings = CurrencySettings()


class FilesSettings(Section):
    """Parts of the config that stand in files of their own, beside it."""

    fields: Filled | None = None
    policy: Filled | None = None
    costs: Filled | None = None


class _Layer(PydanticBaseSettingsSource):
    """One source of settings, already read."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


class Declared(BaseSettings):
    """Every section with settings of its own; built by ``merged``.

    The tables that are lists of rules (fields, values, stages, policy) are read by ``sync.fieldtables`` and
    by the policy itself.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    hubspot: HubSpotSettings = HubSpotSettings()
    salesforce: SalesforceSettings = SalesforceSettings()
    sandbox: SandboxSettings | None = None
    database: DatabaseSettings = DatabaseSettings()
    sync: SyncSettings = SyncSettings()
    scope: ScopeSettings = ScopeSettings()
    guards: GuardSettings = GuardSettings()
    privacy: PrivacySettings = PrivacySettings()
    handover: HandoverSettings = HandoverSettings()
    reports: ReportSettings = ReportSettings()
    locale: LocaleSettings = LocaleSettings()
    web: WebSettings = WebSettings()
    worker: WorkerSettings = WorkerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    notify: NotifySettings = NotifySettings()
    alerts: AlertSettings = AlertSettings()
    files: FilesSettings = FilesSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The two layers handed to ``merged``, the stronger one first, and nothing of the process."""
        given = init_settings()
        return tuple(_Layer(settings_cls, given[name]) for name in ("overrides", "declared"))


def merged(declared: dict[str, Any], overrides: dict[str, Any]) -> Declared:
    """The settings of the files under those of the environment. Raises pydantic's ValidationError."""
    layers: dict[str, Any] = {"declared": declared, "overrides": overrides}
    return Declared(**layers)


def has_password(url: str) -> bool:
    """Whether a database address carries a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # It cannot be taken apart, so nobody can say that there is none.
        return True
    return bool(parts.password) or any(key == "password" for key, _ in parse_qsl(parts.query))
