"""What accounts refuse."""

from kswifi.kernel.errors import KswifiError


class InvalidIdentifierError(KswifiError):
    """Neither a phone number nor an email address."""

    code = "invalid_identifier"


class WeakPasswordError(KswifiError):
    """A password too short, too long, or one that everybody guesses first."""

    code = "weak_password"


class AlreadyRegisteredError(KswifiError):
    """The phone number or email address has an account."""

    code = "already_registered"


class WrongCredentialsError(KswifiError):
    """Unknown account or wrong password; which of the two is not told."""

    code = "wrong_credentials"


class WrongRecoveryCodeError(KswifiError):
    """Unknown account or wrong recovery code; which of the two is not told."""

    code = "wrong_recovery_code"


class NotSignedInError(KswifiError):
    """No LoginSession came with the request, or it is not one of ours."""

    code = "not_signed_in"


class LoginExpiredError(KswifiError):
    """The LoginSession has had its time, or was idle too long."""

    code = "login_expired"


class TooManyAttemptsError(KswifiError):
    """More attempts than anyone honest needs; ``retry_after_seconds`` says when to come back."""

    code = "too_many_attempts"


class SignInLockedError(TooManyAttemptsError):
    """Too many wrong passwords of one account came from clients without its device cookie.

    It has the code of any other rate, so that the answer is the same whether the account exists or not.
    """


class IdentifierNotProvedError(KswifiError):
    """No confirmed proof came with the phone number or email address, or it was used, or it has had its time."""

    code = "identifier_not_proved"


class UnknownLoginError(KswifiError):
    """The user has no login session with this id."""

    code = "unknown_login"


class SignInBusyError(KswifiError):
    """So many passwords are being checked that one more would only wait."""

    code = "sign_in_busy"


class PasskeysNotHereError(KswifiError):
    """The page is reached by an address or without HTTPS, where browsers make no passkeys."""

    code = "passkeys_not_here"


class PasskeyChallengeOverError(KswifiError):
    """The challenge is unknown, was answered before, is for something else, or has had its time."""

    code = "passkey_challenge_over"


class PasskeyRefusedError(KswifiError):
    """What the authenticator signed does not hold, or belongs to no account."""

    code = "passkey_refused"


class TooManyPasskeysError(KswifiError):
    """The account has as many as one may have."""

    code = "too_many_passkeys"


class UnknownPasskeyError(KswifiError):
    """The user has no passkey with this id."""

    code = "unknown_passkey"
