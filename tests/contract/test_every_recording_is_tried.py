"""No recorded payload lies about unused: each is named by a test that compares it."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

pytestmark = pytest.mark.shared
TESTS = Path(__file__).resolve().parents[1]


def test_every_recorded_payload_is_named_by_a_test(shared_data: Path) -> None:
    files = [each["file"] for each in orjson.loads((shared_data / "crm_fixtures/index.json").read_bytes())]
    texts = [path.read_text("utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    spelled = "\n".join(text for text in texts if "shared_data" in text)
    unnamed = [file for file in files if not re.search(rf"\b{re.escape(Path(file).stem)}\b", spelled)]
    assert len(files) > 40
    assert unnamed == []


def test_every_payload_there_is_stands_in_the_index(shared_data: Path) -> None:
    folder = shared_data / "crm_fixtures"
    listed = {each["file"] for each in orjson.loads((folder / "index.json").read_bytes())}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.name != "index.json"}
    assert there == listed
