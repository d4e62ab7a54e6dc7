"""Errors of the access gateway: GatewayError and its kinds."""

from kswifi.kernel.errors import KswifiError


class GatewayError(KswifiError):
    """The access gateway refused or could not do something; each subclass names a reason."""

    code = "gateway_error"


class DamagedCountError(GatewayError):
    """A count file is inconsistent. It is set aside and reported; its usage is not guessed."""

    code = "damaged_count"


class GatewayInUseError(GatewayError):
    """Another gateway runs on the same data directory."""

    code = "gateway_in_use"


class DiameterUnavailableError(GatewayError):
    """Too many requests are waiting for the Diameter server."""

    code = "diameter_unavailable"


class AccessRefusedError(GatewayError):
    """The network does not admit this subscriber; ``emm_cause`` is the cause of TS 24.301, 9.9.3.9."""

    code = "access_refused"

    def __init__(self, message: str, emm_cause: int) -> None:
        super().__init__(message, emm_cause=emm_cause)
        self.emm_cause = emm_cause


class ProxyRefusedError(GatewayError):
    """The proxy refuses a request with the HTTP status ``status``."""

    code = "proxy_refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, status=status)
        self.status = status
