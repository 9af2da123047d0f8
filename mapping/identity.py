"""The keys that make two records the same lead, and what is worked out on every lead.

Keys are for comparing and joining, never for showing: they lose case, accents, titles and legal forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import polars as pl

from mapping.consent import forbidden
from mapping.freemail import FREE_MAIL_DOMAINS, ROLE_NAMES
from mapping.names import same_company, same_name

if TYPE_CHECKING:
    import tldextract

__all__ = ["derive", "keys", "pairing_keys", "same_company", "same_name"]

# Spelled-out letters first, then accents fall off: Müller, Mueller and MÜLLER become "mueller".
_SPELLED = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "ß": "ss",
    "å": "aa",
    "ø": "oe",
    "æ": "ae",
    "œ": "oe",
    "ł": "l",
    "ı": "i",
    "đ": "d",
}
_TITLES = (
    "dr|prof|professor|mr|mrs|ms|miss|mx|herr|frau|hr|fr|herrn|dipl|ing|mag|med|phd|mba|msc|bsc|sir|dame"
    "|monsieur|madame|mme|mlle|señor|senor|señora|senora|sra|signor|signora|sig"
)
_LEGAL_FORMS = (
    "gmbh|mbh|ggmbh|ag|se|kgaa|kg|ohg|gbr|ug|haftungsbeschraenkt|ek|ekfm|eg|ev|partg|partgmbb|co|cokg"
    "|ltd|limited|inc|incorporated|llc|llp|lp|corp|corporation|company|plc|pty|pte|pvt|private"
    "|sa|sas|sasu|sarl|eurl|snc|sl|slu|sau|spa|srl|srls|bv|nv|vof|cv|sprl|bvba|ab|as|asa|aps|oy|oyj|abp"
    "|spzoo|sp z oo|sp z o o|sro|spol|doo|dd|kft|zrt|nyrt|bt|ood|eood|ad|oue|ou|uab|sia|kk|gk|sdn bhd|bhd|jsc|ooo"
    "|ltda|lda|sti|тов|ооо|зао|оао|ат|αε|εε|οε|επε|ικε"
)
_TRAILING_FORMS = rf"(?: (?:und |and )?(?:{_LEGAL_FORMS}))+$"
_ANYWHERE_FORMS = r"\b(?:gmbh|ggmbh|kgaa|ohg|llc|ltd|limited|inc|plc|srl|sarl)\b"


# What people and forms put where a name is demanded. Two of these are not the same person or company. Words
# that are somebody's name as well (Na, Null, Private) count as nothing only where a company is asked for.
_NO_NAME = (
    *(
        "unknown",
        "unbekannt",
        "inconnu",
        "desconocido",
        "sconosciuto",
        "onbekend",
        "keine angabe",
        "tbd",
        "xxx",
    ),
    *("n a", "k a", "not provided", "not available", "not applicable", "no name", "noname"),
)
_NO_COMPANY = (
    *_NO_NAME,
    *("na", "none", "null", "nan", "keine", "kein", "ohne", "privat", "private", "privatperson"),
    *(
        "private person",
        "individual",
        "self employed",
        "selbststaendig",
        "freelancer",
        "freelance",
        "student",
    ),
)


_NOT_ASCII = "[^ -~]"


def _folded(column: pl.Series) -> pl.Series:
    """Lower case without accents, umlauts spelled out."""
    lower = column.str.to_lowercase()
    if not lower.str.contains(_NOT_ASCII).any():
        return lower
    distinct = lower.filter(lower.str.contains(_NOT_ASCII)).unique()
    # Below U+0300 every character is composed already, and few are left once umlauts are spelled out.
    composed = _where(distinct, "[\u0300-\U0010ffff]", lambda some: some.str.normalize("NFC"))
    spelled = composed.str.replace_many(list(_SPELLED), list(_SPELLED.values()))
    plain = _where(spelled, _NOT_ASCII, _without_accents)
    return lower.replace_strict(distinct, plain, default=lower, return_dtype=pl.String())


def _without_accents(texts: pl.Series) -> pl.Series:
    return texts.str.normalize("NFKD").str.replace_all("[\u0300-\u036f]", "")


def _where(texts: pl.Series, pattern: str, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The texts, those that the pattern finds changed."""
    rows = texts.str.contains(pattern).arg_true()
    return texts if rows.is_empty() else texts.clone().scatter(rows, change(texts.gather(rows)))


def _words(column: pl.Series) -> pl.Series:
    """Letters and digits, one space between words."""
    return column.str.replace_all(r"[\p{P}\p{S}\p{C}\s]+", " ").str.strip_chars()


