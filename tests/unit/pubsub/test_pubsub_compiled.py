"""The compiled descriptions of the wire, against their sources and each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from connectors.salesforce.pubsub import messages as ours
from connectors.sandbox.salesforce.pubsub import messages as theirs

SIDES = {"connector": ours, "sandbox": theirs}


@pytest.mark.parametrize("side", SIDES)
def test_the_compiled_file_is_that_of_its_source(side: str, tmp_path: Path) -> None:
    compiled: Path = SIDES[side].COMPILED
    out = tmp_path / "again.binpb"
    words = [
        "-m",
        "grpc_tools.protoc",
        "-I",
        str(compiled.parent),
        "pubsub_api.proto",
        f"--descriptor_set_out={out}",
    ]
    subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=60)
    assert out.read_bytes() == compiled.read_bytes()


def test_the_sandbox_answers_every_call_that_the_connector_makes() -> None:
    def calls(side: Any) -> set[tuple[str, str, str]]:
        files = descriptor_pb2.FileDescriptorSet.FromString(side.COMPILED.read_bytes())
        return {(each.name, each.input_type, each.output_type) for each in files.file[0].service[0].method}

    assert calls(ours) <= calls(theirs)


def test_both_descriptions_live_in_one_process() -> None:
    sent = ours.message("FetchRequest")(
        topic_name="/data/X", num_requested=7, replay_preset=ours.preset("CUSTOM")
    )
    got = theirs.message("FetchRequest").FromString(sent.SerializeToString())
    assert (got.topic_name, got.num_requested, got.replay_preset) == ("/data/X", 7, theirs.CUSTOM)


@pytest.mark.parametrize("name", ["LATEST", "EARLIEST", "CUSTOM"])
def test_presets_have_one_number_on_both_sides(name: str) -> None:
    assert ours.preset(name) == getattr(theirs, name)


@pytest.mark.shared
def test_the_messages_are_those_of_the_reference(shared_reference: Path) -> None:
    rows = (shared_reference / "salesforce-pubsub.md").read_text("utf-8").splitlines()
    described: dict[str, dict[int, str]] = {}
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) == 2 and ": " in cells[1] and cells[0][:1].isupper():
            parts = (each.split(": ", 1) for each in cells[1].split(", "))
            described[cells[0]] = {int(number): text for number, text in parts}
    assert len(described) >= 9
    for name, fields in described.items():
        made = ours.message(name).DESCRIPTOR
        assert {number: text.split()[0] for number, text in fields.items()} == {
            each.number: each.name for each in made.fields
        }
