"""Cleaning text: white space and characters nobody sees, never letters and never their case."""

from __future__ import annotations

import re
import unicodedata

import polars as pl

from mapping.values.cells import FEW, Cleaned, read_each, read_unsure

# Characters that are already in composed form (NFC), visible and not a space other than U+0020. A cell made
# only of these needs no Python; everything else (combining marks, controls, rare scripts) gets a closer look.
_SETTLED = (
    r" !-~\u00a1-\u00ac\u00ae-\u02ff\u0400-\u0482\u048a-\u052f\u05d0-\u05ea\u0621-\u064a"
    r"\u2010-\u2027\u20ac\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
)
_UNSETTLED = rf"[^{_SETTLED}]|^ | $|  |^$"

# Zero-width space, word joiner, byte order mark, soft hyphen and marks of direction: invisible, and pasted in
# with copied names and numbers. The joiners U+200C and U+200D stay: Persian words and emoji need them.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff]")
_CONTROL = re.compile("[\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f]")
_SPACE = re.compile(r"[\s\u180e]+")
_SPACE_IN_LINE = re.compile(r"[^\S\n]+")
_LINE_BREAK = re.compile("\r\n|[\r\u000b\u000c\u0085\u2028\u2029]")
_BLANK_LINES = re.compile("\n{3,}")


def fold_text(text: str) -> str | None:
    """One line of text in NFC without controls, white space folded to single spaces; None for a blank."""
    visible = _CONTROL.sub("", _INVISIBLE.sub("", text))
    return _SPACE.sub(" ", unicodedata.normalize("NFC", visible)).strip() or None


def fold_lines(text: str) -> str | None:
    """Like ``fold_text``, but line breaks stay (as ``\\n``, at most one empty line in a row)."""
    visible = _CONTROL.sub("", _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text)))
    composed = _SPACE_IN_LINE.sub(" ", unicodedata.normalize("NFC", visible))
    lines = "\n".join(line.strip() for line in composed.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip() or None


def clean_text(column: pl.Series, *, lines: bool = False) -> Cleaned:
    """Trimmed text in NFC without controls; white space folded, or per line where ``lines``. No problems."""
    fold = fold_lines if lines else fold_text
    if len(column) <= FEW:
        return read_each(column, fold, pl.String())
    return read_unsure(column, column, column.str.contains(_UNSETTLED), fold)
