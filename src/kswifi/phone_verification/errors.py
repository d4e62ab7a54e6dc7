"""The errors of phone verification."""

from kswifi.kernel.errors import Refusal

PHONE_VERIFICATION_NOT_SET_UP = Refusal(
    "phone_verification_not_set_up", "Nothing sends text messages here.", status=409
)
NOT_A_PHONE_NUMBER = Refusal("not_a_phone_number", "It is no phone number that a code can be sent to.", status=422)
UNKNOWN_PHONE_VERIFICATION = Refusal(
    "unknown_phone_verification", "The user has no verification of this id.", status=404
)
PHONE_CODE_OVER = Refusal(
    "phone_code_over",
    "The code has had its time or its tries, or the message was refused: ask for another.",
    status=410,
)
PHONE_CODE_WRONG = Refusal(
    "phone_code_wrong",
    "It is not the code that was sent; ``tries_left`` says how often one may try again.",
    status=422,
)
PHONE_VERIFIED_ELSEWHERE = Refusal(
    "phone_verified_elsewhere", "Another account has verified this number.", status=409
)
NO_LAB_MESSAGE = Refusal(
    "no_lab_message",
    "Messages can be read here only where none is really sent, and this one is not in the outbox.",
    status=404,
)
