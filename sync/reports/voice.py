"""The language of a report: its sentences, and numbers, amounts and days in the reader's own form (Babel)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, format_percent

from sync.reports.costs import Expected, Money
from sync.reports.document import Cell, Column
from sync.reports.funnel import Rate, Spread
from sync.reports.words import WORDS

Language = Literal["de", "en"]
#: English dates name the month, so that nobody has to ask whether 03/04 is in March or in April.
_LOCALES: Mapping[Language, str] = {"de": "de_DE", "en": "en_GB"}
_NOTHING = "–"


class Voice:
    """Says things in one language. ``zone``: where days begin."""

    def __init__(self, language: Language, zone: ZoneInfo) -> None:
        self.language = language
        self.zone = zone
        self._locale = Locale.parse(_LOCALES[language])

    def say(self, key: str, **values: Any) -> str:
        """A sentence of ``WORDS`` with its values; raises KeyError for one that is not there."""
        return WORDS[key][self.language].format(**values)

    def count(self, number: float) -> str:
        """A whole number."""
        return str(format_decimal(round(number), locale=self._locale))

    def number(self, number: float | Decimal, places: int = 1) -> str:
        """A number with so many places at most."""
        form = "#,##0." + "#" * places if places else "#,##0"
        return str(format_decimal(number, format=form, locale=self._locale))

    def percent(self, share: float | Decimal) -> str:
        """A share; below one in ten with one place."""
        form = "#,##0 %" if abs(float(share)) >= 0.0995 else "#,##0.# %"
        if self.language == "en":
            form = form.replace(" ", "")
        return str(format_percent(share, format=form, locale=self._locale)).replace(" ", "\u00a0")

    def money(self, money: Money) -> str:
        """An amount: without cents from a hundred on."""
        digits = abs(money.amount) < 100 and money.amount != money.amount.to_integral_value()
        form = None if digits else ("#,##0 ¤" if self.language == "de" else "¤#,##0")
        text = format_currency(
            money.amount, money.currency, format=form, locale=self._locale, currency_digits=digits
        )
        return str(text).replace(" ", "\u00a0")

    def day(self, day: date) -> str:
        """A day in full."""
        return str(format_date(day, format="medium", locale=self._locale))

    def month(self, month: date) -> str:
        """A month with its year."""
        return str(format_date(month, format="MMM y", locale=self._locale))

    def moment(self, moment: datetime) -> str:
        """A time in the reader's zone."""
        local = moment.astimezone(self.zone)
        time = format_time(local, format="short", locale=self._locale, tzinfo=self.zone)
        return f"{self.day(local.date())}, {time}"

    def span(self, rate: Rate) -> str:
        """The ends of a rate's interval."""
        return f"{self.percent(rate.low)} – {self.percent(rate.high)}"

    def cell(self, column: Column, cell: Cell) -> str:
        """A cell for people."""
        if cell is None:
            return _NOTHING
        match cell:
            case Rate():
                return self._rate(cell)
            case Spread():
                return self._spread(cell)
            case Expected():
                return self._expected(cell)
            case Money():
                return self.money(cell)
            case (low, high):
                return f"{self.money(low)} – {self.money(high)}"
            case date():
                return self.day(cell)
            case str():
                return cell
        if column.kind == "percent":
            return self.percent(cell)
        if column.kind == "change":
            return ("+" if cell > 0 else "±" if not cell else "−") + self.count(abs(cell))
        return self.count(cell) if isinstance(cell, int) else self.number(cell)

    def _rate(self, rate: Rate) -> str:
        of = self.say("cell.of", n=self.count(rate.numerator), of=self.count(rate.denominator))
        return f"{_NOTHING} ({of})" if rate.value is None else f"{self.percent(rate.value)} ({of})"

    def _spread(self, spread: Spread) -> str:
        if spread.median is None or spread.p90 is None:
            return _NOTHING
        return self.say(
            "cell.spread",
            median=self.number(spread.median),
            p90=self.number(spread.p90),
            n=self.count(spread.leads),
        )

    def _expected(self, expected: Expected) -> str:
        numbers = {name: self.number(getattr(expected, name)) for name in ("expected", "low", "high")}
        key = "cell.too_few" if expected.too_few else "cell.expected"
        return self.say(key, count=self.count(expected.count), **numbers)
