"""What a run would change, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from mapping.fieldmap import FieldRule, compile_map
from mapping.lead import LEAD_FIELDS
from mapping.own import HANDOVER_FIELDS, OWN_FIELDS, OWN_LEAD_FIELDS
from mapping.values.words import ValueMap
from sync.fingerprint import canonical, fingerprint
from sync.merge import MergeRule, Winner
from sync.plan import CHANGES, Wanted, Writable, plan

OWN_RULES = [FieldRule(own.lead.name, own.hubspot, own.salesforce) for own in OWN_FIELDS]
MAP = compile_map(
    [
        FieldRule("job_title", "jobtitle", "Title"),
        FieldRule("last_name", "lastname", "LastName"),
        FieldRule("city", "city", "City", direction="to_hubspot"),
        FieldRule("email_opt_out", "hs_email_optout", "HasOptedOutOfEmail"),
        *OWN_RULES,
    ],
    {},
    {**LEAD_FIELDS, **OWN_LEAD_FIELDS},
)
RULES = (
    MergeRule("job_title", if_both_changed="salesforce"),
    MergeRule("last_name"),
    MergeRule("city", direction="to_hubspot"),
    MergeRule("email_opt_out", opt_out=True),
)
MAPPED = {
    "hubspot": frozenset({"jobtitle", "lastname", "city", "hs_email_optout", "lifecyclestage"}),
    "salesforce": frozenset({"Title", "LastName", "City", "HasOptedOutOfEmail", "Company"}),
}
OURS = {crm: frozenset(own.name_in(crm) for own in OWN_FIELDS) for crm in MAPPED}
WRITABLE = Writable(
    objects={"hubspot": "contacts", "salesforce": "Lead"},
    updatable={crm: MAPPED[crm] | OURS[crm] for crm in MAPPED},
    creatable={crm: MAPPED[crm] | OURS[crm] for crm in MAPPED},
    stage_words={"lead": "lead", "mql": "marketingqualifiedlead", "customer": "customer"},
    stage_order=("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "customer"),
    required={"LastName": "[not provided]", "Company": "[not provided]"},
)
FULL = Wanted("full", score_step=5)
HANDOVER = [own for own in OWN_FIELDS if own.lead.name in HANDOVER_FIELDS]
VERDICT: Mapping[str, Any] = {
    **dict.fromkeys(own.verdict for own in OWN_FIELDS if own.verdict is not None),
    **{"stage": "lead", "temperature": "cold", "score": 20, "fit": 15, "engagement": 5, "coverage": 60},
    **{"reasons": "20 points", "nurture_track": None},
}
_BOTH_IDS = {"h._id": "101", "s._id": "00Q1"}


def _lead(**known: Any) -> pl.DataFrame:
    """A lead in agreement, in both CRMs; ``known`` says what is different."""
    shown: dict[str, Any] = {}
    for side, other in (("h.", "00Q1"), ("s.", "101")):
        shown |= {side + own.lead.name: VERDICT[own.verdict] for own in OWN_FIELDS if own.verdict}
        shown |= {side + "cross_id": other, side + "_unread": None}
        shown |= {side + name: None for name in ("job_title", "last_name", "city", "email_opt_out")}
    row: dict[str, Any] = {
        **{"lead_id": "L1", "in_scope": True, "create_hubspot": False, "create_salesforce": False},
        **{"stage_why_text": "it is new", "hubspot_stage_word": "lead"},
        **{"m.job_title": None, "m.last_name": None, "m.city": None, "m.email_opt_out": None},
        **{f"w.{rule.field}": int(Winner.NOBODY) for rule in RULES},
        **_BOTH_IDS,
        **VERDICT,
        **shown,
        **known,
    }
    types: dict[str, Any] = {name: pl.String() for name, value in row.items() if value is None}
    types |= {name: pl.Boolean() for name in row if name.endswith("email_opt_out") and "w." not in name}
    times = [own for own in OWN_FIELDS if own.kind == "datetime" and own.verdict is not None]
    types |= {
        name: pl.Datetime("us", "UTC")
        for own in times
        for name in ("h." + own.lead.name, "s." + own.lead.name)
    }
    types |= {str(own.verdict): pl.Datetime("us", "UTC") for own in times}
    types |= {
        "h.shown_score": pl.Int64(),
        "s.shown_score": pl.Int64(),
        "h._unread": pl.List(pl.String()),
        "s._unread": pl.List(pl.String()),
    }
    return pl.DataFrame([row], schema_overrides=types)


def _raw(**words: Any) -> dict[str, pl.DataFrame]:
    return {
        crm: pl.DataFrame([{"_id": record, **words.get(crm, {})}])
        for crm, record in (("hubspot", "101"), ("salesforce", "00Q1"))
    }


def _plan(
    lead: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame] | None = None,
    *,
    writable: Writable = WRITABLE,
    wanted: Wanted = FULL,
    rules: Sequence[MergeRule] = RULES,
) -> pl.DataFrame:
    return plan(lead, _raw() if raw is None else raw, MAP, rules, writable, wanted)


def _fields(changes: pl.DataFrame) -> set[tuple[str, str]]:
    return set(changes.select("crm", "field").rows())


def test_a_lead_in_agreement_needs_nothing() -> None:
    changes = _plan(_lead())
    assert changes.is_empty()
    assert changes.columns == list(CHANGES)


@pytest.mark.parametrize(
    ("winner", "here", "why"),
    [
        (Winner.HUBSPOT, "CTO", "HubSpot changed it"),
        (Winner.HUBSPOT, None, "empty in Salesforce, known in HubSpot"),
        (Winner.HUBSPOT_BY_RULE, "CTO", "both changed it; the map says salesforce keeps it"),
    ],
)
def test_a_change_says_before_after_and_why(winner: Winner, here: Any, why: str) -> None:
    lead = _lead(**{"w.job_title": int(winner), "m.job_title": "CEO", "s.job_title": here})
    (change,) = _plan(lead, _raw(salesforce={"Title": "  CTO "})).to_dicts()
    assert change == {
        **{"lead_id": "L1", "crm": "salesforce", "object": "Lead", "record_id": "00Q1"},
        **{"field": "job_title", "crm_field": "Title", "before": "  CTO ", "after": "CEO"},
        **{"why": why, "lane": "live", "kind": "set"},
    }


@pytest.mark.parametrize("winner", [Winner.NOBODY, Winner.BOTH, Winner.HELD, Winner.UNREAD, Winner.UNSAYABLE])
def test_what_nobody_won_is_left_alone(winner: Winner) -> None:
    assert _plan(_lead(**{"w.job_title": int(winner), "m.job_title": "CEO"})).is_empty()


def test_a_cleared_field_is_written_as_a_blank() -> None:
    lead = _lead(**{"w.job_title": int(Winner.SALESFORCE), "h.job_title": "CEO"})
    (change,) = _plan(lead, _raw(hubspot={"jobtitle": "CEO"})).to_dicts()
    assert (change["crm"], change["before"], change["after"]) == ("hubspot", "CEO", None)


def test_a_field_the_live_schema_does_not_let_us_write_is_not_planned() -> None:
    closed = replace(WRITABLE, updatable={**WRITABLE.updatable, "salesforce": frozenset()})
    lead = _lead(**{"w.job_title": int(Winner.HUBSPOT), "m.job_title": "CEO"})
    assert _plan(lead, writable=closed).is_empty()


class TestStage:
    """HubSpot's lifecycle stage follows the verdict."""

    @pytest.mark.parametrize(
        ("shown", "stage", "kind"),
        [
            ("lead", "mql", "set"),
            ("customer", "mql", "stage_back"),
            ("marketingqualifiedlead", "lead", "stage_back"),
            (None, "lead", "set"),
        ],
        ids=["forward", "backward", "one step back", "cleared"],
    )
    def test_backwards_it_has_to_be_cleared_first(self, shown: str | None, stage: str, kind: str) -> None:
        moved = {"h.shown_stage": stage, "s.shown_stage": stage, "stage": stage, "hubspot_stage_word": shown}
        (change,) = _plan(_lead(**moved), _raw(hubspot={"lifecyclestage": shown})).to_dicts()
        assert (change["field"], change["kind"], change["before"]) == ("stage", kind, shown)
        assert change["why"] == "it is new"

    @pytest.mark.parametrize(
        "known", [{"h._unread": ["hubspot_stage"]}, {"stage": "nurture"}], ids=["unread", "no word for it"]
    )
    def test_what_cannot_be_told_is_left_alone(self, known: dict[str, Any]) -> None:
        lead = _lead(**{"hubspot_stage_word": "customer", **known})
        assert "stage" not in _plan(lead)["field"].to_list()


