"""Suggestions for ambiguous records: their plausible counterparts, ranked, with what agrees and what differs.

Worked out where the records are read, and kept with what is held, so that ``held`` asks no CRM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import polars as pl

from mapping.identity import keys
from mapping.likeness import COMPARED, levels, likeness, reasons
from sync.work import CRMS, Work

#: What is compared, as typed columns of the common lead.
TYPED = ("email", "first_name", "last_name", "company", "phone", "mobile_phone", "website", "city")
Suggested = Mapping[tuple[str, str], Sequence[Mapping[str, object]]]


def compared(crm: str, records: pl.DataFrame) -> pl.DataFrame:
    """The narrow frame of typed records that suggestions are made from: ``crm``, ``record_id``, ``TYPED``."""
    nothing = pl.lit(None, dtype=pl.String)
    return records.select(
        pl.lit(crm).alias("crm"),
        pl.col("_id").alias("record_id"),
        *((pl.col(name) if name in records.columns else nothing.alias(name)) for name in TYPED),
    )


def suggest(work: Work, ambiguous: pl.DataFrame, read: Sequence[pl.DataFrame]) -> Suggested:
    """(CRM, record) to its plausible counterparts, the likeliest first.

    ``ambiguous``: ``pairs.AMBIGUOUS``. ``read``: frames as ``compared`` makes them. What was not read is compared
    by what is stored of its lead. Pairs that a person has told apart are left out.
    """
    if ambiguous.is_empty():
        return {}
    wanted = (
        ambiguous.select("crm", "record_id", other="others")
        .explode("other")
        .with_columns(
            crm_s=pl.col("other").str.extract("^([^:]+):"), record_id_s=pl.col("other").str.extract(":(.+)$")
        )
    )
    apart = work.store.identity.apart()
    told = pl.concat(
        [
            apart.rename({"other_crm": "crm_s", "other_id": "record_id_s"}),
            apart.rename(
                {"crm": "crm_s", "record_id": "record_id_s", "other_crm": "crm", "other_id": "record_id"}
            ),
        ],
        how="diagonal",
    )
    wanted = wanted.join(
        told, on=["crm", "record_id", "crm_s", "record_id_s"], how="anti", maintain_order="left"
    )
    known = _known(work, wanted, pl.concat([*read, *_nobody()], how="vertical_relaxed"))
    pairs = wanted.join(known, on=["crm", "record_id"], how="inner", maintain_order="left").join(
        known, left_on=["crm_s", "record_id_s"], right_on=["crm", "record_id"], how="inner", suffix="_s",
        maintain_order="left",
    )  # fmt: skip
    found = levels(pairs)
    ranked = pairs.select("crm", "record_id", "other").hstack([likeness(found), *found.get_columns()])
    return _ranked(ranked, found.columns)


def _nobody() -> list[pl.DataFrame]:
    return [pl.DataFrame(schema={name: pl.String() for name in ("crm", "record_id", *TYPED)})]


def _known(work: Work, wanted: pl.DataFrame, read: pl.DataFrame) -> pl.DataFrame:
    """The keys of every record that is compared: as it was read, else as its lead is stored."""
    named = pl.concat(
        [
            wanted.select("crm", "record_id"),
            wanted.select(crm="crm_s", record_id="record_id_s"),
        ]
    ).unique(maintain_order=True)
    unread = named.join(read, on=["crm", "record_id"], how="anti", maintain_order="left")
    stored = _stored(work, unread)
    rows = pl.concat([read, stored], how="vertical_relaxed").unique(["crm", "record_id"], keep="last")
    return keys(rows.join(named, on=["crm", "record_id"], how="semi")).select("crm", "record_id", *COMPARED)


def _stored(work: Work, unread: pl.DataFrame) -> pl.DataFrame:
    if unread.is_empty():
        return _nobody()[0]
    objects = pl.col("crm").replace_strict(dict(work.objects), return_dtype=pl.String)
    links = work.store.leads.links_of_records(
        unread.filter(pl.col("crm").is_in(CRMS)).with_columns(object=objects)
    )
    leads = work.store.leads.of(links["lead_id"])
    values = work.lead_snapshots().decode(leads["lead_values"])
    nothing = pl.lit(None, dtype=pl.String)
    typed = leads.select("lead_id").hstack(
        values.select((pl.col(name) if name in values.columns else nothing.alias(name)) for name in TYPED)
    )
    return links.join(typed, on="lead_id", how="inner").select("crm", "record_id", *TYPED)


def _ranked(
    pairs: pl.DataFrame, compared_by: Sequence[str]
) -> dict[tuple[str, str], list[Mapping[str, object]]]:
    found: dict[tuple[str, str], list[Mapping[str, object]]] = {}
    # Of many pairs, few are alike and unlike in other ways than all before them.
    said: dict[tuple[int | None, ...], tuple[list[str], list[str]]] = {}
    ordered = pairs.sort("likeness", "other", descending=[True, False])
    levels_of_each = ordered.select(compared_by).iter_rows()
    for (crm, record, other, much), places in zip(
        ordered.select("crm", "record_id", "other", "likeness").iter_rows(), levels_of_each, strict=True
    ):
        if places not in said:
            said[places] = reasons(dict(zip(compared_by, places, strict=True)))
        agree, differ = said[places]
        found.setdefault((crm, record), []).append(
            {"record": other, "likeness": round(much, 3), "agree": agree, "differ": differ}
        )
    return found


def with_suggestions(held: pl.DataFrame, suggested: Suggested) -> pl.DataFrame:
    """Rows of ``journal.HELD`` with the suggestions in their details. Pure."""
    if not suggested or held.is_empty():
        return held
    details = [
        json.dumps({**json.loads(text), "suggestions": suggested[crm, record]}, ensure_ascii=False)
        if kind == "ambiguous" and (crm, record) in suggested
        else text
        for kind, crm, record, text in held.select("kind", "crm", "record_id", "details").iter_rows()
    ]
    return held.with_columns(details=pl.Series("details", details, dtype=pl.String))
