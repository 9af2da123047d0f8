"""Salesforce record ids: 15 case-sensitive characters, or 18 with a checksum suffix.

The first three characters name the object (Salesforce reference, section 2).
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
INSTANCE = "gK0"
COUNTER_DIGITS = 9
_BIT = {char: 1 if char.isupper() and char.isascii() else 0 for char in ALPHABET}
_ALLOWED = frozenset(ALPHABET)


def suffix(fifteen: str) -> str:
    """The three checksum characters: one for each block of five, one bit for each capital letter."""
    bits = [_BIT[char] for char in fifteen]
    return "".join(
        SUFFIXES[bits[i] + 2 * bits[i + 1] + 4 * bits[i + 2] + 8 * bits[i + 3] + 16 * bits[i + 4]]
        for i in (0, 5, 10)
    )


def mint(prefix: str, number: int) -> str:
    """The 18-character id of the ``number``-th record with this prefix; the same number gives the same id."""
    digits = ""
    for _ in range(COUNTER_DIGITS):
        number, rest = divmod(number, 62)
        digits = ALPHABET[rest] + digits
    fifteen = prefix + INSTANCE + digits
    return fifteen + suffix(fifteen)


def to_18(text: object) -> str | None:
    """The 18-character form of an id of either length, or None when it is not an id at all.

    A wrong checksum suffix is not an id; letter case in the suffix does not matter.
    """
    if not isinstance(text, str) or len(text) not in (15, 18) or not _ALLOWED.issuperset(text):
        return None
    whole = text[:15] + suffix(text[:15])
    return whole if len(text) == 15 or text.upper() == whole.upper() else None


def belongs_to(record_id: str, prefix: str) -> bool:
    """Whether an id names a record of the object with this prefix."""
    return record_id.startswith(prefix)
