"""The same job done record by record with pydantic, as most integrations are written.

Records are validated into models, every value is cleaned by the product's own reader of one text (with a cache
and a short cut for texts that are clean already), bases are validated from their JSON, and each lead is merged,
judged and planned in plain Python. Neither way makes keys of identity: every record has its lead already.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from bench import dirty
from bench.rules_in_python import Verdict, judged
from connectors.salesforce.values import number_text
from mapping.values.amounts import read_amount
from mapping.values.cells import Problem
from mapping.values.countries import country_names, read_country
from mapping.values.phones import read_phone
from mapping.values.text import fold_text
from mapping.values.web import read_email
from mapping.values.words import read_boolean

#: The merged values that are compared, in the order of the map.
VALUES = tuple(dirty.NAMES)
MERGED = (
    "email",
    "first_name",
    "last_name",
    "job_title",
    "company",
    "phone",
    "country",
    "industry",
    "annual_revenue",
)
OBSERVED = ("forms", "last_form_at", "hubspot_stage", "salesforce_stage")
OPT_OUT = "email_opt_out"


class HubSpotProperties(BaseModel):
    email: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    jobtitle: str | None = None
    company: str | None = None
    phone: str | None = None
    country: str | None = None
    industry: str | None = None
    annualrevenue: str | None = None
    hs_email_optout: str | None = None
    num_conversion_events: str | None = None
    recent_conversion_date: str | None = None
    lifecyclestage: str | None = None


class HubSpotRecord(BaseModel):
    id: str
    properties: HubSpotProperties
    createdAt: datetime
    updatedAt: datetime
    archived: bool


class HubSpotPage(BaseModel):
    results: list[HubSpotRecord]


class SalesforceRecord(BaseModel):
    Id: str
    SystemModstamp: str
    CreatedDate: str
    IsDeleted: bool
    Email: str | None = None
    FirstName: str | None = None
    LastName: str | None = None
    Title: str | None = None
    Company: str | None = None
    Phone: str | None = None
    Country: str | None = None
    Industry: str | None = None
    AnnualRevenue: float | None = None
    HasOptedOutOfEmail: bool | None = None
    Status: str | None = None


class Base(BaseModel):
    """What a record held when both sides last agreed."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    company: str | None = None
    phone: str | None = None
    country: str | None = None
    industry: str | None = None
    annual_revenue: Decimal | None = None
    email_opt_out: bool | None = None


@dataclass(slots=True)
class Record:
    """One record, cleaned. ``raw``: its CRM's words; ``unread``: fields that could not be read."""

    record_id: str
    values: dict[str, Any]
    raw: dict[str, str | None]
    unread: set[str]


@dataclass(slots=True)
class Change:
    lead_id: str
    crm: str
    record_id: str
    field: str
    before: str | None
    after: str | None
    why: str


_CLEAN = re.compile(r"[!-~\u00a1-\u00ac\u00ae-\u02ff]+(?: [!-~\u00a1-\u00ac\u00ae-\u02ff]+)*")
_HEARD = {
    crm: {said: common for common, words in dirty.INDUSTRIES.items() for said in words[crm]}
    for crm in ("hubspot", "salesforce")
}
_SAID = {crm: {common: words[crm][0] for common, words in dirty.INDUSTRIES.items()} for crm in _HEARD}
_STAGE = {word: stage for words, stage in zip(dirty.STAGES, ("lead", "mql"), strict=True) for word in words}
_COUNTRY_NAMES = country_names("english")


def text_of(text: str | None) -> str | None:
    if text is None or _CLEAN.fullmatch(text):
        return text
    return fold_text(text)


country_of = lru_cache(maxsize=65_536)(read_country)


@lru_cache(maxsize=65_536)
def amount_of(text: str) -> Decimal | Problem | None:
    got = read_amount(text, decimal_comma=None, whole=True, words=True)
    return got[0].quantize(Decimal("0.01")) if isinstance(got, tuple) else got


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def _cleaned(crm: str, record_id: str, raw: dict[str, str | None], *, phones: bool) -> Record:
    """``raw``: lead field to the CRM's text, blanks as None."""
    get, heard = raw.get, _HEARD[crm]
    country = country_of(text) if (text := get("country")) is not None else None
    region = country if isinstance(country, str) else "DE"
    phone = get("phone")
    values: dict[str, Any] = {
        "email": read_email(text) if (text := get("email")) is not None else None,
        "first_name": text_of(get("first_name")),
        "last_name": text_of(get("last_name")),
        "job_title": text_of(get("job_title")),
        "company": text_of(get("company")),
        "phone": (read_phone(phone, region) if phone is not None else None) if phones else text_of(phone),
        "country": country,
        "industry": heard[text] if (text := get("industry")) is not None else None,
        "annual_revenue": amount_of(text) if (text := get("annual_revenue")) is not None else None,
        "email_opt_out": read_boolean(text) if (text := get("email_opt_out")) is not None else None,
        "forms": int(text) if (text := get("forms")) is not None else None,
        "last_form_at": time_of(text) if (text := get("last_form_at")) is not None else None,
        "hubspot_stage": _STAGE[text] if (text := get("hubspot_stage")) is not None else None,
        "salesforce_stage": _STAGE[text] if (text := get("salesforce_stage")) is not None else None,
    }
    unread = {name for name, value in values.items() if isinstance(value, Problem)}
    for name in unread:
        values[name] = None
    return Record(record_id, values, raw, unread)