def _name_keys(names: pl.Series) -> pl.Series:
    # O'Neil, O’Neil and ONeil are one word. "Jr" and "Sr" stay: they tell a father from a son.
    whole = _words(_folded(names).str.replace_all("['’`´]", ""))
    bare = _words(whole.str.replace_all(rf"\b(?:{_TITLES})\b", "")).replace("", None)
    words = bare.zip_with(bare.is_not_null(), whole.replace("", None))
    return _sorted_words(words)


def _sorted_words(texts: pl.Series) -> pl.Series:
    """The words of each text in order; most names have two, and those need no list."""
    two = texts.to_frame("text").select(
        "text",
        pl.col("text").str.split_exact(" ", 1).struct.rename_fields(["first", "second"]).alias("words"),
    )
    swapped = pl.concat_str(pl.col("words").struct["second"], pl.lit(" "), pl.col("words").struct["first"])
    in_order = pl.col("words").struct["second"].is_null() | (
        pl.col("words").struct["first"] <= pl.col("words").struct["second"]
    )
    pairs = two.select(pl.when(in_order).then("text").otherwise(swapped)).to_series()
    rows = texts.str.contains(" .* ").arg_true()
    many = texts.gather(rows).str.split(" ").list.sort().list.join(" ")
    return pairs if rows.is_empty() else pairs.scatter(rows, many)


def _company_keys(companies: pl.Series) -> pl.Series:
    # Points vanish instead of becoming spaces, so that "S.p.A." is one word; "e. V." is put together first.
    joined = (
        _folded(companies)
        .str.replace_all(r"\be\. ?u\b\.?", "")
        .str.replace_all(r"\be\. ?(v|k|g)\b\.?", "e${1}")
        .str.replace_all("[.'’`]", "")
    )
    joined = joined.str.replace_all(r"\ba/s\b", "as").str.replace_all("[&+]", " und ")
    words = _words(joined).str.replace_all(r"\b(?:and|et|e|y|og|och)\b", "und")
    bare = words.str.replace(_TRAILING_FORMS, "").str.replace_all(_ANYWHERE_FORMS, "")
    bare = _words(bare).str.replace(" und$", "").replace("", None)
    # A company that is called like a legal form keeps its name.
    named = bare.zip_with(bare.is_not_null(), words.replace("", None))
    return named.zip_with(~named.is_in(_NO_COMPANY), pl.Series([None], dtype=pl.String()))


#: Of so few different texts the answers are kept: a pattern costs milliseconds before its first letter, and a run
#: over one lead asks for the same keys ten times.
_FEW = 64
_MOST_KEPT = 20_000
_Make = Callable[[pl.Series], pl.Series]
_KEPT: dict[tuple[_Make, str], str | None] = {}


def _by_distinct(texts: pl.Series, make: _Make) -> pl.Series:
    if len(texts) <= _FEW:
        return pl.Series(texts.name, _answers(texts.to_list(), make), dtype=pl.String())
    distinct = texts.unique().drop_nulls()
    few = distinct.len() <= _FEW
    made = pl.Series(_answers(distinct.to_list(), make), dtype=pl.String()) if few else make(distinct)
    return texts.replace_strict(distinct, made, default=None, return_dtype=pl.String())


def _kept(texts: Collection[str], make: _Make) -> dict[str, str | None]:
    """What ``make`` says, which looks at every text for itself; it is asked only for those it was never asked for."""
    # Asked for and looked up in one step: another thread may empty it in between.
    said = {text: key for text in texts if (key := _KEPT.get((make, text), "")) != ""}
    new = [text for text in texts if text not in said]
    if new:
        said |= zip(new, make(pl.Series(new, dtype=pl.String())).to_list(), strict=True)
        if len(_KEPT) + len(new) > _MOST_KEPT:
            _KEPT.clear()
        _KEPT.update({(make, text): said[text] for text in new})
    return said


def _answers(texts: Sequence[str | None], make: _Make) -> list[str | None]:
    """What ``make`` says of each text; null for a null."""
    said = _kept({text for text in texts if text is not None}, make)
    return [None if text is None else said[text] for text in texts]


def _said(name: pl.Expr) -> pl.Expr:
    """The name, unless it only says that there is none ("[not provided]", "n/a")."""
    return name.map_batches(lambda names: _by_distinct(names, _named), return_dtype=pl.String())


def _named(names: pl.Series) -> pl.Series:
    words = names.str.to_lowercase().str.replace_all(r"[\p{P}\p{S}\s]+", " ").str.strip_chars()
    return names.zip_with(~words.is_in(_NO_NAME), pl.Series([None], dtype=pl.String()))


