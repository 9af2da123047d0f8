"""Records that look alike without a common address: one name, and one telephone number or one company's mail domain.

Pure. What is sure may be linked; the rest is for a person to look at.
"""

from __future__ import annotations

import polars as pl

from mapping.freemail import FREE_MAIL_DOMAINS
from mapping.names import one_typo, same_company, same_name

#: A number that more records of one CRM have is a switchboard's and says nothing about a person.
SHARED_BY = 5
_EDGES = {"h_id": pl.String(), "s_id": pl.String(), "sure": pl.Boolean()}


def alike_edges(hubspot: pl.DataFrame, salesforce: pl.DataFrame) -> pl.DataFrame:
    """Pairs of records, one of each CRM, that may be one person: ``h_id, s_id, sure``.

    Both frames: ``record_id``, ``lead_id`` (null: not linked yet) and the keys ``email_key``, ``is_role``,
    ``name_key``, ``company_key`` and ``phone_key``. One of a pair at least is not linked. Sure is a number with no
    second address, or with one that differs by a slip of the keyboard only.
    """
    found = [pl.DataFrame(schema=_EDGES)]
    if hubspot["lead_id"].is_null().any() or salesforce["lead_id"].is_null().any():
        phoned = phone_edges(hubspot, salesforce)
        if not phoned.is_empty():
            found.append(phoned.select(h_id="record_id", s_id="record_id_s", sure=_no_other_address()))
        found.append(
            _by_domain(hubspot, salesforce).select(
                h_id="record_id", s_id="record_id_s", sure=pl.lit(value=False)
            )
        )
    return pl.concat(found).group_by("h_id", "s_id", maintain_order=True).agg(pl.col("sure").any())


def phone_edges(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Rows of both frames with one number, one name and no two companies, side by side (``_s``: the second's).

    The frames are as for ``alike_edges``; one row of a pair at least is not linked.
    """
    sides = [
        side.filter(
            pl.col("phone_key").is_not_null()
            & pl.col("name_key").is_not_null()
            & (pl.len().over("phone_key") <= SHARED_BY)
        )
        for side in (one, other)
    ]
    joined = sides[0].join(sides[1], on="phone_key", how="inner", suffix="_s")
    if joined.is_empty():
        return joined
    companies = same_company("company_key", "company_key_s").fill_null(value=True)
    names = same_name("name_key", "name_key_s").fill_null(value=False)
    return joined.filter(_one_is_new() & names & companies)


def _by_domain(hubspot: pl.DataFrame, salesforce: pl.DataFrame) -> pl.DataFrame:
    domain = pl.col("email_key").str.extract("@([^@]+)$", 1)
    sides = [
        side.filter(~pl.col("is_role").fill_null(value=True) & pl.col("name_key").str.contains(" "))
        .with_columns(domain=domain)
        .filter(~pl.col("domain").is_in(FREE_MAIL_DOMAINS))
        for side in (hubspot, salesforce)
    ]
    joined = sides[0].join(sides[1], on=["domain", "name_key"], how="inner", suffix="_s")
    return joined.filter(_one_is_new())


def _one_is_new() -> pl.Expr:
    return pl.col("lead_id").is_null() | pl.col("lead_id_s").is_null()


def _no_other_address() -> pl.Expr:
    """No second address, or nearly the same: one letter more, less, other or swapped."""

    def slips(pairs: pl.Series) -> pl.Series:
        sides = zip(pairs.struct.field("email_key"), pairs.struct.field("email_key_s"), strict=True)
        return pl.Series([not a or not b or one_typo(a, b) for a, b in sides], dtype=pl.Boolean)

    return pl.struct("email_key", "email_key_s").map_batches(slips, return_dtype=pl.Boolean)
