"""Errors of remote SIM provisioning: malformed octets, signatures, protected segments and certificates."""

from kswifi.kernel.errors import KswifiError


class RspError(KswifiError):
    """Base class of the errors of remote SIM provisioning."""

    code = "rsp_error"


class RspDecodeError(RspError):
    """The octets are not the expected SGP.22 structure."""

    code = "rsp_decode_error"


class SignatureRefusedError(RspError):
    """An ECDSA signature is not valid for this key and these octets."""

    code = "signature_refused"


class BspStructureError(RspError):
    """The tag, length or padding of a protected segment is wrong; reported as ``scp03tStructureError``."""

    code = "bsp_structure_error"


class BspSecurityError(RspError):
    """The MAC of a protected segment does not match; reported as ``scp03tSecurityError``."""

    code = "bsp_security_error"


class BoundProfileRefusedError(RspError):
    """The card refuses a bound profile package.

    ``command`` and ``reason`` are the BppCommandId and ErrorReason of the ProfileInstallationResult
    that the card then signs (SGP.22, 2.5.6).
    """

    code = "bound_profile_refused"

    def __init__(self, message: str, *, command: int, reason: int) -> None:
        super().__init__(message, bpp_command_id=command, error_reason=reason)
        self.command = command
        self.reason = reason


class PkiError(RspError):
    """A folder of certificates and keys is not a usable PKI."""

    code = "pki_error"


class CertificateRefusedError(RspError):
    """A certificate is not trusted; its ``role`` determines the subject code of the answer."""

    code = "certificate_refused"

    def __init__(self, message: str, *, role: str, **facts: str | int | bool | None) -> None:
        super().__init__(message, role=role, **facts)
        self.role = role


class CertificateInvalidError(CertificateRefusedError):
    """It is malformed, has the wrong role or forbidden names, or its signature is wrong."""

    code = "certificate_invalid"


class CertificateExpiredError(CertificateRefusedError):
    """Its validity has ended."""

    code = "certificate_expired"


class CertificateRevokedError(CertificateRefusedError):
    """Its issuer has revoked it."""

    code = "certificate_revoked"


class UnknownCertificateIssuerError(CertificateRefusedError):
    """Its chain does not end at a trusted certificate issuer (CI)."""

    code = "certificate_issuer_unknown"
