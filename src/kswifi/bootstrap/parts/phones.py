"""Phone verification, with the SMS sender that the settings name."""

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.database.engine import Database
from kswifi.free_data.pseudonyms import Marks
from kswifi.phone_verification.job_handlers import CodeHandlers
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.ports import CodeSender
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.providers.sms.registry import open_sender
from kswifi.settings import Settings


async def open_phones(context: Context) -> Part:
    """Open the verification of phone numbers, where there is an SMS sender; offer the pseudonyms of numbers."""
    settings, database = context.settings, context.database
    marks = Marks(context.vault_key)
    context.offer(marks)
    sender = make_sender(settings, database)
    if sender is None:
        return Part()
    context.stack.push_async_callback(sender.close)
    service = PhoneVerifications(
        database,
        marks.digest,
        sender if isinstance(sender, LabOutbox) else None,
        codes_a_day=settings.sms_codes_a_day,
        venues=settings.venues,
    )
    context.offer(service)
    return Part(
        jobs=CodeHandlers(database, marks.digest, sender).handlers(),
        chores={"phone_verifications": service.prune},
    )


def make_sender(settings: Settings, database: Database) -> CodeSender | None:
    """Return the SMS sender that the settings name; without one, embedded mode has the lab's outbox."""
    if settings.sms_provider != "none":
        return open_sender(settings.sms_provider, settings.sms_options)
    return LabOutbox(database) if settings.mode == "embedded" else None
