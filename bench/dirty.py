"""Leads as dirty as life, as the two CRMs would send them: pages of JSON and of CSV, and what both last agreed on.

A block of leads is drawn once from a seed; every further block repeats it under other numbers, so that ids,
addresses and telephone numbers stay distinct while a million leads cost no more memory than a block. In each
block: blanks, umlauts, capitals, stray spaces, invalid addresses, numbers and amounts in a dozen spellings, and
a share of leads that one side or both have changed since they last agreed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

#: Leads of a block; SEVENS stands in it wherever a lead's own number goes.
BLOCK = 10_000
SEVENS = b"7777777"
#: Added to a lead's place, so that every number has seven digits and none is all sevens.
FIRST = 2_000_000
MOST_LEADS = 5_000_000

#: Records of a page: a HubSpot list (HubSpot reference, section 4.1), a result of Salesforce's Bulk API 2.0.
HUBSPOT_PAGE, SALESFORCE_PAGE = 100, 50_000
HUBSPOT_ID, SALESFORCE_ID = "4", "00Q5g0000AB"

#: A lead field, and what HubSpot and Salesforce call it; None: that CRM has no such field.
NAMES: dict[str, tuple[str | None, str | None]] = {
    "email": ("email", "Email"),
    "first_name": ("firstname", "FirstName"),
    "last_name": ("lastname", "LastName"),
    "job_title": ("jobtitle", "Title"),
    "company": ("company", "Company"),
    "phone": ("phone", "Phone"),
    "country": ("country", "Country"),
    "industry": ("industry", "Industry"),
    "annual_revenue": ("annualrevenue", "AnnualRevenue"),
    "email_opt_out": ("hs_email_optout", "HasOptedOutOfEmail"),
    "forms": ("num_conversion_events", None),
    "last_form_at": ("recent_conversion_date", None),
    "hubspot_stage": ("lifecyclestage", None),
    "salesforce_stage": (None, "Status"),
}


def _each(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_FIRST_NAMES = _each(
    "Anna Jürgen Björn Käthe François Zoë Łukasz Søren Émilie Jens Sabine Özlem Thomas Renée "
    "Heike Günther Maria Ángel Niamh Pål Katarzyna Ömer Matthias Chloé Ingrid Rolf Susanne "
    "Wolfgang Beatrix Timo"
)
_LAST_NAMES = _each(
    "Müller Schröder Weiß Großmann Łukaszewicz Bäcker Nuñez Lefèvre Jørgensen Åkesson Öztürk "
    "Schmidt Fischer Köhler Vogel Krämer Jäger O'Neill Strauß Böhm Zimmermann Hoffmann García "
    "Kowalska Peeters Rossi Becker"
)
_STEMS = _each(
    "Hö Grün Brand Wester Oster Lind Rosen Stein Hirsch Wiesen Berg Mühl Kirch Alten Neu Schön Hof Burg Eich "
    "Tannen Reh Bach Feld Thal Ried Haupt Lang Kurz Roth Schwarz Sommer Winter Morgen Abend Stern Gold Silber"
)
_ENDINGS = _each(
    "mann meier bauer hofer berger müller huber wald stein bach feld brück hagen kamp horst sen ström ski "
    "gren dahl lund becker schulte reuter krüger stedt loh fels heim rode"
)
_TRADES = _each("Moden Bücher Garten Sport Möbel Feinkost Spielwaren Technik Parfüm Werkzeug Schuhe Käse")
_FORMS = ("GmbH", "GmbH & Co. KG", "AG", "e.K.", "Ltd.", "S.p.A.", "SE", "Agentur GmbH")
_TITLES = (
    *("Head of Marketing", "Leiterin Marketing", "Geschäftsführer", "Inhaberin", "Managing Director", "CMO"),
    *(
        "Marketing Manager",
        "Werkstudentin",
        "Einkäufer",
        "Praktikant Vertrieb",
        "Head of Content Marketing",
        "IT",
    ),
)
_DOMAINS = ("gmx.de", "gmail.com", "web.de", "t-online.de")
_COUNTRIES = (
    *("Germany", "Deutschland", "DE", "D", "Österreich", "Austria", "AT", "Schweiz", "CH", "Switzerland"),
    *("France", "Niederlande", "UK", "Neverland"),
)
#: A lead's word for its line of business, and each CRM's.
INDUSTRIES: dict[str, dict[str, list[str]]] = {
    "E-Commerce": {"hubspot": ["INTERNET"], "salesforce": ["Technology"]},
    "Retail": {"hubspot": ["RETAIL"], "salesforce": ["Retail"]},
    "Wholesale": {"hubspot": ["WHOLESALE"], "salesforce": ["Shipping"]},
    "Consumer Goods": {"hubspot": ["CONSUMER_GOODS"], "salesforce": ["Apparel"]},
    "Software": {"hubspot": ["COMPUTER_SOFTWARE"], "salesforce": ["Electronics"]},
    "Health": {"hubspot": ["HOSPITAL_HEALTH_CARE"], "salesforce": ["Healthcare"]},
}
_PHONES = (
    *(
        "+49 221 {n}",
        "0221/{n}",
        "(0221) {n}",
        "0049 221 {n}",
        "+49221{n}",
        "Tel. 0221 {n}",
        "0221-{n} ext. 12",
    ),
    *("+49 (0)221 {n}", "+4922{n}", "0221 {n}", "0 22 1 {n}", "bitte mailen"),
)
STAGES = (("lead", "Open - Not Contacted"), ("marketingqualifiedlead", "Working - Contacted"))
_DAYS = [f"2026-{month:02}-{day:02}" for month in range(5, 12) for day in (1, 5, 9, 13, 17, 20)]

#: One lead as both CRMs hold it: HubSpot's properties, and Salesforce's fields.
Pair = tuple[dict[str, Any], dict[str, Any]]


def _spelled_email(rng: random.Random, address: str) -> str:
    draw = rng.random()
    if draw < 0.05:
        return address.title()
    if draw < 0.07:
        return f" {address} "
    return address.replace("@", " at ") if draw < 0.08 else address


def _spelled_amount(rng: random.Random, amount: int) -> str:
    draw = rng.random()
    if draw < 0.80:
        return str(amount)
    grouped = f"{amount:,}"
    spellings = (
        f"€ {grouped.replace(',', '.')}",
        f"{grouped}.00 EUR",
        f"{amount / 1e6:.1f} Mio €",
        "auf Anfrage",
    )
    return spellings[min(int((draw - 0.80) * 20), 3)]


def _maybe(rng: random.Random, share: float, value: Any) -> Any:
    """The value for this share of the leads; else a blank: mostly null, now and then an empty text."""
    return value if rng.random() < share else None if rng.random() < 0.8 else ""


def _first_name(rng: random.Random) -> str:
    first = rng.choice(_FIRST_NAMES)
    return f"{first}-{rng.choice(_FIRST_NAMES)}" if rng.random() < 0.15 else first


def _last_name(rng: random.Random) -> str:
    """A name out of some thousands, as in a real list: most leads share theirs with nobody in a slab."""
    last = rng.choice(_LAST_NAMES) if rng.random() < 0.3 else rng.choice(_STEMS) + rng.choice(_ENDINGS)
    return f"{last}-{rng.choice(_LAST_NAMES)}" if rng.random() < 0.1 else last


def _person(rng: random.Random) -> dict[str, Any]:
    first, last = _first_name(rng), _last_name(rng)
    shop = f"{_last_name(rng)} {rng.choice(_TRADES)}"
    plain = shop.lower().replace(" ", "-").replace("'", "").encode("ascii", "ignore").decode()
    domain = rng.choice(_DOMAINS) if rng.random() < 0.2 else f"{plain}.de"
    return {
        "email": _maybe(rng, 0.96, f"m{SEVENS.decode()}@{domain}"),
        "first_name": _maybe(rng, 0.95, first),
        "last_name": last if rng.random() < 0.97 else f"{last}  ",
        "job_title": _maybe(rng, 0.6, rng.choice(_TITLES)),
        "company": _maybe(rng, 0.9, f"{shop} {rng.choice(_FORMS)}"),
        "phone": _maybe(rng, 0.7, rng.choice(_PHONES).format(n=SEVENS.decode())),
        "country": _maybe(rng, 0.85, rng.choice(_COUNTRIES)),
        "industry": _maybe(rng, 0.8, rng.choice(list(INDUSTRIES))),
        "annual_revenue": _maybe(rng, 0.7, int(10 ** rng.uniform(5.5, 8.8)) // 1000 * 1000),
        "email_opt_out": rng.random() < 0.06,
        "forms": _maybe(rng, 0.7, str(min(int(rng.expovariate(0.6)), 9))),
        "last_form_at": _maybe(rng, 0.65, f"{rng.choice(_DAYS)}T{rng.randrange(24):02}:15:42.123Z"),
        "stage": rng.choice(STAGES),
    }


def _in_hubspot(rng: random.Random, person: dict[str, Any]) -> dict[str, Any]:
    values = {ours: person[lead] for lead, (ours, _) in NAMES.items() if ours and lead in person}
    if person["email"]:
        values["email"] = _spelled_email(rng, person["email"])
    if person["industry"]:
        values["industry"] = INDUSTRIES[person["industry"]]["hubspot"][0]
    if person["annual_revenue"]:
        values["annualrevenue"] = _spelled_amount(rng, person["annual_revenue"])
    values["hs_email_optout"] = "true" if person["email_opt_out"] else rng.choice(("false", "", None))
    values["lifecyclestage"] = person["stage"][0]
    return values


def _in_salesforce(person: dict[str, Any]) -> dict[str, Any]:
    values = {
        theirs: person[lead] or None for lead, (_, theirs) in NAMES.items() if theirs and lead in person
    }
    if person["industry"]:
        values["Industry"] = INDUSTRIES[person["industry"]]["salesforce"][0]
    values["AnnualRevenue"] = float(person["annual_revenue"]) if person["annual_revenue"] else None
    values["HasOptedOutOfEmail"] = person["email_opt_out"]
    values["Status"] = person["stage"][1]
    return values


def _edited(rng: random.Random, values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The record after somebody changed one field of it."""
    name = rng.choice(names)
    edits = {
        "jobtitle": _TITLES,
        "Title": _TITLES,
        "company": ("Neue Käse GmbH", None),
        "Company": ("Feinkost Jäger AG",),
    }
    return {**values, name: rng.choice(edits.get(name, ("Ümit", "Ann-Kathrin", "van der Berg")))}


