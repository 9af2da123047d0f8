"""The jobs that tell people: alerts are looked for, the schema is compared, and mails go out.

    alerts     every few minutes: numbers against [alerts]
    schemas    every hour: both live schemas against the map
    rates      every week: what became of leads lately against before (sync.jobs_rates)
    letters    sends the mails and webhooks about alerts, and the mails about handovers that no run could send
    mail       on Monday: queues the mail to each person, and sends it

Each returns what came of it in one line, and the jobs that follow.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from connectors.errors import ConnectorError
from sync.alerts import BY_NUMBERS, Changed, facts_of, findings, look_at, spelled_out, well_within
from sync.app import App, utc_now
from sync.cron import Cron, parse_cron
from sync.mails.outbox import AWAY, Delivered, Gone, deliver
from sync.mails.sender import BeforeContent, send
from sync.mails.webhook import post
from sync.notices_mails import mail_rules, send_mails
from sync.schema_drift import drifted
from sync.sections_notify import NotifySettings
from sync.sections_service import OFF
from sync.settings import Settings
from sync.store.jobs import NewJob
from sync.store.letters import HANDOVER, WEBHOOK, Letter
from sync.work import Work

if TYPE_CHECKING:
    # Loaded where they are used: most workers never draw a page.
    from sync.mails.alert_mail import Mail
    from sync.mails.monday import Week

_log = logging.getLogger(__name__)

Done = tuple[str, tuple[NewJob, ...]]
#: What a letter is about to the job that sends it.
SENDERS = {
    "alerts": NewJob("letters", "handover", {}, "letters"),
    HANDOVER: NewJob("letters", "handover", {}, "letters"),
    "monday": NewJob("mail", "backfill", {}, "mail"),
}


def recipients_of(notify: NotifySettings) -> list[str]:
    """Who is told of alerts."""
    return [*notify.alert_mail, *([WEBHOOK] if notify.alert_webhook is not None else [])]


def look_for_alerts(app: App, work: Work) -> Done:
    """Compare the numbers with their limits."""
    limits = app.settings.alerts
    facts = facts_of(work, limits, _cron(app.settings, "incremental"), _zone(app.settings))
    lasting = findings(facts, well_within(limits))
    told = recipients_of(app.settings.notify)
    changed = look_at(work, findings(facts, limits), lasting, BY_NUMBERS, told)
    work.store.letters.drop_old()
    return words_of(changed), letters_of(work)


def look_at_schema(app: App, work: Work) -> Done:
    """Compare the map with both live schemas. Raises the connectors' errors."""
    found = drifted(work, app.settings.where)
    muted = "schema" in app.settings.alerts.muted
    told = recipients_of(app.settings.notify)
    changed = look_at(work, [] if muted else found, [], ("schema",), told)
    return words_of(changed), letters_of(work)


def send_letters(app: App, work: Work) -> Done:
    """Send what waits about alerts and handovers."""
    done = deliver(work.store.letters, "alerts", partial(_send_alerts, app, work))
    if mail_rules(work) is None:
        return done.words, _again(work, ("alerts", done))
    try:
        told = send_mails(work)
    except ConnectorError as away:
        # Alerts have gone out before; these mails point into Salesforce, and it does not say where it is.
        _log.info("mails about handovers wait for Salesforce", exc_info=away)
        told = Delivered(said="Salesforce is away", away={"mail"})
    words = f"{done.words}; {told.words} of handovers" if told != Delivered() else done.words
    return words, _again(work, ("alerts", done), (HANDOVER, told))


def _send_alerts(app: App, work: Work, letter: Letter, before_content: BeforeContent) -> None:
    # Loaded here: most workers never draw a page.
    from sync.mails.alert_mail import alert_mail, as_document

    notify = app.settings.notify
    changed = spelled_out(work, letter.about)
    if not changed.any:
        raise Gone
    if letter.recipient == WEBHOOK:
        if notify.alert_webhook is None:
            raise Gone
        post(notify.alert_webhook.get_secret_value(), as_document(changed), before_content=before_content)
        return
    language = notify.alert_mail.get(letter.recipient)
    if language is None:
        raise Gone
    _send(app, work, letter, alert_mail(changed, language, _zone(app.settings)), before_content)


