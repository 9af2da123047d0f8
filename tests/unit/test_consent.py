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
_NO_PROOF = (None, None, None)
#: Which of its fields a record came without: none, the standing, a part of its proof.
_HIDDEN = [frozenset[str](), frozenset({"word"}), frozenset({"proof"}), frozenset({"word", "proof"})]
_side = st.fixed_dictionaries(_ANY | {"hidden": st.sampled_from(_HIDDEN)})
_base = st.fixed_dictionaries({"flag": _ANY["flag"], "word": _ANY["word"]})
_stored = st.fixed_dictionaries(_ANY)


def _columns(prefix: str, channel: str, said: dict[str, Any]) -> dict[str, Any]:
    row = {prefix + name: None for name in FIELDS}
    at, source, wording = said.get("proof", (None, None, None))
    name = f"{prefix}{channel}_consent"
    row |= {prefix + FLAGS[channel]: said["flag"], name: said["word"]}
    return row | {f"{name}_at": at, f"{name}_source": source, f"{name}_wording": wording}


def _seen(side: dict[str, Any]) -> dict[str, Any]:
    """What a record shows: what it came without is null, and named."""
    at, source, wording = side["proof"]
    hidden = side["hidden"]
    return {
        "flag": side["flag"],
        "word": None if "word" in hidden else side["word"],
        "proof": (None, source, None) if "proof" in hidden else (at, source, wording),
    }


def _merged(channel: str, h: Any, s: Any, **before: Any) -> dict[str, Any]:
    """What comes of a channel; ``before``: ``bh``, ``bs``, and ``p`` where something is stored for the lead."""
    row: dict[str, Any] = {"lead_id": "L1", "h._id": "1", "s._id": "00Q1"}
    types: dict[str, Any] = {name: pl.String() for name in row}
    for side, said in (("h", h), ("s", s)):
        name = f"{channel}_consent"
        by_kind = {"word": [name], "proof": [f"{name}_at", f"{name}_wording"]}
        row[f"{side}._unread"] = [one for kind in sorted(said["hidden"]) for one in by_kind[kind]]
        types[f"{side}._unread"] = pl.List(pl.String())
    nothing = {"flag": None, "word": None, "proof": _NO_PROOF}
    for prefix, shown in {"h": _seen(h), "s": _seen(s), "bh": nothing, "bs": nothing, **before}.items():
        row |= _columns(f"{prefix}.", channel, shown)
        types |= {f"{prefix}.{name}": dtype for name, dtype in columns_of(FIELDS).items()}
    [merged] = merge(pl.DataFrame([row], schema=types), RULES).to_dicts()
    return merged


def _standing(merged: dict[str, Any], channel: str) -> dict[str, str | None]:
    return told({name: merged[MERGED + name] for name in FIELDS})[channel]


def _withdrawn(said: dict[str, Any]) -> bool:
    return bool(said["flag"]) or said["word"] == "withdrawn"


@given(st.sampled_from(list(FLAGS)), _side, _side, _base, _base, _stored)
def test_whatever_was_said_the_one_that_forbids_more_stands_and_nothing_is_made_up(
    channel: str, h: Any, s: Any, bh: Any, bs: Any, p: Any
) -> None:
    merged = _merged(channel, h, s, bh=bh, bs=bs, p=p)
    standing = _standing(merged, channel)
    seen = [_seen(h), _seen(s)]
    if any(_withdrawn(one) for one in (*seen, bh, bs, p)):
        assert standing["standing"] == "withdrawn"
        assert merged[f"{MERGED}{channel}_consent"] == "withdrawn"
        assert merged[MERGED + FLAGS[channel]] is True
        now = any(_withdrawn(one) for one in seen)
        assert (merged[WINNER + FLAGS[channel]] == int(Winner.HELD)) is not now
    else:
        assert standing["standing"] == _expected(h, s, bh, bs, p)
        # Nothing but a withdrawal has a winner: nothing else is ever written.
        assert merged[f"{WINNER}{channel}_consent"] in (int(Winner.NOBODY), int(Winner.UNREAD))
    proofs = [tuple(one["proof"]) for one in (*seen, p)]
    assert (standing["at"], standing["source"], standing["wording"]) in [*proofs, _NO_PROOF]


