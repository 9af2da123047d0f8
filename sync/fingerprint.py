"""What a fingerprint of changes is made of: a plan that was saved is compared by it with what would be written now."""

from __future__ import annotations

import hashlib
import io

import polars as pl


def canonical(changes: pl.DataFrame) -> bytes:
    """The changes (``plan.CHANGES``) in one order and one spelling.

    Ordered by lead first, so that slices of ascending lead ids can be joined end to end.
    """
    ordered = changes.select("lead_id", "crm", "record_id", "field", "before", "after")
    # Bytes and not a text: what is in UTF-8 already would be read and spelled anew.
    buffer = io.BytesIO()
    ordered.sort("lead_id", "crm", "field").write_csv(buffer, include_header=False)
    return buffer.getvalue()


def fingerprint(changes: pl.DataFrame) -> str:
    """A short text that is the same exactly when the changes are."""
    return hashlib.sha256(canonical(changes)).hexdigest()[:16]
