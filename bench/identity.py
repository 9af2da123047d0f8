"""Who is who: precision of automatic links and recall of suggestions, on public rows with known answers.

    python -m bench.identity --data FOLDER

FOLDER holds ``people_with_known_duplicates/splink_fake_1000.csv`` (people with typos and gaps, in clusters) and
``adventureworks/ProspectiveBuyer.csv`` (people of whom many share an address and nothing else). Each person's
records are dealt to two sides as two CRMs would hold them. Half of the people, by number, show how often each
level of a comparison is seen; every figure is of the other half, with its 95 % interval (Wilson).
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from mapping.identity import keys
from mapping.likeness import COMPARED, LEVELS, levels, likeness
from sync.pairs import RECORD_KEYS, pair

#: How many suggestions a person is shown.
SHOWN = 5
_PERSON = ("email", "first_name", "last_name", "company", "phone", "city")


def known_duplicates(folder: Path) -> pl.DataFrame:
    """The rows with known duplicates: ``person, record, crm`` and the fields of ``_PERSON``."""
    path = folder / "people_with_known_duplicates" / "splink_fake_1000.csv"
    rows = pl.read_csv(path, infer_schema=False, null_values=[""])
    dealt = rows.with_row_index("n").with_columns(
        crm=pl.when(pl.col("n").rank("ordinal").over("cluster") % 2 == 1)
        .then(pl.lit("hubspot"))
        .otherwise(pl.lit("salesforce"))
    )
    nothing = pl.lit(None, dtype=pl.String)
    return dealt.select(
        person="cluster",
        record="unique_id",
        crm="crm",
        email=pl.col("email").str.to_lowercase(),
        first_name="first_name",
        last_name="surname",
        company=nothing,
        phone=nothing,
        city="city",
    )


def buyers(folder: Path, seed: int = 1) -> pl.DataFrame:
    """Every buyer once in each CRM; the second copy as a person would have typed it, with gaps and slips."""
    path = folder / "adventureworks" / "ProspectiveBuyer.csv"
    rows = pl.read_csv(path, infer_schema=False, null_values=["", "NULL"])
    draw = random.Random(seed)
    made: list[dict[str, str | None]] = []
    for key, email, first, last, phone, city in rows.select(
        "ProspectiveBuyerKey", "EmailAddress", "FirstName", "LastName", "Phone", "City"
    ).iter_rows():
        person: dict[str, str | None] = {"first_name": first, "last_name": last, "company": None}
        person |= {"email": email and email.lower(), "phone": phone, "city": city}
        made.append({"person": key, "record": f"h{key}", "crm": "hubspot", **person})
        made.append({"person": key, "record": f"s{key}", "crm": "salesforce", **_typed_again(person, draw)})
    return pl.DataFrame(made, schema=dict.fromkeys(("person", "record", "crm", *_PERSON), pl.String()))


def _typed_again(person: dict[str, str | None], draw: random.Random) -> dict[str, str | None]:
    again = dict(person)
    for name in ("first_name", "last_name", "email"):
        text = again[name]
        if text and len(text) > 3 and draw.random() < 0.12:
            at = draw.randrange(1, len(text) - 1)
            again[name] = text[:at] + text[at + 1 :]
    for name, gap in (("first_name", 0.1), ("phone", 0.3), ("email", 0.1)):
        if draw.random() < gap:
            again[name] = None
    return again


def halves(people: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The training half and the test half: whole people, by a hash of their number."""
    test = pl.col("person").cast(pl.Int64) * 2654435761 % 1000 < 500
    return people.filter(~test), people.filter(test)


def with_keys(people: pl.DataFrame) -> pl.DataFrame:
    """The people with the keys that records are compared by."""
    return keys(people).select("person", "record", "crm", *COMPARED)


def automatic(people: pl.DataFrame) -> tuple[int, int]:
    """(right, all) links that are made without asking."""
    keyed = with_keys(people)
    nothing = {name: pl.lit(None, dtype=dtype) for name, dtype in RECORD_KEYS.items()}
    known = {"record_id": pl.col("record"), "crm": pl.col("crm"), "object": pl.lit("person")}
    known |= {
        name: pl.col("_" + name) for name in ("email_key", "is_role", "name_key", "company_key", "phone_key")
    }
    records = keyed.select(**{**nothing, **known})
    made = pair(records, records.clear(), lambda crm, record: f"{crm}:{record}").assigned
    linked = made.filter(pl.col("how").is_in(["email", "phone"])).join(
        keyed.select("crm", record_id="record", person="person"), on=["crm", "record_id"]
    )
    sides = linked.filter(pl.col("crm") == "hubspot").join(
        linked.filter(pl.col("crm") == "salesforce"), on="lead_id", suffix="_s"
    )
    return int((sides["person"] == sides["person_s"]).sum()), sides.height


