"""Standings of consent when both CRMs are merged, whatever each says and whatever was agreed before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.consent import CONSENT_FIELDS, FLAGS, STANDINGS, told
from mapping.fieldmap import MapProblems, compile_map
from mapping.lead import LEAD_FIELDS, columns_of
from mapping.rules import FieldRule
from mapping.values.words import ValueMap
from sync.merge import merge
from sync.winners import MERGED, WINNER, MergeRule, Winner

AT = datetime(2026, 10, 1, 8, tzinfo=UTC)
FIELDS = {name: LEAD_FIELDS[name] for name in FLAGS.values()} | dict(CONSENT_FIELDS)
RULES = [
    MergeRule(name, "read_only" if field.behaviour else "both", opt_out=field.opt_out)
    for name, field in FIELDS.items()
]
_ANY = {
    "flag": st.sampled_from([True, False, None]),
    "word": st.sampled_from([*STANDINGS, None]),
    "proof": st.sampled_from(
        [(AT, "Formular", "Ja"), (AT, None, None), (None, None, "Ja"), (None, None, None)]
    ),
}
_side = st.fixed_dictionaries(_ANY)
_base = st.fixed_dictionaries({"flag": _ANY["flag"], "word": _ANY["word"]})


def _columns(prefix: str, channel: str, said: dict[str, Any]) -> dict[str, Any]:
    row = {prefix + name: None for name in FIELDS}
    at, source, wording = said.get("proof", (None, None, None))
    name = f"{prefix}{channel}_consent"
    row |= {prefix + FLAGS[channel]: said["flag"], name: said["word"]}
    return row | {f"{name}_at": at, f"{name}_source": source, f"{name}_wording": wording}


@given(st.sampled_from(list(FLAGS)), _side, _side, _base, _base)
def test_whatever_was_said_the_one_that_forbids_more_stands_and_nothing_is_made_up(
    channel: str, h: dict[str, Any], s: dict[str, Any], bh: dict[str, Any], bs: dict[str, Any]
) -> None:
    row: dict[str, Any] = {"lead_id": "L1", "h._id": "1", "s._id": "00Q1", "h._unread": [], "s._unread": []}
    types: dict[str, Any] = {"lead_id": pl.String(), "h._id": pl.String(), "s._id": pl.String()}
    types |= {"h._unread": pl.List(pl.String()), "s._unread": pl.List(pl.String())}
    for prefix, said in (("h.", h), ("s.", s), ("bh.", bh), ("bs.", bs)):
        row |= _columns(prefix, channel, said)
        types |= {prefix + name: dtype for name, dtype in columns_of(FIELDS).items()}
    [merged] = merge(pl.DataFrame([row], schema=types), RULES).to_dicts()
    standing = told({name: merged[MERGED + name] for name in FIELDS})[channel]

    everywhere = [h, s, bh, bs]
    if any(one["flag"] or one["word"] == "withdrawn" for one in everywhere):
        assert standing["standing"] == "withdrawn"
        assert merged[f"{MERGED}{channel}_consent"] == "withdrawn"
        assert merged[MERGED + FLAGS[channel]] is True
        now = any(one["flag"] or one["word"] == "withdrawn" for one in (h, s))
        assert (merged[WINNER + FLAGS[channel]] == int(Winner.HELD)) is not now
    elif "pending" in (h["word"], s["word"]):
        assert standing["standing"] == "pending"
    else:
        proofs = [one["proof"] for one in (h, s) if one["word"] == "confirmed" and one["proof"][1]]
        assert standing["standing"] == ("confirmed" if proofs else "unknown")
        if proofs:
            assert (standing["at"], standing["source"], standing["wording"]) == proofs[0]
    # Nothing but a withdrawal has a winner: nothing else is ever written.
    if standing["standing"] != "withdrawn":
        assert merged[f"{WINNER}{channel}_consent"] == int(Winner.NOBODY)


def test_a_standing_has_no_other_words() -> None:
    words = ValueMap("consent", {"maybe": {"hubspot": ["maybe"], "salesforce": ["Maybe"]}})
    rule = FieldRule("email_consent", "leadpact_email_consent", "Consent__c", values="consent")
    with pytest.raises(MapProblems) as wrong:
        compile_map([rule], {"consent": words}, LEAD_FIELDS)
    assert "maybe" in str(wrong.value)
    assert "confirmed, pending, withdrawn" in str(wrong.value)


def test_a_proof_is_read_and_never_written() -> None:
    words = {word: {"hubspot": [word], "salesforce": [word]} for word in STANDINGS}
    names = [name for name in CONSENT_FIELDS if name.startswith("email")]
    rules = [
        FieldRule(name, name, f"{name}__c", values="consent" if name == "email_consent" else None)
        for name in names
    ]
    found = compile_map(rules, {"consent": ValueMap("consent", words)}, LEAD_FIELDS)
    assert list(found.fields) == names
    assert [name for name, _ in found.writable("hubspot", "contacts")] == ["email_consent"]
