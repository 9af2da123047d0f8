"""The settings of one command: the config file, the files it names, and the environment over both.

``load_settings`` reads them all and raises ``WrongConfig`` with every problem it found, each with its file and
line, or with the name of its variable. No problem repeats a value: values may be secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import expanduser
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError

from mapping.consent import CONSENT_FIELDS
from mapping.lead import LEAD_FIELDS, LeadField
from mapping.qualification.columns import nearest
from mapping.rules import FieldRule
from sync.complaints import words_of
from sync.environment import Overrides, leaves, models_in, read_environment, variable_of
from sync.fieldtables import FieldTables, Words, read_field_tables
from sync.section import Section
from sync.sections import (
    DatabaseSettings,
    Declared,
    FilesSettings,
    GuardSettings,
    HubSpotSettings,
    LocaleSettings,
    PrivacySettings,
    SalesforceSettings,
    SandboxSettings,
    ScopeSettings,
    SyncSettings,
    has_password,
    merged,
)
from sync.sections_handover import HandoverSettings
from sync.sections_notify import AlertSettings, NotifySettings
from sync.sections_reports import ReportSettings
from sync.sections_service import ScheduleSettings, WebSettings, WorkerSettings
from sync.tomlfile import KeyPath, TomlFile, parse_path, read_toml
from sync.whichconfig import find_config
from sync.wrongconfig import Problem, WrongConfig, problem

__all__ = ["Settings", "WrongConfig", "find_config", "load_settings"]

SectionT = TypeVar("SectionT", bound=Section)

FIELD_TABLES = ("fields", "values", "stages")
POLICY_TABLES = ("policy", "nurture", "channels", "goals", "costs")
#: What each part of the config may hold when it stands in a file of its own.
PARTS: Mapping[str, tuple[str, ...]] = {"fields": FIELD_TABLES, "policy": POLICY_TABLES}
#: What each way of logging in to Salesforce cannot do without (Salesforce reference, section 1).
SALESFORCE_NEEDS: Mapping[str, tuple[str, ...]] = {
    "client_credentials": ("client_id", "client_secret"),
    "jwt": ("client_id", "username", "key_file"),
    "refresh_token": ("client_id", "client_secret", "refresh_token"),
}
TOP_LEVEL = (*Declared.model_fields, *FIELD_TABLES, *POLICY_TABLES)


@dataclass(frozen=True)
class Settings:
    """Everything the config says. Relative paths in it started at ``folder``, the config's own, and are absolute.

    ``fields`` are the rules of ``[fields.NAME]`` in their order. ``values`` is ``[values.NAME]``: name to
    common word to CRM to that CRM's words. ``stages`` is a stage to the HubSpot lifecycle word to write.
    ``policy`` holds the tables of ``POLICY_TABLES`` as they were read, for ``load_policy`` and the reports.
    ``sandbox`` is None where the real CRMs are meant.
    """

    path: Path
    folder: Path
    hubspot: HubSpotSettings
    salesforce: SalesforceSettings
    sandbox: SandboxSettings | None
    database: DatabaseSettings
    sync: SyncSettings
    scope: ScopeSettings
    guards: GuardSettings
    privacy: PrivacySettings
    handover: HandoverSettings
    reports: ReportSettings
    files: FilesSettings
    locale: LocaleSettings
    web: WebSettings
    worker: WorkerSettings
    schedule: ScheduleSettings
    notify: NotifySettings
    alerts: AlertSettings
    fields: tuple[FieldRule, ...]
    values: Mapping[str, Words]
    stages: Mapping[str, str]
    policy: Mapping[str, Any] = field(repr=False)
    sources: tuple[TomlFile, ...] = field(repr=False)

    def where(self, path: str) -> str:
        """``policy.toml:31`` for ``policy.fit[2].when``; the nearest table where the key itself is missing."""
        return _where(self.sources, parse_path(path))

    @property
    def custom_fields(self) -> dict[str, LeadField]:
        """The lead fields that the config adds: standings of consent, and rules with a type and a name of its own."""
        standings = {rule.lead for rule in self.fields} & CONSENT_FIELDS.keys()
        return {name: CONSENT_FIELDS[name] for name in sorted(standings)} | {
            rule.lead: LeadField(
                rule.lead, rule.type, rule.label or rule.lead, opt_out=rule.withdrawal, custom=True
            )
            for rule in self.fields
            if rule.type is not None and rule.lead not in {*LEAD_FIELDS, *CONSENT_FIELDS}
        }

    def required_secret(self, path: str) -> str:
        """A secret that calls to a CRM need, such as ``hubspot.access_token``.

        Raises WrongConfig with every credential that is missing, not only this one.
        """
        secret = self._setting(path)
        if not isinstance(secret, SecretStr):
            raise WrongConfig(self.missing_secrets() or [_missing(parse_path(path))])
        return secret.get_secret_value()

    def required_setting(self, path: str) -> str:
        """A setting without a default that calls to a CRM need, such as ``salesforce.client_id``.

        Raises WrongConfig with every credential that is missing, not only this one.
        """
        value = self._setting(path)
        if not isinstance(value, str):
            raise WrongConfig(self.missing_secrets() or [_missing(parse_path(path))])
        return value

    def _setting(self, path: str) -> Any:
        section, name = path.split(".")
        return getattr(getattr(self, section), name)

    def missing_secrets(self) -> list[Problem]:
        """The credentials that calls to the real CRMs need and that are not there."""
        if self.sandbox is not None:
            return []
        ours = self.hubspot
        by_app = ("client_id", "client_secret", "refresh_token")
        needed = {
            **{
                ("hubspot", name): getattr(ours, name)
                for name in (by_app if ours.auth == "oauth" else ("access_token",))
            },
            **{("hubspot", name): getattr(ours, name) for name in by_app[:2] if ours.journal},
            **{
                ("salesforce", name): getattr(self.salesforce, name)
                for name in SALESFORCE_NEEDS[self.salesforce.auth]
            },
        }
        return [_missing(path) for path, value in needed.items() if value is None]


def _missing(path: KeyPath) -> Problem:
    names = tuple(map(str, path))
    variable = variable_of(names)
    what = f"{'.'.join(names)} is missing"
    return problem(variable, what, f"set {variable}, or {variable}_FILE to a file that holds it")


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the config at ``path`` (None: see ``find_config``) under the given environment.

    Credentials may be missing: commands that call no CRM do without (see ``required_secret``). Raises
    WrongConfig with every problem.
    """
    path = find_config(path, environ)
    if not path.is_file():
        what = f"there is no config {path}"
        raise WrongConfig(
            [problem(str(path), what, "write one with `leadpact init`, or name it by --config")]
        )
    folder = path.absolute().parent
    problems: list[Problem] = []
    overrides = read_environment(environ, folder)
    problems += overrides.problems
    sources = _sources(read_toml(path, path.name), folder, overrides, problems)
    data = {key: value for source in reversed(sources) for key, value in source.data.items()}
    tables = read_field_tables(data, lambda keys: _where(sources, keys))
    problems += tables.problems + _policy_problems(data, sources)
    declared = _declared(data, sources, overrides, problems)
    if problems or declared is None:
        raise WrongConfig(problems)
    return _settings(path, folder, declared, tables, data, sources)


