"""Counts wrong passwords so that guessing is slow and no attacker can lock an owner out (OWASP, device cookies).

All clients without a valid device cookie of an account share one counter; each device cookie has its own. The
counters are in bounded memory (``rates``): a restart forgets them, which gives an attacker one more burst.
"""

from datetime import datetime

from kswifi.accounts.errors import SignInLockedError, TooManyAttemptsError
from kswifi.accounts.rates import Rate, RateLimiter


class PasswordGuesses:
    """The counters of one process. ``rate`` is how many wrong passwords each of them takes."""

    def __init__(self, rate: Rate) -> None:
        self._strangers = RateLimiter(rate)
        self._known = RateLimiter(rate)
        self._notices = RateLimiter(Rate(1, rate.period))

    def attempt(self, identifier: str, known: str | None, now: datetime) -> None:
        """Count an attempt before the password is checked, so that attempts at the same time count too.

        ``known`` names the client's device cookie or its proof of the identifier, if it has one. A client that used
        up the counter of its cookie counts as one without a cookie.

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
        """Forget the attempts of a client that had the right password; those of other clients stay."""
        if known is None:
            self._strangers.forgive(identifier)
        else:
            self._known.forgive(known)

    def unlock(self, identifier: str) -> None:
        """Forget all attempts without a device cookie, after the owner recovered the account."""
        self._strangers.forgive(identifier)

    def notice_is_due(self, identifier: str, now: datetime) -> bool:
        """Return whether the owner is to be told of a lock-out: true once in a window."""
        try:
            self._notices.attempt(identifier, now)
        except TooManyAttemptsError:
            return False
        return True
