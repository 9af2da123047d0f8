"""The report that comes by itself: one page a week in the data folder."""

from __future__ import annotations

import os
from pathlib import Path

from sync.app import App, data_folder
from sync.work import Work

#: Below the data folder.
FOLDER = "reports"


def write_report(app: App, work: Work) -> Path:
    """Write the page of the last twelve months, named by its day; returns where. No lead is named in it."""
    # Loaded here: drawing takes two seconds to load, and most workers never draw.
    from sync.reports.make import Asked, make_report
    from sync.reports.page import as_page
    from sync.reports.rules import rules_of
    from sync.reports.voice import Voice

    rules = rules_of(app.settings, app.policy.currency)
    asked = Asked(work.language)
    page = as_page(make_report(work, rules, asked, app.policy_of), Voice(asked.language, rules.zone))
    folder = data_folder(app.settings) / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{work.clock().astimezone(rules.zone).date().isoformat()}.html"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.chmod(0o600)
    unfinished.replace(path)
    return path