@dataclass(frozen=True)
class Dirty:
    """A block of leads. ``before``: what both CRMs held when they last agreed; ``now``: what they send.

    ``changed``: the share of leads that were changed since, in each CRM on its own.
    """

    seed: int = 20261122
    changed: float = 0.05
    before: list[Pair] = field(init=False)
    now: list[Pair] = field(init=False)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        before, now = [], []
        for _ in range(BLOCK):
            person = _person(rng)
            hubspot, salesforce = _in_hubspot(rng, person), _in_salesforce(person)
            before.append((hubspot, salesforce))
            if rng.random() < self.changed:
                hubspot = _edited(rng, hubspot, ("jobtitle", "company", "firstname"))
            if rng.random() < self.changed:
                salesforce = _edited(rng, salesforce, ("Title", "Company", "LastName"))
            now.append((hubspot, salesforce))
        object.__setattr__(self, "before", before)
        object.__setattr__(self, "now", now)


def hubspot_pages(pairs: list[Pair], leads: int) -> Iterator[bytes]:
    """The pages of a HubSpot list of so many contacts, as the API sends them (HubSpot reference, section 4.2)."""
    records = [
        orjson.dumps(
            {
                "id": HUBSPOT_ID + SEVENS.decode(),
                "properties": {**values, "hs_object_id": HUBSPOT_ID + SEVENS.decode()},
                "createdAt": "2026-03-02T09:14:07.310Z",
                "updatedAt": "2026-11-20T16:02:55.018Z",
                "archived": False,
            }
        )
        for values, _ in pairs
    ]
    for start in range(0, leads, HUBSPOT_PAGE):
        end = min(start + HUBSPOT_PAGE, leads)
        after = HUBSPOT_ID + str(FIRST + end - 1)
        paging = b"" if end == leads else b',"paging":{"next":{"after":"%s"}}' % after.encode()
        yield b'{"results":[%s]%s}' % (_numbered(records, start, end), paging)


