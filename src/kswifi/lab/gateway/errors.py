"""What the access gateway refuses, and what stops it."""

from kswifi.kernel.errors import KswifiError


class GatewayError(KswifiError):
    """Something the access gateway could not do."""

    code = "gateway_error"


class DamagedCountError(GatewayError):
    """A count file that cannot be believed: it is set aside and reported, never guessed at."""

    code = "damaged_count"


class GatewayInUseError(GatewayError):
    """Another gateway runs on the same data directory."""

    code = "gateway_in_use"


class DiameterUnavailableError(GatewayError):
    """The Diameter peer did not answer in the time a caller would wait, or too much waits for it already."""

    code = "diameter_unavailable"


class AccessRefusedError(GatewayError):
    """The network does not let this subscriber in; ``emm_cause`` is TS 24.301's (9.9.3.9)."""

    code = "access_refused"

    def __init__(self, message: str, emm_cause: int) -> None:
        super().__init__(message, emm_cause=emm_cause)
        self.emm_cause = emm_cause


class ProxyRefusedError(GatewayError):
    """The proxy answers a request itself, with this HTTP status."""

    code = "proxy_refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, status=status)
        self.status = status
