"""Which records are one lead. Pure.

A link is by record id and never moves by itself. A record without a link is matched once: by the id of its
counterpart that one CRM stores for the other, then by e-mail address where name or company agree, then by telephone
number where the name agrees and no address contradicts. More than one plausible counterpart is held for a person,
never guessed; and so is one that has the name and the number, or the company's mail domain, with another address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from mapping.alike import alike_edges, phone_edges
from mapping.identity import same_company, same_name
from mapping.qualification.truths import every
from mapping.rules import CRMS

#: What is known of each record when pairs are made, one row a record.
#: ``lead_id`` null: not linked yet. ``cross_id``: the other CRM's record id as this record carries it.
#: ``is_role``: the address is nobody's own (info@ …). The keys are those of ``mapping.identity``.
RECORD_KEYS: Mapping[str, pl.DataType] = {
    "crm": pl.String(),
    "object": pl.String(),
    "record_id": pl.String(),
    "created_at": pl.Datetime("us", "UTC"),
    "lead_id": pl.String(),
    "cross_id": pl.String(),
    "email_key": pl.String(),
    "is_role": pl.Boolean(),
    "name_key": pl.String(),
    "company_key": pl.String(),
    "phone_key": pl.String(),
}
#: How a record has its lead: a link says so.
KNOWN = "known"
ASSIGNED: Mapping[str, pl.DataType] = {
    "crm": pl.String(),
    "object": pl.String(),
    "record_id": pl.String(),
    "lead_id": pl.String(),
    "how": pl.String(),  # known, cross_id, email, phone, alone
    "address_taken": pl.Boolean(),  # another lead's HubSpot contact has this address already
    "awaited": pl.Boolean(),  # a held record may be its counterpart, so none may be created
}
AMBIGUOUS: Mapping[str, pl.DataType] = {
    "crm": pl.String(),
    "object": pl.String(),
    "record_id": pl.String(),
    "others": pl.List(pl.String()),  # "crm:record_id" of the plausible counterparts
    "why": pl.String(),
}

#: Rows that become objects of Python at a time: of everybody at once they would outweigh all that is held.
_NAMED_AT_ONCE = 50_000

_EDGE = {"h_id": pl.String(), "s_id": pl.String()}


@dataclass(frozen=True, slots=True)
class Pairing:
    """``assigned`` (``ASSIGNED``): every record that is a lead's; ``ambiguous`` (``AMBIGUOUS``): the rest."""

    assigned: pl.DataFrame
    ambiguous: pl.DataFrame


def pair(records: pl.DataFrame, known: pl.DataFrame, new_lead_id: Callable[[str, str], str]) -> Pairing:
    """Give every record a lead, or hold it.

    ``records`` (``RECORD_KEYS``): what was read. ``known`` (the same columns, all linked): records from
    memory that share an address or a cross-id with them. ``new_lead_id(crm, record_id)`` names a new lead
    after its oldest record.
    """
    if records.is_empty() and known.is_empty():
        return Pairing(pl.DataFrame(schema=dict(ASSIGNED)), pl.DataFrame(schema=dict(AMBIGUOUS)))
    # Frames of everyone are the largest that a run holds at once: none is copied, and none is wider than it has to.
    unread = known.join(records, on=["crm", "record_id"], how="anti", maintain_order="left")
    all_records = pl.concat([records, unread], how="diagonal_relaxed", rechunk=False)
    if all_records["lead_id"].null_count() == 0:
        assigned, ambiguous = _as_linked(all_records), pl.DataFrame(schema=dict(AMBIGUOUS))
    else:
        involved = _involved(all_records)
        everyone = all_records if involved.all() else all_records.filter(involved)
        settled = all_records.filter(~involved)
        pairs, ambiguous = _pairs_of(everyone, records)
        given = _assign(everyone, pairs, ambiguous, new_lead_id)
        assigned = pl.concat([_as_linked(settled), given], rechunk=False)
    return Pairing(_flag_awaited(_flag_taken_addresses(assigned, all_records), ambiguous), ambiguous)


