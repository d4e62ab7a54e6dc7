"""Phone verification joined: who sends the codes."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from kswifi.database.engine import Database
from kswifi.free_data.pseudonyms import Marks
from kswifi.outbox.results import Handler
from kswifi.phone_verification.job_handlers import CodeHandlers
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.ports import CodeSender
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.providers.sms.registry import open_sender
from kswifi.settings import Settings


@dataclass(frozen=True, slots=True)
class Phones:
    """What verifies phone numbers; ``service`` is None where nothing sends messages."""

    marks: Marks
    service: PhoneVerifications | None = None
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    chores: Mapping[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)


def open_phones(settings: Settings, database: Database, marks: Marks, stack: AsyncExitStack) -> Phones:
    """Return the parts of phone verification; ``stack`` closes them."""
    sender = make_sender(settings, database)
    if sender is None:
        return Phones(marks)
    stack.push_async_callback(sender.close)
    lab = sender if isinstance(sender, LabOutbox) else None
    service = PhoneVerifications(
        *(database, marks.digest, lab), codes_a_day=settings.sms_codes_a_day, venues=settings.venues
    )
    handlers = CodeHandlers(database, marks.digest, sender).handlers()
    return Phones(marks, service, handlers, {"phone_verifications": service.prune})


def make_sender(settings: Settings, database: Database) -> CodeSender | None:
    """Return the SMS sender that the settings name; without one, embedded mode has the lab's outbox."""
    if settings.sms_provider != "none":
        return open_sender(settings.sms_provider, settings.sms_options)
    return LabOutbox(database) if settings.mode == "embedded" else None
