"""All stored leads as a policy looks at them, in the order in which they lie on the disk."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import polars as pl

from sync.store.frames import from_csv
from sync.store.tables import Tables

#: What a policy needs of a stored lead beside its values: the last verdict under the names of its columns.
JUDGED: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "stage": pl.String(),
    "highest_stage": pl.String(),
    "cycle": pl.Int32(),
    "temperature": pl.String(),
    "score": pl.Int32(),
    "stage_why": pl.String(),
    "temperature_since": pl.Date(),
    "returned_on": pl.Date(),
    "spent_rejection": pl.String(),
}
#: Blocks of the table that are asked for at once: some thousand leads, in two texts far below what a text may hold.
BLOCKS = 128


class JudgedLeads(Tables):
    """The lead table of one connection, read from its first block to its last."""

    def slices(self, at_least: int) -> Generator[tuple[pl.DataFrame, bytes], None, None]:
        """Every stored lead once: ``JUDGED``, and their ``lead_values``, a line a lead, in the same order.

        A slice has ``at_least`` leads and some more, the last one what is left. Block after block, and not in the
        order of the ids: to sort a million leads, or to look each up, costs the database more than to hand them
        over. All slices show the state of one moment, so that a lead that is changed meanwhile is neither missed
        nor told twice; the transaction that holds it open lasts until the last slice was taken or the iterator is
        closed.
        """
        verdicts: list[bytes] = []
        values: list[bytes] = []
        leads = 0
        with self._connection.transaction():
            self._do("see_one_moment")
            (blocks,) = self._rows("blocks_of_leads")[0]
            for begin in range(0, blocks, BLOCKS):
                place = {"begin": f"({begin},0)", "end": f"({begin + BLOCKS},0)"}
                for some_values, some_verdicts, count in self._bytes("judged_in_blocks", **place):
                    values.append(some_values)
                    verdicts.append(some_verdicts)
                    leads += int.from_bytes(count, "big")
                if leads >= at_least:
                    yield from_csv(b"\n".join(verdicts), JUDGED), b"\n".join(values)
                    verdicts, values, leads = [], [], 0
            if leads:
                yield from_csv(b"\n".join(verdicts), JUDGED), b"\n".join(values)
