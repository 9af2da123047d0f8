"""Companies: who they are by number, so that a million of them need no memory and no two share a domain."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from connectors.sandbox.generate.lexicon import City, CompanyKind, Country, Lexicon
from connectors.sandbox.generate.spelling import filled
from connectors.sandbox.generate.telephone import Telephone, landline

# When all names of a kind are used up, the next round of companies has the next ending in its domain.
_ENDINGS = ("", "24", "-online", "-gruppe", "-shop", "-direkt", "-service", "-partner")
# Coprime to every number of names here, so that stepping by it visits each name once.
_STEP = 7919


class Company(NamedTuple):
    """One company. ``turnover`` is in euro a year; ``name`` ends with its company form."""

    number: int
    name: str
    short_name: str
    domain: str
    kind: CompanyKind
    country: Country
    city: City
    street: str
    post_code: str
    phone: Telephone
    turnover: int
    employees: int
    industry_hubspot: str
    industry_salesforce: str


def company(words: Lexicon, number: int, offset: int, random: Random) -> Company:
    """The company with this number; ``offset`` (from the seed) turns the order of the names.

    Two numbers never have the same domain under one offset.
    """
    rnd = random.random
    country = words.countries.at(rnd())
    kind = words.kinds.at(rnd())
    stem, domain_stem = _stem(words, number, offset)
    vocabulary = kind.words.get(country.main_language) or kind.words["en"]
    word = vocabulary[int(rnd() * len(vocabulary))]
    domain = f"{domain_stem}.{country.tld[int(rnd() * len(country.tld))]}"
    short = _display(stem, word, domain, kind, rnd())
    form = country.forms.at(rnd())
    if kind.signs and rnd() < 0.02:
        short = f"{short} {kind.signs[int(rnd() * len(kind.signs))]}"
    city = country.cities[int(rnd() ** 1.4 * len(country.cities))]
    low, high = kind.turnover
    turnover = low * (high / low) ** rnd()
    per_head = kind.per_head[0] + (kind.per_head[1] - kind.per_head[0]) * rnd()
    return Company(
        number=number,
        name=f"{short} {form}" if form else short,
        short_name=short,
        domain=domain,
        kind=kind,
        country=country,
        city=city,
        street=street(country, random),
        post_code=filled(city.post_code, rnd),
        phone=landline(country, city, rnd),
        # People know their turnover in steps, not to the euro.
        turnover=int(round(turnover, 1 if turnover < 20 else 0) * 1_000_000),
        employees=max(1, round(turnover * 1000 / per_head)),
        industry_hubspot=kind.hubspot.at(rnd()),
        industry_salesforce=kind.salesforce.at(rnd()),
    )


def street(country: Country, random: Random) -> str:
    """A street with a house number, in the country's order."""
    rnd = random.random
    name = country.streets[int(rnd() * len(country.streets))]
    house = f"{1 + int(rnd() ** 2 * 180)}{'a' if rnd() < 0.06 else ''}"
    return f"{name} {house}" if country.number_after else f"{house} {name}"


def _stem(words: Lexicon, number: int, offset: int) -> tuple[str, str]:
    """The name of a company and its domain without the country's ending."""
    # Three of four are invented brands, one bears the names of two families.
    lane, place = number % 4, number // 4
    if lane < 3:
        first, second, third = words.brand
        turn, rest = divmod(place * 3 + lane, len(first) * len(second) * len(third))
        rest = (rest * _STEP + offset) % (len(first) * len(second) * len(third))
        rest, a = divmod(rest, len(first))
        c, b = divmod(rest, len(second))
        brand = first[a] + second[b] + third[c]
        return brand, brand.lower() + _ending(turn)
    families = words.families
    turn, rest = divmod(place, len(families) * len(families))
    rest = (rest * _STEP + offset) % (len(families) * len(families))
    one, two = families[rest % len(families)], families[rest // len(families)]
    if one is two:
        return f"Gebr. {one.text}", f"gebr-{one.mail}{_ending(turn)}"
    return f"{one.text} & {two.text}", f"{one.mail}-{two.mail}{_ending(turn)}"


def _ending(turn: int) -> str:
    return _ENDINGS[turn] if turn < len(_ENDINGS) else f"-{turn}"


def _display(stem: str, word: str, domain: str, kind: CompanyKind, number: float) -> str:
    if kind.name == "online_shop" and number < 0.18:
        return domain
    if number < 0.78:
        return f"{stem} {word}"
    return f"{word} {stem}" if number < 0.92 else stem
