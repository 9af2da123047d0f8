"""What is decided about a lead does not depend on the leads beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.fieldmap import FieldRule, compile_map
from mapping.lead import LEAD_FIELDS
from sync.merge import MergeRule, conflicts, merge
from sync.pairs import RECORD_KEYS, Pairing, pair
from sync.plan import Wanted, Writable, plan

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MAP = compile_map(
    [FieldRule("job_title", "jobtitle", "Title"), FieldRule("email_opt_out", "hs_email_optout", "OptOut")],
    {},
    LEAD_FIELDS,
)
FIELDS = {
    "hubspot": frozenset({"jobtitle", "hs_email_optout"}),
    "salesforce": frozenset({"Title", "OptOut"}),
}
WRITABLE = Writable({"hubspot": "contacts", "salesforce": "Lead"}, updatable=FIELDS, creatable=FIELDS)
TITLE, OPT_OUT = MergeRule("job_title"), MergeRule("email_opt_out", opt_out=True)
TYPES: Mapping[str, Any] = {"job_title": pl.String(), "email_opt_out": pl.Boolean()}

_title, _withdrawn = st.sampled_from([None, "CEO", "CTO"]), st.sampled_from([None, False, True])
_unread = st.sampled_from([None, [], ["job_title"], ["email_opt_out", "job_title"]])
_lead = st.fixed_dictionaries(
    {
        **{prefix + "job_title": _title for prefix in ("h.", "s.", "bh.", "bs.", "p.")},
        **{prefix + "email_opt_out": _withdrawn for prefix in ("h.", "s.", "bh.", "bs.", "p.")},
        **{side + "_unread": _unread for side in ("h.", "s.")},
        "there": st.sampled_from([("h.",), ("s.",), ("h.", "s."), ("h.", "s.")]),
        "in_scope": st.booleans(),
    }
)
_rules = st.sampled_from(
    [
        TITLE,
        replace(TITLE, if_both_changed="hubspot", if_emptied="clear"),
        replace(TITLE, if_both_changed="salesforce"),
        replace(TITLE, direction="to_hubspot", if_emptied="clear"),
        replace(TITLE, direction="to_salesforce"),
        replace(TITLE, direction="read_only"),
    ]
)


def _frame(leads: list[dict[str, Any]]) -> pl.DataFrame:
    rows = []
    for number, lead in enumerate(leads):
        there = lead["there"]
        shown = {
            name: None if name[:2] in ("h.", "s.") and name[:2] not in there else value
            for name, value in lead.items()
            if name != "there"
        }
        ids = {side + "_id": f"{side}{number}" if side in there else None for side in ("h.", "s.")}
        create = {"create_hubspot": "h." not in there, "create_salesforce": "s." not in there}
        rows.append({"lead_id": f"L{number}", **shown, **ids, **create})
    schema = {
        **{"lead_id": pl.String(), "in_scope": pl.Boolean()},
        **{name: pl.Boolean() for name in ("create_hubspot", "create_salesforce")},
        **{prefix + name: TYPES[name] for prefix in ("h.", "s.", "bh.", "bs.", "p.") for name in TYPES},
        **{side + "_id": pl.String() for side in ("h.", "s.")},
        **{side + "_unread": pl.List(pl.String()) for side in ("h.", "s.")},
        **{side + "_modified_at": pl.Datetime("us", "UTC") for side in ("h.", "s.")},
    }
    whole = [{name: row.get(name) for name in schema} for row in rows]
    verdict = {"stage": "lead", "temperature": "cold", "reasons": None, "nurture_track": None}
    points = dict.fromkeys(("score", "fit", "engagement", "coverage"), 0)
    texts = [pl.lit(value, dtype=pl.String).alias(name) for name, value in verdict.items()]
    return pl.DataFrame(whole, schema=schema).with_columns(
        *texts, *(pl.lit(value).alias(name) for name, value in points.items())
    )


def _decided(frame: pl.DataFrame, rules: tuple[MergeRule, ...]) -> tuple[pl.DataFrame, ...]:
    merged = merge(frame, rules)
    raw = {
        crm: merged.select(pl.col(side + "_id").alias("_id"), pl.col(side + "job_title").alias(field))
        .filter(pl.col("_id").is_not_null())
        .reverse()
        for crm, side, field in (("hubspot", "h.", "jobtitle"), ("salesforce", "s.", "Title"))
    }
    changes = plan(merged, raw, MAP, rules, WRITABLE, Wanted("full", score_step=5))
    return merged, changes, conflicts(merged, rules).sort("lead_id", "field")


@settings(max_examples=40, deadline=None)
@given(st.lists(_lead, min_size=2, max_size=6), _rules)
def test_leads_decided_together_are_decided_as_each_alone(
    leads: list[dict[str, Any]], rule: MergeRule
) -> None:
    rules = (rule, OPT_OUT)
    frame = _frame(leads)
    together = _decided(frame, rules)
    alone = [_decided(frame[number], rules) for number in range(frame.height)]
    for kind, whole in enumerate(together):
        assert whole.rows() == [row for one in alone for row in one[kind].rows()]


def _record(crm: str, record: str, lead: str | None, email: str | None, **known: Any) -> dict[str, Any]:
    row = {"crm": crm, "object": "o", "record_id": record, "lead_id": lead, "email_key": email}
    return {**dict.fromkeys(RECORD_KEYS), **row, "created_at": START, **known}


def _pair(*rows: dict[str, Any]) -> Pairing:
    keys = pl.DataFrame(list(rows), schema=dict(RECORD_KEYS))
    return pair(keys, keys.clear(), lambda crm, record: f"new {crm} {record}")


def _assigned(pairing: Pairing) -> dict[str, tuple[Any, ...]]:
    columns = ("lead_id", "how", "address_taken", "awaited")
    return {row["record_id"]: tuple(row[name] for name in columns) for row in pairing.assigned.to_dicts()}


ANNA = {"name_key": "anna berg"}


@pytest.mark.parametrize(
    "new",
    [
        [_record("hubspot", "1", None, "anna@shop.de", **ANNA)],
        [
            _record("hubspot", "1", None, "anna@shop.de", **ANNA),
            _record("salesforce", "00Q1", None, "anna@shop.de", **ANNA),
        ],
        [_record("hubspot", "1", None, None, cross_id="00Q7")],
        [
            _record("hubspot", "1", None, "anna@shop.de", **ANNA),
            _record("salesforce", "00Q7", "L7", "anna@shop.de", **ANNA),
        ],
        [],
    ],
)
def test_linked_records_that_meet_no_new_one_change_nothing_and_keep_their_lead(
    new: list[dict[str, Any]],
) -> None:
    strangers = [
        _record("hubspot", "8", "L8", "otto@mill.de"),
        _record("salesforce", "00Q8", "L8", "otto@mill.de"),
        _record("salesforce", "00Q9", "L9", None),
    ]
    alone, among = _pair(*new), _pair(*strangers, *new)
    kept = {"8": "L8", "00Q8": "L8", "00Q9": "L9"}
    expected = {record: (lead, "known", False, False) for record, lead in kept.items()}
    assert _assigned(among) == _assigned(alone) | expected
    assert among.ambiguous.rows() == alone.ambiguous.rows()


def test_an_address_is_taken_also_where_everybody_is_linked_already() -> None:
    pairing = _pair(
        _record("hubspot", "1", "L1", "info@shop.de"),
        _record("salesforce", "00Q2", "L2", "info@shop.de"),
        _record("salesforce", "00Q3", "L3", "otto@mill.de"),
    )
    taken = {record: row[2] for record, row in _assigned(pairing).items()}
    assert taken == {"1": False, "00Q2": True, "00Q3": False}
