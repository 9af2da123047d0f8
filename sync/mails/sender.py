"""Send one mail to one person by SMTP, and say exactly what became of it.

What follows from a failure depends on when it came. Before the content was on its way the mail has not left and can be
sent again. After it, and before the answer, nobody knows: sent again it could come twice. The error says which.

No error repeats an address or what the server said, which may quote one.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sync.sections_notify import NotifySettings, mailbox_of

#: Seconds for each step of the conversation.
PATIENCE = 10.0


class NotSent(Exception):
    """A mail did not leave, or nobody knows. ``fix`` says what a person can do."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class MailAway(NotSent):
    """The server is away or busy, and nothing has left: the same mail can be sent later.

    ``alone``: it says so of this recipient; others need not wait.
    """

    def __init__(self, message: str, *, fix: str = "", alone: bool = False) -> None:
        super().__init__(message, fix=fix)
        self.alone = alone


class MailRefused(NotSent):
    """The server refuses this mail, its recipient, or us, and nothing has left: somebody has to look."""


class MailUnsure(NotSent):
    """The connection broke off after the content and before the answer: it may have arrived."""


#: Called when the content goes out next; what it raises stops the mail.
BeforeContent = Callable[[], None]


def nothing() -> None:
    """For who does not want to hear when the content goes out."""


def send(
    settings: NotifySettings,
    to: str,
    subject: str,
    text: str,
    html: str | None = None,
    *,
    now: datetime,
    key: str,
    before_content: BeforeContent = nothing,
) -> None:
    """Send a mail to one mailbox (``Anna <anna@example.com>``) and return once the server has taken it.

    ``text`` is its plain part, ``html`` an alternative. ``key`` names what it is about: the same key gives the same
    Message-ID, by which a mail program knows a repeated mail. ``now``: aware, for its Date. ``before_content`` is
    called when everything else is agreed on and the content goes out next; what it raises stops the mail.

    Raises MailAway, MailRefused and MailUnsure; MailRefused too where no server is configured.
    """
    message = message_of(settings, to, subject, text, html, now=now, key=key)
    content = re.sub(rb"(?m)^\.", b"..", message.as_bytes()).rstrip(b"\r\n") + b"\r\n.\r\n"
    with _connected(settings) as server:
        with _nothing_left():
            _agreed(server.mail(_sender(settings).addr_spec), "the sender")
            _agreed(server.rcpt(mailbox_of(to).addr_spec), _RECIPIENT)
            server.putcmd("DATA")
            _agreed(server.getreply(), "a mail", wanted=354)
        before_content()
        try:
            server.send(content)
            answer = server.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise _unsure(error) from None
        _agreed(answer, "the mail")


def message_of(
    settings: NotifySettings,
    to: str,
    subject: str,
    text: str,
    html: str | None,
    *,
    now: datetime,
    key: str,
) -> EmailMessage:
    """The mail as it goes out. Pure. Raises MailRefused where no server is configured."""
    sender = _sender(settings)
    message = EmailMessage(policy=SMTP)
    message["From"] = str(sender)
    message["To"] = str(mailbox_of(to))
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(now)
    digest = hashlib.sha256(f"{key}\n{to}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{sender.domain}>"
    # So that nobody's absence answers, and no list passes it on.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(text, cte="quoted-printable")
    if html is not None:
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


@contextmanager
def _connected(settings: NotifySettings) -> Iterator[smtplib.SMTP]:
    with _nothing_left():
        server = _greeted(settings)
    try:
        yield server
    finally:
        # Whatever was said in parting, the mail has left or has not.
        server.close()


def _greeted(settings: NotifySettings) -> smtplib.SMTP:
    """A server that knows us and takes mails. Whatever it raises, no connection is left open."""
    host, port, name = settings.smtp_host or "", settings.smtp_port, _sender(settings).domain
    server: smtplib.SMTP
    if settings.encryption == "tls":
        server = smtplib.SMTP_SSL(host, port, name, timeout=PATIENCE, context=_trust(settings))
    else:
        server = smtplib.SMTP(host, port, name, timeout=PATIENCE)
    try:
        if settings.encryption == "starttls":
            server.starttls(context=_trust(settings))
        server.ehlo_or_helo_if_needed()
        if settings.smtp_user is not None:
            server.login(settings.smtp_user, _password(settings))
    except BaseException:
        server.close()
        raise
    return server


def _password(settings: NotifySettings) -> str:
    if settings.smtp_password is None:
        raise MailRefused(
            "notify.smtp_user is set, and no password", fix="set LEADPACT_NOTIFY__SMTP_PASSWORD"
        )
    return settings.smtp_password.get_secret_value()


def _trust(settings: NotifySettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file)


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Errors of a time in which nothing has left yet."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        failed: NotSent = MailRefused(
            f"the mail server does not let us in ({error.smtp_code})",
            fix="check notify.smtp_user and LEADPACT_NOTIFY__SMTP_PASSWORD",
        )
    except smtplib.SMTPNotSupportedError:
        failed = MailRefused(
            "the mail server offers no encryption, or no way to log in",
            fix="check notify.smtp_port and notify.encryption",
        )
    except smtplib.SMTPResponseException as error:
        failed = _by_code(error.smtp_code, "the conversation")
    except ssl.SSLError as error:
        failed = MailRefused(
            f"no trusted encryption with the mail server ({error.reason or type(error).__name__})",
            fix="check notify.smtp_port, notify.encryption and notify.ca_file",
        )
    except (smtplib.SMTPException, OSError) as error:
        failed = MailAway(f"the mail server cannot be reached ({type(error).__name__})", fix=_AWAY_FIX)
    else:
        return
    raise failed


_RECIPIENT = "the recipient"
_AWAY_FIX = "nothing, if it comes back; else check notify.smtp_host and notify.smtp_port"


def _agreed(answer: tuple[int, bytes], what: str, wanted: int = 250) -> None:
    """Raises where the server said no to ``what``."""
    code, _ = answer
    if code != wanted and not (wanted == 250 and code == 251):
        raise _by_code(code, what)


def _by_code(code: int, what: str) -> NotSent:
    if 500 <= code < 600:
        return MailRefused(
            f"the mail server refuses {what} ({code})",
            fix="check the address and notify.sender, or ask who runs the server",
        )
    return MailAway(f"the mail server takes {what} later ({code})", fix=_AWAY_FIX, alone=what == _RECIPIENT)


def _unsure(error: Exception) -> MailUnsure:
    return MailUnsure(
        f"the mail server broke off before its answer ({type(error).__name__}): the mail may have arrived",
        fix="ask whoever it was for; it is not sent twice",
    )


def _sender(settings: NotifySettings) -> Address:
    if settings.smtp_host is None or settings.sender is None:
        raise MailRefused("no mail server is configured", fix="set notify.smtp_host and notify.sender")
    return mailbox_of(settings.sender)
