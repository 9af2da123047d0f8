"""Sentences that become parts of others: a cause and its fix are said in one line."""

from __future__ import annotations


def clause(text: str) -> str:
    """A sentence as a part of another: without the full stop at its end."""
    return text.strip().removesuffix(".")


def joined(*parts: str) -> str:
    """Parts of one line, those that say nothing left out: ``"It is revoked.", "get a new one"`` with ``;`` between."""
    return "; ".join(clause(part) for part in parts if part.strip())
