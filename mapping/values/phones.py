"""Cleaning telephone numbers to E.164, with the record's country where the number does not say one."""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

from mapping.values.cells import STILL_FEW, Cleaned, Problem, read_each, read_unsure
from mapping.values.numbering import KEEPS_ITS_ZERO, TRUNK_ZERO, settled
from mapping.values.text import fold_text

# An extension is not part of E.164. The number in front of it is kept, the extension is not.
_EXTENSION = re.compile(
    r"[\s,;/(-]*(?:\b(?:ext|extn|extension|app|poste|interno|int)\b\.?|(?<=\d)\s*x|#)[\s.:]*\d{1,7}\)?$",
    re.IGNORECASE,
)
# A direct dial ("Durchwahl") is dialled behind the number of the house, so it belongs to the number.
_DIRECT_DIAL = re.compile(
    r"[\s,;/(-]*\b(?:durchwahl|dw|nebenstelle|nst)\b[\s.:-]*(\d{1,5})\)?$", re.IGNORECASE
)
# Words that people put in front of a number; anything else with letters is not a number.
_LABEL = re.compile(
    r"^(?:tel|tel\.|telefon|phone|mobil|mobile|handy|cell|fon|fax|t|m|p|office|work|home|büro)\.?\s*:?\s*(?=[+(\d])",
    re.IGNORECASE,
)
# What stands between two numbers. A slash does only before a new start (0 or +): in 0221/12345 it follows the
# area code.
_BETWEEN_NUMBERS = re.compile(r"[;,|]|\b(?:oder|or|und|and|bzw)\b\.?|/(?=\s*[+0(])")
_LEAST_DIGITS = 7
_BETWEEN = "\x1f"


def read_phone(text: str, region: str | None) -> str | Problem | None:
    """One number in E.164.

    ``region`` (alpha-2) says the country of a number without one. A valid number is kept; one that is only
    possible is kept when it names its country, because numbering plans grow before their tables do.
    """
    usual = settled(text, region)
    return look_closer(text, region) if usual is None else usual


@lru_cache(maxsize=8_192)
def look_closer(text: str, region: str | None) -> str | Problem | None:
    """``read_phone`` of a text that the plans alone do not settle; of any other it says what they say."""
    folded = fold_text(text)
    if folded is None:
        return None
    bare = _LABEL.sub("", folded.lower().removeprefix("tel:").lstrip())
    bare = _EXTENSION.sub("", _DIRECT_DIAL.sub(r"-\1", bare))
    if _are_several(bare):
        return Problem.SEVERAL_PHONES
    if any(letter.isalpha() for letter in bare):
        return Problem.NOT_A_PHONE
    bare = bare.replace(",", " ")
    # Without its label or its direct dial, a number is mostly spelled as usual.
    usual = None if bare == folded else settled(bare, region)
    return _parse(bare, region) if usual is None else usual


def _are_several(bare: str) -> bool:
    parts = _BETWEEN_NUMBERS.split(bare)
    return sum(sum(map(str.isdigit, part)) >= _LEAST_DIGITS for part in parts) > 1


def _parse(bare: str, region: str | None) -> str | Problem:
    # Here and not above: its plans of numbers are sixty modules, and few commands meet a number.
    import phonenumbers
    from phonenumbers import NumberParseException, ValidationResult

    given = bare
    if bare.startswith("00"):
        bare = f"+{bare[2:]}"
    if bare.startswith("+"):
        bare = TRUNK_ZERO.sub("0" if bare.startswith(KEEPS_ITS_ZERO) else " ", bare)
    try:
        number = phonenumbers.parse(bare, region)
    except NumberParseException:
        return Problem.NOT_A_PHONE
    is_valid = phonenumbers.is_valid_number(number)
    if not is_valid:
        possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        if not (possible and bare.startswith("+")):
            return Problem.NOT_A_PHONE
    written = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    # A number that no plan knows may lose one more zero each time it is read. What is written has to read as itself, or
    # the next sync takes it for an edit.
    return written if is_valid or written == given else _parse(written, None)


def clean_phone(
    column: pl.Series, *, regions: pl.Series | None = None, default_region: str | None = None
) -> Cleaned:
    """Numbers in E.164.

    ``regions`` (alpha-2, null where unknown) stand beside the numbers; ``default_region`` is used where they
    say nothing. A distinct pair of text and region costs about 4 µs in a usual spelling, and up to 50 µs in any other.
    """
    if len(column) <= STILL_FEW:
        return _read_few(column, regions, default_region)
    empty = pl.repeat(None, len(column), dtype=pl.String(), eager=True)
    region = pl.lit(default_region or "", dtype=pl.String())
    frame = pl.DataFrame({"text": column, "region": empty if regions is None else regions})
    pairs = frame.select(
        pl.concat_str(pl.col("region").fill_null(region), pl.lit(_BETWEEN), pl.col("text"))
    ).to_series()
    return read_unsure(pairs, empty, pairs.is_not_null(), _read_pair)


def _read_few(column: pl.Series, regions: pl.Series | None, default_region: str | None) -> Cleaned:
    known = [None] * len(column) if regions is None else regions.to_list()
    texts = [
        None if text is None else f"{region or default_region or ''}{_BETWEEN}{text}"
        for text, region in zip(column.to_list(), known, strict=True)
    ]
    return read_each(pl.Series(texts, dtype=pl.String()), _read_pair, pl.String())


def _read_pair(pair: str) -> str | Problem | None:
    region, _, text = pair.partition(_BETWEEN)
    return read_phone(text, region or None)
