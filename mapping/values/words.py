"""Cleaning words: yes and no, and choices by a declared value map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from mapping.values.cells import STILL_FEW, Cleaned, Problem, read_each, read_unsure
from mapping.values.text import clean_text, fold_text

_YES_WORDS = "true t yes y ja j 1 oui si sí sim wahr vrai verdadero vero on x tak"
_NO_WORDS = "false f no n nein 0 non não falsch faux falso off nie"
_YES = frozenset(_YES_WORDS.split())
_NO = frozenset(_NO_WORDS.split())


@dataclass(frozen=True, slots=True)
class ValueMap:
    """``[values.NAME]``: each common word, and the words that each CRM has for it.

    ``words`` is ``{"E-Commerce": {"hubspot": ["RETAIL", "INTERNET"], "salesforce": ["Retail"]}}``. The first
    word of a CRM is the one that is written, all of them are read.
    """

    name: str
    words: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def said(self, crm: str) -> dict[str, str]:
        """Common word to the CRM word that is written."""
        return {common: crms[crm][0] for common, crms in self.words.items() if crms.get(crm)}

    def heard(self, crm: str) -> dict[str, str]:
        """CRM word to common word. The first claim counts; ``claimed_twice`` names the others."""
        found: dict[str, str] = {}
        for common, crms in self.words.items():
            for word in crms.get(crm, ()):
                found.setdefault(word, common)
        return found

    def claimed_twice(self) -> list[tuple[str, str, str, str]]:
        """(CRM, its word, first common word, second common word) for every word that two common words claim."""
        clashes: list[tuple[str, str, str, str]] = []
        for crm in sorted({crm for crms in self.words.values() for crm in crms}):
            heard = self.heard(crm)
            for common, crms in self.words.items():
                taken = [word for word in crms.get(crm, ()) if heard[word] != common]
                clashes += [(crm, word, heard[word], common) for word in taken]
        return clashes


def _folded(heard: Mapping[str, str]) -> dict[str, str]:
    """The words without their case; a word that then means two things is left out."""
    meanings: dict[str, set[str]] = {}
    for word, common in heard.items():
        meanings.setdefault(word.casefold(), set()).add(common)
    return {word: next(iter(commons)) for word, commons in meanings.items() if len(commons) == 1}


def _read_word(text: str, *, exact: Mapping[str, str], folded: Mapping[str, str]) -> str | Problem | None:
    word = fold_text(text)
    if word is None:
        return None
    found = exact.get(word) or folded.get(word.casefold())
    if found is not None or ";" not in word:
        return found or Problem.UNKNOWN_WORD
    # Several choices in one field come as "A;B" (HubSpot reference, section 6.1).
    parts = [part.strip() for part in word.split(";") if part.strip()]
    meant = {exact.get(part) or folded.get(part.casefold()) for part in parts}
    if None in meant:
        return Problem.UNKNOWN_WORD
    return meant.pop() if len(meant) == 1 else Problem.SEVERAL_WORDS


def clean_choice(column: pl.Series, values: ValueMap, crm: str) -> Cleaned:
    """Common words. The exact CRM word first, then one that differs only in case; any other is a problem."""
    exact = values.heard(crm)
    read = partial(_read_word, exact=exact, folded=_folded(exact))
    if len(column) <= STILL_FEW:
        return read_each(column, read, pl.String())
    sure = {word: common for word, common in exact.items() if fold_text(word) == word}
    words, common = (
        pl.Series(list(sure), dtype=pl.String()),
        pl.Series(list(sure.values()), dtype=pl.String()),
    )
    done = column.replace_strict(words, common, default=None, return_dtype=pl.String())
    return read_unsure(column, done, column.is_not_null() & done.is_null(), read)


def clean_mapped_text(column: pl.Series, values: ValueMap, crm: str) -> Cleaned:
    """Text whose known words become the common ones; a word the map does not know stays as it is."""
    cleaned = clean_text(column).values
    heard = values.heard(crm)
    if not heard:
        return Cleaned(cleaned)
    words = pl.Series(list(heard), dtype=pl.String())
    common = pl.Series(list(heard.values()), dtype=pl.String())
    return Cleaned(cleaned.replace_strict(words, common, default=cleaned, return_dtype=pl.String()))


def read_boolean(text: str) -> bool | Problem | None:
    """Yes or no in the usual words of several languages."""
    word = text.strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    return Problem.NOT_A_BOOLEAN if word else None


def clean_boolean(column: pl.Series, values: ValueMap | None = None, crm: str = "") -> Cleaned:
    """True and False. With a value map, the CRM words of its common words ``true`` and ``false`` come first."""
    read = read_boolean if values is None else partial(_read_said, folded=_folded(values.heard(crm)))
    if len(column) <= STILL_FEW:
        return read_each(column, read, pl.Boolean())
    empty = pl.repeat(None, len(column), dtype=pl.Boolean(), eager=True)
    return read_unsure(column, empty, column.is_not_null(), read)


def _read_said(text: str, *, folded: Mapping[str, str]) -> bool | Problem | None:
    common = folded.get(text.strip().casefold())
    return common == "true" if common is not None else read_boolean(text)