class TestVerdict:
    """Our own fields are written when something that matters differs."""

    @pytest.mark.parametrize(("score", "written"), [(24, False), (25, True), (16, False), (15, True)])
    def test_a_score_that_moved_less_than_a_step_is_not_written(self, score: int, written: bool) -> None:
        assert (("hubspot", "shown_score") in _fields(_plan(_lead(score=score)))) is written

    @pytest.mark.parametrize(("name", "value"), [("temperature", "hot"), ("nurture_track", "price-guide")])
    def test_a_band_or_track_is_written_at_once_in_both(self, name: str, value: str) -> None:
        shown = "shown_temperature" if name == "temperature" else "shown_track"
        assert _fields(_plan(_lead(**{name: value}))) == {("hubspot", shown), ("salesforce", shown)}

    @pytest.mark.parametrize(("there", "fields"), [(True, {"score", "shown_handover"}), (False, set[str]())])
    def test_a_handover_is_written_at_once_where_there_are_fields_for_it(
        self, there: bool, fields: set[str]
    ) -> None:
        lead = _lead(handover_state="open", score=21)
        gone = {crm: {own.name_in(crm) for own in HANDOVER} for crm in WRITABLE.updatable}
        without = {crm: names - gone[crm] for crm, names in WRITABLE.updatable.items()}
        plan = _plan(lead, writable=WRITABLE if there else replace(WRITABLE, updatable=without))
        assert set(plan["field"].str.replace("shown_score", "score")) == fields

    def test_a_difference_between_the_crms_always_counts(self) -> None:
        assert _fields(_plan(_lead(**{"s.shown_score": 21}))) == {("salesforce", "shown_score")}

    def test_a_score_that_one_crm_does_not_show_is_no_difference(self) -> None:
        unseen = {"h.shown_score": None, "h._unread": ["shown_score"], "s.shown_score": 21}
        assert _plan(_lead(**unseen)).is_empty()


