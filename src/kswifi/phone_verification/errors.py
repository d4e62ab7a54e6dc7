"""What phone verification refuses."""

from kswifi.kernel.errors import KswifiError


class PhoneVerificationNotSetUpError(KswifiError):
    """Nothing sends text messages here."""

    code = "phone_verification_not_set_up"


class NotAPhoneNumberError(KswifiError):
    """It is no phone number that a code can be sent to."""

    code = "not_a_phone_number"


class UnknownPhoneVerificationError(KswifiError):
    """The user has no verification of this id."""

    code = "unknown_phone_verification"


class PhoneCodeOverError(KswifiError):
    """The code has had its time or its tries, or the message was refused: ask for another."""

    code = "phone_code_over"


class PhoneCodeWrongError(KswifiError):
    """It is not the code that was sent; ``tries_left`` says how often one may try again."""

    code = "phone_code_wrong"


class PhoneVerifiedElsewhereError(KswifiError):
    """Another account has verified this number."""

    code = "phone_verified_elsewhere"


class NoLabMessageError(KswifiError):
    """Messages can be read here only where none is really sent, and this one is not in the outbox."""

    code = "no_lab_message"
