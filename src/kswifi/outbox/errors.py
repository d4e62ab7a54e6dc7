"""The errors of the outbox."""

from kswifi.kernel.errors import KswifiError


class PayloadTooLargeError(KswifiError):
    """The payload is too large for the outbox and belongs in a table of its own."""

    code = "payload_too_large"
