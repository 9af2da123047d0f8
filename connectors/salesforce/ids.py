"""Salesforce record ids: 15 characters that differ by case, or the same 15 and a checksum of three.

Both lengths name the same record, so only one of them may be a key: everything that leaves this
connector has 18 (Salesforce reference, sections 2 and 12).
"""

from __future__ import annotations

import re

_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def looks_like_id(text: str) -> bool:
    """Whether ``text`` has the form of a record id, of either length."""
    return _ID.fullmatch(text) is not None


def eighteen(record_id: str) -> str:
    """The 18-character form of a record id; text that has not the form of an id comes back as it is.

    An 18-character id keeps its own suffix: a wrong one is for Salesforce to refuse.
    """
    if len(record_id) != 15 or not looks_like_id(record_id):
        return record_id
    return record_id + "".join(_suffix(record_id[start : start + 5]) for start in (0, 5, 10))


def may_exist(record_id: str, key_prefix: str = "") -> bool:
    """Whether an 18-character id can name a record of the object whose ids begin with ``key_prefix``.

    One with a wrong checksum can not: a spreadsheet or a person changed the case of its letters.
    """
    return (
        len(record_id) == 18
        and looks_like_id(record_id)
        and record_id.startswith(key_prefix)
        and eighteen(record_id[:15]) == record_id
    )


def _suffix(five: str) -> str:
    """One checksum character: which of the five characters are capital letters, first one lowest bit."""
    return _CHECKSUM[sum(1 << place for place, letter in enumerate(five) if letter.isupper())]
