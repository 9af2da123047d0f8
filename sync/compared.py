"""What `agree` tells beside its numbers: since when each difference is known, and both records side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import polars as pl

from mapping.own import CROSS_ID
from sync.read import RAW
from sync.work import CRMS, Work

SINCE = pl.Datetime("us", "UTC")


def with_since(work: Work, explained: pl.DataFrame) -> pl.DataFrame:
    """The leads with ``since``: when what explains them began, as far as it is known, else when they were last judged.

    ``explained``: ``lead_id``, ``verdict``, ``changed_at`` (the later of both records' own times).
    """
    journal = work.store.journal
    known: Mapping[str, Mapping[str, datetime]] = {
        "held": _oldest((row["lead_id"], row["since"]) for row in journal.open_held()),
        "refused": _oldest((row["lead_id"], row["first_at"]) for row in journal.refused()),
        "undone": work.store.standing.undone_since(),
    }
    rows = [(verdict, lead, at) for verdict, leads in known.items() for lead, at in leads.items()]
    told = pl.DataFrame(
        rows, schema={"verdict": pl.String(), "lead_id": pl.String(), "told": SINCE}, orient="row"
    )
    judged = work.store.standing.last_verdicts(explained["lead_id"]).rename({"since": "judged_at"})
    changed = pl.when(pl.col("verdict") == "changed_since").then("changed_at")
    return (
        explained.join(told, on=["verdict", "lead_id"], how="left")
        .join(judged, on="lead_id", how="left")
        .with_columns(since=pl.coalesce("told", changed, "judged_at"))
        .select("lead_id", "verdict", "since", "same")
    )


def _oldest(pairs: Iterable[tuple[str | None, datetime]]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for lead, at in pairs:
        if lead is not None:
            found[lead] = min(at, found.get(lead, at))
    return found


def columns(work: Work) -> tuple[tuple[str, str, str], ...]:
    """(column, CRM, the CRM's name of the field) for every field that both CRMs have, in pairs."""
    found = []
    for name, rule in work.field_map.rules.items():
        sources = {crm: rule.source(crm, work.objects[crm]) for crm in CRMS}
        if name != CROSS_ID and all(sources.values()):
            found += [(f"{name} ({crm})", crm, str(sources[crm])) for crm in CRMS]
    return tuple(found)


def side_by_side(
    work: Work, explained: pl.DataFrame, records: Mapping[str, pl.DataFrame | None]
) -> pl.DataFrame:
    """Each lead with both records, as the CRMs say them: two columns a field, texts as they came."""
    wide = explained.select("lead_id", "verdict", "since")
    for crm in CRMS:
        frame = records[crm]
        asked = [(column, RAW + name) for column, its_crm, name in columns(work) if its_crm == crm]
        if frame is None:
            nothing = pl.lit(None, dtype=pl.String)
            wide = wide.with_columns(nothing.alias(name) for name in (f"record ({crm})", *dict(asked)))
            continue
        mine = frame.select(
            "lead_id",
            pl.col("_id").alias(f"record ({crm})"),
            *(
                (pl.col(raw) if raw in frame.columns else pl.lit(None, dtype=pl.String)).alias(column)
                for column, raw in asked
            ),
        )
        wide = wide.join(mine, on="lead_id", how="left")
    ids = [f"record ({crm})" for crm in CRMS]
    return wide.select("lead_id", "verdict", "since", *ids, *(column for column, _, _ in columns(work))).sort(
        "lead_id"
    )
