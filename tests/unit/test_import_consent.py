"""What comes of consent when the card of somebody met elsewhere says one thing, and each CRM another."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from mapping.consent import CONSENT_FIELDS, FLAGS, STANDINGS
from mapping.lead import LEAD_FIELDS, columns_of
from sync.importing import SAYING, said_together

AT = datetime(2026, 11, 3, tzinfo=UTC)
FIELDS = {name: LEAD_FIELDS[name] for name in FLAGS.values()} | dict(CONSENT_FIELDS)
WORDS = (*STANDINGS, None)
PREFIXES = (*SAYING, "p.")


def _said(people: list[dict[str, Any]], *, hidden: tuple[str, ...] = ()) -> pl.DataFrame:
    """People of a file of whom a few columns are known; ``hidden``: what HubSpot did not return."""
    types: dict[str, Any] = {
        prefix + name: dtype for prefix in PREFIXES for name, dtype in columns_of(FIELDS).items()
    }
    types |= {side + "_unread": pl.List(pl.String()) for side in ("h.", "s.")}
    rows = [{"h._unread": list(hidden), **one} for one in people]
    frame = pl.DataFrame(rows, schema=types)
    first = [pl.coalesce(prefix + name for prefix in SAYING).alias("m." + name) for name in FIELDS]
    return said_together(frame.with_columns(first), FIELDS)


def _proven(prefix: str, word: str | None, *, proven: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {prefix + "email_consent": word}
    if word == "confirmed" and proven:
        found |= {prefix + "email_consent_at": AT, prefix + "email_consent_wording": f"Ja, {prefix}"}
    return found


MATRIX = list(itertools.product(WORDS, WORDS, WORDS))


@pytest.mark.parametrize("proven", [True, False])
def test_the_word_that_forbids_most_stands_whoever_says_it(proven: bool) -> None:
    people = [
        {
            name: value
            for prefix, word in zip(SAYING, words, strict=True)
            for name, value in _proven(prefix, word, proven=proven).items()
        }
        for words in MATRIX
    ]
    found = _said(people)
    for words, row in zip(MATRIX, found.iter_rows(named=True), strict=True):
        forbids_most = next((word for word in STANDINGS if word in words), None)
        expected = None if forbids_most == "confirmed" and not proven else forbids_most
        assert row["m.email_consent"] == expected, words
        assert (row["m.email_opt_out"] is True) is ("withdrawn" in words), words
        proof = f"Ja, {SAYING[words.index('confirmed')]}" if expected == "confirmed" else None
        assert row["m.email_consent_wording"] == proof, words


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("field", ["email_opt_out", "email_consent"])
def test_a_withdrawal_said_anywhere_or_ever_holds_in_both_fields_of_its_channel_alone(
    prefix: str, field: str
) -> None:
    both = {**_proven("h.", "confirmed"), **_proven("s.", "confirmed")}
    withdrawn = True if field == "email_opt_out" else "withdrawn"
    (row,) = _said([{**both, prefix + field: withdrawn}]).to_dicts()
    assert (row["m.email_opt_out"], row["m.email_consent"]) == (True, "withdrawn")
    assert not row["m.call_opt_out"]
    assert row["m.call_consent"] is None


@pytest.mark.parametrize(
    ("hidden", "stored", "stands"),
    [
        ((), "pending", "confirmed"),
        (("email_consent",), "pending", "pending"),
        (("email_consent",), None, "confirmed"),
    ],
)
def test_what_hubspot_did_not_return_is_as_it_was_known_last(
    hidden: tuple[str, ...], stored: str | None, stands: str
) -> None:
    person = {**_proven("s.", "confirmed"), "p.email_consent": stored}
    (row,) = _said([person], hidden=hidden).to_dicts()
    assert row["m.email_consent"] == stands
