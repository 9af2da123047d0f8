"""The words that people and companies are made of, read once from the data files beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from connectors.sandbox.generate.spelling import mail_part
from connectors.sandbox.generate.wheel import Wheel


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is written, and as it stands in e-mail addresses."""

    text: str
    mail: str


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of one language; some last names are borne by women or by men only."""

    women: tuple[Name, ...]
    men: tuple[Name, ...]
    last_of_women: tuple[Name, ...]
    last_of_men: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class City:
    """A city; ``post_code`` has "#" for a digit and "?" for a letter; ``area`` is without trunk prefix."""

    name: str
    post_code: str
    area: str
    state: str


@dataclass(frozen=True, slots=True)
class Country:
    """A country as its people write it; ``line`` is how many digits follow the area code (low, high)."""

    code: str
    spellings: tuple[str, ...]
    tld: tuple[str, ...]
    calling: str
    trunk: str
    line: tuple[int, int]
    mobile: tuple[str, ...]
    languages: Wheel[str]
    forms: Wheel[str]
    streets: tuple[str, ...]
    number_after: bool
    cities: tuple[City, ...]
    main_language: str
    freemail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompanyKind:
    """What a company does; ``turnover`` in million euro, ``per_head`` in thousand euro an employee."""

    name: str
    hubspot: Wheel[str]
    salesforce: Wheel[str]
    turnover: tuple[float, float]
    per_head: tuple[float, float]
    words: dict[str, tuple[str, ...]]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """Where people come from; ``eager`` is how much interest they bring, from 0 to 1."""

    name: str
    share: float
    hubspot: Wheel[str]
    salesforce: tuple[str, ...]
    detail: tuple[str, ...]
    forms: tuple[str, ...]
    campaigns: tuple[str, ...]
    costs: dict[str, tuple[float, float]]
    eager: float


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Everything the data files say, ready to draw from."""

    people: dict[str, Naming]
    families: tuple[Name, ...]  #: last names that companies bear; their mail spellings are all different
    countries: Wheel[Country]
    titles: dict[tuple[str, str, bool], tuple[str, ...]]
    roles: Wheel[str]
    brand: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    kinds: Wheel[CompanyKind]
    channels: Wheel[Channel]
    met_in_person: Wheel[Channel]  #: the channels on which nobody fills a form first
    role_addresses: tuple[str, ...]
    slips: dict[str, str]

    def titles_of(self, language: str, role: str, woman: bool) -> tuple[str, ...]:
        """The job titles of a role for a woman or a man, in the language or else in English."""
        return self.titles.get((language, role, woman)) or self.titles["en", role, woman]


def read_data(name: str) -> dict[str, Any]:
    """One data file of this package as a mapping. Raises FileNotFoundError for a name that does not ship."""
    text = (files("connectors.sandbox.generate") / "data" / name).read_text(encoding="utf-8")
    return tomllib.loads(text)


def _names(text: str) -> tuple[Name, ...]:
    names = []
    for word in text.split():
        written, _, mail = word.partition("/")
        written = written.replace("_", " ")
        names.append(Name(written, mail or mail_part(written)))
    return tuple(names)


def _naming(row: dict[str, Any]) -> Naming:
    last = _names(row["last"])
    only_women = tuple(row.get("women_end", ())) or ("\0",)
    only_men = tuple(row.get("men_end", ())) or ("\0",)
    return Naming(
        women=_names(row["women"]),
        men=_names(row["men"]),
        last_of_women=tuple(name for name in last if not name.text.endswith(only_men)),
        last_of_men=tuple(name for name in last if not name.text.endswith(only_women)),
    )


def _families(names: tuple[Name, ...]) -> tuple[Name, ...]:
    # A hyphen or a blank inside would let two different pairs make one domain.
    plain = (name for name in names if "-" not in name.mail and " " not in name.text)
    return tuple({name.mail: name for name in plain}.values())


def _titles(rows: dict[str, Any]) -> dict[tuple[str, str, bool], tuple[str, ...]]:
    titles = {}
    for language, roles in rows.items():
        for role, words in roles.items():
            for woman, other in ((True, "m:"), (False, "w:")):
                fitting = (word for word in words if not word.startswith(other))
                titles[language, role, woman] = tuple(
                    word.removeprefix("w:").removeprefix("m:") for word in fitting
                )
    return titles


def _countries(rows: dict[str, Any], freemail: dict[str, Any]) -> Wheel[Country]:
    def country(code: str, row: dict[str, Any]) -> Country:
        return Country(
            code=code,
            spellings=tuple(row["spellings"]),
            tld=tuple(row["tld"]),
            calling=row["calling"],
            trunk=row["trunk"],
            line=(row["line"][0], row["line"][1]),
            mobile=tuple(row["mobile"]),
            languages=Wheel((name, share) for name, share in row["languages"]),
            forms=Wheel((name, share) for name, share in row["forms"]),
            streets=tuple(row["streets"]),
            number_after=row["number_after"],
            cities=tuple(City(*city) for city in row["cities"]),
            main_language=row["languages"][0][0],
            freemail=tuple(freemail.get(code, freemail["other"])),
        )

    return Wheel((country(code, row), row["share"]) for code, row in rows.items())


def _kinds(rows: dict[str, Any]) -> Wheel[CompanyKind]:
    def kind(name: str, row: dict[str, Any]) -> CompanyKind:
        return CompanyKind(
            name=name,
            hubspot=Wheel((value, share) for value, share in row["hubspot"]),
            salesforce=Wheel((value, share) for value, share in row["salesforce"]),
            turnover=(row["turnover"][0], row["turnover"][1]),
            per_head=(row["per_head"][0], row["per_head"][1]),
            words={language: tuple(words) for language, words in row["words"].items()},
            signs=tuple(row["signs"]),
        )

    return Wheel((kind(name, row), row["share"]) for name, row in rows.items() if name != "brand")


def _channels(rows: dict[str, Any]) -> list[Channel]:
    def channel(name: str, row: dict[str, Any]) -> Channel:
        return Channel(
            name=name,
            share=row["share"],
            hubspot=Wheel((value, share) for value, share in row["hubspot"]),
            salesforce=tuple(row["salesforce"]),
            detail=tuple(row["detail"]),
            forms=tuple(row["forms"]),
            campaigns=tuple(row["campaigns"]),
            costs={kind: (low, high) for kind, (low, high) in row["costs"].items()},
            eager=row["eager"],
        )

    return [channel(name, row) for name, row in rows.items()]


def _in_person(channel: Channel) -> bool:
    return not channel.forms or channel.name == "referral"


@cache
def lexicon() -> Lexicon:
    """The lexicon that ships. The files are read at the first call, never at import."""
    people = read_data("people.toml")
    titles = read_data("titles.toml")
    companies = read_data("companies.toml")
    freemail = read_data("freemail.toml")
    shares = titles.pop("shares")
    brand = companies["brand"]
    channels = _channels(read_data("channels.toml"))
    return Lexicon(
        people={language: _naming(row) for language, row in people.items()},
        families=_families(_names(people["de"]["last"])),
        countries=_countries(read_data("places.toml"), freemail),
        titles=_titles(titles),
        roles=Wheel(shares.items()),
        brand=(tuple(brand["first"]), tuple(brand["second"]), tuple(brand["third"])),
        kinds=_kinds(companies),
        channels=Wheel((channel, channel.share) for channel in channels),
        met_in_person=Wheel((channel, channel.share) for channel in channels if _in_person(channel)),
        role_addresses=tuple(freemail["role"]),
        slips=dict(freemail["slips"]),
    )
