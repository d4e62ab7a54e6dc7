"""Message submission by SMTP (RFC 6409), with the standard library's client in a thread."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from kswifi.phone_verification.ports import SendRefused, SendResult, SendUnknown, Sent, TextMessage
from kswifi.providers.email.registry import EmailOptions, SmtpSecurity

ANSWER_SECONDS: Final = 10.0
AT_ONCE: Final = 4
_WORDS_LIMIT: Final = 200


class Smtp:
    """A mail server that accepts messages for delivery, over one connection per message."""

    name = "smtp"

    def __init__(self, options: EmailOptions, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._options = options
        self._answer_seconds = answer_seconds
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def send(self, message: TextMessage) -> SendResult:
        """Submit one message."""
        async with self._at_once:
            return await asyncio.to_thread(self._send, message)

    async def close(self) -> None:
        """Close nothing: no connection is kept."""

    def _send(self, message: TextMessage) -> SendResult:
        try:
            client = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            return SendRefused(f"the mail server refused the login ({error.smtp_code})")
        except (OSError, smtplib.SMTPException) as error:  # nothing was sent yet
            return SendRefused(f"the mail server cannot be used ({type(error).__name__})", try_later=True)
        mail = self._mail(message)
        try:
            client.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            return _refused(*next(iter(error.recipients.values())))
        except smtplib.SMTPResponseException as error:
            return _refused(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            return SendUnknown(f"the mail server did not answer ({type(error).__name__})")
        finally:
            client.close()
        return Sent(str(mail["Message-ID"]))

    def _connect(self) -> smtplib.SMTP:
        options, seconds = self._options, self._answer_seconds
        client: smtplib.SMTP
        if options.security is SmtpSecurity.TLS:
            context = ssl.create_default_context()
            client = smtplib.SMTP_SSL(options.host, options.port, timeout=seconds, context=context)
        else:
            client = smtplib.SMTP(options.host, options.port, timeout=seconds)
        try:
            if options.security is SmtpSecurity.STARTTLS:
                client.starttls(context=ssl.create_default_context())
            if options.username is not None:
                client.login(options.username, options.password)
        except BaseException:
            client.close()
            raise
        return client

    def _mail(self, message: TextMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._options.sender, message.to, message.subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(message.reference, self._options.sender.rpartition("@")[2].strip("> "))
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: out-of-office programs do not answer it
        mail.set_content(message.words)
        return mail


def open_sender(options: EmailOptions) -> Smtp:
    """Return the mail server of the settings."""
    return Smtp(options)


def _refused(code: int, words: bytes | str) -> SendRefused:
    """Return a refusal; 4yz replies are transient and may be retried later (RFC 5321, 4.2.1)."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return SendRefused(f"the mail server refused ({code}): {text[:_WORDS_LIMIT]}", try_later=400 <= code < 500)
