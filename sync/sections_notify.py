"""The sections ``[notify]`` and ``[alerts]`` of the config: who is told, by which server, and from which number on."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connectors.address import PlainAddress, check_address, is_loopback
from sync.section import Filled, Port, Secret, Section, Share, refuse, words_in

Language = Literal["de", "en"]
#: What can be told of, from the most to the least urgent.
AlertKind = Literal["job", "gap", "freshness", "quota", "schema", "disagreement", "refused", "mail", "rates"]
KINDS: tuple[AlertKind, ...] = (
    *("job", "gap", "freshness", "quota"),
    *("schema", "disagreement", "refused", "mail", "rates"),
)
#: What SMTP takes without an extension: no address of letters beyond ASCII, and none that a header could break at.
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


def mailbox_of(text: str) -> Address:
    """``Anna Sommer <anna@example.com>``, or the address alone. Raises ValueError."""
    name, address = parseaddr(text)
    if not _MAILBOX.fullmatch(address) or not text.isprintable():
        raise ValueError("no mailbox")
    return Address(display_name=name, addr_spec=address)


def is_mailbox(text: str) -> bool:
    """Whether a mail can be sent to what somebody wrote, or a CRM holds, as an address."""
    try:
        mailbox_of(text)
    except (ValueError, IndexError):
        return False
    return True


def _mailbox(text: str) -> str:
    if not is_mailbox(text):
        raise refuse('must be an e-mail address, or "Anna Sommer <anna@example.com>"')
    return text


def _secret_address(secret: SecretStr) -> SecretStr:
    try:
        check_address(secret.get_secret_value())
    except (PlainAddress, ValueError):
        good = False
    else:
        good = True
    if not good:
        raise refuse("must be an https:// address without user and password (http:// only on this machine)")
    return secret


def _known_kinds(text: str) -> str:
    if any(part not in KINDS for part in words_in(text)):
        raise refuse(f"must name some of {', '.join(KINDS)}, with commas between them")
    return text


Mailbox = Annotated[str, AfterValidator(_mailbox)]
SecretAddress = Annotated[Secret, AfterValidator(_secret_address)]


class NotifySettings(Section):
    """Who is told. ``smtp_password`` and ``alert_webhook`` never stand in a file: whoever has one can use it."""

    smtp_host: Filled | None = None
    smtp_port: Port = 587
    #: ``starttls`` begins in the clear and goes on encrypted or not at all; ``tls`` is encrypted from the first byte.
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: Filled | None = None
    smtp_password: Secret | None = None
    #: The certificate authority of a server of one's own.
    ca_file: Filled | None = None
    sender: Mailbox | None = None
    alert_webhook: SecretAddress | None = None
    #: Whether the Monday mail may name people; else leads are their id and company.
    names: bool = False
    #: Mailbox to the language it is written to in.
    monday_mail: dict[Mailbox, Language] = Field(default={})
    alert_mail: dict[Mailbox, Language] = Field(default={})

    @model_validator(mode="after")
    def _whole(self) -> NotifySettings:
        if self.smtp_host is not None and self.sender is None:
            raise refuse("has a smtp_host and no sender")
        if (self.monday_mail or self.alert_mail) and self.smtp_host is None:
            raise refuse("names people and no smtp_host that mails go out by")
        if self.encryption == "none" and self.smtp_user is not None and not is_loopback(self.smtp_host):
            raise refuse("would send the password in the clear: set encryption")
        return self


class AlertSettings(Section):
    """From which number on somebody is told. Each alert is told once, and once more when it is over."""

    #: From a change in one CRM to the answer in the other, 95 of 100; and how late a run may be.
    freshness_minutes: Annotated[float, Field(gt=0, le=10_080)] = 30.0
    #: How long the oldest refused record may wait for somebody.
    refused_hours: Annotated[float, Field(gt=0, le=8_760)] = 24.0
    #: Calls of a CRM's day that are used, everybody's counted.
    quota_share: Share = 0.9
    #: Leads on which both CRMs differ and nobody knows why.
    unexplained: Annotated[int, Field(ge=0)] = 0
    #: How much smaller the share of leads that both CRMs show alike may be than it was in the last comparisons.
    agreed_drop: Share = 0.05
    #: The stage that counts where it is looked whether what becomes of leads has moved.
    outcome: Literal["opportunity", "customer"] = "opportunity"
    #: How long a lead has to reach it. Nobody younger is looked at, so it is told so much later.
    outcome_days: Annotated[int, Field(ge=1, le=3_650)] = 180
    #: Kinds that nobody wants to hear of.
    mute: Annotated[str, AfterValidator(_known_kinds)] = ""

    @property
    def muted(self) -> list[str]:
        """The kinds in ``mute``."""
        return words_in(self.mute)
