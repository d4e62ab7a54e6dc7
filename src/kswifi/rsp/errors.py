"""What remote SIM provisioning refuses: octets, signatures, protected segments and certificates."""

from kswifi.kernel.errors import KswifiError


class RspError(KswifiError):
    """The root of what the provisioning core refuses."""

    code = "rsp_error"


class RspDecodeError(RspError):
    """Octets that are not the SGP.22 structure they should be."""

    code = "rsp_decode_error"


class SignatureRefusedError(RspError):
    """An ECDSA signature that is no signature by this key over these octets."""

    code = "signature_refused"


class BspStructureError(RspError):
    """A protected segment whose tag, length or padding is wrong: ``scp03tStructureError`` to the server."""

    code = "bsp_structure_error"


class BspSecurityError(RspError):
    """A protected segment whose MAC does not match: ``scp03tSecurityError`` to the server."""

    code = "bsp_security_error"


class BoundProfileRefusedError(RspError):
    """A bound profile package that the card does not take.

    ``command`` and ``reason`` are the BppCommandId and ErrorReason of the ProfileInstallationResult
    that the card then signs (SGP.22, 2.5.6).
    """

    code = "bound_profile_refused"

    def __init__(self, message: str, *, command: int, reason: int) -> None:
        super().__init__(message, bpp_command_id=command, error_reason=reason)
        self.command = command
        self.reason = reason


class PkiError(RspError):
    """A folder of certificates and keys that makes no usable PKI."""

    code = "pki_error"


class CertificateRefusedError(RspError):
    """A certificate that is not trusted; ``role`` names whose it is, for the answer's subject code."""

    code = "certificate_refused"

    def __init__(self, message: str, *, role: str, **facts: str | int | bool | None) -> None:
        super().__init__(message, role=role, **facts)
        self.role = role


class CertificateInvalidError(CertificateRefusedError):
    """It is malformed, has the wrong role, is not signed by its issuer, or names what it may not."""

    code = "certificate_invalid"


class CertificateExpiredError(CertificateRefusedError):
    """It was good once; its validity has ended."""

    code = "certificate_expired"


class CertificateRevokedError(CertificateRefusedError):
    """Its issuer has revoked it."""

    code = "certificate_revoked"


class UnknownCertificateIssuerError(CertificateRefusedError):
    """It ends at a certificate issuer (CI) that is not among the trusted ones."""

    code = "certificate_issuer_unknown"
