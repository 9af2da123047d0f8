"""Phone numbers, and the many ways people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connectors.sandbox.generate.lexicon import City, Country
from connectors.sandbox.generate.spelling import filled

_NOT_A_NUMBER = ("n/a", "k.A.", "-", "keine", "auf Anfrage", "0", "unbekannt", "siehe E-Mail")


class Telephone(NamedTuple):
    """One number: ``area`` and ``line`` in digits, ``extension`` may be empty."""

    calling: str
    trunk: str
    area: str
    line: str
    extension: str = ""


def landline(country: Country, city: City, random: Callable[[], float]) -> Telephone:
    """A company's own number in a city, without an extension."""
    low, high = country.line
    length = low + int(random() * (high - low + 1))
    return Telephone(
        country.calling,
        country.trunk,
        city.area,
        filled("23456789"[int(random() * 8)] + "#" * (length - 1), random),
    )


def mobile(country: Country, random: Callable[[], float]) -> Telephone:
    """A mobile number; the first three digits stand as its area code."""
    digits = filled(country.mobile[int(random() * len(country.mobile))], random)
    return Telephone(country.calling, country.trunk, digits[:3], digits[3:])


def _grouped(digits: str) -> str:
    head = len(digits) % 2 + 2
    return " ".join([digits[:head], *(digits[i : i + 2] for i in range(head, len(digits), 2))])


def written(phone: Telephone, random: Callable[[], float]) -> str:
    """The number as somebody typed it: at most 40 characters, always the same number."""
    p = phone
    tail = f"-{p.extension}" if p.extension else ""
    national = p.trunk + p.area
    style = random()
    if style < 0.20:
        return f"{national}/{p.line}{tail}"
    if style < 0.36:
        return f"+{p.calling} {p.area} {p.line}{tail}"
    if style < 0.48 and p.trunk:
        return f"+{p.calling} ({p.trunk}){p.area} {p.line}{tail}"
    if style < 0.58:
        return f"+{p.calling}{p.area}{p.line}{p.extension}"
    if style < 0.68:
        return f"{national} {_grouped(p.line)}{tail}"
    if style < 0.76:
        return f"00{p.calling} {p.area} {p.line}{tail}"
    if style < 0.84:
        return f"({national}) {p.line}{tail}"
    if style < 0.92:
        return f"{national}-{p.line}{tail}"
    if style < 0.96:
        return f" {national}{p.line}{p.extension} "
    return (
        f"Tel. {national} / {p.line}{tail}" if not p.extension else f"{national} {p.line} Dw. {p.extension}"
    )


def spoiled(text: str, random: Callable[[], float]) -> str:
    """What is left when the number was not known or was misread: a word, or a letter for a digit."""
    if random() < 0.7 or "0" not in text:
        return _NOT_A_NUMBER[int(random() * len(_NOT_A_NUMBER))]
    return text.replace("0", "O", 1)
