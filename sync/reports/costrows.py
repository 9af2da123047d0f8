"""Costs as rows: what was planned and spent, for which channel, campaign and kind, from which day to which. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")
#: The kinds of cost, and what else people call them in a spreadsheet.
KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    "stand": ("messestand", "standmiete", "booth"),
    "staff": ("personal", "gehälter", "löhne", "arbeitszeit", "people"),
    "travel": ("reise", "reisen", "reisekosten"),
    "media": ("anzeigen", "mediabudget", "werbung", "ads", "advertising", "schaltung"),
    "landing page": ("landingpage", "landeseite", "landing pages", "landingpages"),
    "strategy": ("strategie", "konzept", "beratung", "consulting"),
    "other": ("sonstiges", "sonstige", "andere", "campaign", "kampagne"),
}


@dataclass(frozen=True, slots=True)
class CostRow:
    """One cost. ``first`` and ``last`` are its days, both included; amounts are in ``currency`` (ISO 4217).

    ``planned`` and ``spent`` are None where nobody said. ``where``: the line, the table or the CRM it comes from.
    """

    channel: str | None
    campaign: str | None
    first: date
    last: date
    kind: str
    planned: Decimal | None
    spent: Decimal | None
    currency: str
    where: str

    def part(self, amount: Decimal | None, first: date, last: date) -> Decimal | None:
        """What falls into these days (both included), day by day alike, to the cent; None where nothing is known."""
        if amount is None:
            return None
        overlap = (min(self.last, last) - max(self.first, first)).days + 1
        whole = (self.last - self.first).days + 1
        if overlap >= whole:
            return amount
        # Counted from the first day of the cost, so that the parts of neighbouring periods add up to the whole.
        before = max((first - self.first).days, 0)
        return (
            self._until(amount, before + overlap, whole) - self._until(amount, before, whole)
            if overlap > 0
            else Decimal(0)
        )

    def _until(self, amount: Decimal, days: int, whole: int) -> Decimal:
        return (amount * days / whole).quantize(CENT, ROUND_HALF_EVEN)


def kind_of(text: str) -> str | None:
    """The kind that a word means, in German or English; None for a word that means none."""
    folded = " ".join(text.casefold().replace("_", " ").split())
    return next((kind for kind, words in KIND_WORDS.items() if folded == kind or folded in words), None)


def month_of(text: str) -> tuple[date, date] | None:
    """The first and last day of ``2026-03``, ``03.2026`` or ``3/2026``; None for anything else."""
    match = re.fullmatch(r"(\d{4})-(\d{1,2})", text.strip())
    numbers = match.groups() if match else None
    if numbers is None and (match := re.fullmatch(r"(\d{1,2})[./](\d{4})", text.strip())):
        numbers = (match[2], match[1])
    if numbers is None or not 1 <= int(numbers[1]) <= 12 or int(numbers[0]) < 1:
        return None
    first = date(int(numbers[0]), int(numbers[1]), 1)
    return first, month_after(first) - timedelta(days=1)


def month_after(month: date) -> date:
    """The first day of the month after the one this day is in."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
