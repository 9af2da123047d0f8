"""Mails about handovers: each is put into the outbox once, and made when it leaves, as things stand then.

queue_mails(work, now)   notices whose mail is still to come, into the outbox, in one transaction
send_mails(work)         what waits there, by whoever comes first: a run, or the job that sends all other mails
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sync.mails.outbox import MOST, Delivered, Gone, deliver
from sync.mails.sender import BeforeContent, send
from sync.notice_words import notice_text
from sync.notices_about import abouts_of, page_of, records_of
from sync.routing_rules import RoutingRules
from sync.sections_notify import NotifySettings, is_mailbox
from sync.store.letters import HANDOVER, Letter
from sync.work import Work


def tell_by_mail(work: Work, now: datetime) -> None:
    """Queue what is new and send what is due. Raises the errors of Salesforce, which says where its leads are found."""
    if mail_rules(work) is None:
        return
    queue_mails(work, now)
    while send_mails(work).sent == MOST:
        continue


def mail_rules(work: Work) -> RoutingRules | None:
    """The rules by which mails about handovers go out; None where none do, and what waits goes on waiting."""
    rules = work.routing
    return rules if rules is not None and rules.mail is not None and work.mode == "full" else None


def queue_mails(work: Work, now: datetime) -> None:
    """Put each mail that is still to come into the outbox, once, whichever program made its notice."""
    notices = work.store.notices
    with work.store.transaction():
        for notice in notices.take_mails(now):
            if notice.over:
                continue
            if is_mailbox(notice.recipient):
                work.store.letters.queue(HANDOVER, notice.letter, notice.recipient)
            else:
                notices.mail_refused(notice, "no mail can be sent to the owner's address")


def send_mails(work: Work) -> Delivered:
    """Send what is due, at most ``MOST``. Raises the errors of Salesforce before anything is taken."""
    rules = mail_rules(work)
    if rules is None or rules.mail is None or work.store.letters.next(HANDOVER) is None:
        return Delivered()
    page_of(work, "")
    return deliver(work.store.letters, HANDOVER, partial(_send, work, rules, rules.mail))


def _send(
    work: Work, rules: RoutingRules, mail: NotifySettings, letter: Letter, before_content: BeforeContent
) -> None:
    notice = work.store.notices.of_letter(letter.about)
    # Sales were quicker, the lead has another owner by now, or was forgotten.
    if notice is None or notice.over or notice.recipient != letter.recipient:
        raise Gone
    records = records_of(work, [notice.lead_id])
    about = abouts_of(work, rules, [notice], records)[notice.lead_id, notice.kind]
    subject, text = notice_text(about, work.language)
    key = f"{letter.what} {letter.about}"
    send(mail, letter.recipient, subject, text, now=work.clock(), key=key, before_content=before_content)