def name_key(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The words of a person's name, folded and sorted, without titles: ``Dr. Anna Müller`` and ``MUELLER Anna``
    are ``anna mueller``. Null without a word."""
    whole = pl.concat_str(_said(first), _said(last), separator=" ", ignore_nulls=True)
    return whole.map_batches(lambda names: _by_distinct(names, _name_keys), return_dtype=pl.String())


def company_key(company: pl.Expr) -> pl.Expr:
    """The folded words of a company's name without punctuation and legal forms (GmbH & Co. KG, Ltd, S.p.A.)."""
    return company.map_batches(lambda names: _by_distinct(names, _company_keys), return_dtype=pl.String())


@cache
def _suffixes() -> tldextract.TLDExtract:
    # Here and not above: what it fetches lists with comes along, and few commands meet an address.
    import tldextract

    # No list is fetched and none is cached: the public suffixes are those that came with the library.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@lru_cache(maxsize=65_536)
def _registrable(host: str) -> str | None:
    return _suffixes()(host).top_domain_under_public_suffix or None


#: Of so few hosts each is looked up by itself.
_FEW_HOSTS = 32
#: One label of small letters before what may be a public suffix.
_LABEL_AND_REST = r"^[a-z0-9]+(?:-[a-z0-9]+)*\.([a-z0-9.-]+)$"
#: A label that no public suffix begins with.
_SOMEBODY = "leadpact-asks"


def _registrable_domains(hosts: pl.Series) -> pl.Series:
    """The registrable domain of each host. Nearly all are one label before a public suffix already, and there are few
    of those: what stands behind the label is looked up once for all."""
    if len(hosts) <= _FEW_HOSTS:
        return pl.Series([_registrable(host) for host in hosts.to_list()], dtype=pl.String())
    rest = hosts.str.extract(_LABEL_AND_REST, 1)
    asked = [(one, f"{_SOMEBODY}.{one}") for one in rest.unique().drop_nulls().to_list()]
    suffixes = [one for one, host in asked if _registrable(host) == host]
    # The list has its own letters; a host in Punycode may be one of them in disguise.
    disguised = hosts.str.contains("xn--", literal=True)
    plain = rest.is_in(suffixes) & ~disguised & ~hosts.is_in(_suffixes().tlds)
    rows = (~plain).fill_null(value=True).arg_true()
    others = [_registrable(host) for host in hosts.gather(rows).to_list()]
    return hosts.clone().scatter(rows, pl.Series(others, dtype=pl.String())) if others else hosts


def _domain_of(host: pl.Expr) -> pl.Expr:
    return host.map_batches(lambda hosts: _by_distinct(hosts, _registrable_domains), return_dtype=pl.String())


def _email_domain() -> pl.Expr:
    return pl.col("email").str.extract("@([^@]+)$", 1)


def _lowercase(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase()


#: What stands before the @ of an address, or before the + there.
_LOCAL_PART = re.compile("[^@+]+")
_ROLES = frozenset(ROLE_NAMES)


def pairing_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """The keys that records are paired by, alone, in the order of the rows (see ``keys``)."""
    if frame.height <= _FEW:
        return _few_keys(frame)
    local = pl.col("email").str.extract("^([^@+]+)", 1)
    return _with_missing(frame, ("email", "first_name", "last_name", "company")).select(
        pl.col("email").str.to_lowercase().alias("_email_key"),
        local.is_in(ROLE_NAMES).alias("_is_role"),
        name_key(pl.col("first_name"), pl.col("last_name")).alias("_name_key"),
        company_key(pl.col("company")).alias("_company_key"),
    )


def _few_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """``pairing_keys`` of a few records, value by value: to ask the columns costs a hundred times the answers."""
    nothing: list[str | None] = [None] * frame.height
    there = frozenset(frame.columns)
    email, first, last, company = (
        frame[name].to_list() if name in there else nothing
        for name in ("email", "first_name", "last_name", "company")
    )
    named = zip(_answers(first, _named), _answers(last, _named), strict=True)
    whole = [" ".join(name for name in both if name is not None) for both in named]
    local = [None if one is None else _LOCAL_PART.match(one) for one in email]
    roles = [None if one is None else one[0] in _ROLES for one in local]
    return pl.DataFrame(
        [
            pl.Series("_email_key", _answers(email, _lowercase), dtype=pl.String()),
            pl.Series("_is_role", roles, dtype=pl.Boolean()),
            pl.Series("_name_key", _answers(whole, _name_keys), dtype=pl.String()),
            pl.Series("_company_key", _answers(company, _company_keys), dtype=pl.String()),
        ]
    )


def keys(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the keys of identity to a frame of leads (typed columns; a column that is missing counts as null).

    ``_email_key``: the address. ``_is_role``: the address belongs to a role (info@, vertrieb@), so it does
    not name a person; null without an address. ``_name_key``: first and last name, folded, in any order.
    ``_company_key``: without legal form. ``_phone_key``: the mobile number, else the other one.
    ``_domain_key``: the registrable domain of the address, or of the web site where the address is missing or
    with a free-mail provider; null where both say nothing about the company.
    """
    host = pl.col("website").str.extract(r"^https?://([^/?#:]+)", 1)
    more = _with_missing(frame, ("email", "phone", "mobile_phone", "website")).select(
        pl.coalesce("mobile_phone", "phone").alias("_phone_key"),
        pl.coalesce(_not_free(_domain_of(_email_domain())), _not_free(_domain_of(host))).alias("_domain_key"),
    )
    return frame.hstack(pairing_keys(frame)).hstack(more)


def _not_free(domain: pl.Expr) -> pl.Expr:
    return pl.when(~domain.is_in(FREE_MAIL_DOMAINS)).then(domain)


def derive(
    leads: pl.DataFrame,
    *,
    in_hubspot: pl.Expr | None = None,
    in_salesforce: pl.Expr | None = None,
    wanted: Collection[str] | None = None,
) -> pl.DataFrame:
    """Add the ``DERIVED_FIELDS`` to a frame of merged leads (a column that is missing counts as null).

    ``in_hubspot`` and ``in_salesforce`` are Boolean expressions on the frame; left out, the columns of these
    names are taken. A full address is street, city and a postal code or a country. Who said nothing about mail,
    calls or post has not forbidden them: whether consent was given is kept elsewhere. A company or its web site
    without a name, and with no address or one of a role (info@ …), is a company lead. ``wanted``: of the
    fields whose making costs something, only those with these names are added; None: all of them.
    """
    sources = (
        *("email", "phone", "mobile_phone", "street", "city", "postal_code", "country"),
        *("first_name", "last_name", "company", "website"),
    )
    known = _with_missing(leads, sources)
    said = frozenset(leads.columns)
    has_phone = pl.col("phone").is_not_null() | pl.col("mobile_phone").is_not_null()
    somewhere = pl.col("postal_code").is_not_null() | pl.col("country").is_not_null()
    has_address = pl.col("street").is_not_null() & pl.col("city").is_not_null() & somewhere
    has_email = pl.col("email").is_not_null()
    made = known.select(
        *_of_address(known, wanted),
        (has_email | has_phone | has_address).alias("has_contact_data"),
        (has_email & ~forbidden("email", said)).alias("may_email"),
        (has_phone & ~forbidden("call", said)).alias("may_call"),
        (has_address & ~forbidden("post", said)).alias("may_post"),
        *([_company_only(known).alias("is_company_only")] if _is_wanted("is_company_only", wanted) else []),
        (pl.col("in_hubspot") if in_hubspot is None else in_hubspot).alias("in_hubspot"),
        (pl.col("in_salesforce") if in_salesforce is None else in_salesforce).alias("in_salesforce"),
    )
    return leads.with_columns(made)


def _is_wanted(name: str, wanted: Collection[str] | None) -> bool:
    return wanted is None or name in wanted


def _of_address(leads: pl.DataFrame, wanted: Collection[str] | None) -> list[pl.Series]:
    """The domain of each address, and whether it is a free-mail provider's, where they are wanted."""
    if not _is_wanted("email_domain", wanted) and not _is_wanted("is_free_mail", wanted):
        return []
    # Each once, as a column: as expressions they would be worked out again wherever they are named.
    domain = leads.select(_email_domain().alias("email_domain")).to_series()
    if not _is_wanted("is_free_mail", wanted):
        return [domain]
    registrable = _by_distinct(domain, _registrable_domains)
    free = domain.is_in(FREE_MAIL_DOMAINS) | registrable.is_in(FREE_MAIL_DOMAINS)
    return [domain, free.alias("is_free_mail")]


def _company_only(leads: pl.DataFrame) -> pl.Series:
    """Which leads are a company and nobody's name; the address only matters for those, and they are few."""
    a_company = pl.col("company").is_not_null() | pl.col("website").is_not_null()
    nameless = pl.col("first_name").is_null() & pl.col("last_name").is_null()
    found = leads.select(found=a_company & nameless)["found"]
    rows = found.arg_true()
    local = leads["email"].gather(rows).str.extract("^([^@+]+)", 1)
    return found.scatter(rows, local.is_in(ROLE_NAMES).fill_null(value=True))


def _with_missing(frame: pl.DataFrame, wanted: tuple[str, ...]) -> pl.DataFrame:
    held = set(frame.columns)
    missing = [name for name in wanted if name not in held]
    return frame.with_columns([pl.lit(None, dtype=pl.String).alias(name) for name in missing])
