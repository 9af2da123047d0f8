"""Made-up people for the benches of the policy, and what those aim at."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from bench.job import NOW
from mapping.identity import derive
from mapping.lead import LEAD_FIELDS, columns_of

BLOCK = 10_000
#: Leads that plain Python does.
BY_RECORD = 50_000
#: How many times as fast as plain Python is aimed at.
AIM = 20
#: The fields that the bench's policy looks at, and what there is in them.
_DRAWN: dict[str, tuple[Any, ...]] = {
    "industry": ("E-Commerce", "Retail", "Software", "Wholesale", None),
    "annual_revenue": (*map(Decimal, (5_000_000, 40_000_000, 90_000_000, 400_000_000)), None),
    "job_title": (
        "Head of Marketing",
        "Leiterin Marketing",
        "Geschäftsführer",
        "Werkstudent",
        "Einkauf",
        None,
    ),
    "company": ("Sommer Versand GmbH", "Textagentur Wort", "Müller & Co. KG", None),
    "country": ("DE", "AT", "CH", "FR", None),
    "phone": ("+49301234567", None),
    "forms": (0, 1, 2, 3, 5, None),
    "email_opt_out": (True, False, None),
}


def people(leads: int) -> pl.DataFrame:
    """New leads as ``judge`` takes them: a block drawn from a seed, repeated under other numbers."""
    pick = random.Random(11)
    rows = []
    for number in range(min(BLOCK, leads)):
        row = {name: pick.choice(words) for name, words in _DRAWN.items()}
        row["email"] = pick.choice((f"p{number}@shop{number % 97}.example", f"p{number}@gmx.de", None))
        row["last_form_at"] = NOW - timedelta(days=pick.randrange(300)) if row["forms"] else None
        row["annual_revenue_currency"] = "EUR"
        rows.append(row)
    schema = {name: dtype for name, dtype in columns_of(LEAD_FIELDS).items() if name in rows[0]}
    whole = columns_of(LEAD_FIELDS)
    block = pl.DataFrame(
        {name: pl.Series([row[name] for row in rows], dtype=schema[name]) for name in schema}
    )
    block = block.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in whole.items() if name not in schema
    )
    block = derive(block, in_hubspot=pl.lit(value=True), in_salesforce=pl.lit(value=True))
    frame = pl.concat([block] * -(-leads // block.height)).head(leads)
    return frame.with_columns(pl.format("lead{}", pl.int_range(leads)).alias("lead_id"))
