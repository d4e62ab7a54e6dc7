"""What sends codes by e-mail, against a real mail server: SMTP and the lab's outbox, and what can go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as SmtpPeer

from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.ports import SendRefused, SendUnknown, Sent, TextMessage
from kswifi.providers.email.registry import EmailOptions, SmtpSecurity, open_sender
from kswifi.providers.email.smtp import Smtp
from tests.support.databases import open_database
from tests.support.free_diameter import free_port

ADA = "ada.obi@example.ng"
REFERENCE = "019ab0de-0000-7000-8000-0000000000c1"
MESSAGE = TextMessage(REFERENCE, ADA, "Your KSWiFi code is 042137.")


class _Mailbox:
    """Takes mail; answers the end of a message with ``on_data``, and a receiver with ``on_receiver``."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.on_data = "250 taken"
        self.on_receiver = ""

    async def handle_RCPT(
        self, _server: SMTP, _peer: SmtpPeer, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.on_receiver:
            return self.on_receiver
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, _peer: SmtpPeer, envelope: Envelope) -> str:
        self.taken.append(envelope)
        if self.on_data == "close":
            assert server.transport is not None
            server.transport.close()
        return self.on_data


@contextmanager
def mail_server(**settings: Any) -> Iterator[tuple[_Mailbox, EmailOptions]]:
    mailbox = _Mailbox()
    controller = Controller(mailbox, "127.0.0.1", free_port(), **settings)
    controller.start()
    try:
        yield (
            mailbox,
            EmailOptions("codes@kswifi.example.ng", "127.0.0.1", controller.port, SmtpSecurity.NONE),
        )
    finally:
        controller.stop()


async def test_a_message_is_taken_as_it_is() -> None:
    with mail_server() as (mailbox, options):
        sender = open_sender("smtp", options)
        sent = await sender.send(MESSAGE)
        await sender.close()
    assert isinstance(sent, Sent)
    [envelope] = mailbox.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("codes@kswifi.example.ng", [ADA])
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content)
    assert mail["To"] == ADA
    assert mail["Message-ID"] == sent.message_id
    assert mail["Auto-Submitted"] == "auto-generated"
    assert str(mail.get_payload()).strip() == MESSAGE.words


@pytest.mark.parametrize("at", ["on_data", "on_receiver"])
@pytest.mark.parametrize(("answer", "later"), [("451 busy", True), ("550 no such mailbox", False)])
async def test_a_transient_refusal_may_be_tried_later_and_a_permanent_one_not(
    at: str, answer: str, later: bool
) -> None:
    with mail_server() as (mailbox, options):
        setattr(mailbox, at, answer)
        refused = await Smtp(options).send(MESSAGE)
    assert isinstance(refused, SendRefused)
    assert refused.try_later is later
    assert answer[:3] in refused.words


async def test_a_connection_lost_after_the_message_leaves_it_unknown() -> None:
    with mail_server() as (mailbox, options):
        mailbox.on_data = "close"
        assert isinstance(await Smtp(options).send(MESSAGE), SendUnknown)


async def test_a_server_that_is_not_there_may_be_tried_later() -> None:
    gone = EmailOptions("codes@kswifi.example.ng", "127.0.0.1", free_port(), SmtpSecurity.NONE)
    refused = await Smtp(gone, 1.0).send(MESSAGE)
    assert isinstance(refused, SendRefused)
    assert refused.try_later


async def test_no_password_is_sent_without_the_protection_that_is_set() -> None:
    seen: list[str] = []

    def authenticate(_server: Any, _peer: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        seen.append(data.login.decode())
        return AuthResult(success=data.password == b"right", handled=False)

    with mail_server(authenticator=authenticate, auth_require_tls=False) as (mailbox, plain):
        right, wrong = (replace(plain, username="kswifi", password=it) for it in ("right", "wrong"))
        protected = await Smtp(replace(right, security=SmtpSecurity.STARTTLS)).send(MESSAGE)
        assert isinstance(protected, SendRefused)
        assert (seen, mailbox.taken) == ([], [])
        refused = await Smtp(wrong).send(MESSAGE)
        assert isinstance(refused, SendRefused)
        assert not refused.try_later
        assert isinstance(await Smtp(right).send(MESSAGE), Sent)


async def test_the_labs_outbox_keeps_a_message_to_a_long_address(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        lab, to = LabOutbox(database), "a" * 60 + "@" + "b" * 60 + ".example.ng"
        assert isinstance(await lab.send(TextMessage(REFERENCE, to, MESSAGE.words)), Sent)
        found = await lab.find(REFERENCE)
        assert found is not None
        assert (found.to, found.words) == (to, MESSAGE.words)
