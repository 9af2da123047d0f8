"""What people said about being written to, called and mailed: one standing a channel, with its proof.

A standing is ``pending`` (asked by double opt-in, not confirmed yet), ``confirmed`` or ``withdrawn``; no word is
unknown. A CRM's own flag ("wants no e-mail") knows withdrawals alone; a field that holds a standing has a word for
each, and beside it when it was said, where the proof is, and what was agreed to word for word.
Only a withdrawal ever goes from one CRM to the other: a consent counts where it was given, with its proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from mapping.lead import FieldType, LeadField

PENDING, CONFIRMED, WITHDRAWN = "pending", "confirmed", "withdrawn"
#: From the one that forbids most; a blank says nothing at all and so forbids nothing.
STANDINGS = (WITHDRAWN, PENDING, CONFIRMED)
#: Each channel's flag.
FLAGS: Mapping[str, str] = {"email": "email_opt_out", "call": "call_opt_out", "post": "post_opt_out"}
#: What belongs to a standing, beside it.
PROOF = ("at", "source", "wording")

#: What a CRM recorded as the legal basis for processing (HubSpot reference, section 14): read and shown beside the
#: standing of e-mail, and never taken for one, since a basis is no confirmation.
LEGAL_BASIS = "email_legal_basis"

_CHANNELS: Mapping[str, str] = {"email": "e-mail", "call": "calls", "post": "post"}


def standing_field(channel: str) -> str:
    """The lead field that holds a channel's standing."""
    return f"{channel}_consent"


def proof_fields(channel: str) -> tuple[str, ...]:
    """The lead fields that hold the proof of a channel's standing: when, where, in which words."""
    return tuple(f"{standing_field(channel)}_{what}" for what in PROOF)


def _declared() -> dict[str, LeadField]:
    found = {}
    for channel, called in _CHANNELS.items():
        name = standing_field(channel)
        at, source, wording = proof_fields(channel)
        for field in (
            LeadField(name, FieldType.CHOICE, f"Consent to {called}", opt_out=True, custom=True),
            # Read and never written: a proof belongs to the record it was given to.
            LeadField(at, FieldType.DATETIME, f"When that was said of {called}", behaviour=True, custom=True),
            LeadField(source, FieldType.TEXT, "Where the proof of it is", behaviour=True, custom=True),
            LeadField(wording, FieldType.TEXT, "What was agreed to, in words", behaviour=True, custom=True),
        ):
            found[field.name] = field
    basis = LeadField(
        LEGAL_BASIS, FieldType.TEXT, "Legal basis that a CRM recorded", behaviour=True, custom=True
    )
    return {**found, basis.name: basis}


#: Lead fields that a lead has where the config maps them. A standing is a withdrawal's field: the word
#: ``withdrawn`` in either CRM wins and is never undone.
CONSENT_FIELDS: Mapping[str, LeadField] = _declared()
STANDING_FIELDS: Mapping[str, str] = {standing_field(channel): channel for channel in FLAGS}


def sibling(field: str) -> str | None:
    """A channel's flag for its standing, and the other way round; None for a field that is neither."""
    if field in STANDING_FIELDS:
        return FLAGS[STANDING_FIELDS[field]]
    return next((standing_field(channel) for channel, flag in FLAGS.items() if flag == field), None)


def forbidden(channel: str, columns: frozenset[str]) -> pl.Expr:
    """Whether a lead must not be reached by a channel, from what of both is among ``columns``; never unknown.

    A flag forbids it, and so does a standing that is withdrawn or waits for its confirmation.
    """
    told = [pl.lit(value=False)]
    if FLAGS[channel] in columns:
        told.append(pl.col(FLAGS[channel]).cast(pl.Boolean).fill_null(value=False))
    if standing_field(channel) in columns:
        told.append(pl.col(standing_field(channel)).is_in([WITHDRAWN, PENDING]).fill_null(value=False))
    return pl.any_horizontal(told)


def told(lead: Mapping[str, Any]) -> dict[str, dict[str, str | None]]:
    """By channel what a lead's values say: ``standing`` (``unknown`` where nothing is known), and its proof.

    Beside the standing of e-mail its ``legal_basis``, where the config maps one.
    """
    found = {}
    for channel, flag in FLAGS.items():
        word = WITHDRAWN if lead.get(flag) is True else lead.get(standing_field(channel))
        proof = {what: lead.get(name) for what, name in zip(PROOF, proof_fields(channel), strict=True)}
        found[channel] = {"standing": word or "unknown", **proof}
    if LEGAL_BASIS in lead:
        found["email"]["legal_basis"] = lead[LEGAL_BASIS]
    return found


def says_withdrawn(field: LeadField, column: str) -> pl.Expr:
    """Whether a column of a withdrawal's field says that it was withdrawn; never unknown."""
    told = pl.col(column) if field.type is FieldType.BOOLEAN else pl.col(column) == WITHDRAWN
    return told.fill_null(value=False)
