"""The WebAuthn relying party: the host name that passkeys belong to, and the origins that may use them."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """``rp_id`` is a host name, never an IP address (WebAuthn, 5.1.2); ``origins`` are the origins of the page."""

    rp_id: str
    origins: tuple[str, ...]

    @classmethod
    def of(cls, public_origin: str) -> Self | None:
        """Return the relying party of the page at this origin; None where passkeys are not possible.

        An IP address cannot be a relying party. The loopback address is the exception: browsers accept
        ``localhost`` without TLS, and the same page answers there.
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
