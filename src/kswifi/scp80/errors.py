"""Errors of secured packets: SecuredPacketError and its kinds."""

from kswifi.kernel.errors import KswifiError


class SecuredPacketError(KswifiError):
    """A secured packet is refused; each subclass names a reason."""

    code = "secured_packet_refused"


class MalformedPacketError(SecuredPacketError):
    """The octets are not a well-formed secured packet, SMS or script."""

    code = "secured_packet_malformed"


class UnsupportedSecurityError(SecuredPacketError):
    """The packet asks for an algorithm or a kind of check that is not implemented here, such as single DES."""

    code = "secured_packet_unsupported"


class WrongChecksumError(SecuredPacketError):
    """The cryptographic checksum is wrong: an octet was changed, or the packet was made with other keys."""

    code = "secured_packet_wrong_checksum"
