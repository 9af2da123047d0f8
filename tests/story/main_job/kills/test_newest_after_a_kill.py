"""A sync that died has no say in when a field was changed: `newest` decides after it as it did before."""

from __future__ import annotations

import signal
from typing import Any

import pytest


@pytest.mark.parametrize("later", ["salesforce", "hubspot"])
def test_the_later_change_stands_although_a_dead_run_wrote_after_it(scene: Any, later: str) -> None:
    path = scene.config.parent / "fields.toml"
    head, tail = path.read_text(encoding="utf-8").split("[fields.job_title]\n", 1)
    rules, rest = tail.split("\n\n", 1)
    kept = [line for line in rules.split("\n") if not line.startswith("if_both_changed")]
    newest = "\n".join(['if_both_changed = "newest"', *kept])
    path.write_text(f"{head}[fields.job_title]\n{newest}\n\n{rest}", encoding="utf-8")
    scene.control("salesforce", "limits", history={"Lead": ["Title"]})
    records = scene.records()
    ids = {
        name.partition(":")[0]: name.partition(":")[2]
        for name, one in records.items()
        if "anna@mueller.example" in (one.get("properties", one).get("email"), one.get("Email"))
    }
    titles = {"hubspot": {"jobtitle": "Köchin"}, "salesforce": {"Title": "Chefin"}}
    earlier = "hubspot" if later == "salesforce" else "salesforce"
    scene.sync()
    scene.serving.clock.advance(600)
    scene.edit(earlier, ids[earlier], **titles[earlier])
    scene.serving.clock.advance(600)
    scene.edit(later, ids[later], **titles[later])
    scene.serving.clock.advance(600)

    done = scene.disturbed(at=f"after {earlier} update")
    assert done.returncode == -signal.SIGKILL, done.stderr
    scene.wait_until_alone()
    (stands,) = titles[later].values()
    assert _titles(scene, ids) == {stands}, "the dead run wrote, and nobody remembers it"
    scene.serving.clock.advance(60)
    assert scene.sync().numbers.refused <= 1

    assert _titles(scene, ids) == {stands}
    scene.serving.clock.advance(60)
    mark = scene.mark()
    scene.sync()
    assert not scene.written(mark)


def _titles(scene: Any, ids: dict[str, str]) -> set[str]:
    found = scene.records()
    contact, lead = found[f"hubspot:{ids['hubspot']}"], found[f"salesforce:{ids['salesforce']}"]
    return {contact["properties"]["jobtitle"], lead["Title"]}
