"""Who we are to an authenticator: the name a passkey belongs to, and the origin it may be used from."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """``rp_id`` is a host name (WebAuthn, 5.1.2: never an address); ``origins`` are where the page lives."""

    rp_id: str
    origins: tuple[str, ...]

    @classmethod
    def of(cls, public_origin: str) -> Self | None:
        """Return who the page at this origin is, None where there can be no passkeys.

        An address cannot be a relying party. This machine's own is the exception that costs nothing: browsers
        take ``localhost`` without TLS, and the same page answers there.
        """
        parts = urlsplit(public_origin)
        host = parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
        try:
            if not ip_address(host).is_loopback:
                return None
        except ValueError:
            return cls(host, (public_origin,)) if parts.scheme == "https" or host == "localhost" else None
        return cls("localhost", (f"{parts.scheme}://localhost{port}",))
