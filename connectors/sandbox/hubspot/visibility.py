"""What list and search do not see yet: index lag and late commits (``Switches``).

HubSpot reference, section 4.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from connectors.sandbox.hubspot.portal import Portal

Through = Literal["list", "search"]
_COLUMNS = "id, kind, created, modified, archived, email, data"


def remember_before(portal: Portal, ids: Iterable[int]) -> None:
    """Keep what list and search go on showing of records that are about to change or be made."""
    late, lag = portal.switches.late_commit_ms, portal.switches.search_lag_ms
    if not late and not lag:
        return
    now = portal.now()
    portal.database.executemany(
        f"INSERT INTO earlier ({_COLUMNS}, list_until, search_until)"
        " SELECT ?1, r.kind, r.created, r.modified, r.archived, r.email, r.data, ?2, ?3"
        " FROM (SELECT 1) LEFT JOIN record r ON r.id = ?1",
        [(id_, now + late, now + late + lag) for id_ in ids],
    )


def source(portal: Portal, through: Through) -> str:
    """The SQL table expression that a list or search reads records from, at this moment."""
    now = portal.now()
    portal.database.execute("DELETE FROM earlier WHERE list_until <= ?1 AND search_until <= ?1", (now,))
    until = f"{through}_until"
    if not portal.database.execute(f"SELECT 1 FROM earlier WHERE {until} > ? LIMIT 1", (now,)).fetchone():
        return "record"
    # The oldest state that is still shown; SQLite takes the other columns from the row of the minimum.
    hidden = f"SELECT min(seq) AS seq, {_COLUMNS} FROM earlier WHERE {until} > {now} GROUP BY id"
    return (
        f"(SELECT {_COLUMNS} FROM record WHERE id NOT IN (SELECT id FROM earlier WHERE {until} > {now})"
        f" UNION ALL SELECT {_COLUMNS} FROM ({hidden}) WHERE data IS NOT NULL)"
    )
