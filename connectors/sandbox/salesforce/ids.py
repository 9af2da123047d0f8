"""Salesforce record ids: 15 case-sensitive characters, or 18 with a checksum suffix.

The first three characters name the object (Salesforce reference, section 2).
"""

from __future__ import annotations

from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
INSTANCE = "gK0"
_BIT = {char: 1 if char.isupper() and char.isascii() else 0 for char in ALPHABET}
_ALLOWED = frozenset(ALPHABET)
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]


@lru_cache(maxsize=100_000)
def _check(five: str) -> str:
    a, b, c, d, e = map(_BIT.__getitem__, five)
    return SUFFIXES[a + 2 * b + 4 * c + 8 * d + 16 * e]


def suffix(fifteen: str) -> str:
    """The three checksum characters: one for each block of five, one bit for each capital letter."""
    return _check(fifteen[:5]) + _check(fifteen[5:10]) + _check(fifteen[10:])


def mint(prefix: str, number: int) -> str:
    """The 18-character id of the ``number``-th record with this prefix; the same number gives the same id."""
    digits = ""
    for _ in range(4):
        number, rest = divmod(number, len(_PAIRS))
        digits = _PAIRS[rest] + digits
    fifteen = f"{prefix}{INSTANCE}{ALPHABET[number]}{digits}"
    return fifteen + suffix(fifteen)


def to_18(text: object) -> str | None:
    """The 18-character form of an id of either length, or None when it is not an id at all.

    A wrong checksum suffix is not an id; letter case in the suffix does not matter.
    """
    return _whole(text) if isinstance(text, str) else None


@lru_cache(maxsize=4_096)
def _whole(text: str) -> str | None:
    if len(text) not in (15, 18):
        return None
    try:
        whole = text[:15] + suffix(text[:15])
    except KeyError:
        return None
    if text in (whole, whole[:15]):
        return whole
    return whole if _ALLOWED.issuperset(text) and text.upper() == whole.upper() else None


def belongs_to(record_id: str, prefix: str) -> bool:
    """Whether an id names a record of the object with this prefix."""
    return record_id.startswith(prefix)
