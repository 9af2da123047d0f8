"""Countries: what people and CRMs call them, read into ISO 3166-1 alpha-2 and said in a CRM's way."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Literal

import polars as pl

from mapping.values.cells import STILL_FEW, Cleaned, Problem, read_each, read_unsure
from mapping.values.country_names import COUNTRY_LINES

CountryAs = Literal["code", "english", "german"]

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae"})


def _fold(name: str) -> str:
    """Letters and digits only, without case or accents: what two spellings of a name have in common."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


@cache
def _entries() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    lines = COUNTRY_LINES.replace("\n    ", " ").strip().split("\n")
    parts = (line.split(" ", 2) for line in lines)
    return tuple((code, alpha3, tuple(names.split("|"))) for code, alpha3, names in parts)


@cache
def _codes_by_name() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for code, _, names in _entries():
        for name in names:
            found.setdefault(_fold(name), code)
            composed = unicodedata.normalize("NFC", name.casefold())
            found.setdefault(_fold(composed.translate(_UMLAUTS)), code)
    return found


@cache
def _codes() -> Mapping[str, str]:
    return {short: code for code, alpha3, _ in _entries() for short in (code, alpha3)}


def country_names(said_as: CountryAs) -> Mapping[str, str]:
    """Alpha-2 code to the code itself, the English or the German name."""
    place = {"english": 0, "german": 1}.get(said_as)
    return {code: code if place is None else names[place] for code, _, names in _entries()}


def read_country(text: str) -> str | Problem | None:
    """The alpha-2 code of a country by code, name in many languages or usual short form (D, BRD, UK)."""
    bare = text.strip()
    code = bare.replace(".", "").upper()
    # "n/a", "N.A." and "na" mean that there is nothing to say, not Namibia.
    if code in _codes() and (code != "NA" or bare == "NA"):
        return _codes()[code]
    folded = _fold(text)
    if not folded:
        return None if not bare else Problem.UNKNOWN_COUNTRY
    return _codes_by_name().get(folded, Problem.UNKNOWN_COUNTRY)


def clean_country(column: pl.Series) -> Cleaned:
    """ISO 3166-1 alpha-2 codes. A name or code that no country has is a problem."""
    if len(column) <= STILL_FEW:
        return read_each(column, read_country, pl.String())
    empty = pl.repeat(None, len(column), dtype=pl.String(), eager=True)
    return read_unsure(column, empty, column.is_not_null(), read_country)