def salesforce_pages(pairs: list[Pair], leads: int) -> Iterator[bytes]:
    """The result pages of a query job for so many leads, in CSV (Salesforce reference, section 5)."""
    names = [theirs for _, theirs in NAMES.values() if theirs]
    system = {
        "Id": SALESFORCE_ID + SEVENS.decode(),
        "SystemModstamp": "2026-11-20T15:58:01.000Z",
        "CreatedDate": "2026-03-03T11:40:12.000Z",
        "IsDeleted": "false",
    }
    records = [_line([*system.values(), *(values.get(name) for name in names)]) for _, values in pairs]
    for start in range(0, leads, SALESFORCE_PAGE):
        yield _line([*system, *names]) + _numbered(records, start, min(start + SALESFORCE_PAGE, leads), b"")


def _line(cells: list[Any]) -> bytes:
    """A line of CSV; a blank is an empty cell."""
    said = (str(cell).lower() if isinstance(cell, bool) else str(cell or "") for cell in cells)
    return ",".join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in said).encode() + b"\n"


def _numbered(records: list[bytes], start: int, end: int, between: bytes = b",") -> bytes:
    """Some records of the endless row of blocks, each under its own number."""
    return between.join(
        records[place % BLOCK].replace(SEVENS, b"%d" % (FIRST + place)) for place in range(start, end)
    )
