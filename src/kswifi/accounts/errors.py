"""The errors of accounts."""

from kswifi.kernel.errors import KswifiError


class InvalidIdentifierError(KswifiError):
    """The text is neither a phone number nor an email address."""

    code = "invalid_identifier"


class WeakPasswordError(KswifiError):
    """The password is too short, too long, or on the list of common passwords."""

    code = "weak_password"


class AlreadyRegisteredError(KswifiError):
    """An account already uses the phone number or email address."""

    code = "already_registered"


class WrongCredentialsError(KswifiError):
    """The account is unknown or the password is wrong; the error does not show which."""

    code = "wrong_credentials"


class WrongRecoveryCodeError(KswifiError):
    """The account is unknown or the recovery code is wrong; the error does not show which."""

    code = "wrong_recovery_code"


class NotSignedInError(KswifiError):
    """The request has no LoginSession token, or the token is unknown."""

    code = "not_signed_in"


class LoginExpiredError(KswifiError):
    """The LoginSession has expired, or was idle too long."""

    code = "login_expired"


class TooManyAttemptsError(KswifiError):
    """The rate limit of attempts is reached; the next attempt is accepted after ``retry_after_seconds``."""

    code = "too_many_attempts"


class SignInLockedError(TooManyAttemptsError):
    """Too many wrong passwords for one account came from clients without its device cookie.

    The code is that of every other rate limit, so that the answer is the same whether the account exists or not.
    """


class IdentifierNotProvedError(KswifiError):
    """The proof of the phone number or email address is missing, not confirmed, already used, or expired."""

    code = "identifier_not_proved"


class UnknownLoginError(KswifiError):
    """The user has no LoginSession with this id."""

    code = "unknown_login"


class SignInBusyError(KswifiError):
    """Too many password checks are waiting."""

    code = "sign_in_busy"


class PasskeysNotHereError(KswifiError):
    """The page's origin is an IP address or not HTTPS, so browsers cannot make passkeys for it."""

    code = "passkeys_not_here"


class PasskeyChallengeOverError(KswifiError):
    """The passkey challenge is unknown, already answered, for another purpose, or expired."""

    code = "passkey_challenge_over"


class PasskeyRefusedError(KswifiError):
    """The authenticator's signature is not valid, or the passkey belongs to no account."""

    code = "passkey_refused"


class TooManyPasskeysError(KswifiError):
    """The account has the maximum number of passkeys."""

    code = "too_many_passkeys"


class UnknownPasskeyError(KswifiError):
    """The user has no passkey with this id."""

    code = "unknown_passkey"
