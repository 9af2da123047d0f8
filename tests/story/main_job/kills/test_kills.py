"""``kill -9`` at every named point of a sync: the next sync ends as if nothing had happened.

Every case starts from a copy of the same two CRMs and the same memory. A sync in a process of its own is killed, a
second one runs undisturbed, and then both CRMs and our own tables have to be what one undisturbed sync makes of them.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

#: The points of one slice, in their order, and the cursor at the end of the run.
POINTS = (
    *("before intents", "after intents", "before salesforce withdrawal", "after salesforce withdrawal"),
    *("before hubspot create", "after hubspot create"),
    *("before salesforce create", "after salesforce create"),
    *("before hubspot stage clear", "after hubspot stage clear"),
    *("before hubspot handover", "after hubspot handover", "before hubspot update", "after hubspot update"),
    *("before salesforce update", "after salesforce update"),
    *("before journal", "after journal", "before base", "after base", "before link", "after link"),
    *("before cursor", "after cursor"),
)
#: Between two of these nothing happens that outlives a kill: the call after the one is not begun, or the transaction
#: of all that is remembered is not over. Each is tried with LEADPACT_TEST_ALL_POINTS=1.
SAME_AS_THE_ONE_BEFORE = {
    *("before salesforce withdrawal", "before hubspot create", "before salesforce create"),
    *("before hubspot stage clear", "before hubspot handover", "before hubspot update"),
    *(
        "before salesforce update",
        "before journal",
        "after journal",
        "before base",
        "before link",
        "after link",
    ),
}
IN_THE_SECOND_SLICE = (
    *("before intents", "after intents", "before hubspot update", "after hubspot update"),
    *("before salesforce update", "after salesforce update", "before journal", "after base", "after link"),
)
TWICE = (
    ("after hubspot stage clear", "before hubspot update"),
    ("after hubspot create", "after salesforce create"),
    ("after salesforce update", "after link"),
)


def test_the_undisturbed_sync_passes_every_point_and_does_everything(undisturbed: Any) -> None:
    assert set(undisturbed.points) == set(POINTS)
    assert undisturbed.points.count("before intents") == 2
    assert sorted(undisturbed.expected.created) == [
        "<hubspot record of eva@spaeth.example>",
        "<hubspot record of uenal@spaeth.example>",
        "<salesforce record of mia@heiss.example>",
        "<salesforce record of zoe@heiss.example>",
    ]
    assert set(undisturbed.expected.created.values()) == {1}
    tables = undisturbed.expected.tables
    assert not tables["claim"]
    assert len(tables["conflict"]) == 1
    assert len(tables["refused"]) == 1
    assert {json.loads(row)[1] for row in tables["held"]} == {"ambiguous", "conflict"}


def _killed(scene: Any, **wanted: Any) -> None:
    done = scene.disturbed(**wanted)
    assert done.returncode == -signal.SIGKILL, done.stderr
    scene.wait_until_alone()


def _tried(points: tuple[str, ...]) -> list[str]:
    everything = bool(os.environ.get("LEADPACT_TEST_ALL_POINTS"))
    return [point for point in points if everything or point not in SAME_AS_THE_ONE_BEFORE]


@pytest.mark.parametrize("point", _tried(POINTS))
def test_a_kill_at_a_named_point_leaves_no_trace(scene: Any, ends_as_if_undisturbed: Any, point: str) -> None:
    _killed(scene, at=point)

    ends_as_if_undisturbed(scene)


@pytest.mark.parametrize("point", _tried(IN_THE_SECOND_SLICE))
def test_a_kill_after_one_slice_was_remembered_leaves_no_trace(
    scene: Any, undisturbed: Any, ends_as_if_undisturbed: Any, point: str
) -> None:
    assert undisturbed.points.count(point) == 2
    _killed(scene, at=point, **{"pass": 2})

    ends_as_if_undisturbed(scene)


@pytest.mark.parametrize(("first", "second"), TWICE)
def test_two_kills_in_a_row_leave_no_trace(
    scene: Any, ends_as_if_undisturbed: Any, first: str, second: str
) -> None:
    _killed(scene, at=first)
    _killed(scene, at=second)

    ends_as_if_undisturbed(scene)
