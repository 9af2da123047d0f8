"""What cleaning a column gives back, and the one way every cleaner works.

Most cells of a CRM column already have the form we keep. A regular expression finds those in one pass and
they are converted as a column. Only the distinct texts among the others are read in Python, one by one, so
the cost of a careful reader is paid once per distinct text. A column of a few cells is read in Python alone:
there the pass itself would cost more than it saves. Both ways give the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import polars as pl


class Problem(Enum):
    """Why a text could not be read. The value is what people see: a short code, then words.

    The words never contain the text itself: it may be personal data.
    """

    NOT_AN_EMAIL = "not_an_email: not an e-mail address"
    SEVERAL_EMAILS = "several_emails: more than one e-mail address in one field"
    NOT_A_PHONE = "not_a_phone: not a telephone number"
    SEVERAL_PHONES = "several_phones: more than one telephone number in one field"
    UNKNOWN_COUNTRY = "unknown_country: no country of this name or code"
    UNKNOWN_WORD = "unknown_word: not among the words of the value map"
    SEVERAL_WORDS = "several_words: several choices that mean different things"
    NOT_A_URL = "not_a_url: not a web address"
    NOT_A_NUMBER = "not_a_number: not a number"
    NOT_AN_AMOUNT = "not_an_amount: not an amount of money"
    AMBIGUOUS_NUMBER = "ambiguous_number: could be a decimal or thousands; set decimal_comma"
    NOT_WHOLE = "not_whole: not a whole number"
    TOO_LARGE = "too_large: more digits than we keep"
    UNKNOWN_CURRENCY = "unknown_currency: the currency of this amount is not known"
    NOT_A_BOOLEAN = "not_a_boolean: neither yes nor no"
    NOT_A_DATE = "not_a_date: not a date"
    AMBIGUOUS_DATE = "ambiguous_date: day and month could be swapped; set day_first"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A cleaned column: typed values, and beside them the problem of each text that could not be read.

    Both have the length of the input. ``values`` is null for a blank and for an unreadable text;
    ``problems`` is a String column (a ``Problem`` value) that is null except for the latter, or None
    where every cell could be read.
    """

    values: pl.Series
    problems: pl.Series | None = None

    @property
    def unreadable(self) -> pl.Series:
        """Boolean: True where there was a text and it could not be read."""
        if self.problems is None:
            return pl.repeat(False, len(self.values), dtype=pl.Boolean(), eager=True)
        return self.problems.is_not_null()


#: Columns of at most this many cells are read cell by cell, where one pass over the column reads most of them.
FEW = 100
#: The same where a column takes several passes, or where most cells are unsure.
STILL_FEW = 400

#: Reads one text. None: the text is a blank (only white space).
Read = Callable[[str], Any]


def read_each(texts: pl.Series, read: Read, dtype: pl.DataType) -> Cleaned:
    """Read every cell in Python; for columns of at most ``FEW`` or ``STILL_FEW`` cells."""
    answers = [None if text is None else read(text) for text in texts.to_list()]
    bad = [answer.value if isinstance(answer, Problem) else None for answer in answers]
    values = _typed([None if isinstance(answer, Problem) else answer for answer in answers], dtype)
    return Cleaned(values, pl.Series(bad, dtype=pl.String()) if any(bad) else None)


_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _typed(values: list[Any], dtype: pl.DataType) -> pl.Series:
    if not isinstance(dtype, pl.Datetime):
        return pl.Series(values, dtype=dtype)
    # Times with a zone are taken in by a query; as the microseconds that they are kept as, ten times as fast.
    ticks = [None if value is None else (value - _EPOCH) // _TICK for value in values]
    return pl.Series(ticks, dtype=pl.Int64()).cast(dtype)


def read_unsure(texts: pl.Series, done: pl.Series, unsure: pl.Series, read: Read) -> Cleaned:
    """Complete ``done`` with the cells marked ``unsure``, reading each distinct text once.

    ``texts`` are the CRM's words, ``done`` the typed values of the sure cells, ``unsure`` a Boolean column
    (null counts as False: a null text is a blank). ``read`` gives a value, a ``Problem`` or None.
    """
    rows = unsure.arg_true()
    if rows.is_empty():
        return Cleaned(done)
    # Where nothing was sure, every text is looked up where it stands; else only the unsure ones are.
    whole = len(rows) == len(texts) - texts.null_count()
    some = texts if whole else texts.gather(rows)
    distinct = some.unique().drop_nulls()
    answers = [read(text) for text in distinct.to_list()]
    values = [None if isinstance(answer, Problem) else answer for answer in answers]
    slow = some.replace_strict(distinct, _typed(values, done.dtype), default=None, return_dtype=done.dtype)
    merged = slow if whole else done.clone().scatter(rows, slow)
    pairs = zip(distinct.to_list(), answers, strict=True)
    bad = {text: answer.value for text, answer in pairs if isinstance(answer, Problem)}
    if not bad:
        return Cleaned(merged)
    unread = slow.is_null().arg_true()
    words = pl.Series(list(bad.values()), dtype=pl.String())
    named = some.gather(unread).replace_strict(
        pl.Series(list(bad)), words, default=None, return_dtype=pl.String()
    )
    problems = pl.repeat(None, len(texts), dtype=pl.String(), eager=True)
    return Cleaned(merged, problems.scatter(unread if whole else rows.gather(unread), named))
