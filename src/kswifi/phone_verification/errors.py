"""The errors of phone verification."""

from kswifi.kernel.errors import KswifiError


class PhoneVerificationNotSetUpError(KswifiError):
    """No sender of text messages is configured."""

    code = "phone_verification_not_set_up"


class NotAPhoneNumberError(KswifiError):
    """The text is not a phone number to which a code can be sent."""

    code = "not_a_phone_number"


class UnknownPhoneVerificationError(KswifiError):
    """The user has no verification with this id."""

    code = "unknown_phone_verification"


class PhoneCodeOverError(KswifiError):
    """The code has expired, has no attempts left, or its message was refused: request a new one."""

    code = "phone_code_over"


class PhoneCodeWrongError(KswifiError):
    """The code is wrong; ``tries_left`` is the number of attempts left."""

    code = "phone_code_wrong"


class PhoneVerifiedElsewhereError(KswifiError):
    """Another account has verified this number."""

    code = "phone_verified_elsewhere"


class NoLabMessageError(KswifiError):
    """Messages are really sent here, or this message is not stored in the lab's outbox."""

    code = "no_lab_message"
