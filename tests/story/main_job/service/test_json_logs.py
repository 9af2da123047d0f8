"""``leadpact --json serve`` as a real process: every line is an object, and a push is found on the line of its run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def spoken(taking_pushes: Any) -> tuple[Any, Any]:
    """The crew, and what its ``serve --json`` says."""
    crew = taking_pushes
    serve = crew.start("--json", "serve", waits_for="listening at")
    crew.wait(lambda: "working on" in serve.said(), "its worker to begin")
    return crew, serve.said


def test_every_line_of_a_service_is_an_object_and_a_push_is_found_on_the_line_of_its_run(
    spoken: Any, push: Callable[..., Any]
) -> None:
    crew, said = spoken
    found = re.search(r"listening at (http://[^\s\"]+)", said())
    assert found
    contact, _ = crew.house.couple("anna@sommer.example")
    crew.house.later(60)
    answer = push(crew.house, found[1], contact)
    assert answer.status_code < 300, answer.text
    crew.wait(lambda: "job drain: " in said(), "the push to be worked on")

    lines = [json.loads(line) for line in said().splitlines()]
    (ended,) = [line for line in lines if line["message"].startswith("job drain: ")]
    assert ended["correlation"] == answer.headers["X-Request-Id"]
    assert ended["job"] > 0
    assert (ended["run"],) in crew.ask("SELECT run_id FROM run WHERE command = 'webhook'")
    assert ended["logger"] == "sync.service", "a line that is there without --verbose"
    assert "anna@" not in said()
