"""One person as Salesforce knows them: a Lead's fields.

LastName and Company are required, and every text stays within its length (Salesforce reference,
section 6). Where no company is known, people type a word to get past the required field.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from connectors.sandbox.generate.identity import Someone
from connectors.sandbox.generate.lexicon import Lexicon
from connectors.sandbox.generate.moments import Calendar
from connectors.sandbox.generate.spelling import mistyped, without_accents
from connectors.sandbox.generate.stages import Story
from connectors.sandbox.generate.telephone import spoiled, written
from connectors.sandbox.generate.traits import Draft

#: The most characters a Lead field takes (Salesforce reference, section 6).
LENGTHS = {
    "FirstName": 40, "LastName": 80, "Company": 255, "Email": 80, "Phone": 40, "MobilePhone": 40, "Title": 128,
    "Website": 255, "Street": 255, "City": 40, "PostalCode": 20, "State": 80, "Country": 80, "Industry": 255,
    "LeadSource": 255, "Status": 255, "Rating": 255, "Description": 32_000,
}  # fmt: skip
# The others are made of short parts.
_OF_ANY_LENGTH = ("FirstName", "LastName", "Company", "Email", "Title", "Website", "City")
_NO_COMPANY = ("Unbekannt", "[not provided]", "unbekannt", "n/a", "privat", "-")
_NOTES = (
    "Rückruf gewünscht.",
    "Budget noch offen, Entscheidung im nächsten Quartal.",
    "Budget ca. 30 T€ freigegeben.",
    "Sucht Texte für 4.000 Produkte, bis Ostern.",
    "Kein Bedarf im Moment, in 6 Monaten wieder melden.",
    "Arbeitet schon mit einer anderen Agentur.",
    "Visitenkarte vom Stand, sehr interessiert 👍",
    "Möchte erst die Preisliste sehen.",
    "Asked for references in the outdoor trade.",
)


def salesforce_record(
    words: Lexicon, who: Draft, person: Someone, way: Story, calendar: Calendar, random: Random
) -> dict[str, Any]:
    """The lead; loadable as it stands, with ``_created`` and ``_modified``."""
    rnd = random.random
    row: dict[str, Any] = {}
    _who_they_are(row, words, who, person, rnd)
    _their_company(row, person, rnd)
    sources = who.channel.salesforce
    row["LeadSource"] = sources[int(rnd() * len(sources))]
    row["Status"] = way.status
    if way.rating and rnd() < 0.7:
        row["Rating"] = way.rating
    if who.kind == "former_customer":
        row["Description"] = "Ehemaliger Kunde, Vertrag ausgelaufen."
    elif rnd() < 0.15:
        row["Description"] = _NOTES[int(rnd() * len(_NOTES))]
    row["HasOptedOutOfEmail"] = rnd() < 0.04
    row["DoNotCall"] = rnd() < 0.03
    for name in _OF_ANY_LENGTH:
        if name in row and len(row[name]) > LENGTHS[name]:
            row[name] = row[name][: LENGTHS[name]]
    seen = who.seen
    # Marketing hands people over some days after they turned up; who is met in person is typed in at once.
    first = 0.0 if who.where == "salesforce" or not seen.forms else min(seen.age, seen.decides * 0.3) * rnd()
    last = max([first, *seen.talks, *(day for day, _ in way.lifecycle[-1:])])
    row["_created"] = calendar.at(first)
    row["_modified"] = calendar.at(last if rnd() < 0.7 else last + (seen.age - last) * rnd())
    return row


def _who_they_are(
    row: dict[str, Any], words: Lexicon, who: Draft, person: Someone, rnd: Callable[[], float]
) -> None:
    first, last = person.first.text, person.last.text
    style = rnd()
    if style < 0.04:
        last = mistyped(last, rnd)
    elif style < 0.16:
        first, last = without_accents(first), without_accents(last)
    elif style < 0.18:
        last = last.upper()
    row["LastName"] = last
    if rnd() < 0.95:
        row["FirstName"] = first
    if person.email and rnd() < 0.92:
        style = rnd()
        row["Email"] = person.email
        if style < 0.06:
            local, _, domain = person.email.partition("@")
            row["Email"] = f"{local.title()}@{domain}"
        elif style < 0.09:
            row["Email"] = person.email.upper()
        elif style > 0.995:
            # The CRMs take it, no mail server would.
            row["Email"] = person.email.replace("@", ".@")
    if rnd() < 0.9:
        row["Title"] = person.title
        if rnd() < 0.14:
            # The same work in other words, or a step up that only one CRM heard of.
            titles = words.titles_of(person.country.main_language, who.role, person.woman)
            row["Title"] = titles[int(rnd() * len(titles))]
    if person.phone and rnd() < 0.75:
        row["Phone"] = written(person.phone, rnd)
        if rnd() < 0.02:
            row["Phone"] = spoiled(row["Phone"], rnd)
    if person.mobile and rnd() < 0.6:
        row["MobilePhone"] = written(person.mobile, rnd)


def _their_company(row: dict[str, Any], person: Someone, rnd: Callable[[], float]) -> None:
    firm = person.company
    if rnd() < 0.75:
        row["Country"] = person.country.spellings[int(rnd() * len(person.country.spellings))]
    if rnd() < 0.65:
        row["City"] = person.city.name if rnd() < 0.92 else without_accents(person.city.name)
        row["Street"] = person.street
        if person.post_code:
            # Spreadsheets drop the zero that a post code starts with.
            dropped = person.post_code.startswith("0") and rnd() < 0.3
            row["PostalCode"] = person.post_code[1:] if dropped else person.post_code
        if rnd() < 0.4:
            row["State"] = person.city.state
    if not firm or rnd() < 0.03:
        row["Company"] = _NO_COMPANY[int(rnd() * len(_NO_COMPANY))]
        return
    style = rnd()
    row["Company"] = firm.name if style < 0.66 else firm.short_name
    if 0.60 < style < 0.63:
        row["Company"] = mistyped(firm.name, rnd)
    elif style > 0.97:
        row["Company"] = firm.name.upper()
    if rnd() < 0.55:
        row["Website"] = (firm.domain, f"www.{firm.domain}", f"https://{firm.domain}")[int(rnd() * 3)]
    if rnd() < 0.75:
        row["Industry"] = firm.industry_salesforce
    if rnd() < 0.65:
        # Now and then from an older year's report.
        row["AnnualRevenue"] = firm.turnover if rnd() < 0.88 else int(firm.turnover * (0.7 + 0.2 * rnd()))
    if rnd() < 0.6:
        row["NumberOfEmployees"] = firm.employees
