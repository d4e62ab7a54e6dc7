"""What can be wrong with a secured packet."""

from kswifi.kernel.errors import KswifiError


class SecuredPacketError(KswifiError):
    """A secured packet that is not taken."""

    code = "secured_packet_refused"


class MalformedPacketError(SecuredPacketError):
    """Octets that are no secured packet, no SMS, or no script."""

    code = "secured_packet_malformed"


class UnsupportedSecurityError(SecuredPacketError):
    """An algorithm or a kind of check that this program does not have, single DES among them."""

    code = "secured_packet_unsupported"


class WrongChecksumError(SecuredPacketError):
    """The cryptographic checksum is wrong: an octet was changed, or the key is another one."""

    code = "secured_packet_wrong_checksum"
