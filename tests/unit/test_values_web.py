"""Web addresses of a usual spelling read as a closer look reads them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapping.values.cells import Problem
from mapping.values.text import fold_text
from mapping.values.web import look_closer, read_url

HOSTS = st.from_regex(
    r"(www\.){0,2}([A-Za-z0-9-]{1,12}\.){1,3}(de|COM|local|test|x|onion|xn--p1ai)", fullmatch=True
)
PATHS = st.text(alphabet="/ab.Z09-_~%;:=@!$&'()*+,?#[]ü|^", max_size=12)
SCHEMES = st.sampled_from(["", "", "http://", "https://", "HTTP://", "//", "ftp://", "https:"])


@settings(max_examples=1_000, deadline=None)
@given(scheme=SCHEMES, host=HOSTS, path=st.just("") | st.just("/") | PATHS.map("/".__add__) | PATHS)
@example(scheme="", host="www.de", path="")
@example(scheme="", host="www.www.x.de", path="/")
@example(scheme="", host="printer.local", path="")
@example(scheme="", host="x--y.de", path="")
@example(scheme="", host="x.de", path="//")
@example(scheme="https://", host=f"{'x' * 64}.de", path="/")
def test_an_address_reads_as_a_closer_look_reads_it(scheme: str, host: str, path: str) -> None:
    text = scheme + host + path
    found = read_url(text)
    # Of an address that is sure as it stands no second opinion was ever asked.
    if found != text:
        assert found == look_closer(fold_text(text) or "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, "https://firma.de") for text in ("firma.de", "www.firma.de", "https://www.Firma.de/")),
        ("http://www.firma.de/shop/", "http://firma.de/shop/"),
        ("drucker.local", Problem.NOT_A_URL),
        ("www.de", "https://www.de"),
    ],
)
def test_a_web_address_has_a_scheme_and_no_www(text: str, value: object) -> None:
    assert read_url(text) == value