def _send(app: App, work: Work, letter: Letter, mail: Mail, before_content: BeforeContent) -> None:
    key = f"{letter.what} {letter.about}"
    told = (mail.subject, mail.text, mail.html)
    send(
        app.settings.notify, letter.recipient, *told, now=work.clock(), key=key, before_content=before_content
    )


def letters_of(work: Work) -> tuple[NewJob, ...]:
    """Whoever looks makes sure that what waits is sent, whatever became of the job that was to send it."""
    kinds = [what for what in SENDERS if what != HANDOVER or mail_rules(work) is not None]
    due = [(work.store.letters.next(what), SENDERS[what]) for what in kinds]
    return tuple({job.what: job for at, job in due if at is not None and at <= utc_now()}.values())


def _again(work: Work, *told: tuple[str, Delivered]) -> tuple[NewJob, ...]:
    """The job that tries again what waits, not before its time. It does not stand for one that is to come at once.

    ``told``: the kinds of mails that it sends, with what became of them now.
    """
    times = [_soonest(at, done) for what, done in told if (at := work.store.letters.next(what)) is not None]
    job = SENDERS[told[0][0]]
    return (replace(job, fold=f"{job.fold} later", at=min(times)),) if times else ()


def _soonest(at: datetime, done: Delivered) -> datetime:
    return max(at, utc_now() + timedelta(seconds=AWAY[0] if done.away else 0))


def words_of(changed: Changed) -> str:
    return f"{len(changed.opened)} alerts opened, {len(changed.cleared)} over"


def _cron(settings: Settings, name: str) -> Cron | None:
    text = str(getattr(settings.schedule, name))
    return None if text == OFF else parse_cron(text)


def _zone(settings: Settings) -> ZoneInfo:
    return ZoneInfo(settings.schedule.time_zone)


# --- the Monday mail -----------------------------------------------------------------------------------------


def send_monday_mail(app: App, work: Work) -> Done:
    """Queue the mail of the day on which it was due last, once for each person, and send what is queued.

    Raises the connectors' errors where campaigns have to be read from Salesforce; then it waits.
    """
    people, cron = app.settings.notify.monday_mail, _cron(app.settings, "mail")
    if not people:
        return "nobody is named in notify.monday_mail", ()
    if cron is not None:
        zone = _zone(app.settings)
        due = cron.last(work.clock(), zone).astimezone(zone).date().isoformat()
        with work.store.transaction():
            for mailbox in people:
                if work.store.letters.queue("monday", due, mailbox):
                    work.store.letters.drop_earlier("monday", due, mailbox)
    done = deliver(work.store.letters, "monday", _Monday(app, work))
    return done.words, _again(work, ("monday", done))


class _Monday:
    """Sends Monday mails; what they tell is counted once, whoever gets it."""

    def __init__(self, app: App, work: Work) -> None:
        self._app = app
        self._work = work
        self._weeks: dict[str, Week] = {}

    def __call__(self, letter: Letter, before_content: BeforeContent) -> None:
        from sync.mails.monday_mail import monday_mail

        notify = self._app.settings.notify
        language = notify.monday_mail.get(letter.recipient)
        if language is None:
            raise Gone
        mail = monday_mail(self._week(letter.about), language, ZoneInfo(self._app.settings.reports.time_zone))
        _send(self._app, self._work, letter, mail, before_content)

    def _week(self, about: str) -> Week:
        from sync.mails.monday import week_before
        from sync.reports.rules import rules_of

        if about not in self._weeks:
            rules = rules_of(self._app.settings, self._app.policy.currency)
            self._weeks[about] = week_before(
                self._work, rules, date.fromisoformat(about), names=self._app.settings.notify.names
            )
        return self._weeks[about]
