"""What the plans of numbers settle alone is what the phone library says of the same text."""

from __future__ import annotations

import phonenumbers
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bench.dirty import SEVENS, Dirty
from mapping.values.cells import Problem
from mapping.values.numbering import settled
from mapping.values.phones import look_closer, read_phone

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = phonenumbers.PhoneNumberType.values()
EXAMPLES = [
    (region, number)
    for region in REGIONS
    for kind in KINDS
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
]
BETWEEN = st.sampled_from([*" -/.()", "  ", " / ", "(0)", "/0", "", *[""] * 20])


@st.composite
def a_number_as_somebody_types_it(draw: st.DrawFn) -> tuple[str, str | None]:
    """A true number of some country, now and then with a slip, and the country that it is read in."""
    region, number = draw(st.sampled_from(EXAMPLES))
    digits = list(phonenumbers.national_significant_number(number))
    for place in draw(st.lists(st.integers(0, len(digits) - 1), max_size=3)):
        digits[place] = draw(st.sampled_from(["", *"0123456789", "00"]))
    code = number.country_code
    starts = (f"+{code}", f"00{code}", f"+{code} (0)", f"+{code}0", f"{code}", "0", "(0", "1", "8", "", "+")
    spelled = [draw(st.sampled_from(starts)), *(one + draw(BETWEEN) for one in digits)]
    return "".join(spelled), draw(st.sampled_from([region, region, "DE", "IT", "US", None]))


@settings(max_examples=500, deadline=None)
@given(typed=a_number_as_somebody_types_it())
@example(typed=("+4 (0)9 221 1234567", "DE"))
@example(typed=("+39 (0)6 12345678", None))
@example(typed=("+3 9(0)6 12345678", None))
@example(typed=("0049 (0)221 1234567", None))
@example(typed=("(0049) 221 1234567", "DE"))
@example(typed=("49 221 1234567", "DE"))
@example(typed=("1 650 253 0000", "US"))
@example(typed=("8 912 345 67 89", "RU"))
@example(typed=("0221 1234567/0171 9876543", "DE"))
def test_a_settled_number_is_what_a_closer_look_finds(typed: tuple[str, str | None]) -> None:
    text, region = typed
    usual = settled(text, region)
    assume(usual is not None)
    assert usual == look_closer(text, region)


@settings(max_examples=500, deadline=None)
@given(
    text=st.text(alphabet="0123456789+()/.- \u00a0\u0661ext#,;", max_size=18),
    region=st.sampled_from(["DE", "IT", "US", "GB", "RU", None, "XX"]),
)
def test_any_text_reads_as_a_closer_look_reads_it(text: str, region: str | None) -> None:
    assert read_phone(text, region) == look_closer(text, region)


def test_the_dirty_numbers_of_the_bench_read_as_a_closer_look_reads_them() -> None:
    texts = [
        values["phone"].replace(SEVENS.decode(), f"{2_000_000 + place}")
        for place, (values, _) in enumerate(Dirty().now[:2_000])
        if values["phone"]
    ]
    found = [read_phone(text, "DE") for text in texts]
    assert found == [look_closer(text, "DE") for text in texts]
    assert pl.Series([settled(text, "DE") is not None for text in texts]).mean() > 0.6  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        *("0221/1234567", "+49 (0)221 1234567", "0049 221 1234567", "+492211234567", " 0221 1234567 "),
        *("(0221) 12345-67", "+43 1 58858-0", "+1 650-253-0000", "+44 (0) 20 7946 0018", "+41446681800"),
    ],
)
def test_the_usual_spellings_need_no_closer_look(text: str) -> None:
    assert settled(text, "DE") is not None


@pytest.mark.parametrize(
    "text", ["", "-", "0221 1234567 ext. 12", "+49 221", "4912345", "+999 12345678", "+"]
)
def test_what_no_plan_knows_is_left_to_a_closer_look(text: str) -> None:
    assert settled(text, "DE") is None


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("12345", "DE"),
        ("0999 9999999", "GB"),  # nor on the islands that share its code
        ("010 1234567", "DE"),
        ("1", "FR"),
    ],
)
def test_digits_that_no_country_of_the_code_has_are_refused_without_a_closer_look(
    text: str, region: str
) -> None:
    assert settled(text, region) == look_closer(text, region) == Problem.NOT_A_PHONE


def test_a_number_of_an_island_that_shares_a_code_is_not_refused() -> None:
    jersey = "01534 456789"
    assert settled(jersey, "GB") is None
    assert read_phone(jersey, "GB") == "+441534456789"


@pytest.mark.parametrize(
    ("text", "bare", "region"),
    [
        ("Tel. 0221 / 1234567", "0221 1234567", "DE"),
        ("Phone: 020 7946 0018", "020 7946 0018", "GB"),
        ("0221 12345 Dw. 67", "0221 12345-67", "DE"),
        ("0221 1234567 ext. 12", "0221 1234567", "DE"),
        ("Tel. 12345", "12345", "DE"),
    ],
)
def test_a_number_reads_the_same_with_its_label_and_its_direct_dial(
    text: str, bare: str, region: str
) -> None:
    assert read_phone(text, region) == look_closer(bare, region)
