"""Names, addresses and numbers of one person, before either CRM wrote them down."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from connectors.sandbox.generate.company import Company, street
from connectors.sandbox.generate.lexicon import City, Country, Lexicon, Name
from connectors.sandbox.generate.spelling import filled
from connectors.sandbox.generate.telephone import Telephone, mobile
from connectors.sandbox.generate.traits import Draft

_LATIN = ("de", "en", "fr", "pl", "it", "tr", "nl")


class Someone(NamedTuple):
    """One person as they would write themselves down; ``email`` is lower-case, or None."""

    first: Name
    last: Name
    woman: bool
    title: str
    role: str
    language: str
    email: str | None
    phone: Telephone | None
    mobile: Telephone | None
    company: Company | None
    country: Country
    city: City
    street: str
    post_code: str


class Addresses:
    """Gives e-mail addresses; none is given twice in one stream.

    Company addresses cannot collide between blocks, because no two companies share a domain, so
    only the free-mail addresses are remembered for the whole stream (about 30 MB a million people).
    """

    def __init__(self, slips: dict[str, str], role_addresses: tuple[str, ...]) -> None:
        self._slips = slips
        self._roles = role_addresses
        self._free: set[str] = set()
        self._company: set[str] = set()

    def next_block(self) -> None:
        """Forget the company addresses; the next companies have other domains."""
        self._company.clear()

    def of_company(self, first: Name, last: Name, firm: Company, rnd: Callable[[], float]) -> str:
        """A personal or, now and then, a role address at the company."""
        number = rnd()
        if number < 0.07:
            local = self._roles[int(rnd() * len(self._roles))]
        elif number < 0.62:
            local = f"{first.mail}.{last.mail}"
        elif number < 0.82:
            local = f"{first.mail[:1]}.{last.mail}"
        else:
            local = (last.mail, first.mail, f"{first.mail[:1]}{last.mail}")[int(rnd() * 3)]
        return self._unused(local, firm.domain, self._company, rnd)

    def private(self, first: Name, last: Name, country: Country, rnd: Callable[[], float]) -> str:
        """A free-mail address, sometimes with a slip in the domain."""
        domain = country.freemail[int(rnd() ** 1.5 * len(country.freemail))]
        if rnd() < 0.02:
            domain = self._slips.get(domain, domain)
        style = rnd()
        local = f"{first.mail}.{last.mail}" if style < 0.5 else f"{first.mail}{last.mail}"
        if style > 0.75:
            local = f"{last.mail}.{first.mail}" if style > 0.88 else f"{first.mail}_{last.mail}"
        if rnd() < 0.01:
            # Both CRMs take two dots in a row, no mail server does.
            local = local.replace(".", "..")
        return self._unused(local, domain, self._free, rnd)

    def _unused(self, local: str, domain: str, taken: set[str], rnd: Callable[[], float]) -> str:
        address = f"{local}@{domain}"
        width = 100
        while address in taken:
            address = f"{local}{int(rnd() * width)}@{domain}"
            width *= 10
        taken.add(address)
        return address


def someone(words: Lexicon, who: Draft, addresses: Addresses, random: Random) -> Someone:
    """Give a draft a name, a title, an address and numbers."""
    rnd = random.random
    firm = who.company
    country = firm.country if firm else words.countries.at(rnd())
    woman, first, last, language = _name(words, country, rnd)
    titles = words.titles_of("en" if rnd() < 0.1 else country.main_language, who.role, woman)
    city = firm.city if firm else country.cities[int(rnd() * len(country.cities))]
    phone = None
    if firm:
        # Only where numbers have no fixed length is an extension dialled through.
        through = country.code in ("DE", "AT") and rnd() < 0.65
        phone = firm.phone._replace(extension=str(10 + int(rnd() * 90))) if through else firm.phone
    return Someone(
        first=first,
        last=last,
        woman=woman,
        title=titles[int(rnd() * len(titles))],
        role=who.role,
        language=language,
        email=_email(who, first, last, country, addresses, rnd),
        phone=phone,
        mobile=mobile(country, rnd) if rnd() < 0.45 else None,
        company=firm,
        country=country,
        city=city,
        street=firm.street if firm else street(country, random),
        post_code=firm.post_code if firm else filled(city.post_code, rnd),
    )


def _name(words: Lexicon, country: Country, rnd: Callable[[], float]) -> tuple[bool, Name, Name, str]:
    language = country.languages.at(rnd())
    naming = words.people[language]
    woman = rnd() < 0.5
    firsts = naming.women if woman else naming.men
    lasts = naming.last_of_women if woman else naming.last_of_men
    first = firsts[int(rnd() ** 1.6 * len(firsts))]
    last = lasts[int(rnd() ** 1.6 * len(lasts))]
    if woman and language == "de" and rnd() < 0.05:
        other = lasts[int(rnd() * len(lasts))]
        if "-" not in last.text and "-" not in other.text and other is not last:
            last = Name(f"{last.text}-{other.text}", f"{last.mail}-{other.mail}")
    if language not in _LATIN and language != country.main_language and rnd() < 0.7:
        # Abroad most people write their name in Latin letters.
        first, last = Name(first.mail.title(), first.mail), Name(last.mail.title(), last.mail)
    return woman, first, last, language


def _email(
    who: Draft, first: Name, last: Name, country: Country, addresses: Addresses, rnd: Callable[[], float]
) -> str | None:
    number = rnd()
    online = bool(who.seen.forms)
    if not online and number < 0.15:
        # A card without an address, or a call.
        return None
    private = {"newsletter": 0.35, "prize_draw": 0.6, "social": 0.25}.get(who.channel.name, 0.1)
    if who.company is None or (number > 1.0 - private and who.kind != "prospect"):
        return addresses.private(first, last, country, rnd)
    return addresses.of_company(first, last, who.company, rnd)
