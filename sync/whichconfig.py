"""Which config a command reads. Apart from ``sync.settings``: where there is none, nothing of it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CONFIG_VARIABLE = "LEADPACT_CONFIG"
DEFAULT_CONFIG = "leadpact.toml"


def find_config(option: Path | None, environ: Mapping[str, str]) -> Path:
    """The config to read: ``--config``, else ``$LEADPACT_CONFIG``, else ``./leadpact.toml``."""
    if option is not None:
        return option
    named = environ.get(CONFIG_VARIABLE)
    return Path(named) if named else Path(DEFAULT_CONFIG)
