"""How likely two records are one person: the weight of what agrees, differs or is missing. Pure.

After Fellegi and Sunter: each comparison has a level, and each level a weight, the binary logarithm of how much
more often it is seen between two records of one person than between two people who share something. The weights
add up; with the odds beforehand they make a probability. It ranks suggestions for a person and links nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from mapping.names import few_slips, one_typo, same_company, same_name

#: What is compared: columns of ``mapping.identity.keys``, and the city as the lead has it.
COMPARED = ("_email_key", "_is_role", "_name_key", "_company_key", "_phone_key", "_domain_key", "city")


@dataclass(frozen=True, slots=True)
class Level:
    """One outcome of a comparison. ``m``: its share among records of one person, ``u``: among those of two."""

    says: str  #: for people; empty where it says nothing either way
    agrees: bool
    m: float
    u: float


#: Comparison to its levels, best first; what is missing on a side says nothing. The shares come from the training
#: half of public rows with known duplicates (``bench/identity.py``); company, telephone and domain are not in
#: those rows and are set by judgement. In those rows nobody has moved: a different city counts for less here.
LEVELS: Mapping[str, tuple[Level, ...]] = {
    "email": (
        Level("the same e-mail address", agrees=True, m=0.54, u=0.002),
        Level("the same shared address (info@ and the like)", agrees=True, m=0.60, u=0.20),
        Level("nearly the same e-mail address", agrees=True, m=0.17, u=0.002),
        Level("the same name before the @", agrees=True, m=0.10, u=0.005),
        Level("different e-mail addresses", agrees=False, m=0.19, u=0.99),
    ),
    "name": (
        Level("the same name", agrees=True, m=0.26, u=0.0005),
        Level("a name that may be the same", agrees=True, m=0.42, u=0.016),
        Level("a word of the name in common", agrees=True, m=0.22, u=0.06),
        Level("a word of the name in common but for two letters", agrees=True, m=0.055, u=0.05),
        Level("different names", agrees=False, m=0.06, u=0.89),
    ),
    "written": (
        Level("the name stands in the e-mail address", agrees=True, m=0.64, u=0.06),
        Level("the name is not in the e-mail address", agrees=False, m=0.36, u=0.94),
    ),
    "phone": (
        Level("the same telephone number", agrees=True, m=0.70, u=0.002),
        Level("different telephone numbers", agrees=False, m=0.30, u=0.998),
    ),
    "company": (
        Level("the same company", agrees=True, m=0.80, u=0.02),
        Level("different companies", agrees=False, m=0.20, u=0.98),
    ),
    "domain": (
        Level("the same company domain", agrees=True, m=0.75, u=0.02),
        Level("different company domains", agrees=False, m=0.25, u=0.98),
    ),
    "city": (
        Level("the same city", agrees=True, m=0.59, u=0.23),
        Level("nearly the same city", agrees=True, m=0.26, u=0.19),
        Level("different cities", agrees=False, m=0.15, u=0.58),
    ),
}
#: The odds that a pair that shares something is one person, before anything is compared.
ODDS_BEFORE = 0.02


def levels(pairs: pl.DataFrame) -> pl.DataFrame:
    """The level of each comparison, one column each, null where it says nothing.

    ``pairs`` has the columns ``COMPARED`` of the one record and, with the suffix ``_s``, of the other.
    """
    return pairs.select(
        email=_email(),
        name=_name(),
        written=_written(),
        phone=_alike("_phone_key"),
        company=_of_answer(same_company("_company_key", "_company_key_s")),
        domain=_alike("_domain_key"),
        city=_city(),
    )


def likeness(found: pl.DataFrame) -> pl.Series:
    """The probability that each pair is one person, 0 to 1, from its ``levels``."""
    one_person = pl.lit(ODDS_BEFORE)
    for name, known in LEVELS.items():
        ratios = {place: level.m / level.u for place, level in enumerate(known)}
        one_person = one_person * pl.col(name).replace_strict(ratios, default=1.0, return_dtype=pl.Float64)
    return found.select(likeness=one_person / (one_person + 1.0))["likeness"]


def reasons(found: Mapping[str, int | None]) -> tuple[list[str], list[str]]:
    """What agrees and what differs, in words, from one row of ``levels``."""
    agree: list[str] = []
    differ: list[str] = []
    for name, place in found.items():
        if place is not None:
            level = LEVELS[name][place]
            (agree if level.agrees else differ).append(level.says)
    return agree, differ


def _email() -> pl.Expr:
    one, other = pl.col("_email_key"), pl.col("_email_key_s")
    local, local_s = one.str.extract("^([^@+]+)"), other.str.extract("^([^@+]+)")
    role = (pl.col("_is_role") | pl.col("_is_role_s")).fill_null(value=False)
    return (
        pl.when(one.is_null() | other.is_null())
        .then(None)
        .when((one == other) & role)
        .then(1)
        .when(one == other)
        .then(0)
        .when(_nearly("_email_key", "_email_key_s"))
        .then(2)
        .when((local == local_s) & ~role)
        .then(3)
        .otherwise(4)
    )


def _nearly(left: str, right: str) -> pl.Expr:
    def typos(pairs: pl.Series) -> pl.Series:
        sides = zip(pairs.struct.field(left), pairs.struct.field(right), strict=True)
        return pl.Series([bool(a and b) and one_typo(a, b) for a, b in sides], dtype=pl.Boolean)

    return pl.struct(left, right).map_batches(typos, return_dtype=pl.Boolean)


def _name() -> pl.Expr:
    answer = same_name("_name_key", "_name_key_s")
    known = pl.col("_name_key").is_not_null() & pl.col("_name_key_s").is_not_null()
    # No answer although both have a name: a lone word that is part of the other one.
    return (
        pl.when(~known)
        .then(None)
        .when(pl.col("_name_key") == pl.col("_name_key_s"))
        .then(0)
        .when(answer.fill_null(value=True))
        .then(1)
        .when(_both_alike("_name_key", "_name_key_s", _share_a_word))
        .then(2)
        .when(_both_alike("_name_key", "_name_key_s", _share_nearly_a_word))
        .then(3)
        .otherwise(4)
    )


def _city() -> pl.Expr:
    one, other = pl.col("city").str.to_lowercase(), pl.col("city_s").str.to_lowercase()
    nearly = _both_alike("city", "city_s", _nearly_one_city)
    known = one.is_not_null() & other.is_not_null()
    return pl.when(known).then(pl.when(one == other).then(0).when(nearly).then(1).otherwise(2))


def _nearly_one_city(one: str, other: str) -> bool:
    return min(len(one), len(other)) > 3 and few_slips(one.lower(), other.lower())


def _written() -> pl.Expr:
    """The name of the one in the address of the other, where names or addresses alone cannot be compared."""
    alone = pl.any_horizontal(pl.col(name).is_null() for name in ("_email_key", "_email_key_s")) | (
        pl.any_horizontal(pl.col(name).is_null() for name in ("_name_key", "_name_key_s"))
    )
    role = (pl.col("_is_role") | pl.col("_is_role_s")).fill_null(value=False)
    crossed = pl.struct("_email_key", "_name_key", "_email_key_s", "_name_key_s")
    answer = crossed.map_batches(_names_in_addresses, return_dtype=pl.Boolean)
    return pl.when(alone & ~role).then(_of_answer(answer))


def _names_in_addresses(pairs: pl.Series) -> pl.Series:
    rows = pairs.struct.unnest().iter_rows()
    return pl.Series(
        [
            None if not (a and d) and not (b and c) else _in_address(b, c) or _in_address(d, a)
            for a, b, c, d in rows
        ],
        dtype=pl.Boolean,
    )


def _in_address(name: str | None, address: str | None) -> bool:
    """A word of the name, of three letters and more, stands before the @ or is begun there."""
    local = (address or "").partition("@")[0]
    parts = [
        "".join(filter(str.isalpha, part)) for part in local.replace("_", ".").replace("-", ".").split(".")
    ]
    return any(
        len(word) > 2
        and (
            word in local
            or any(len(part) > 3 and (one_typo(word, part) or part.startswith(word[:4])) for part in parts)
        )
        for word in (name or "").split()
    )


def _both_alike(left: str, right: str, alike: Callable[[str, str], bool]) -> pl.Expr:
    """Whether both texts are alike; what is missing is like nothing."""

    def shared(pairs: pl.Series) -> pl.Series:
        sides = zip(pairs.struct.field(left), pairs.struct.field(right), strict=True)
        return pl.Series([alike(a or "", b or "") for a, b in sides], dtype=pl.Boolean)

    return pl.struct(left, right).map_batches(shared, return_dtype=pl.Boolean)


def _share_a_word(one: str, other: str) -> bool:
    """Some word of one name is, but for one slip, a word of the other."""
    return any(
        len(word) > 1 and (word == each or (min(len(word), len(each)) > 3 and one_typo(word, each)))
        for word in one.split()
        for each in other.split()
    )


def _share_nearly_a_word(one: str, other: str) -> bool:
    """Some word of five letters and more of one name is, but for two slips, a word of the other."""
    return any(
        max(len(word), len(each)) > 4 and few_slips(word, each)
        for word in one.split()
        for each in other.split()
    )


def _alike(name: str) -> pl.Expr:
    return _of_answer(pl.col(name) == pl.col(name + "_s"))


def _of_answer(answer: pl.Expr) -> pl.Expr:
    return pl.when(answer.is_null()).then(None).when(answer).then(0).otherwise(1)
