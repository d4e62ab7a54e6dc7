"""Counters of wrong passwords, which slow down guessing and never lock an owner out (OWASP, device cookies).

All clients without a valid device cookie of an account share one counter; each device cookie has its own. The
counters are in bounded memory (``rates``): a restart clears them, which gives an attacker one more burst.
"""

from datetime import datetime

from kswifi.accounts.errors import SignInLockedError, TooManyAttemptsError
from kswifi.accounts.rates import Rate, RateLimiter


class PasswordGuesses:
    """The counters of one process. ``rate`` is the number of wrong passwords that each counter accepts."""

    def __init__(self, rate: Rate) -> None:
        self._strangers = RateLimiter(rate)
        self._known = RateLimiter(rate)
        self._notices = RateLimiter(Rate(1, rate.period))

    def attempt(self, identifier: str, known: str | None, now: datetime) -> None:
        """Count an attempt before the password is checked, so that concurrent attempts count too.

        ``known`` identifies the client's device cookie or its proof of the identifier; None if it has neither. A
        client whose device cookie has used up its counter is counted like a client without a cookie.

        Raises:
            SignInLockedError: too many attempts.
        """
        if known is not None:
            try:
                self._known.attempt(known, now)
            except TooManyAttemptsError:
                pass
            else:
                return
        try:
            self._strangers.attempt(identifier, now)
        except TooManyAttemptsError as error:
            raise SignInLockedError(error.message, **error.facts) from None

    def right(self, identifier: str, known: str | None) -> None:
        """Clear the attempts of a client that sent the right password; those of other clients stay."""
        if known is None:
            self._strangers.forgive(identifier)
        else:
            self._known.forgive(known)

    def unlock(self, identifier: str) -> None:
        """Clear all attempts without a device cookie, after the owner recovered the account."""
        self._strangers.forgive(identifier)

    def notice_is_due(self, identifier: str, now: datetime) -> bool:
        """Return whether to inform the owner of a locked sign-in: True once in a window."""
        try:
            self._notices.attempt(identifier, now)
        except TooManyAttemptsError:
            return False
        return True