def _settings(
    path: Path,
    folder: Path,
    declared: Declared,
    tables: FieldTables,
    data: Mapping[str, Any],
    sources: tuple[TomlFile, ...],
) -> Settings:
    return Settings(
        path=path,
        folder=folder,
        hubspot=declared.hubspot,
        salesforce=_placed(_placed(declared.salesforce, "ca_file", folder), "key_file", folder),
        sandbox=_placed(declared.sandbox, "dir", folder) if declared.sandbox else None,
        database=_placed(declared.database, "dir", folder),
        sync=declared.sync,
        scope=declared.scope,
        guards=declared.guards,
        privacy=declared.privacy,
        handover=declared.handover,
        reports=declared.reports,
        files=_placed(declared.files, "costs", folder),
        locale=declared.locale,
        web=declared.web,
        worker=declared.worker,
        schedule=declared.schedule,
        notify=_placed(declared.notify, "ca_file", folder),
        alerts=declared.alerts,
        fields=tuple(tables.rules),
        values=tables.values,
        stages=tables.stages,
        policy={name: data[name] for name in POLICY_TABLES if name in data},
        sources=sources,
    )


def _placed(section: SectionT, name: str, folder: Path) -> SectionT:
    """The section with a path made absolute: from the config's folder, with ``~`` understood."""
    path = getattr(section, name)
    if path is None:
        return section
    return section.model_copy(update={name: str(folder / expanduser(path))})


