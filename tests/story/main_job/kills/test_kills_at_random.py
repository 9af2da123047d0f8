"""``kill -9`` at any moment of a sync, and of its database: the next sync ends as if nothing had happened.

Four moments as it comes, and as many as LEADPACT_TEST_KILLS says: twenty are promised, and hundreds are a good night.
"""

from __future__ import annotations

import os
import random
import signal
from typing import Any

import pytest

from sync.store.embedded import EmbeddedServer

#: Names the random moments of an earlier session, to live through them again.
SEED_VARIABLE = "LEADPACT_TEST_KILL_SEED"
MOMENTS = int(os.environ.get("LEADPACT_TEST_KILLS", "4"))


@pytest.fixture(scope="module")
def seed() -> str:
    """New moments in every session, unless one is named."""
    return os.environ.get(SEED_VARIABLE) or str(random.SystemRandom().randrange(10**6))


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_kill_at_any_moment_leaves_no_trace(
    scene: Any, undisturbed: Any, ends_as_if_undisturbed: Any, seed: str, number: int
) -> None:
    delay = random.Random(f"{seed}/{number}").uniform(0.0, undisturbed.seconds)
    print(f"killed {delay:.3f} s after the run began; again with {SEED_VARIABLE}={seed}")  # noqa: T201
    done = scene.disturbed(after=delay)
    # A run that was faster than the one that was measured has ended before.
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    scene.wait_until_alone()

    ends_as_if_undisturbed(scene)


def test_a_killed_database_leaves_no_trace(scene_of_its_own: Any, ends_as_if_undisturbed: Any) -> None:
    """The server dies between two writes: the sync fails, and the next one starts it again."""
    scene = scene_of_its_own
    server = EmbeddedServer(scene.config.parent / "data" / "postgresql")
    postmaster = int((server.folder / "postmaster.pid").read_text().splitlines()[0])
    done = scene.disturbed(at="after hubspot update", victim=postmaster)
    assert done.returncode == 1, done.stderr
    server.close()

    again = EmbeddedServer(server.folder)
    scene.database = again.url
    ends_as_if_undisturbed(scene)
    again.close()
