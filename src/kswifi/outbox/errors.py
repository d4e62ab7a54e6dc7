"""What the outbox refuses."""

from kswifi.kernel.errors import KswifiError


class PayloadTooLargeError(KswifiError):
    """A payload that belongs in a table of its own."""

    code = "payload_too_large"
