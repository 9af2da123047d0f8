"""Whether the logs that a config wants pulled can be opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from connectors.errors import ConnectorError, NeedsPerson
from sync.app import App
from sync.section import Section
from sync.work import Work
from sync.wrongconfig import Problem, problem


def of_logs(app: App, work: Work) -> list[Problem]:
    """One problem a log that is switched on and cannot be opened. Asks both CRMs, changes nothing there."""
    settings = app.settings
    wanted: tuple[tuple[str, Section, str, Callable[[App, Work, ExitStack], None]], ...] = (
        ("hubspot", settings.hubspot, "journal", _open_journal),
        ("salesforce", settings.salesforce, "pubsub", _open_changes),
    )
    problems = []
    for crm, section, name, opens in wanted:
        if not getattr(section, name):
            continue
        try:
            with ExitStack() as stack:
                opens(app, work, stack)
        except (ConnectorError, OSError) as wrong:
            fix = wrong.fix if isinstance(wrong, NeedsPerson) else ""
            at = settings.where(f"{crm}.{name}")
            said = str(wrong) if isinstance(wrong, ConnectorError) else "salesforce.ca_file cannot be read"
            what = f"the log cannot be opened, and nobody will listen to it: {said}"
            problems.append(problem(at, what, fix or "try again later; docs/webhooks.md says what it needs"))
    return problems


def _open_journal(app: App, work: Work, stack: ExitStack) -> None:
    # Only here, like the other: most configs want neither.
    from sync.app_logs import journal
    from sync.pulllogs_hubspot import account_of

    if app.owned is not None:
        found, subscriptions = journal(app.settings, app.owned, account_of(work), stack)
        found.start()
        subscriptions.all()


def _open_changes(app: App, work: Work, stack: ExitStack) -> None:
    from sync.app_logs import pubsub
    from sync.pulllogs_salesforce import topic_for

    if app.owned is not None:
        topic = pubsub(app.settings, app.owned, stack).topic(topic_for(app, work))
        if not topic.may_subscribe:
            raise NeedsPerson(
                "the topic of changes is not open to us",
                fix="give the integration user View All on the object that is synced",
            )
