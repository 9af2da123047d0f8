"""What people do between a kill and the next sync: a half-done write that is not wanted any more is taken back."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

POINT = "after salesforce update"
ANNAS_ADDRESS = "anna@mueller.example"


@pytest.fixture
def anna(scene: Any) -> tuple[str, str]:
    """A person of both CRMs with a job title that both show: her contact and her lead."""
    found = scene.records()
    contact = next(
        name for name, one in found.items() if one.get("properties", {}).get("email") == ANNAS_ADDRESS
    )
    lead = next(name for name, one in found.items() if one.get("Email") == ANNAS_ADDRESS)
    return contact.partition(":")[2], lead.partition(":")[2]


def _titles(scene: Any, anna: tuple[str, str]) -> tuple[Any, Any]:
    found = scene.records()
    contact, lead = found[f"hubspot:{anna[0]}"], found[f"salesforce:{anna[1]}"]
    return contact["properties"].get("jobtitle"), lead["Title"]


@pytest.mark.parametrize("typed", ["Köchin", ""], ids=["to another value", "to nothing"])
def test_whoever_types_the_old_value_again_after_a_kill_keeps_it(
    scene: Any, anna: tuple[str, str], typed: str, die: Callable[..., None]
) -> None:
    scene.edit("hubspot", anna[0], jobtitle=typed)
    scene.sync()
    scene.serving.clock.advance(60)
    scene.edit("hubspot", anna[0], jobtitle="Chefköchin")
    die(scene, POINT)
    assert _titles(scene, anna) == ("Chefköchin", "Chefköchin")
    scene.serving.clock.advance(60)
    scene.edit("hubspot", anna[0], jobtitle=typed)

    scene.sync()
    assert [title or "" for title in _titles(scene, anna)] == [typed, typed]
    scene.serving.clock.advance(60)
    mark = scene.mark()
    scene.sync()
    assert [title or "" for title in _titles(scene, anna)] == [typed, typed]
    assert not scene.written(mark)


def test_whoever_leaves_the_scope_after_a_kill_is_not_written_to_before_they_are_back(
    scene: Any, anna: tuple[str, str], die: Callable[..., None]
) -> None:
    scene.edit("hubspot", anna[0], jobtitle="Köchin")
    scene.sync()
    scene.serving.clock.advance(60)
    scene.edit("hubspot", anna[0], jobtitle="Chefköchin")
    die(scene, POINT)
    scene.serving.clock.advance(60)
    scene.edit("hubspot", anna[0], jobtitle="Köchin", country="France")

    scene.sync()
    assert _titles(scene, anna) == ("Köchin", "Chefköchin")
    scene.serving.clock.advance(60)
    scene.edit("hubspot", anna[0], country="Germany")
    scene.sync()

    assert _titles(scene, anna) == ("Köchin", "Köchin")


@pytest.fixture
def die() -> Callable[..., None]:
    """A sync that is killed at a point."""

    def make(scene: Any, point: str) -> None:
        done = scene.disturbed(at=point)
        assert done.returncode == -signal.SIGKILL, done.stderr
        scene.wait_until_alone()

    return make
