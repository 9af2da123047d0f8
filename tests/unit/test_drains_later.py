"""What a drain could not read now comes again by itself, and nobody else waits for it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.jobs import drain_inbox

SOON = datetime(2026, 11, 22, 9, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize("urgent", [False, True])
def test_a_drain_for_what_another_run_had_does_not_fold_with_the_next_push(urgent: bool) -> None:
    now, later = drain_inbox("hubspot", urgent=urgent), drain_inbox("hubspot", urgent=urgent, at=SOON)
    assert now.fold != later.fold
    assert (now.at, later.at) == (None, SOON)
    assert (now.lane, now.args) == (later.lane, later.args)


def test_a_burst_of_such_drains_is_one() -> None:
    later = datetime(2026, 11, 22, 9, 0, 9, tzinfo=UTC)
    assert drain_inbox("salesforce", at=SOON).fold == drain_inbox("salesforce", at=later).fold