def _where(sources: tuple[TomlFile, ...], path: KeyPath) -> str:
    for source in sources:
        if path[:1] in source.lines:
            return source.where(path)
    return sources[0].name


def _sources(
    main: TomlFile, folder: Path, overrides: Overrides, problems: list[Problem]
) -> tuple[TomlFile, ...]:
    """The main file and the parts it names, and what stands in the wrong one of them."""
    sources = [main]
    problems += [_unknown(main, key, TOP_LEVEL) for key in main.data if key not in TOP_LEVEL]
    files = main.data.get("files", {})
    named = {**files, **overrides.values.get("files", {})} if isinstance(files, dict) else {}
    for part, allowed in PARTS.items():
        name = named.get(part)
        if not isinstance(name, str) or not name.strip():
            continue
        try:
            source = read_toml(folder / expanduser(name), name)
        except WrongConfig as error:
            said = f"{overrides.origins.get(('files', part), main.where(('files', part)))} names this file"
            problems += [{**one, "fix": f"{one['fix']}; {said}"} for one in error.problems]
            continue
        for key in source.data:
            if key not in allowed:
                problems.append(_unknown(source, key, allowed))
            elif key in main.data:
                problems.append(
                    problem(
                        main.where((key,)), f"{key} stands in {name} as well", "keep it in one of the files"
                    )
                )
        sources.append(source)
    return tuple(sources)


def _unknown(source: TomlFile, key: str, known: tuple[str, ...]) -> Problem:
    near = nearest(key, known)
    fix = f"did you mean {near}?" if near else f"use {', '.join(known)}"
    return problem(source.where((key,)), f"unknown key {key}", fix)


def _policy_problems(data: Mapping[str, Any], sources: tuple[TomlFile, ...]) -> list[Problem]:
    """The policy checks its own tables; here only what would keep it from being handed over."""
    shapes: Mapping[str, tuple[type, str]] = {
        "policy": (dict, "a table"),
        "nurture": (list, "a list of tables, [[nurture]]"),
        "channels": (list, "a list of tables, [[channels]]"),
        "goals": (dict, "a table"),
        "costs": (list, "a list of tables, [[costs]]"),
    }
    return [
        problem(_where(sources, (name,)), f"{name} must be {words}", "compare it with config.example.toml")
        for name, (shape, words) in shapes.items()
        if name in data and not isinstance(data[name], shape)
    ]


def _declared(
    data: Mapping[str, Any],
    sources: tuple[TomlFile, ...],
    overrides: Overrides,
    problems: list[Problem],
) -> Declared | None:
    """The sections with the environment over them; None where they cannot be used."""
    sections = {key: value for key, value in data.items() if key in Declared.model_fields}
    problems += _secrets_in(sections, sources)
    try:
        return merged(sections, overrides.values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    for one in found:
        path = tuple(str(part) for part in one["loc"])
        origin = overrides.origins.get(path) or _where(sources, path)
        problems.append(_section_problem(one, path, origin))
    return None


def _section_problem(error: Mapping[str, Any], path: tuple[str, ...], origin: str) -> Problem:
    if error["type"] == "extra_forbidden":
        known = _keys_at(path[:-1])
        near = nearest(path[-1], known)
        fix = f"did you mean {near}?" if near else f"use {', '.join(known)}"
        return problem(origin, f"unknown key {path[-1]} in [{'.'.join(path[:-1])}]", fix)
    words, fix = words_of(error)
    return problem(origin, f"{'.'.join(path)} {words}", fix)


def _keys_at(path: tuple[str, ...]) -> list[str]:
    model: Any = Declared
    for name in path:
        model = models_in(model.model_fields[name].annotation)[0]
    return list(model.model_fields)


def _secrets_in(sections: dict[str, Any], sources: tuple[TomlFile, ...]) -> list[Problem]:
    """Secrets that stand in a file, and a database address with a password in it."""
    problems = []
    for path, leaf in leaves():
        value: Any = sections
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if not leaf.secret or value is None:
            continue
        if path == ("database", "url") and not (isinstance(value, str) and has_password(value)):
            continue
        variable = variable_of(path)
        problems.append(
            problem(
                _where(sources, path),
                f"{'.'.join(path)} is a secret and must not stand in a file of the config",
                f"take it out, and set {variable}, or {variable}_FILE to a file that holds it",
            )
        )
    return problems
