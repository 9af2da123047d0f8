"""Cleaning e-mail addresses and web addresses. Syntax only: nothing is looked up."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit, urlunsplit

import polars as pl

from mapping.values.cells import STILL_FEW, Cleaned, Problem, read_each, read_unsure
from mapping.values.text import fold_text

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

# Addresses that need no second opinion: ASCII, no quoting, no doubled hyphen (IDN), short enough that no part
# can break a limit of RFC 5321.
_SURE_EMAIL = r"^[a-z0-9_%+-]+(?:\.[a-z0-9_%+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,24}$"
_SURE_URL = r"^https?://(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,24}(?:/[!#-;=?-\[\]_a-z~]+)?$"
_EMAIL = re.compile(_SURE_EMAIL)
_URL = re.compile(_SURE_URL)
_SHORT = 64
_IN_ANGLES = re.compile(r"^[^<>@]*<([^<>]+)>$")
_TWO_ADDRESSES = re.compile(r"@.*[;,\s].*@")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):(?=//|[^0-9])")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# As people type a web address: a plain host, with or without a scheme, and at most a path behind it.
_USUAL_URL = re.compile(
    r"(?:(https?)://)?((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,24})((?:/[!$-.0-;=@-Z_a-z~]*)*)"
)


def read_email(text: str) -> str | Problem | None:
    """An address in lower case with its domain in ASCII (IDNA), from ``a@b.de`` or ``Name <a@b.de>``."""
    bare = fold_text(text)
    if bare is None:
        return None
    if _TWO_ADDRESSES.search(bare):
        return Problem.SEVERAL_EMAILS
    angled = _IN_ANGLES.match(bare)
    bare = (angled[1] if angled else bare).strip().lower().removeprefix("mailto:")
    if len(bare) <= _SHORT and _EMAIL.fullmatch(bare):
        return bare
    if "@" not in bare:
        return Problem.NOT_AN_EMAIL
    try:
        valid = _validated(bare, strict=True)
    except ValueError:
        return Problem.NOT_AN_EMAIL
    return f"{valid.local_part}@{valid.ascii_domain}".lower()


def _validated(address: str, *, strict: bool) -> ValidatedEmail:
    """The parts of an address. Raises ValueError for what is none."""
    # Here and not above: few addresses need a second opinion, and its tables are slow to compile.
    from email_validator import validate_email

    # test_environment: names under .test are what sandboxes and demos use, and are syntactically fine.
    return validate_email(address, check_deliverability=False, test_environment=True, strict=strict)


def clean_email(column: pl.Series) -> Cleaned:
    """Lower-case addresses with valid syntax. Cells that hold two addresses or none are problems."""
    if len(column) <= STILL_FEW:
        return read_each(column, read_email, pl.String())
    unsure = ~_is_sure(column)
    rows = unsure.arg_true()
    if rows.is_empty():
        return Cleaned(column)
    # Few are spelled otherwise, and only those are spelled anew. What else there may be around an address, invisible
    # signs for one, is left to the reader.
    spelled = column.gather(rows).str.to_lowercase().str.strip_chars()
    sure = _is_sure(spelled)
    known = rows.filter(sure)
    done = column.clone().scatter(known, spelled.filter(sure))
    return read_unsure(column, done, unsure.scatter(known, False), read_email)


def _is_sure(column: pl.Series) -> pl.Series:
    return column.str.contains(_SURE_EMAIL) & (column.str.len_bytes() <= _SHORT)


def read_url(text: str) -> str | Problem | None:
    """A web address with a scheme (https where none is given) and its host in lower-case ASCII.

    A ``www.`` in front, a lone slash after the host and a default port are dropped, so that ``x.de``,
    ``https://www.x.de`` and ``https://x.de/`` agree. An address with a user name or a password in it is
    refused: it is a secret, not a web site.
    """
    bare = fold_text(text)
    if bare is None:
        return None
    if _URL.fullmatch(bare) and "//www." not in bare:
        return bare
    return _usual_url(bare) or look_closer(bare)


def _usual_url(bare: str) -> str | None:
    """What ``look_closer`` finds, where the text is spelled as usual; None where it is not."""
    usual = _USUAL_URL.fullmatch(bare)
    if usual is None or len(usual[2]) >= _SHORT:
        return None
    host = usual[2].lower()
    if host.endswith(_set_apart()):
        return None
    path = "" if usual[3] == "/" else usual[3]
    return f"{usual[1] or 'https'}://{_without_www(host)}{path}"


@cache
def _set_apart() -> tuple[str, ...]:
    """The ends of names that are nobody's on the internet."""
    from email_validator import SPECIAL_USE_DOMAIN_NAMES

    return tuple(SPECIAL_USE_DOMAIN_NAMES)


def look_closer(bare: str) -> str | Problem:
    """``read_url`` of a folded text that is no sure address yet."""
    if " " in bare:
        return Problem.NOT_A_URL
    scheme = _SCHEME.match(bare)
    if scheme is not None and scheme[1].lower() not in _DEFAULT_PORTS:
        return Problem.NOT_A_URL
    try:
        parts = urlsplit(bare if scheme else f"https://{bare.lstrip('/')}")
        return _join_url(parts)
    except ValueError:
        return Problem.NOT_A_URL


def _join_url(parts: SplitResult) -> str | Problem:
    scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    if "@" in parts.netloc or "." not in host.strip("."):
        return Problem.NOT_A_URL
    # email-validator brings the IDNA 2008 rules for host names; a mailbox in front makes it check one.
    ascii_host = _validated(f"x@{host.rstrip('.')}", strict=False).ascii_domain.lower()
    ascii_host = _without_www(ascii_host)
    netloc = ascii_host if port in (None, _DEFAULT_PORTS[scheme]) else f"{ascii_host}:{port}"
    bare_host = parts.path == "/" and not parts.query and not parts.fragment
    return urlunsplit((scheme, netloc, "" if bare_host else parts.path, parts.query, parts.fragment))


def _without_www(host: str) -> str:
    # Every one of them: what is written has to read as itself, or the next sync takes it for an edit.
    while host.startswith("www.") and host.count(".") > 1:
        host = host.removeprefix("www.")
    return host


def clean_url(column: pl.Series) -> Cleaned:
    """Web addresses with a scheme and a lower-case host; anything but http and https is a problem."""
    if len(column) <= STILL_FEW:
        return read_each(column, read_url, pl.String())
    unsure = ~column.str.contains(_SURE_URL) | column.str.contains("//www.", literal=True)
    return read_unsure(column, column, unsure, read_url)