def _expected(h: Any, s: Any, bh: Any, bs: Any, p: Any) -> str:
    """By the rule's own words, for a channel that nobody withdrew."""
    seen, hidden = [_seen(h), _seen(s)], h["hidden"] | s["hidden"]
    words = [one["word"] for one in seen] + ([bh["word"], bs["word"], p["word"]] if "word" in hidden else [])
    if "pending" in words:
        return "pending"
    if any(one["word"] == "confirmed" and one["proof"][0] and one["proof"][2] for one in seen):
        return "confirmed"
    confirmed = [one for one in seen if one["word"] == "confirmed"]
    if hidden and (confirmed or "word" in hidden):
        return p["word"] or "unknown"
    return "unknown"


_CONFIRMED: dict[str, Any] = {
    "flag": None,
    "word": "confirmed",
    "proof": (AT, "Formular", "Ja"),
    "hidden": frozenset(),
}
_BLANK: dict[str, Any] = {"flag": None, "word": None, "proof": _NO_PROOF, "hidden": frozenset()}
_PENDING = {**_BLANK, "word": "pending"}


@pytest.mark.parametrize(
    ("h", "s", "before", "stands"),
    [
        # HubSpot's pending did not come
        ({**_PENDING, "hidden": frozenset({"word"})}, _CONFIRMED, {"p": _PENDING}, "pending"),
        ({**_PENDING, "hidden": frozenset({"word"})}, _CONFIRMED, {"bh": _PENDING}, "pending"),
        # it came, and is blank: what was stored is over
        (_BLANK, _CONFIRMED, {"bh": _PENDING, "p": _PENDING}, "confirmed"),
        # the standing, or its proof, did not come: it is proven as it was
        ({**_CONFIRMED, "hidden": frozenset({"proof"})}, _BLANK, {"p": _CONFIRMED}, "confirmed"),
        ({**_CONFIRMED, "hidden": frozenset({"word"})}, _BLANK, {"p": _CONFIRMED}, "confirmed"),
        # and never proven by what nobody has seen
        ({**_CONFIRMED, "hidden": frozenset({"proof"})}, _BLANK, {"p": _PENDING}, "pending"),
        ({**_CONFIRMED, "hidden": frozenset({"proof"})}, _BLANK, {"p": _BLANK}, "unknown"),
        ({**_CONFIRMED, "hidden": frozenset({"word"})}, _BLANK, {"bh": _CONFIRMED}, "unknown"),
    ],
)
def test_what_a_record_came_without_is_no_blank(h: Any, s: Any, before: Any, stands: str) -> None:
    standing = _standing(_merged("email", h, s, **before), "email")
    assert standing["standing"] == stands
    proof = _CONFIRMED["proof"] if stands == "confirmed" else _NO_PROOF
    assert (standing["at"], standing["wording"]) == (proof[0], proof[2])


def _without_a_word(direction: Any) -> tuple[list[FieldRule], dict[str, ValueMap]]:
    """Standings of which HubSpot has no word for a withdrawal."""
    words = {word: {"hubspot": [word], "salesforce": [word]} for word in STANDINGS}
    words["withdrawn"] = {"salesforce": ["withdrawn"]}
    rule = FieldRule("email_consent", "optin", "Consent__c", direction=direction, values="consent")
    return [rule], {"consent": ValueMap("consent", words)}


@pytest.mark.parametrize("direction", ["both", "to_hubspot"])
def test_where_a_withdrawal_is_written_there_must_be_a_word_for_it(direction: Any) -> None:
    with pytest.raises(MapProblems) as wrong:
        compile_map(*_without_a_word(direction), LEAD_FIELDS)
    assert "has no hubspot word for withdrawn" in str(wrong.value)


@pytest.mark.parametrize("direction", ["to_salesforce", "read_only"])
def test_where_no_withdrawal_is_written_no_word_is_asked_for(direction: Any) -> None:
    assert "email_consent" in compile_map(*_without_a_word(direction), LEAD_FIELDS).fields


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