_OURS = {("hubspot", "shown_temperature"), ("salesforce", "shown_temperature")}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("full", {("salesforce", "job_title"), ("hubspot", "stage"), *_OURS}), ("own_fields", _OURS)],
)
def test_own_fields_mode_plans_nothing_else(mode: str, expected: set[tuple[str, str]]) -> None:
    lead = _lead(
        **{"w.job_title": int(Winner.HUBSPOT), "m.job_title": "CEO"},
        temperature="hot",
        hubspot_stage_word="subscriber",
    )
    assert _fields(_plan(lead, wanted=Wanted(mode, 5))) == expected


#: A standing for which HubSpot has no word of withdrawal.
_STANDING = compile_map(
    [
        FieldRule("email_opt_out", "hs_email_optout", "HasOptedOutOfEmail"),
        FieldRule("email_consent", "optin", "Consent__c", values="consent", direction="to_salesforce"),
    ],
    {
        "consent": ValueMap(
            "consent",
            {
                "confirmed": {"hubspot": ["yes"], "salesforce": ["Confirmed"]},
                "withdrawn": {"salesforce": ["Withdrawn"]},
            },
        )
    },
    LEAD_FIELDS,
)


@pytest.mark.parametrize("writable_in", ["salesforce", "both"])
@pytest.mark.parametrize(
    ("shown", "winner", "planned"),
    [
        (
            {"h.email_consent": "confirmed", "s.email_consent": "confirmed"},
            Winner.BOTH,
            {("salesforce", "Withdrawn", "a withdrawal in the channel's other field holds here too")},
        ),
        (
            {"h.email_consent": "withdrawn", "s.email_consent": "confirmed"},
            Winner.HUBSPOT,
            {("salesforce", "Withdrawn", "a withdrawal in HubSpot holds in both CRMs")},
        ),
        (
            {"h.email_consent": "confirmed", "s.email_consent": None},
            Winner.UNSAYABLE,
            {("salesforce", "Withdrawn", "a withdrawal in the channel's other field holds here too")},
        ),
        ({"h.email_consent": "confirmed", "s.email_consent": "withdrawn"}, Winner.SALESFORCE, set()),
        ({"h.email_consent": "confirmed", "s.email_consent": "withdrawn"}, Winner.UNSAYABLE, set()),
    ],
)
def test_a_withdrawal_never_clears_a_standing_and_says_where_it_is_from(
    shown: dict[str, Any], winner: Winner, planned: set[tuple[str, str, str]], writable_in: str
) -> None:
    field_map = _STANDING
    if writable_in == "both":
        rules = {name: replace(rule, direction="both") for name, rule in _STANDING.rules.items()}
        field_map = replace(_STANDING, rules=rules)
    said = {**shown, "m.email_consent": "withdrawn"}
    lead = _lead().with_columns(pl.lit(value, dtype=pl.String).alias(name) for name, value in said.items())
    lead = lead.with_columns(pl.lit(int(winner), dtype=pl.UInt8).alias("w.email_consent"))
    open_there = {"hubspot": frozenset({"optin"}), "salesforce": frozenset({"Consent__c"})}
    rules_of_it = [MergeRule("email_consent", opt_out=True)]
    found = plan(lead, {}, field_map, rules_of_it, replace(WRITABLE, updatable=open_there), FULL)
    assert set(found.select("crm", "after", "why").rows()) == planned
    assert set(found["lane"]) <= {"consent"}


