"""A test mail, and a test post to the webhook: whether what is configured works, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.mails.sender import MailUnsure, NotSent, send
from sync.mails.webhook import post
from sync.mails.words_alerts import FRAME
from sync.sections_notify import Language, NotifySettings
from sync.store.letters import WEBHOOK


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one test. ``recipient``: a mailbox, or ``webhook``; ``problem`` is empty where it arrived.

    ``unsure``: it may have arrived nevertheless.
    """

    recipient: str
    problem: str = ""
    fix: str = ""
    unsure: bool = False


def recipients_of(notify: NotifySettings) -> dict[str, Language]:
    """Everybody whom the config names, with the language they are written to in; the webhook gets English."""
    named: dict[str, Language] = {**notify.monday_mail, **notify.alert_mail}
    return {**named, **({WEBHOOK: "en"} if notify.alert_webhook is not None else {})}


def try_all(notify: NotifySettings, recipients: dict[str, Language], now: datetime) -> list[Tried]:
    """Send a test to each of these and say what became of it; one that fails does not stop the others.

    ``now``: aware; each moment gives mails of their own.
    """
    return [_tried(notify, recipient, language, now) for recipient, language in recipients.items()]


def _tried(notify: NotifySettings, recipient: str, language: Language, now: datetime) -> Tried:
    try:
        if recipient == WEBHOOK:
            _post(notify, language)
        else:
            text = FRAME["test.text"][language] + "\n"
            send(
                notify,
                recipient,
                FRAME["test.subject"][language],
                text,
                now=now,
                key=f"test {now.isoformat()}",
            )
    except NotSent as failed:
        return Tried(recipient, str(failed), failed.fix, isinstance(failed, MailUnsure))
    return Tried(recipient)


def _post(notify: NotifySettings, language: Language) -> None:
    if notify.alert_webhook is not None:
        text = f"{FRAME['test.subject'][language]}. {FRAME['test.text'][language]}"
        post(notify.alert_webhook.get_secret_value(), {"text": text, "alerts": []})
