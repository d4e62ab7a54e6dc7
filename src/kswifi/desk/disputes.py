"""The queue of disputes, templates of answers, and answers that reach the customer in the app."""

from typing import Final

from sqlalchemy import Connection

from kswifi.desk.audit import record
from kswifi.desk.errors import REASON_MISSING
from kswifi.desk.roles import Operator, Permission
from kswifi.sessions.disputes import Dispute, answer_dispute

ANSWER_LIMIT: Final = 1000

TEMPLATES: Final[dict[str, str]] = {
    "usage is right": (
        "We compared your statement with the network's own records, and they agree. Each hour shows what your "
        "phone sent and received, also by apps in the background. You can see it by hour under your session."
    ),
    "we gave data": (
        "Thank you for telling us. We could not explain this usage, so we have given you a new session. "
        "You find it in the app: download it over WiFi as always."
    ),
    "usage is right (Pidgin)": (
        "We don check your statement with wetin the network record, and the two match. Every hour dey show wetin "
        "your phone send and receive, even app wey dey work for background. You fit see am by hour inside your "
        "session."
    ),
    "we gave data (Pidgin)": (
        "Thank you say you tell us. We no fit explain this usage, so we don give you new session. "
        "E dey for the app: download am with WiFi like before."
    ),
}
"""Beginnings of answers, by name, in English and Nigerian Pidgin; support completes them."""


def answer(connection: Connection, operator: Operator, dispute_id: str, words: str) -> Dispute:
    """Answer a dispute; the customer gets the answer in the app.

    Raises:
        UNKNOWN_DISPUTE, DISPUTE_ANSWERED
        REASON_MISSING: the answer is empty or too long.
        ROLE_MAY_NOT
    """
    operator.require(Permission.HELP_CUSTOMERS)
    words = words.strip()
    if not 1 <= len(words) <= ANSWER_LIMIT:
        raise REASON_MISSING(f"an answer has 1 to {ANSWER_LIMIT} characters")
    answered = answer_dispute(connection, dispute_id, words)
    record(
        connection,
        operator,
        "disputes answer",
        answered.session_id,
        before={"dispute_id": dispute_id, "answered": False},
        after={"answered": True},
    )
    return answered
