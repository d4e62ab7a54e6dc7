"""One RSP session of a card, from GetEUICCChallenge to the end of a download; it is lost with the power."""

from dataclasses import dataclass, field

from kswifi.euicc.state import EuiccIdentity
from kswifi.rsp.binding import CardSecrets, PackageOpener
from kswifi.rsp.certificates import RspCertificate


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A server that has proved itself, and what the card answered it."""

    transaction_id: bytes
    server: RspCertificate
    """CERT.DPauth."""
    server_address: str
    identity: EuiccIdentity
    signature: bytes
    """euiccSignature1."""

    @property
    def smdp_oid(self) -> str:
        """Return the server's object identifier; it is checked before this is made."""
        return self.server.oid or ""


@dataclass(slots=True)
class Loading:
    """A bound profile package that is on its way into the card."""

    opener: PackageOpener = field(repr=False)
    metadata: bytes = b""
    iccid: bytes | None = None
    package: bytearray = field(default_factory=bytearray, repr=False)


@dataclass(slots=True)
class RspTransaction:
    """How far the card has come with a server; each step needs the one before it."""

    challenge: bytes | None
    """euiccChallenge, good for one AuthenticateServer."""
    authenticated: Authenticated | None = None
    secrets: CardSecrets | None = field(default=None, repr=False)
    """Set by PrepareDownload."""
    loading: Loading | None = None
