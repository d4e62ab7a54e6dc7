"""Codes by text message and e-mail: phone verification, proofs of identifiers, and who sends them."""

from kswifi.accounts.job_handlers import LockNotices
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.database.engine import Database
from kswifi.free_data.pseudonyms import Marks
from kswifi.identifier_proofs.job_handlers import ProofHandlers
from kswifi.identifier_proofs.security_notices import SecurityNotices
from kswifi.identifier_proofs.service import IdentifierProofs, ProofSenders
from kswifi.jobs.housekeeping import Chore
from kswifi.kernel.errors import KswifiError
from kswifi.outbox.results import Handler
from kswifi.phone_verification.code_limits import CodeLimiter
from kswifi.phone_verification.job_handlers import CodeHandlers
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.model import CodeCounts
from kswifi.phone_verification.ports import CodeSender
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.providers.email import registry as email_registry
from kswifi.providers.sms.registry import open_sender
from kswifi.settings import Settings


class ProofImpossibleError(KswifiError):
    """Identifiers must be proved, and nothing sends codes: nobody could make an account."""

    code = "proof_impossible"


async def open_phones(context: Context) -> Part:
    """Open phone verification, where an SMS sender is set, and proofs of identifiers; offer pseudonyms of numbers.

    Raises:
        ProofImpossibleError: identifiers must be proved, and nothing sends codes.
    """
    settings, database = context.settings, context.database
    marks = Marks(context.vault_key)
    senders = proof_senders(settings, database)
    for sender in (senders.sms, senders.email):
        if sender is not None:
            context.stack.push_async_callback(sender.close)
    limiter = CodeLimiter(settings.code_rates)
    proofs = IdentifierProofs(database, marks.digest, senders, limiter, venues=settings.venues)
    counts = CodeCounts()
    context.offer(marks, proofs, counts, senders)
    jobs: dict[str, Handler] = {
        **LockNotices(database).handlers(),
        **SecurityNotices(senders.email).handlers(),
        **ProofHandlers(database, marks.digest, senders, counts).handlers(),
    }
    chores: dict[str, Chore] = {"identifier_proofs": proofs.prune}
    if senders.sms is not None:
        lab = senders.sms if isinstance(senders.sms, LabOutbox) else None
        service = PhoneVerifications(database, marks.digest, lab, limiter=limiter, venues=settings.venues)
        context.offer(service)
        jobs |= CodeHandlers(database, marks.digest, senders.sms, counts).handlers()
        chores["phone_verifications"] = service.prune
    return Part(jobs=jobs, chores=chores)


def proof_senders(settings: Settings, database: Database) -> ProofSenders:
    """Return what sends codes.

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
    return senders


def make_sender(settings: Settings, database: Database) -> CodeSender | None:
    """Return the SMS sender that the settings name; without one, embedded mode has the lab's outbox."""
    if settings.sms_provider != "none":
        return open_sender(settings.sms_provider, settings.sms_options)
    return LabOutbox(database) if settings.mode == "embedded" or settings.rehearses_supply else None


def make_email_sender(settings: Settings, database: Database) -> CodeSender | None:
    """Return the e-mail sender that the settings name; without one, embedded mode has the lab's outbox."""
    if settings.email_provider != "none":
        return email_registry.open_sender(settings.email_provider, settings.email_options)
    return LabOutbox(database) if settings.mode == "embedded" else None