def candidates(people: pl.DataFrame) -> pl.DataFrame:
    """Pairs across the CRMs that share something: address, telephone, two letters that begin a word of the name."""
    keyed = with_keys(people)
    local = pl.col("_email_key").str.extract("^([^@+0-9]+)").str.slice(0, 3)
    blocks = [
        keyed.with_columns(block=pl.format("{}:{}", pl.lit(name), expression))
        for name, expression in (
            ("email", pl.col("_email_key")),
            ("local", local),
            ("phone", pl.col("_phone_key")),
        )
    ]
    spoken = pl.col("_name_key").str.split(" ")
    written = pl.col("_email_key").str.extract("^([^@]+)").str.extract_all("[a-z]{2,}")
    blocks += [keyed.with_columns(block=pl.col("city").str.to_lowercase().str.slice(0, 2) + pl.lit("|"))]
    for words in (spoken, written):
        each = keyed.with_columns(block=words).explode("block").filter(pl.col("block").str.len_chars() > 1)
        # Two letters at the beginning, and the two after the first: a slip at the first letter leaves those.
        blocks += [each.with_columns(pl.col("block").str.slice(start, 2)) for start in (0, 1)]
    blocked = pl.concat(blocks).filter(pl.col("block").str.len_chars() > 1)
    one, other = (blocked.filter(pl.col("crm") == crm) for crm in ("hubspot", "salesforce"))
    met = one.join(other, on="block", how="inner", suffix="_s")
    return met.unique(["record", "record_s"], maintain_order=True)


def suggested(people: pl.DataFrame, *, comparable: bool = False) -> tuple[int, int]:
    """(found, all) true pairs across the CRMs that are among the ``SHOWN`` likeliest of their HubSpot record.

    ``comparable``: only pairs whose records both have an address, or both a first and a last name; nobody can
    tell of the others.
    """
    pairs = candidates(people)
    ranked = pairs.hstack([likeness(levels(pairs))]).sort("likeness", "record_s", descending=[True, False])
    shown = ranked.group_by("record", maintain_order=True).head(SHOWN)
    one, other = (people.filter(pl.col("crm") == crm) for crm in ("hubspot", "salesforce"))
    true = one.join(other, on="person", suffix="_s")
    if comparable:
        true = true.filter(_both("email") | (_both("first_name") & _both("last_name")))
    return true.join(shown, on=["record", "record_s"], how="semi").height, true.height


def _both(name: str) -> pl.Expr:
    return pl.col(name).is_not_null() & pl.col(name + "_s").is_not_null()


def seen(people: pl.DataFrame) -> Iterator[tuple[str, str, float, float]]:
    """(comparison, level, m, u) as the training half shows them, beside what ``mapping.likeness`` holds."""
    pairs = candidates(people)
    found = levels(pairs).with_columns(same=pairs["person"] == pairs["person_s"])
    for name in ("email", "name", "written", "phone", "city"):
        for place, level in enumerate(LEVELS[name]):
            shares = [
                int((some[name] == place).sum()) / max(some.height, 1)
                for some in (
                    found.filter(pl.col("same") & pl.col(name).is_not_null()),
                    found.filter(~pl.col("same") & pl.col(name).is_not_null()),
                )
            ]
            yield name, level.says, shares[0], shares[1]


def interval(right: int, whole: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if whole == 0:
        return 0.0, 1.0
    share = right / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    reach = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def measured(people: pl.DataFrame) -> dict[str, object]:
    """The figures of one half."""
    told: dict[str, object] = {}
    for name, (right, whole) in (
        ("precision_of_links", automatic(people)),
        ("recall_of_suggestions", suggested(people)),
        ("recall_of_suggestions_where_comparable", suggested(people, comparable=True)),
    ):
        low, high = interval(right, whole)
        told[name] = {"right": right, "of": whole, "share": right / max(whole, 1), "low": low, "high": high}
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON document: both data sets, the test half of each."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--data", type=Path, required=True, help="the folder of public rows")
    asked.add_argument("--levels", action="store_true", help="how often the training half shows each level")
    wanted = asked.parse_args(arguments)
    told: dict[str, object] = {}
    for name, people in (
        ("known_duplicates", known_duplicates(wanted.data)),
        ("buyers", buyers(wanted.data)),
    ):
        train, test = halves(people)
        told[name] = measured(test)
        if wanted.levels:
            told[name + "_levels"] = [list(row) for row in seen(train)]
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