_FROM_HUBSPOT = [(lead, name) for lead, (name, _) in dirty.NAMES.items() if name]
_FROM_SALESFORCE = [(lead, name) for lead, (_, name) in dirty.NAMES.items() if name]


def hubspot_records(pages: Iterator[bytes], *, phones: bool) -> Iterator[Record]:
    for body in pages:
        for record in HubSpotPage.model_validate_json(body).results:
            held = record.properties.__dict__
            raw = {lead: held[name] or None for lead, name in _FROM_HUBSPOT}
            yield _cleaned("hubspot", record.id, raw, phones=phones)


def salesforce_records(pages: Iterator[bytes], *, phones: bool) -> Iterator[Record]:
    for body in pages:
        for row in csv.DictReader(io.StringIO(body.decode(), newline="")):
            record = SalesforceRecord.model_validate({name: cell or None for name, cell in row.items()})
            held = record.__dict__
            raw = {lead: held[name] for lead, name in _FROM_SALESFORCE}
            amount, out = held["AnnualRevenue"], held["HasOptedOutOfEmail"]
            raw["annual_revenue"] = None if amount is None else number_text(amount)
            raw["email_opt_out"] = None if out is None else "true" if out else "false"
            yield _cleaned("salesforce", record.Id, raw, phones=phones)


def _said(crm: str, name: str, value: Any) -> str | None:
    """A value in the CRM's words."""
    if name == "country":
        return _COUNTRY_NAMES[value]
    if name == "industry":
        return _SAID[crm][value]
    if name == "annual_revenue":
        return str(value).rstrip("0").rstrip(".")
    return value if isinstance(value, str) else str(value).lower()


_KNOWN = {"hubspot": "HubSpot", "salesforce": "Salesforce"}


def _merge_field(
    name: str, hubspot: Record, salesforce: Record, base_h: Base, base_s: Base
) -> tuple[Any, str | None, bool]:
    """The value that stands, the CRM it goes to (None: neither), and whether the rule had to decide."""
    h, s = hubspot.values[name], salesforce.values[name]
    if h == s or name in hubspot.unread or name in salesforce.unread:
        return (h if h is not None else s), None, False
    h_changed = h is not None and h != getattr(base_h, name)
    s_changed = s is not None and s != getattr(base_s, name)
    if s_changed:
        return s, "hubspot", h_changed
    if h_changed:
        return h, "salesforce", False
    if h is None:
        return s, "hubspot", False
    if s is None:
        return h, "salesforce", False
    return h, None, False


def decide(
    lead_id: str, hubspot: Record, salesforce: Record, base_h: Base, base_s: Base, now: datetime
) -> tuple[dict[str, Any], Verdict, list[Change]]:
    """Merge, judge and plan one lead."""
    merged: dict[str, Any] = {}
    changes: list[Change] = []
    sides = {"hubspot": hubspot, "salesforce": salesforce}
    for name in MERGED:
        value, goes_to, by_rule = _merge_field(name, hubspot, salesforce, base_h, base_s)
        merged[name] = value
        if goes_to is not None:
            target = sides[goes_to]
            other = _KNOWN["salesforce" if goes_to == "hubspot" else "hubspot"]
            why = f"{other} changed it"
            if by_rule:
                why = "both changed it; the map says salesforce keeps it"
            elif target.values[name] is None:
                why = f"empty in {_KNOWN[goes_to]}, known in {other}"
            after = _said(goes_to, name, value)
            changes.append(Change(lead_id, goes_to, target.record_id, name, target.raw[name], after, why))
    for name in OBSERVED:
        h, s = hubspot.values[name], salesforce.values[name]
        merged[name] = h if h is not None else s
    _withdrawal(lead_id, sides, (base_h, base_s), merged, changes)
    return merged, judged(merged, now), changes


def _withdrawal(
    lead_id: str,
    sides: dict[str, Record],
    bases: tuple[Base, Base],
    merged: dict[str, Any],
    changes: list[Change],
) -> None:
    """A withdrawal seen anywhere stands, and is told to the other side."""
    shown = {crm: side.values[OPT_OUT] for crm, side in sides.items()}
    known = shown["hubspot"] if shown["hubspot"] is not None else shown["salesforce"]
    withdrawn = any(shown.values()) or any(base.email_opt_out for base in bases)
    merged[OPT_OUT] = True if withdrawn else known
    if withdrawn and any(shown.values()) and not all(shown.values()):
        goes_to = "hubspot" if shown["salesforce"] else "salesforce"
        other = _KNOWN["salesforce" if goes_to == "hubspot" else "hubspot"]
        target = sides[goes_to]
        why = f"a withdrawal in {other} holds in both CRMs"
        changes.append(Change(lead_id, goes_to, target.record_id, OPT_OUT, target.raw[OPT_OUT], "true", why))
