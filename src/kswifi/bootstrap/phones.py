"""Codes joined: what sends them, phone verification, and proofs of identifiers."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from kswifi.accounts.job_handlers import LockNotices
from kswifi.database.engine import Database
from kswifi.free_data.pseudonyms import Marks
from kswifi.identifier_proofs.job_handlers import ProofHandlers
from kswifi.identifier_proofs.service import IdentifierProofs, ProofSenders
from kswifi.kernel.errors import KswifiError
from kswifi.outbox.results import Handler
from kswifi.phone_verification.code_limits import CodeLimiter
from kswifi.phone_verification.job_handlers import CodeHandlers
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.ports import CodeSender
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.providers.email import registry as email_registry
from kswifi.providers.sms.registry import open_sender
from kswifi.settings import Settings


class ProofImpossibleError(KswifiError):
    """Identifiers must be proved, and nothing sends codes: nobody could make an account."""

    code = "proof_impossible"


@dataclass(frozen=True, slots=True)
class Phones:
    """Phone verification and proofs; ``service`` is None where nothing sends text messages."""

    marks: Marks
    proofs: IdentifierProofs
    service: PhoneVerifications | None = None
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    chores: Mapping[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)


def open_phones(settings: Settings, database: Database, marks: Marks, stack: AsyncExitStack) -> Phones:
    """Return the parts of phone verification and proofs; ``stack`` closes them.

    Raises:
        ProofImpossibleError: identifiers must be proved, and nothing sends codes.
    """
    senders = ProofSenders(make_sender(settings, database), make_email_sender(settings, database))
    if settings.requires_proof and senders.sms is None and senders.email is None:
        raise ProofImpossibleError(
            "nobody could make an account: codes prove phone numbers and email addresses, and nothing sends them. "
            "Set KSWIFI_SMS_PROVIDER or KSWIFI_EMAIL_PROVIDER, or KSWIFI_IDENTIFIER_PROOF=false, with which "
            "anybody can take a number or address that is not theirs"
        )
    limiter = CodeLimiter(settings.code_rates)
    proofs = IdentifierProofs(*(database, marks.digest, senders, limiter), venues=settings.venues)
    handlers = {
        **LockNotices(database).handlers(),
        **ProofHandlers(database, marks.digest, senders).handlers(),
    }
    chores = {"identifier_proofs": proofs.prune}
    for sender in (senders.sms, senders.email):
        if sender is not None:
            stack.push_async_callback(sender.close)
    if senders.sms is None:
        return Phones(marks, proofs, None, handlers, chores)
    lab = senders.sms if isinstance(senders.sms, LabOutbox) else None
    service = PhoneVerifications(*(database, marks.digest, lab), limiter=limiter, venues=settings.venues)
    handlers.update(CodeHandlers(database, marks.digest, senders.sms).handlers())
    return Phones(marks, proofs, service, handlers, {**chores, "phone_verifications": service.prune})


def make_email_sender(settings: Settings, database: Database) -> CodeSender | None:
    """Return the e-mail sender that the settings name; without one, embedded mode has the lab's outbox."""
    if settings.email_provider != "none":
        return email_registry.open_sender(settings.email_provider, settings.email_options)
    return LabOutbox(database) if settings.mode == "embedded" else None


def make_sender(settings: Settings, database: Database) -> CodeSender | None:
    """Return the SMS sender that the settings name; without one, embedded mode has the lab's outbox."""
    if settings.sms_provider != "none":
        return open_sender(settings.sms_provider, settings.sms_options)
    return LabOutbox(database) if settings.mode == "embedded" else None
