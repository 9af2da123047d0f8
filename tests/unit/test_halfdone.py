"""What a dead run half did is read around; what a person did since is not."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from mapping.own import CROSS, CROSS_ID
from sync.halfdone import OPEN_INTENTS, as_before, same_value, taken_back
from sync.plan import CHANGES, RESTORE


def _intents(*rows: tuple[str, str, str | None, str, str, str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(OPEN_INTENTS), orient="row")


def _set(
    before: str | None, after: str | None, field: str = "job_title", name: str = "jobtitle"
) -> pl.DataFrame:
    return _intents(("L1", "hubspot", "7", field, name, before, after))


def _slab(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))


@pytest.mark.parametrize(
    ("now", "before", "after", "seen"),
    [
        # Written by the run that died
        ("Leiterin", "Chefin", "Leiterin", "Chefin"),
        ("Leiterin", None, "Leiterin", None),
        (None, "Chefin", None, "Chefin"),
        # The CRM spells it its own way
        ("anna@x.example", "a@x.example", "Anna@X.example ", "a@x.example"),
        ("50.0", "40.0", "50", "40.0"),
        # Not reached by it
        ("Chefin", "Chefin", "Leiterin", "Chefin"),
        # Changed by a person since
        ("Inhaberin", "Chefin", "Leiterin", "Inhaberin"),
        (None, "Chefin", "Leiterin", None),
        ("Inhaberin", "Chefin", None, "Inhaberin"),
    ],
)
def test_a_field_shows_what_stood_before_the_dead_run(
    now: str | None, before: str | None, after: str | None, seen: str | None
) -> None:
    slab = _slab(_id=["7", "8"], jobtitle=[now, "untouched"])

    found = as_before(slab, "hubspot", _set(before, after))

    assert found.rows() == [("7", seen), ("8", "untouched")]
    assert found.schema == slab.schema


def test_a_stage_that_was_cleared_and_not_set_shows_the_one_before() -> None:
    intents = _set("marketingqualifiedlead", "lead", "stage", "lifecyclestage")

    found = as_before(_slab(_id=["7"], lifecyclestage=[None]), "hubspot", intents)

    assert found["lifecyclestage"].to_list() == ["marketingqualifiedlead"]


def test_the_id_of_a_counterpart_that_was_half_made_is_not_seen() -> None:
    """It was not known when the intent was noted, so whatever stands there now is taken for ours."""
    intents = _set(None, None, CROSS_ID, CROSS.name_in("hubspot"))
    slab = _slab(**{"_id": ["7"], CROSS.name_in("hubspot"): ["00Q1"]})

    assert as_before(slab, "hubspot", intents)[CROSS.name_in("hubspot")].to_list() == [None]


def _made(**values: str) -> pl.DataFrame:
    name = CROSS.name_in("salesforce")
    told = [("L1", "salesforce", None, CROSS_ID, name, None, "7")]
    told += [("L1", "salesforce", None, field, field, None, value) for field, value in values.items()]
    return _intents(*told)


@pytest.mark.parametrize(
    ("last_name", "title", "left"),
    [
        ("Müller", None, []),  # nothing but what the dead run wrote
        ("Müller", "Chefin", []),  # a field it did not write
        ("Mueller", None, ["00Q1"]),  # a person has corrected it since
    ],
)
def test_a_record_that_a_dead_run_made_is_not_there_until_a_person_touched_it(
    last_name: str, title: str | None, left: list[str]
) -> None:
    slab = _slab(
        **{
            "_id": ["00Q1", "00Q2"],
            CROSS.name_in("salesforce"): ["7", "9"],
            "LastName": [last_name, "Andere"],
            "Title": [title, None],
        }
    )

    found = as_before(slab, "salesforce", _made(LastName="Müller"))

    assert found["_id"].to_list() == [*left, "00Q2"]


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_without_open_intents_nothing_is_touched(crm: str) -> None:
    slab = _slab(_id=["7"], jobtitle=["Leiterin"])

    assert as_before(slab, crm, pl.DataFrame(schema=dict(OPEN_INTENTS))).equals(slab)


def test_intents_of_the_other_crm_do_not_count() -> None:
    slab = _slab(_id=["7"], jobtitle=["Leiterin"])

    assert as_before(slab, "salesforce", _set("Chefin", "Leiterin")).equals(slab)


def test_a_field_that_was_not_asked_for_does_not_matter() -> None:
    slab = _slab(_id=["7"], city=["Köln"])

    assert as_before(slab, "hubspot", _set("Chefin", "Leiterin")).equals(slab)


@pytest.mark.parametrize(
    ("now", "intended", "same"),
    [
        ("2026-11-20T12:00:00.000+0000", "2026-11-20T12:00:00Z", True),
        ("2026-11-20T13:00:00.000+01:00", "2026-11-20T12:00:00Z", True),
        ("2026-11-20T12:00:01.000+0000", "2026-11-20T12:00:00Z", False),
        ("5.0", "5", True),
        ("Eva@Spaeth.example", "eva@spaeth.example ", True),
        ("Müller", "Mueller", False),
        (None, "Müller", False),
        ("Müller", None, False),
        (None, None, True),
    ],
)
def test_a_crm_may_spell_what_was_sent_in_its_own_way(
    now: str | None, intended: str | None, same: bool
) -> None:
    frame = pl.DataFrame(
        {"now": [now], "intended": [intended]}, schema=dict.fromkeys(("now", "intended"), pl.String)
    )
    assert frame.select(same_value(pl.col("now"), pl.col("intended"))).item() is same


def _row(field: str, before: str | None, after: str | None, name: str | None = None) -> Any:
    return ("L1", "hubspot", "7", field, name or field, before, after)


def test_of_several_dead_runs_any_may_have_written_what_stands_there() -> None:
    intents = _intents(_row("jobtitle", "Chefin", "Inhaberin"), _row("jobtitle", "Chefin", "Leiterin"))
    slab = _slab(_id=["7"], jobtitle=["Leiterin"])

    assert as_before(slab, "hubspot", intents).rows() == [("7", "Chefin")]


def _taken_back(intents: pl.DataFrame, now: str | None, *changes: dict[str, Any]) -> list[Any]:
    held = {"hubspot": _slab(_id=["7"], jobtitle=[now], lifecyclestage=[now], optout=[now])}
    planned = pl.DataFrame(list(changes), schema=dict(CHANGES))
    found = taken_back(planned, intents, held, {"hubspot": "contacts"}, ["email_opt_out"])
    assert dict(found.schema) == dict(CHANGES)
    return found.filter(pl.col("kind") == RESTORE).select("field", "before", "after").rows()


@pytest.mark.parametrize(
    ("intent", "now", "rows"),
    [
        (_row("jobtitle", "Chefin", "Leiterin"), "Chefin", [("jobtitle", "Chefin", "Chefin")]),
        (_row("jobtitle", None, "Leiterin"), None, [("jobtitle", None, None)]),
        (_row("stage", "lead", "mql", "lifecyclestage"), "lead", [("stage", "lead", "lead")]),
        # A person's own word since, which is merged like any other
        (_row("jobtitle", "Chefin", "Leiterin"), "Inhaberin", []),
        # A withdrawal stays, and so does the name of a record that is there
        (_row("email_opt_out", "false", "true", "optout"), "false", []),
        (_row(CROSS_ID, None, "00Q1", "optout"), None, []),
    ],
)
def test_what_a_dead_run_wrote_and_nobody_wants_now_is_taken_back(
    intent: Any, now: str | None, rows: list[Any]
) -> None:
    assert _taken_back(_intents(intent), now) == rows


def test_what_is_planned_anyway_is_left_to_the_plan() -> None:
    planned = {"lead_id": "L1", "crm": "hubspot", "record_id": "7", "field": "jobtitle", "after": "Inhaberin"}

    assert not _taken_back(_intents(_row("jobtitle", "Chefin", "Leiterin")), "Chefin", planned)
    assert not _taken_back(_intents(), "Chefin", planned)
