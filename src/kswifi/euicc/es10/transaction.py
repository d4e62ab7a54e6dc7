"""The card's RSP session, from GetEUICCChallenge to the end of a download; it is lost at power-off."""

from dataclasses import dataclass, field

from kswifi.euicc.state import EuiccIdentity
from kswifi.rsp.binding import CardSecrets, PackageOpener
from kswifi.rsp.certificates import RspCertificate


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A server that has authenticated, and the card's answer to it."""

    transaction_id: bytes
    server: RspCertificate
    """CERT.DPauth."""
    server_address: str
    identity: EuiccIdentity
    signature: bytes
    """euiccSignature1."""

    @property
    def smdp_oid(self) -> str:
        """Return the server's object identifier; it was checked before this object was made."""
        return self.server.oid or ""


@dataclass(slots=True)
class Loading:
    """A bound profile package that is being loaded."""

    opener: PackageOpener = field(repr=False)
    metadata: bytes = b""
    iccid: bytes | None = None
    package: bytearray = field(default_factory=bytearray, repr=False)


@dataclass(slots=True)
class RspTransaction:
    """The progress of a transaction with a server; each step requires the previous one."""

    challenge: bytes | None
    """euiccChallenge, valid for one AuthenticateServer."""
    authenticated: Authenticated | None = None
    secrets: CardSecrets | None = field(default=None, repr=False)
    """Set by PrepareDownload."""
    loading: Loading | None = None
