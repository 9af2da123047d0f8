"""Whether a condition can ever be true here: three answers, reckoned through AND, OR and NOT."""

from __future__ import annotations

import pytest

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS
from mapping.qualification.columns import columns_for
from mapping.qualification.conditions import compile_condition
from mapping.qualification.reachable import can_be_true
from mapping.qualification.signals import SIGNALS, SOCIAL, signals_of

COLUMNS = columns_for({**LEAD_FIELDS, **DERIVED_FIELDS}, {})


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("visits > 3", False),
        ("visits > 3 OR forms > 0", True),
        ("visits > 3 AND forms > 0", False),
        ("NOT visits > 3", False),
        ("NOT (visits > 3 AND forms > 0)", True),  # where there was no form, it is true
        ("visits IS NULL", True),
        ("visits IS NOT NULL", False),
        ("(visits > 3) IS NOT TRUE", True),
        ("(visits > 3) IS FALSE", False),
        ("coalesce(visits, 0) = 0", True),
        ("coalesce(visits, visits) > 0", False),
        ("visits + forms > 3", False),
        ("visits BETWEEN 1 AND 3", False),
        ("visits IN (1, 2)", False),
        ("last_visit_at_days < 7", False),
        ("last_form_at_days < 7", True),
        ("abs(visits) > 2", False),
        ("may_call", True),
        ("FALSE", False),
        ("FALSE OR forms > 1", True),
        ("length(last_form_name) > 3", True),
    ],
)
def test_a_condition_on_what_nobody_knows(text: str, possible: bool) -> None:
    compile_condition(text, COLUMNS)  # it is one that a policy could hold
    assert can_be_true(text, {"visits", "last_visit_at"}) is possible


def test_every_signal_is_of_fields_that_a_lead_has_and_names_what_it_takes() -> None:
    seen = [name for signal in SIGNALS for name in signal.fields]
    assert len(seen) == len(set(seen))
    assert set(seen) <= LEAD_FIELDS.keys()
    assert set(seen) >= SOCIAL
    assert all(signal.source and signal.edition and signal.scope for signal in SIGNALS)
    assert [signal.name for signal in signals_of(frozenset({"social_clicks", "forms", "email"}))] == [
        "forms",
        "social",
    ]
