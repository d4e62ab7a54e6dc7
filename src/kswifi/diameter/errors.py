"""The codec's error: a Result-Code and the AVP at fault."""

from kswifi.diameter.constants import ResultCode
from kswifi.kernel.errors import KswifiError


class DiameterError(KswifiError):
    """A message is refused with a Result-Code (RFC 6733, 7.1).

    ``failed_avp`` holds the whole AVP at fault as octets (RFC 6733, 7.5), or b"" if no AVP is at fault.
    """

    code = "diameter_error"

    def __init__(self, result_code: ResultCode, message: str, failed_avp: bytes = b"") -> None:
        super().__init__(message, result_code=int(result_code))
        self.result_code = result_code
        self.failed_avp = failed_avp

    @property
    def is_protocol_error(self) -> bool:
        """Whether the answer carries the E bit: the 3xxx class (RFC 6733, 7.1.3)."""
        return 3000 <= self.result_code < 4000
