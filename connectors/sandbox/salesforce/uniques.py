"""Values of unique fields that nobody has, asked for many records at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from connectors.sandbox.salesforce.org import Org


def nobodys(org: Org, table: str, given: Mapping[str, Sequence[str]]) -> set[tuple[str, str]]:
    """The fields and values that one of the writes of a call gives and no record has: no other can take them.

    ``given``: what the writes give unique fields, as it was sent.
    """
    free = set[tuple[str, str]]()
    if org.switches["late_commit_ms"] or org.any_late():
        return free
    for name, values in given.items():
        # Letter case and blanks may or may not tell two values apart: here they never do.
        plain = [value.strip().lower() for value in values]
        counts = Counter(plain)
        counts.update(str(value).strip().lower() for value in org.store.values(table, name, values))
        free.update((name, value) for value, key in zip(values, plain, strict=True) if counts[key] == 1)
    return free