def _as_linked(records: pl.DataFrame) -> pl.DataFrame:
    """Records that stay with the lead of their link."""
    return records.select("crm", "object", "record_id", "lead_id", how=pl.lit(KNOWN))


def _pairs_of(everyone: pl.DataFrame, records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Who goes together (``h_id, s_id, how``), and who is held (``AMBIGUOUS``)."""
    open_ones = _without_counterpart(everyone).drop("object", "created_at")
    hubspot, salesforce = (open_ones.filter(pl.col("crm") == crm) for crm in ("hubspot", "salesforce"))
    cross = _cross_edges(hubspot, salesforce)
    crossed, crossed_badly = _one_to_one(cross)
    hubspot, salesforce = _without(hubspot, salesforce, cross)
    mailed, mailed_badly = _one_to_one(_email_edges(hubspot, salesforce))
    alike = alike_edges(*_without(hubspot, salesforce, mailed, mailed_badly))
    look_alike, alike_badly = _one_to_one(alike)
    phoned = look_alike.join(alike.filter("sure"), on=["h_id", "s_id"], how="semi")
    unsure = look_alike.join(phoned, on=["h_id", "s_id"], how="anti")
    second = _second_records(everyone, records)
    found, doubtful = {}, []
    for how, edges in (("cross_id", crossed), ("email", mailed), ("phone", phoned)):
        found[how], in_doubt = _sure(edges, second)
        doubtful.append(in_doubt)
    held = [
        _held(crossed_badly, everyone, "their cross-ids do not agree"),
        _held(mailed_badly, everyone, "more than one record has this address and a matching name or company"),
        second,
        _held(pl.concat(doubtful), everyone, "its counterpart may be another lead's"),
        _held(alike_badly, everyone, "more than one record has this name and number, or mail domain"),
        _held(unsure, everyone, "the same name and number, or mail domain, and another address"),
    ]
    ambiguous = pl.concat(held).unique(["crm", "record_id"], keep="first", maintain_order=True)
    return pl.concat([edges.with_columns(how=pl.lit(how)) for how, edges in found.items()]), ambiguous


def _involved(everyone: pl.DataFrame) -> pl.Series:
    """Which records a pairing has to look at: unlinked ones, and every record of a lead that one of them meets.

    A link never moves by itself, so everybody else stays with their lead; in most runs that is nearly everybody.
    """
    if everyone["lead_id"].null_count() == everyone.height:
        return every(True, pl.Boolean(), everyone.height)
    new = everyone.filter(pl.col("lead_id").is_null())
    meets = (
        pl.col("email_key").is_in(new["email_key"].drop_nulls().implode())
        | pl.col("record_id").is_in(new["cross_id"].drop_nulls().implode())
        | pl.col("cross_id").is_in(new["record_id"].implode())
        | pl.col("phone_key").is_in(new["phone_key"].drop_nulls().implode())
        | pl.col("name_key").is_in(new["name_key"].drop_nulls().implode())
    )
    met = everyone.filter(pl.col("lead_id").is_not_null() & meets)["lead_id"].unique()
    involved = pl.col("lead_id").is_null() | pl.col("lead_id").is_in(met.implode())
    return everyone.select(involved=involved)["involved"]


def _without_counterpart(everyone: pl.DataFrame) -> pl.DataFrame:
    """Records that may still find a counterpart: unlinked ones, and those whose lead has one record only."""
    linked = everyone.filter(pl.col("lead_id").is_not_null())
    if linked.is_empty():
        return everyone
    complete = (
        linked.group_by("lead_id").agg(pl.col("crm").n_unique().alias("crms")).filter(pl.col("crms") > 1)
    )
    return everyone.join(complete, on="lead_id", how="anti")


def _cross_edges(hubspot: pl.DataFrame, salesforce: pl.DataFrame) -> pl.DataFrame:
    by_hubspot = hubspot.filter(pl.col("cross_id").is_not_null()).join(
        salesforce, left_on="cross_id", right_on="record_id", how="inner", suffix="_s"
    )
    by_salesforce = salesforce.filter(pl.col("cross_id").is_not_null()).join(
        hubspot, left_on="cross_id", right_on="record_id", how="inner", suffix="_h"
    )
    edges = pl.concat(
        [
            by_hubspot.select(
                h_id="record_id",
                s_id="cross_id",
                both=pl.col("lead_id").is_not_null() & pl.col("lead_id_s").is_not_null(),
            ),
            by_salesforce.select(
                h_id="cross_id",
                s_id="record_id",
                both=pl.col("lead_id").is_not_null() & pl.col("lead_id_h").is_not_null(),
            ),
        ]
    )
    # Two leads that are both linked already stay two: a link never moves by itself.
    return edges.filter(~pl.col("both")).select("h_id", "s_id").unique(maintain_order=True)


def _email_edges(hubspot: pl.DataFrame, salesforce: pl.DataFrame) -> pl.DataFrame:
    compared = ("record_id", "lead_id", "email_key", "is_role", "name_key", "company_key")
    h, s = (side.filter(pl.col("email_key").is_not_null()).select(compared) for side in (hubspot, salesforce))
    joined = h.join(s, on="email_key", how="inner", suffix="_s")
    joined = joined.filter(pl.col("lead_id").is_null() | pl.col("lead_id_s").is_null())
    if joined.is_empty():
        return pl.DataFrame(schema=_EDGE)
    return (
        joined.filter(same_person()).select(h_id="record_id", s_id="record_id_s").unique(maintain_order=True)
    )


def _without(
    hubspot: pl.DataFrame, salesforce: pl.DataFrame, *edges: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records that none of these edges names."""
    named = pl.concat(edges)
    if named.is_empty():
        return hubspot, salesforce
    return (
        hubspot.join(named, left_on="record_id", right_on="h_id", how="anti"),
        salesforce.join(named, left_on="record_id", right_on="s_id", how="anti"),
    )


def same_person() -> pl.Expr:
    """Name agrees, or company agrees and no name contradicts, or there is nothing to contradict.

    Where one record has no name, the person's own address is enough unless the companies differ; a role
    address (info@) is not.
    """
    no_name = pl.col("name_key").is_null() | pl.col("name_key_s").is_null()
    names = same_name("name_key", "name_key_s")
    companies = same_company("company_key", "company_key_s")
    is_role = (pl.col("is_role") | pl.col("is_role_s")).fill_null(value=False)
    own_address = no_name & ~is_role & companies.fill_null(value=True)
    # Null: a lone word that is part of the other name, or initials, neither agrees nor contradicts.
    undecided = names.is_null() & (companies.fill_null(value=False) | own_address)
    return names.fill_null(value=False) | undecided


def _one_to_one(edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    if edges.is_empty():
        return pl.DataFrame(schema=_EDGE), pl.DataFrame(schema=_EDGE)
    counted = edges.with_columns(pl.len().over("h_id").alias("of_h"), pl.len().over("s_id").alias("of_s"))
    alone = (pl.col("of_h") == 1) & (pl.col("of_s") == 1)
    return counted.filter(alone).select("h_id", "s_id"), counted.filter(~alone).select("h_id", "s_id")


def _sure(pairs: pl.DataFrame, second: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs that no held second record takes part in, and the others."""
    if pairs.is_empty() or second.is_empty():
        return pairs, pairs.clear()
    held = {
        crm: second.filter(pl.col("crm") == crm)["record_id"].implode() for crm in ("hubspot", "salesforce")
    }
    doubtful = pl.col("h_id").is_in(held["hubspot"]) | pl.col("s_id").is_in(held["salesforce"])
    return pairs.filter(~doubtful), pairs.filter(doubtful)


def _held(edges: pl.DataFrame, everyone: pl.DataFrame, why: str) -> pl.DataFrame:
    """The unlinked records of edges that do not say one thing."""
    if edges.is_empty():
        return pl.DataFrame(schema=dict(AMBIGUOUS))
    sides = [
        edges.select(crm=pl.lit("hubspot"), record_id="h_id", other=pl.lit("salesforce:") + pl.col("s_id")),
        edges.select(crm=pl.lit("salesforce"), record_id="s_id", other=pl.lit("hubspot:") + pl.col("h_id")),
    ]
    unlinked = everyone.filter(pl.col("lead_id").is_null()).select("crm", "object", "record_id")
    return (
        pl.concat(sides)
        .join(unlinked, on=["crm", "record_id"], how="inner")
        .group_by("crm", "object", "record_id", maintain_order=True)
        .agg(pl.col("other").unique().sort().alias("others"))
        .with_columns(why=pl.lit(why))
        .select(*AMBIGUOUS)
    )


def _second_records(everyone: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """New records that look like a lead which has its record in that CRM already, or that name its other one."""
    if everyone["lead_id"].null_count() == everyone.height:
        return pl.DataFrame(schema=dict(AMBIGUOUS))
    new = records.filter(pl.col("lead_id").is_null())
    complete = everyone.join(_without_counterpart(everyone), on=["crm", "record_id"], how="anti")
    other_crm = pl.col("crm") != pl.col("crm_s")
    alike = (
        new.filter(pl.col("email_key").is_not_null())
        .join(complete, on="email_key", how="inner", suffix="_s")
        .filter(other_crm)
    )
    named = new.join(complete, left_on="cross_id", right_on="record_id", how="inner", suffix="_s").filter(
        other_crm
    )
    found = pl.concat(
        [
            (alike.filter(same_person()) if not alike.is_empty() else alike).select(
                "crm", "object", "record_id", "crm_s", "record_id_s"
            ),
            named.select("crm", "object", "record_id", "crm_s", record_id_s="cross_id"),
            *_with_their_number(new, complete),
        ]
    )
    return (
        found.group_by("crm", "object", "record_id", maintain_order=True)
        .agg(pl.format("{}:{}", "crm_s", "record_id_s").unique().sort().alias("others"))
        .with_columns(why=pl.lit("it looks like a lead that has a record in this CRM already"))
        .select(*AMBIGUOUS)
    )


def _with_their_number(new: pl.DataFrame, complete: pl.DataFrame) -> list[pl.DataFrame]:
    """New records with the name and the number of a lead's record in the other CRM, whatever their address."""
    columns = ("crm", "object", "record_id", "crm_s", "record_id_s")
    found = []
    for crm in ("hubspot", "salesforce"):
        mine, theirs = new.filter(pl.col("crm") == crm), complete.filter(pl.col("crm") != crm)
        if not mine.is_empty() and not theirs.is_empty():
            found.append(phone_edges(mine, theirs).select(*columns))
    return found


def _assign(
    everyone: pl.DataFrame,
    pairs: pl.DataFrame,
    ambiguous: pl.DataFrame,
    new_lead_id: Callable[[str, str], str],
) -> pl.DataFrame:
    """Lead ids: the link's own, the counterpart's, or a new one named after the older record."""
    how = pl.coalesce(
        pl.when(pl.col("lead_id").is_not_null()).then(pl.lit(KNOWN)), "how_h", "how_s", pl.lit("alone")
    )
    # A number both records of a pair share, and one of their own for those who are alone.
    numbered = pairs.with_row_index("pair")
    by_hubspot = numbered.select(crm=pl.lit("hubspot"), record_id="h_id", pair_h="pair", how_h="how")
    by_salesforce = numbered.select(crm=pl.lit("salesforce"), record_id="s_id", pair_s="pair", how_s="how")
    group = pl.coalesce("pair_h", "pair_s", pl.int_range(pl.len(), dtype=pl.get_index_type()) + pairs.height)
    # In whole seconds, since Salesforce knows no smaller ones (Salesforce reference, section 2): a copy we made
    # there may seem older than its origin. Within a second the record without a cross-id is the origin.
    second, is_copy = pl.col("created_at").dt.truncate("1s"), pl.col("cross_id").is_not_null()
    labelled = (
        everyone.select("crm", "object", "record_id", "lead_id", _second=second, _is_copy=is_copy)
        .join(ambiguous.select("crm", "record_id"), on=["crm", "record_id"], how="anti")
        .join(by_hubspot, on=["crm", "record_id"], how="left")
        .join(by_salesforce, on=["crm", "record_id"], how="left")
        .select("crm", "object", "record_id", "lead_id", "_second", "_is_copy", group=group, how=how)
    )
    groups = (
        labelled.drop("object", "how")
        .sort("_second", "_is_copy", "crm", "record_id", nulls_last=True)
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("lead_id").drop_nulls().first().alias("have"),
            pl.col("crm").first().alias("first_crm"),
            pl.col("record_id").first().alias("first_id"),
        )
    )
    unnamed = groups.filter(pl.col("have").is_null())
    named = pl.concat(
        [
            groups.filter(pl.col("have").is_not_null()).select("group", lead_of_group="have"),
            *(_named(some, new_lead_id) for some in unnamed.iter_slices(_NAMED_AT_ONCE)),
        ]
    )
    return labelled.join(named, on="group", how="left").select(
        "crm", "object", "record_id", lead_id="lead_of_group", how="how"
    )


def _named(groups: pl.DataFrame, new_lead_id: Callable[[str, str], str]) -> pl.DataFrame:
    names = [new_lead_id(crm, record) for crm, record in groups.select("first_crm", "first_id").iter_rows()]
    return groups.select("group", lead_of_group=pl.Series(names, dtype=pl.String))


def _flag_taken_addresses(assigned: pl.DataFrame, everyone: pl.DataFrame) -> pl.DataFrame:
    """HubSpot keeps one contact an address: mark Salesforce records whose address another lead has there."""
    in_hubspot = assigned.filter(pl.col("crm") == "hubspot").select("record_id", "lead_id")
    alone = (pl.col("crm") == "salesforce") & ~pl.col("lead_id").is_in(in_hubspot["lead_id"].implode())
    without = assigned.filter(alone).select("crm", "record_id")
    if without.is_empty():
        return assigned.with_columns(address_taken=pl.lit(value=False))
    keyed = everyone.select("crm", "record_id", "email_key", "created_at").filter(
        pl.col("email_key").is_not_null()
    )
    theirs = keyed.filter(pl.col("crm") == "hubspot").join(in_hubspot, on="record_id", how="semi")[
        "email_key"
    ]
    ordered = keyed.join(without, on=["crm", "record_id"], how="semi")
    del keyed, in_hubspot, without
    ordered = ordered.sort("created_at", "record_id", nulls_last=True)
    taken = ordered.filter(
        pl.col("email_key").is_in(theirs.implode()) | ~pl.col("email_key").is_first_distinct()
    )["record_id"]
    return assigned.with_columns(
        address_taken=(pl.col("crm") == "salesforce") & pl.col("record_id").is_in(taken.implode())
    )


def _flag_awaited(assigned: pl.DataFrame, ambiguous: pl.DataFrame) -> pl.DataFrame:
    """Mark leads one of whose records is a plausible counterpart of a held one."""
    if ambiguous.is_empty():
        return assigned.with_columns(awaited=pl.lit(value=False)).select(*ASSIGNED)
    counterparts = ambiguous["others"].explode().unique().drop_nulls()
    met = [
        (pl.col("crm") == crm) & pl.col("record_id").is_in(theirs.str.strip_prefix(f"{crm}:").implode())
        for crm in CRMS
        if not (theirs := counterparts.filter(counterparts.str.starts_with(f"{crm}:"))).is_empty()
    ]
    named = assigned.filter(pl.any_horizontal(pl.lit(value=False), *met))["lead_id"]
    return assigned.with_columns(awaited=pl.col("lead_id").is_in(named.implode())).select(*ASSIGNED)
