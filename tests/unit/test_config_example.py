"""The example config: it loads, nothing is missing from it, and everything in it is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sync.environment import Names, leaves
from sync.initdir import template
from sync.settings import load_settings
from sync.tomlfile import lines_of

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
#: A setting or table that is switched off in the example: one # before it.
_OFF = re.compile(r"^# (?=\[?[a-z_]+\]?( = |$))", re.MULTILINE)
_SECRETS = [path for path, leaf in leaves() if leaf.secret and path != ("database", "url")]


def settings_part() -> str:
    return TEXT[: TEXT.index("# --- fields.toml")]


def switched_on() -> str:
    """The settings with everything that stands behind a # switched on."""
    return _OFF.sub("", settings_part())


def test_the_example_loads() -> None:
    found = load_settings(EXAMPLE, {})
    assert len(found.fields) > 40
    assert found.policy["policy"]["fit"]


@pytest.mark.parametrize("path", [path for path, _ in leaves()], ids=".".join)
def test_every_setting_stands_in_the_example_with_its_sentence(path: Names) -> None:
    if path in _SECRETS:
        section = settings_part().split(f"[{path[0]}]")[1].split("\n[")[0]
        assert re.search(rf"^# {path[1]}: .{{20,}}", section, re.MULTILINE)
        return
    text = switched_on()
    line = lines_of(text).get(path)
    assert line is not None, f"{'.'.join(path)} is not in config.example.toml"
    rows = text.split("\n")
    # Its comment stands on its own line, or above it or its table.
    assert "#" in rows[line - 1] or any("# " in row for row in rows[max(line - 5, 0) : line - 1])


def test_every_setting_that_is_switched_off_is_known(tmp_path: Path) -> None:
    (tmp_path / "leadpact.toml").write_text(switched_on(), encoding="utf-8")
    (tmp_path / "fields.toml").write_text(template("fields.toml"), encoding="utf-8")
    (tmp_path / "policy.toml").write_text(template("policy.toml"), encoding="utf-8")
    found = load_settings(tmp_path / "leadpact.toml", {})
    assert found.sandbox is not None
    assert found.salesforce.client_id
    assert found.locale.decimal_comma is True


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (section, name)
        for section in ("hubspot", "salesforce", "database", "sync", "guards", "locale")
        for name in sorted({path[1] for path, _ in leaves() if path[0] == section})
    ],
)
def test_the_example_shows_what_holds_without_it(tmp_path: Path, section: str, name: str) -> None:
    (tmp_path / "leadpact.toml").write_text("", encoding="utf-8")
    shown = getattr(getattr(load_settings(EXAMPLE, {}), section), name)
    default = getattr(getattr(load_settings(tmp_path / "leadpact.toml", {}), section), name)
    if (section, name) == ("salesforce", "login_url"):
        assert "YOUR-COMPANY" in shown
    elif (section, name) == ("database", "dir"):
        assert Path(shown).name == Path(default).name
    else:
        assert shown == default


@pytest.mark.parametrize("name", ["fields.toml", "policy.toml"])
def test_the_example_holds_the_parts_that_init_writes(name: str) -> None:
    part = template(name)
    assert part in TEXT, f"put sync/templates/{name} into config.example.toml as it is now"