@pytest.mark.parametrize("names", [("L1", "L2", "L3"), ("L3", "L1", "L2")])
def test_changes_stand_by_lead_crm_and_field_however_the_leads_do(names: tuple[str, ...]) -> None:
    other = {"w.job_title": int(Winner.HUBSPOT), "m.job_title": "CEO", "temperature": "hot", "s.city": "Bonn"}
    new = {"s._id": None, "create_salesforce": True, "m.city": "Köln", "w.city": int(Winner.SALESFORCE)}
    told = [{"lead_id": name} | (new if name == "L2" else other) for name in names]
    leads = pl.concat([_lead(**one) for one in told], how="vertical_relaxed")

    changes = _plan(leads)

    order = [("lead_id", "crm", "field"), ("lead_id", "crm", "record_id", "crm_field", "after", "kind")]
    assert changes.select(order[0]).rows() == sorted(changes.select(order[0]).rows())
    alone = [_plan(leads.filter(pl.col("lead_id") == name)) for name in sorted(names)]
    assert changes.select(order[1]).rows() == pl.concat(alone).select(order[1]).rows()
    assert set(changes["lead_id"]) == set(names)


def test_out_of_scope_nothing_is_planned_but_a_withdrawal() -> None:
    moved = {"w.job_title": int(Winner.HUBSPOT), "m.job_title": "CEO", "temperature": "hot"}
    withdrawn = {"w.email_opt_out": int(Winner.SALESFORCE), "m.email_opt_out": True}
    assert _plan(_lead(in_scope=False, **moved)).is_empty()
    (change,) = _plan(_lead(in_scope=False, **moved, **withdrawn)).to_dicts()
    assert (change["crm"], change["field"], change["after"], change["lane"]) == (
        "hubspot",
        "email_opt_out",
        "true",
        "consent",
    )


def test_the_id_of_the_counterpart_is_written_where_it_is_missing() -> None:
    (change,) = _plan(_lead(**{"h.cross_id": None})).to_dicts()
    assert (change["crm_field"], change["after"], change["kind"]) == (
        "leadpact_salesforce_id",
        "00Q1",
        "set",
    )


class TestCreates:
    """A new record starts with every value that is known."""

    @pytest.fixture
    def created(self) -> pl.DataFrame:
        alone = {"s._id": None, "create_salesforce": True, "h.cross_id": None, "m.job_title": "CEO"}
        return _plan(_lead(**alone, **{"m.city": "Ulm"}))

    def test_blanks_that_salesforce_demands_are_filled(self, created: pl.DataFrame) -> None:
        made = created.filter(pl.col("kind") == "create")
        values = dict(made.select("crm_field", "after").iter_rows())
        assert values["Title"] == "CEO"
        assert (values["LastName"], values["Company"]) == ("[not provided]", "[not provided]")
        assert values["Leadpact_HubSpot_Id__c"] == "101"
        assert "City" not in values  # the map lets it go to HubSpot only
        assert made["record_id"].null_count() == made.height

    def test_its_origin_will_carry_its_id(self, created: pl.DataFrame) -> None:
        (to_come,) = created.filter(pl.col("kind") == "cross_id").to_dicts()
        assert (to_come["crm"], to_come["record_id"], to_come["after"]) == ("hubspot", "101", None)

    def test_only_creatable_fields_are_set(self) -> None:
        closed = replace(WRITABLE, creatable={**WRITABLE.creatable, "salesforce": frozenset({"LastName"})})
        changes = _plan(_lead(**{"s._id": None}, create_salesforce=True), writable=closed)
        assert changes.filter(pl.col("kind") == "create")["crm_field"].to_list() == ["LastName"]

    def test_nothing_is_created_in_own_fields_mode(self) -> None:
        lead = _lead(**{"s._id": None}, create_salesforce=True)
        assert "create" not in _plan(lead, wanted=Wanted("own_fields", 5))["kind"].to_list()


def _changed(*leads: str, after: str | None = "x") -> pl.DataFrame:
    rows: list[dict[str, str | None]] = [
        {**dict.fromkeys(CHANGES, "a"), "lead_id": lead, "after": after} for lead in leads
    ]
    return pl.DataFrame(rows, schema=dict(CHANGES))


class TestFingerprint:
    """The same exactly when the changes are the same."""

    def test_the_order_of_the_rows_does_not_matter(self) -> None:
        assert fingerprint(_changed("L1", "L2")) == fingerprint(_changed("L2", "L1"))

    def test_a_blank_an_empty_text_and_a_word_differ(self) -> None:
        assert len({fingerprint(_changed("L1", after=after)) for after in (None, "", "x")}) == 3

    def test_slices_of_ascending_leads_join_to_the_whole(self) -> None:
        whole = canonical(_changed("L1", "L2", "L3"))
        assert canonical(_changed("L1", "L2")) + canonical(_changed("L3")) == whole
