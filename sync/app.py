"""The only place that builds things and joins them: CRMs, memory, map, policy, clock.

Everything else is handed what it needs. A test builds an ``App`` with its own clock, or a ``Work`` of its own.
"""

from __future__ import annotations

import getpass
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.address import is_loopback
from connectors.crm import AtPoint, Crm, no_stop
from connectors.quota import Lane
from mapping.fieldmap import FieldMap
from mapping.lead import LEAD_FIELDS, LeadField
from mapping.qualification.columns import Column, columns_for
from mapping.qualification.conditions import Condition
from mapping.qualification.declared import Policy, stored_fields
from mapping.qualification.policy import load_policy, verdict_columns
from sync.app_late import LateCrms
from sync.compiled import field_map_of, merge_rules, scope_of, unscored_of
from sync.errors import CrmAway, GuardStopped, WrongUse
from sync.handover_rules import agreement_of
from sync.ourpolicy import VOCABULARIES, judged_fields, policy_of_config
from sync.pilot import Pilot
from sync.plan import NAMES
from sync.routing_rules import routing_of
from sync.settings import Settings
from sync.store.calls import CallLedgers
from sync.store.store import Store
from sync.work import CRMS, Guards, Scope, Work
from sync.wrongconfig import WrongConfig

if TYPE_CHECKING:
    from connectors.sandbox.detached import Attached
    from sync.app_crms import Belongings, Patience


@dataclass
class App:
    """One command's belongings. ``work`` needs the CRMs; ``memory`` only the database. Close it, or use ``opened``.

    ``clock`` is the machine's, or the sandbox's where the CRMs are pretend ones: they and we then agree on
    what day it is when somebody moves it.
    """

    settings: Settings
    store: Store
    crms: Mapping[str, Crm]
    clock: Callable[[], datetime]
    field_map: FieldMap
    policy: Policy
    scope: Scope
    fields: Mapping[str, LeadField]
    at_point: AtPoint
    unscored: Condition | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    database: str = field(default="", repr=False)  #: its address, which may hold a password

    @property
    def owned(self) -> Belongings | None:
        """What the CRMs are built from; None where a test brought CRMs of its own."""
        return self.crms.owned if isinstance(self.crms, LateCrms) else None

    def work(self) -> Work:
        """Everything a run is handed; asks both CRMs whose accounts they are. Raises the connectors' errors."""
        accounts = self.accounts()
        self._same_accounts(accounts)
        self.store.use(accounts["hubspot"], accounts["salesforce"], self.clock())
        return self._work()

    def _same_accounts(self, accounts: Mapping[str, str]) -> None:
        """Stop where this config suddenly opens another account: its state and its caps were made for the first."""
        first = self.store.accounts_of(
            self._config(), accounts["hubspot"], accounts["salesforce"], self.clock()
        )
        for crm, before in zip(CRMS, first, strict=True):
            if accounts[crm] != before:
                raise GuardStopped(
                    f"{NAMES[crm]}: the credentials open account {accounts[crm]}, and this config has always"
                    f" worked with {before}. Nothing was written",
                    fix="correct the credentials; another account deserves a config file of its own",
                )

    def _config(self) -> str:
        """The name under which the memory knows this config."""
        return hashlib.sha256(str(self.settings.path.absolute()).encode()).hexdigest()

    def recalled(self) -> Work | None:
        """``work`` on the accounts that this config opened before; no CRM is asked. None: it never opened any."""
        known = self.store.first_accounts(self._config())
        if known is None:
            return None
        self.store.use(*known, self.clock())
        return self._work()

    def accounts(self) -> dict[str, str]:
        """The account ids behind the credentials."""
        return {crm: self.crms[crm].account().account_id for crm in CRMS}

    def memory(self) -> Work:
        """For questions to the memory alone. The CRMs are asked only where it knows several pairs of accounts."""
        known = self.store.accounts()
        if not known:
            raise WrongUse(
                "nothing was ever synced with this database", fix="run `leadpact plan` or `leadpact sync`"
            )
        if len(known) > 1:
            return self.work()
        _, hubspot, salesforce, _, _ = known[0]
        self.store.use(hubspot, salesforce, self.clock())
        return self._work()

    def policy_of(self, declared: Mapping[str, Any]) -> Policy:
        """A policy from its stored tables, over the custom fields that were judged then and those of today."""
        fields = judged_fields({**self.fields, **stored_fields(declared)})
        return load_policy(declared, fields=fields, vocabularies=VOCABULARIES, stored=True)

    def _work(self) -> Work:
        settings = self.settings
        return Work(
            crms=self.crms,
            objects={"hubspot": settings.hubspot.object, "salesforce": settings.salesforce.object},
            store=self.store,
            field_map=self.field_map,
            fields=self.fields,
            policy=self.policy,
            rules=merge_rules(self.field_map),
            scope=self.scope,
            guards=Guards(**settings.guards.model_dump()),
            mode=settings.sync.mode,
            clock=self.clock,
            stage_words=settings.stages,
            spill_folder=data_folder(settings) / "spill",
            required=settings.salesforce.required,
            language=settings.sync.language,
            slice_leads=settings.sync.slice_leads,
            claim_seconds=settings.sync.claim_seconds,
            at_point=self.at_point,
            pilot=self._pilot(),
            lifecycle_alone=settings.sync.lifecycle_alone,
            unscored=self.unscored,
            handover=agreement_of(settings.handover),
            routing=routing_of(settings, self._asked_of_leads()),
        )

    def _asked_of_leads(self) -> dict[str, Column]:
        """What a condition on a judged lead may name."""
        known = columns_for(judged_fields(self.fields), VOCABULARIES)
        return {**known, **verdict_columns(self.policy.bands)}

    def _pilot(self) -> Pilot | None:
        named = self.settings.scope.pilot
        size = self.settings.guards.pilot_size
        return None if named is None else Pilot(self.crms["hubspot"], named.rpartition(" ")[2], size)

    def close(self) -> None:
        self.stack.close()


