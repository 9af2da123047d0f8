"""The command that tries whether alerts reach people: alerts test."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from sync.app import utc_now
from sync.cli_context import Context
from sync.errors import WrongUse
from sync.mails.trying import recipients_of, try_all
from sync.sections_notify import is_mailbox


@click.group()
def alerts() -> None:
    """Alerts; `status` shows those that are open."""


@alerts.command("test")
@click.option(
    "--to", "mailbox", metavar="MAILBOX", help="Only a mail to this mailbox, whoever the config names."
)
@click.pass_obj
def try_out(context: Context, mailbox: str | None) -> None:
    """Send a test to everybody whom [notify] names, and to the webhook; each failure with its cause and a fix."""
    if mailbox is not None and not is_mailbox(mailbox):
        raise click.BadParameter(
            'a mailbox looks like "Anna Sommer <anna@example.com>", or the address alone'
        )
    settings = context.settings()
    found = recipients_of(settings.notify) if mailbox is None else {mailbox: settings.sync.language}
    if not found:
        raise WrongUse(
            "[notify] names nobody, and no webhook is set",
            fix="name people in notify.alert_mail, set LEADPACT_NOTIFY__ALERT_WEBHOOK, or try a mailbox by --to",
        )
    tried = try_all(settings.notify, found, utc_now())
    for one in tried:
        context.screen.say(f"{one.recipient}: {one.problem or 'sent'}")
        if one.fix:
            context.screen.say(f"    fix: {one.fix}")
    context.screen.document({"tried": [asdict(one) for one in tried]})
    sys.exit(1 if any(one.problem for one in tried) else 0)
