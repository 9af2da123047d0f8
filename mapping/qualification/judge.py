"""The verdict on many leads at once, or on one: the same columns, by the same path.

verdicts = judge(leads, policy, now)
changed = verdicts.filter(what_changed(previous, verdicts, policy))
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from mapping.qualification.declared import Policy
from mapping.qualification.recycling import one_day
from mapping.qualification.score import prepare, score
from mapping.qualification.stages import stages
from mapping.qualification.tracks import track
from mapping.qualification.truths import choose, differ

#: What every verdict has. ``fit``, ``engagement``, ``score``: whole points; ``coverage``: per cent of the rules
#: that could be judged; ``grade``: A1 to C3, null without a grid; ``temperature``: a band's name, or that it is not
#: known yet; ``stage``, ``highest_stage``: values of ``Stage``; ``stage_why``: a code that ``wording.why`` says in
#: words; ``cycle``: from 1; ``nurture_…``: null for none. The last three are what the next verdict has to know:
#: since which day (UTC; null: from before that was kept) it has had its temperature, when it last came back to
#: marketing, and which rejection a handover has already followed.
VERDICT_SCHEMA: dict[str, pl.DataType] = {
    "lead_id": pl.String(),
    "fit": pl.Int32(),
    "engagement": pl.Int32(),
    "score": pl.Int32(),
    "coverage": pl.Int32(),
    "temperature": pl.String(),
    "stage": pl.String(),
    "stage_why": pl.String(),
    "highest_stage": pl.String(),
    "cycle": pl.Int32(),
    "nurture_track": pl.String(),
    "nurture_question": pl.String(),
    "nurture_format": pl.String(),
    "grade": pl.String(),
    "temperature_since": pl.Date(),
    "returned_on": pl.Date(),
    "spent_rejection": pl.String(),
}

#: What of a verdict is kept for the next one and shown to nobody but ``explain``, and the grid beside it.
MEMORY = ("grade", "temperature_since", "returned_on", "spent_rejection")


def verdict_schema(policy: Policy) -> dict[str, pl.DataType]:
    """``VERDICT_SCHEMA`` and this policy's own columns, as ``judge`` returns them.

    ``_p0 …`` points per rule (0: not met, or not known), ``_u0 …`` true where a rule could not be judged,
    ``_a0 …`` the age in days of a rule that fades (null: no date), ``_c0 …`` what each cap takes off (0 or less),
    ``_g0 …`` per gate true (passed), false (missed) or null (not known yet). The numbers are places in the
    policy's ``rules``, ``caps`` and ``gates``; points and caps sum to the score.
    """
    schema = dict(VERDICT_SCHEMA)
    for place, rule in enumerate(policy.rules):
        schema[f"_p{place}"] = pl.Int16()
        schema[f"_u{place}"] = pl.Boolean()
        if rule.since is not None:
            schema[f"_a{place}"] = pl.Int32()
    schema.update({f"_c{place}": pl.Int32() for place in range(len(policy.caps))})
    schema.update({f"_g{place}": pl.Boolean() for place in range(len(policy.gates))})
    return schema


def judge(
    leads: pl.DataFrame, policy: Policy, now: datetime, unscored: pl.Series | None = None
) -> pl.DataFrame:
    """The verdict on each lead, in the order of ``leads``, with the columns of ``verdict_schema(policy)``.

    ``leads`` and ``now`` are as ``score.prepare`` describes them, which also says what is raised. A lead's
    verdict depends on nothing but the lead, its last verdict, the policy and the day of ``now``. ``unscored``
    (Boolean, in the order of ``leads``): who has no score; all their numbers and the temperature are null, no rule
    gives points, and facts alone move the stage.
    """
    prepared = prepare(leads, policy, now)
    scored = score(prepared, policy)
    placed = stages(prepared, scored, policy, now, unscored)
    verdict = {
        "lead_id": leads["lead_id"],
        "fit": scored.fit,
        "engagement": scored.engagement,
        "score": scored.score,
        "coverage": scored.coverage,
        "temperature": scored.temperature,
        "temperature_since": _since(prepared, scored.temperature, now),
        "grade": scored.grade,
        **placed.columns,
    }
    judged = prepared | {name: column.alias(name) for name, column in verdict.items()}
    verdict |= track(judged, placed.now, policy)
    answers: dict[str, pl.Series] = {}
    for place, one in enumerate(scored.rules):
        answers |= {f"_p{place}": one.points, f"_u{place}": one.unknown}
        if one.age is not None:
            answers[f"_a{place}"] = one.age
    answers |= {f"_c{place}": off for place, off in enumerate(scored.caps)}
    answers |= {f"_g{place}": answer for place, answer in enumerate(scored.gates)}
    columns = {**{name: verdict[name] for name in VERDICT_SCHEMA}, **answers}
    if unscored is not None:
        columns |= _blanked(columns, unscored)
    return pl.DataFrame([column.alias(name) for name, column in columns.items()])


def _since(leads: Mapping[str, pl.Series], temperature: pl.Series, now: datetime) -> pl.Series:
    """Since which day a lead has had its temperature: today where it has another one than before."""
    return choose(
        differ(temperature, leads["prev_temperature"]), one_day(now), leads["prev_temperature_since"]
    )


def _blanked(columns: Mapping[str, pl.Series], unscored: pl.Series) -> dict[str, pl.Series]:
    """The columns that a score would show in, empty where nobody is to be scored."""
    numbers = ("fit", "engagement", "score", "coverage", "grade", "temperature", "temperature_since")
    blank = dict.fromkeys((*numbers, "nurture_track", "nurture_question", "nurture_format"))
    rules: dict[str, int | bool] = {name: 0 for name in columns if name.startswith(("_p", "_c"))}
    rules |= {name: False for name in columns if name.startswith("_u")}
    return {
        name: choose(unscored, pl.Series([value], dtype=columns[name].dtype), columns[name])
        for name, value in {**blank, **rules}.items()
    }


def what_changed(previous: pl.DataFrame, verdicts: pl.DataFrame, policy: Policy) -> pl.Series:
    """Which verdicts have to be written, as a Boolean column in the order of ``verdicts``.

    ``previous`` holds, by ``lead_id``, what was last written: ``score temperature grade stage highest_stage cycle
    nurture_track nurture_question nurture_format``. A lead that is not in it is new. A score alone counts from
    ``policy.score_step`` points on, so that fading points do not rewrite every lead every day.
    """
    content = ("nurture_track", "nurture_question", "nurture_format")
    compared = ("temperature", "grade", "stage", "highest_stage", "cycle", *content)
    before = previous.select(
        "lead_id", *(pl.col(name).alias(f"_was_{name}") for name in ("score", *compared))
    )
    both = verdicts.lazy().join(
        before.lazy().with_columns(_seen=pl.lit(True)), on="lead_id", how="left", maintain_order="left"
    )
    moved = (pl.col("score") - pl.col("_was_score")).abs() >= policy.score_step
    # Without a number on both sides there is none to compare: then it counts whether both have none.
    unlike = moved.fill_null(pl.col("score").is_null() != pl.col("_was_score").is_null())
    changed: pl.Expr = pl.col("_seen").is_null() | unlike
    for name in compared:
        changed = changed | pl.col(name).ne_missing(pl.col(f"_was_{name}"))
    return both.select(changed.alias("changed")).collect()["changed"]
