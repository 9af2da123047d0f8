"""Telephone numbers whose digits alone settle them: the phone library's own plans, as one expression a country.

The library looks closely at whatever text it is given, which takes twenty times as long as a number of the usual
spelling needs. What is settled here is what the library would say of it; anything else is left to the library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mapping.values.cells import Problem

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata, PhoneNumberDesc

# Digits and what stands between those of one number. A slash before a new start (0 or +) may begin another number.
_USUAL = re.compile(r"[+(]?[0-9][0-9 ().-]*(?:/(?! *[+0(])[0-9 ().-]*)*")
_SEPARATORS = str.maketrans("", "", " ()./-")
#: "+49 (0)221": the trunk zero is dialled only inside the country; Italy keeps its zero abroad too.
TRUNK_ZERO = re.compile(r"\(\s*0\s*\)")
KEEPS_ITS_ZERO = "+39"
#: No number is as long, whatever stands between its digits.
_LONGEST = 64
_CALLING_DIGITS = 3

_KINDS = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the library knows of the numbers of a calling code, by the code's main country.

    ``valid``: the numbers behind the code. ``trunk``: the digits dialled before them inside the country, where those
    are the same for all; else ``dropped`` is the start that the library leaves out, or writes anew where ``rewritten``.
    ``abroad``: the digits that begin a call to another country; None where they are not the same for all.
    """

    calling: str
    valid: re.Pattern[str]
    trunk: str
    dropped: re.Pattern[str] | None
    rewritten: bool
    abroad: str | None

    def written(self, digits: str) -> str | None:
        """The number in E.164 from what stands behind the calling code, or is dialled inside the country."""
        number = self._behind_trunk(digits)
        return None if number is None or not self.valid.fullmatch(number) else f"+{self.calling}{number}"

    def refused(self, digits: str) -> Problem | None:
        """The problem of what is dialled inside the country, where no country of the code has such a number."""
        number = self._behind_trunk(digits)
        if number is None:
            return None
        # The library leaves the start where it is when too little stands behind it.
        ours = (digits,) if number == digits else (number, digits)
        known = _numbers_of_code(self.calling)
        possible = known is None or any(valid.fullmatch(one) for valid in known for one in ours)
        return None if possible else Problem.NOT_A_PHONE

    def _behind_trunk(self, digits: str) -> str | None:
        """The digits without those that are dialled before them; None where the library writes others for them."""
        if self.trunk or self.dropped is None:
            return digits.removeprefix(self.trunk)
        found = self.dropped.match(digits)
        if found is None:
            return digits
        return None if self.rewritten else digits[found.end() :]


def settled(text: str, region: str | None) -> str | Problem | None:
    """What the plans settle, as the library would say it: a number in E.164, or that a text of digits is none.

    None where they do not settle it. ``region`` (alpha-2): the country of a number that names none.
    """
    bare = text.strip(" ")
    if len(bare) > _LONGEST or not _USUAL.fullmatch(bare):
        return None
    if bare.startswith("00"):
        bare = f"+{bare[2:]}"
    if bare.startswith("+"):
        if not bare.startswith(KEEPS_ITS_ZERO):
            bare = TRUNK_ZERO.sub("", bare)
        digits = bare[1:].translate(_SEPARATORS)
        plan = _plan_of_digits(digits)
        return None if plan is None else plan.written(digits[len(plan.calling) :])
    plan = _plan_of_region(region) if region else None
    if plan is None or plan.abroad is None:
        return None
    digits = bare.translate(_SEPARATORS)
    # A number that begins like a call abroad, or like its own country's code, may be one.
    if digits.startswith((plan.abroad, plan.calling)):
        return None
    return plan.written(digits) or plan.refused(digits)


def _plan_of_digits(digits: str) -> Plan | None:
    """The plan of the calling code that the digits begin with: no code is the beginning of another one."""
    for length in range(1, _CALLING_DIGITS + 1):
        plan = _plan_of_code(digits[:length])
        if plan is not None:
            return plan
    return None


@cache
def _plan_of_region(region: str) -> Plan | None:
    from phonenumbers import country_code_for_region

    code = country_code_for_region(region)
    plan = _plan_of_code(str(code)) if code else None
    return plan if plan is not None and _main_region(code) == region else None


def _main_region(code: int) -> str:
    from phonenumbers import region_code_for_country_code

    return region_code_for_country_code(code)


@cache
def _plan_of_code(calling: str) -> Plan | None:
    # Here and not above: its plans of numbers are sixty modules, and few commands meet a number.
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    code = int(calling) if calling.isdecimal() and not calling.startswith("0") else 0
    if code not in COUNTRY_CODE_TO_REGION_CODE:
        return None
    known = PhoneMetadata.metadata_for_region(_main_region(code), None)
    # Codes of no country, and countries that are told from others of their code by the number's first digits.
    if known is None or known.leading_digits is not None:
        return None
    return _compiled(calling, known)


def _compiled(calling: str, known: PhoneMetadata) -> Plan | None:
    valid = _valid(known)
    if valid is None:
        return None
    trunk, abroad = known.national_prefix_for_parsing or "", known.international_prefix or ""
    literal = trunk.isdecimal() and not known.national_prefix_transform_rule
    return Plan(
        calling=calling,
        valid=valid,
        trunk=trunk if literal else "",
        dropped=None if literal or not trunk else re.compile(trunk, re.ASCII),
        rewritten=bool(known.national_prefix_transform_rule),
        abroad=abroad if abroad.isdecimal() else None,
    )


@cache
def _numbers_of_code(calling: str) -> tuple[re.Pattern[str], ...] | None:
    """The numbers of each country of a calling code; None where those of one are not known."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    found = []
    for region in COUNTRY_CODE_TO_REGION_CODE[int(calling)]:
        known = PhoneMetadata.metadata_for_region(region, None)
        valid = None if known is None else _valid(known)
        if valid is None:
            return None
        found.append(valid)
    return tuple(found)


def _valid(known: PhoneMetadata) -> re.Pattern[str] | None:
    """The numbers of a country, as one expression; None where there are none."""
    described = [_numbers(getattr(known, kind)) for kind in _KINDS]
    kinds = [kind for kind in described if kind is not None]
    whole = _numbers(known.general_desc)
    if whole is None or not kinds:
        return None
    return re.compile(f"(?={whole}\\Z)(?:{'|'.join(kinds)})", re.ASCII)


def _numbers(known: PhoneNumberDesc | None) -> str | None:
    """The numbers of one kind, their lengths included, as an expression; None where there are none."""
    if known is None or not known.national_number_pattern:
        return None
    lengths = "|".join(f"[0-9]{{{length}}}" for length in known.possible_length if length > 0)
    if known.possible_length and not lengths:
        return None
    ahead = f"(?=(?:{lengths})\\Z)" if lengths else ""
    return f"{ahead}(?:{known.national_number_pattern})"
