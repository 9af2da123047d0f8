"""The job that looks, every week, whether what becomes of leads has moved, and tells people."""

from __future__ import annotations

from sync.app import App
from sync.jobs_notify import Done, letters_of, recipients_of, words_of
from sync.rates import compare_rates, look_at_rates
from sync.work import Work


def tell_rates(app: App, work: Work) -> Done:
    """Hold the rates of the last fifth of the leads against those of the others. Asks the memory alone."""
    moved = compare_rates(work, app.settings.alerts)
    changed = look_at_rates(work, moved, app.settings.alerts, recipients_of(app.settings.notify))
    return f"{moved.after.leads} leads held against those before them; {words_of(changed)}", letters_of(work)
