"""The recycle bin: deleted records stay 15 days, then they are gone, unless somebody empties it before.

Salesforce reference, section 6. What is purged leaves no trace that a reader could find (section 12, no. 17).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.sandbox.salesforce import moments
from connectors.sandbox.salesforce.schema import Schema, SObject
from connectors.sandbox.salesforce.store import Store, quoted

KEPT = timedelta(days=15)
EVERY = timedelta(hours=2)


def purge(store: Store, schema: Schema, now: datetime) -> None:
    """Remove what was deleted more than 15 days ago."""
    oldest = moments.kept(now - KEPT)
    for sobject in schema.objects.values():
        if sobject.ordinary:
            store.db.execute(
                f"DELETE FROM {quoted(sobject.name)} WHERE IsDeleted = 1 AND SystemModstamp < ?", (oldest,)
            )


def empty(store: Store, sobject: SObject, record_id: str | None) -> int:
    """Remove one record, or every one, of an object from the bin; returns how many there were."""
    one = " AND Id = ?" if record_id is not None else ""
    values = (record_id,) if record_id is not None else ()
    store.db.execute(
        f"INSERT INTO _purged SELECT ?, Id, SystemModstamp FROM {quoted(sobject.name)} WHERE IsDeleted = 1{one}",
        (sobject.name, *values),
    )
    made = store.db.execute(f"DELETE FROM {quoted(sobject.name)} WHERE IsDeleted = 1{one}", values)
    return made.rowcount
