"""How the same word is written by different people: without accents, shortened, mistyped."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

# Letters that do not fall apart into a base letter and an accent, and the German habit for umlauts.
_LETTERS = str.maketrans(
    {
        "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "o", "Ø": "O",
        "ł": "l", "Ł": "L", "ı": "i", "İ": "I", "đ": "d", "æ": "ae", "œ": "oe", "ĳ": "ij",
    }
)  # fmt: skip


def without_accents(text: str) -> str:
    """The text in plain Latin letters where it is Latin: "Jäger" gives "Jaeger", "Łódź" gives "Lodz"."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def mail_part(text: str) -> str:
    """The text as people write it left of the "@": lower-case letters, digits and inner hyphens."""
    plain = without_accents(text).lower().replace(" ", "")
    return "".join(letter for letter in plain if letter.isascii() and (letter.isalnum() or letter == "-"))


def mistyped(text: str, random: Callable[[], float]) -> str:
    """The text with one slip of the finger: two letters swapped, one doubled, or one missing."""
    if len(text) < 4:
        return text
    place = 1 + int(random() * (len(text) - 3))
    slip = random()
    if slip < 0.4:
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if slip < 0.7:
        return text[:place] + text[place] + text[place:]
    return text[:place] + text[place + 1 :]


def filled(pattern: str, random: Callable[[], float]) -> str:
    """A pattern with each "#" replaced by a digit and each "?" by a capital letter."""
    if "#" not in pattern and "?" not in pattern:
        return pattern
    letters = []
    for sign in pattern:
        if sign == "#":
            letters.append("0123456789"[int(random() * 10)])
        elif sign == "?":
            letters.append("ABDEFGHJLNPQRSTUWXYZ"[int(random() * 20)])
        else:
            letters.append(sign)
    return "".join(letters)
