"""The sender against a real SMTP server: what arrives, what can be sent again, and what nobody may send twice."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from sync.mails.sender import MailAway, MailRefused, MailUnsure, NotSent, send
from sync.sections_notify import NotifySettings

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
TO = "Anna Sömmer <anna@example.com>"


def settings(port: int, **more: Any) -> NotifySettings:
    given = {"smtp_host": "127.0.0.1", "smtp_port": port, "encryption": "none", **more}
    return NotifySettings.model_validate({"sender": "Leadpact <leadpact@example.com>", **given}, strict=False)


def mailed(to: NotifySettings, **more: Any) -> None:
    given = {"subject": "Neue Leads", "text": "Grüße\n.ein Punkt\n", "html": "<p>Grüße</p>", **more}
    send(to, TO, given.pop("subject"), given.pop("text"), given.pop("html"), now=NOW, key="k", **given)


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_mail_arrives_as_text_and_html_with_every_letter_and_its_headers(
    mail_server: Callable[..., Any],
) -> None:
    server = mail_server()
    mailed(settings(server.port))
    (message,) = server.of("anna@example.com")
    assert message["To"] == TO
    assert message["From"] == "Leadpact <leadpact@example.com>"
    assert message["Subject"] == "Neue Leads"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert part(message, "plain") == "Grüße\n.ein Punkt\n"
    assert part(message, "html") == "<p>Grüße</p>\n"


def test_a_mail_of_the_same_key_to_the_same_person_has_the_same_message_id(
    mail_server: Callable[..., Any],
) -> None:
    server = mail_server()
    mailed(settings(server.port))
    mailed(settings(server.port))
    send(settings(server.port), "ben@example.com", "Neue Leads", "…", now=NOW, key="k")
    first, again, other = (str(message["Message-ID"]) for message in server.taken)
    assert first == again != other


def test_a_line_break_in_a_subject_adds_no_header(mail_server: Callable[..., Any]) -> None:
    server = mail_server()
    mailed(settings(server.port), subject="Leads\r\nBcc: someone@example.com")
    (message,) = server.taken
    assert message["Bcc"] is None
    assert message["Subject"] == "Leads Bcc: someone@example.com"


@pytest.mark.parametrize(
    ("step", "said", "kind"),
    [
        ("MAIL", "550 no", MailRefused),
        ("MAIL", "451 later", MailAway),
        ("RCPT", "550 anna@example.com is unknown", MailRefused),
        ("RCPT", "450 greylisted", MailAway),
        ("DATA", "554 spam", MailRefused),
        ("DATA", "452 full", MailAway),
    ],
)
def test_a_server_that_says_no_is_told_by_its_code_and_without_the_address(
    mail_server: Callable[..., Any], step: str, said: str, kind: type[NotSent]
) -> None:
    server = mail_server()
    server.answers[step, ""] = said
    with pytest.raises(kind) as told:
        mailed(settings(server.port))
    assert f"({said[:3]})" in str(told.value)
    assert "anna" not in str(told.value)
    assert told.value.fix
    assert not server.taken


@pytest.mark.parametrize(
    ("step", "kind", "went_out"),
    [("MAIL", MailAway, False), ("RCPT", MailAway, False), ("DATA", MailUnsure, True)],
)
def test_only_a_break_after_the_content_leaves_open_whether_it_arrived(
    mail_server: Callable[..., Any], step: str, kind: type[NotSent], went_out: bool
) -> None:
    server = mail_server()
    server.drops_at = step
    heard: list[str] = []
    with pytest.raises(kind):
        mailed(settings(server.port), before_content=lambda: heard.append("content"))
    assert bool(heard) is went_out


def test_a_server_that_is_not_there_is_away() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(MailAway, match="cannot be reached"):
            mailed(settings(free.getsockname()[1]))


def test_without_a_server_nothing_is_sent_and_the_settings_are_named() -> None:
    with pytest.raises(MailRefused) as told:
        mailed(NotifySettings())
    assert "notify.smtp_host" in told.value.fix


# --- encryption and logging in -------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for 127.0.0.1, and the file of the authority behind it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, keys = tmp_path / "ca.pem", tmp_path / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    keys.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, keys)
    return context, file


def test_with_starttls_we_log_in_once_it_is_encrypted_and_only_a_trusted_server_hears_the_password(
    mail_server: Callable[..., Any], certified: tuple[ssl.SSLContext, Path]
) -> None:
    context, file = certified
    server = mail_server(tls=context, users={"leadpact": "geheim-7"})
    known = {"encryption": "starttls", "smtp_user": "leadpact", "smtp_password": "geheim-7"}
    mailed(settings(server.port, **known, ca_file=str(file)))
    assert len(server.taken) == 1
    with pytest.raises(MailRefused, match="no trusted encryption"):
        mailed(settings(server.port, **known))
    with pytest.raises(MailRefused, match="does not let us in") as told:
        mailed(settings(server.port, **{**known, "smtp_password": "falsch-8"}, ca_file=str(file)))
    assert "falsch" not in str(told.value)
    with pytest.raises(MailRefused, match="no password"):
        mailed(settings(server.port, encryption="starttls", smtp_user="leadpact", ca_file=str(file)))
    assert len(server.taken) == 1


def test_a_server_without_encryption_is_not_spoken_to_where_it_is_asked_for(
    mail_server: Callable[..., Any],
) -> None:
    server = mail_server()
    with pytest.raises(MailRefused, match="no encryption"):
        mailed(settings(server.port, encryption="starttls"))
    assert not server.taken


# --- the settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"smtp_host": "mail.example.com"}, "no sender"),
        ({"monday_mail": {"anna@example.com": "de"}}, "no smtp_host"),
        ({"alert_mail": {"anna@example.com": "en"}}, "no smtp_host"),
        ({"sender": "Anna"}, "must be an e-mail address"),
        ({"sender": "anna@example.com\r\nBcc: ben@example.com"}, "must be an e-mail address"),
        ({"sender": "anna@exämple.com"}, "must be an e-mail address"),
        ({"alert_webhook": "http://hooks.example.com/x"}, "must be an https:// address"),
        (
            {
                "smtp_host": "mail.example.com",
                "sender": "a@example.com",
                "encryption": "none",
                "smtp_user": "a",
            },
            "in the clear",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NotifySettings.model_validate(given, strict=False)