def data_folder(settings: Settings) -> Path:
    """Where the embedded database, spill files and the like are kept."""
    return Path(settings.database.dir)


def build(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    at_point: AtPoint = no_stop,
    lane: Lane = "live",
    patience: Patience | None = None,
) -> App:
    """Build everything a command needs. Nothing is sent to a CRM yet; the database is opened and migrated.

    Raises WrongConfig for a map, policy or condition that cannot be used, DatabaseAway and CrmAway.
    """
    field_map = field_map_of(settings)
    custom = {name: known for name, known in field_map.fields.items() if known.custom}
    fields = {**LEAD_FIELDS, **custom}
    missing = settings.missing_secrets()
    if missing:
        raise WrongConfig(missing)
    policy = policy_of_config(settings)
    scope = scope_of(settings, policy, fields)
    unscored = unscored_of(settings, fields)
    stack = ExitStack()
    try:
        attached = _attached(settings, stack)
        chosen = clock or _clock(settings, attached, stack)
        url = _database_url(settings, stack)
        store = Store(url, who=user_at_work())
        stack.callback(store.close)
        ledgers = CallLedgers(url, time.monotonic)
        stack.callback(ledgers.close)
        crms = LateCrms(settings, attached, ledgers, chosen, lane, patience, stack)
    except BaseException:
        stack.close()
        raise
    return App(
        settings, store, crms, chosen, field_map, policy, scope, fields, at_point, unscored, stack, url
    )


@contextmanager
def opened(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    at_point: AtPoint = no_stop,
    lane: Lane = "live",
    patience: Patience | None = None,
) -> Iterator[App]:
    """``build`` for a ``with`` statement."""
    app = build(settings, clock=clock, at_point=at_point, lane=lane, patience=patience)
    try:
        yield app
    finally:
        app.close()


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def user_at_work() -> str:
    """The user of the operating system; ``unknown`` where it has no name for them, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def _attached(settings: Settings, stack: ExitStack) -> Attached | None:
    sandbox = settings.sandbox
    if sandbox is None:
        return None
    # Here and not above: a config without [sandbox] does without.
    from connectors.sandbox.detached import SandboxUnavailable, attach

    try:
        attached = attach(Path(sandbox.dir), sandbox.hubspot_port, sandbox.salesforce_port)
    except SandboxUnavailable as away:
        raise CrmAway(f"the pretend CRMs cannot be started: {away}") from away
    stack.callback(attached.release)
    return attached


def _clock(settings: Settings, attached: Attached | None, stack: ExitStack) -> Callable[[], datetime]:
    """Pretend CRMs have a clock that can be moved, and then it is ours too; otherwise the machine's counts."""
    url = attached.hubspot_url if attached else settings.hubspot.base_url
    if not is_loopback(urlsplit(url).hostname):
        return utc_now
    # Here and not above: the real CRMs have no clock to ask.
    from connectors.session import open_session
    from sync.app_clock import sandbox_clock

    session = open_session()
    stack.callback(session.close)
    return sandbox_clock(url, utc_now, session)


def _database_url(settings: Settings, stack: ExitStack) -> str:
    if not settings.database.embedded:
        return settings.database.url.get_secret_value()
    # Here and not above: a configured server needs none of ours.
    from sync.store.embedded import EmbeddedServer

    server = EmbeddedServer(data_folder(settings) / "postgresql")
    stack.callback(server.close)
    return server.url
