"""Web Push: encrypted messages (RFC 8291), with proof of the sender (RFC 8292), over HTTP (RFC 8030).

A browser supplies the endpoint, so it is not trusted: only HTTPS to public addresses is used, the address that was
checked is the one that is connected to, no redirect is followed and no answer is read. The only exception is the
lab's push service, by its origin.
"""

import asyncio
import socket
from base64 import urlsafe_b64encode
from datetime import timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

import http_ece
import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from kswifi.kernel.clock import Clock, unix_seconds
from kswifi.notifications.errors import VAPID_KEY_DAMAGED, PushEndpointRefusedError
from kswifi.notifications.model import Subscription
from kswifi.notifications.ports import GONE, NOT_IDENTIFIED
from kswifi.outbox.results import Done, JobResult, Refused, Unknown
from kswifi.providers.public_tls import public_tls

SEND_SECONDS: Final = 10.0
TOKEN_LIFETIME: Final = timedelta(hours=12)  # RFC 8292, 2: at most 24 hours
TIME_TO_LIVE: Final = timedelta(hours=12)
_CURVE: Final = ec.SECP256R1()


class WebPush:
    """Sends messages to push services. Close it with the server.

    Args:
        pem: the private key that identifies us to push services (P-256, PKCS #8).
        contact: ``mailto:`` or ``https:``, for messages of a push service to the operator (RFC 8292, 2.1).
        also: further allowed origins that are not in the public internet, for example the lab's.
    """

    def __init__(self, pem: bytes, contact: str, clock: Clock, also: frozenset[str] = frozenset()) -> None:
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except ValueError as error:
            raise VAPID_KEY_DAMAGED("the Web Push key cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise VAPID_KEY_DAMAGED("the Web Push key is not a P-256 key")
        self._key = ECKey.import_key(key)
        point = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.public_key: Final = urlsafe_b64encode(point).rstrip(b"=").decode()
        self._contact = contact
        self._clock = clock
        self._also = also
        self._client = httpx2.AsyncClient(
            timeout=SEND_SECONDS, trust_env=False, follow_redirects=False, verify=public_tls(trust_env=False)
        )

    def check_endpoint(self, endpoint: str) -> None:
        """Refuse an endpoint to which messages must not be sent."""
        parts = _parts(endpoint)
        if _origin(parts) in self._also:
            return
        if parts.scheme != "https" or parts.username is not None or not parts.hostname:
            raise PushEndpointRefusedError("a push service is reached by HTTPS")
        if _is_address(parts.hostname) and not ip_address(parts.hostname).is_global:
            raise PushEndpointRefusedError("a push service is in the public internet")

    async def send(self, to: Subscription, message: bytes, topic: str) -> JobResult:
        """Encrypt and send a message; see ``PushTransport`` for the reasons of a refusal."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                status = await self._post(to, message, topic)
        except PushEndpointRefusedError as error:
            return Refused(error.message)
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            return Unknown(f"the push service did not answer: {type(error).__name__}")
        if status in (404, 410):  # RFC 8030, 7.3
            return Refused(GONE)
        if status in (
            httpx2.codes.UNAUTHORIZED,
            httpx2.codes.FORBIDDEN,
        ):  # RFC 8292, 2: the key or the token is wrong
            return Refused(NOT_IDENTIFIED)
        if status == httpx2.codes.TOO_MANY_REQUESTS or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            return Unknown(f"the push service answered {status}")
        return Done() if httpx2.codes.is_success(status) else Refused(f"the push service answered {status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, to: Subscription, message: bytes, topic: str) -> int:
        parts = _parts(to.endpoint)
        self.check_endpoint(to.endpoint)
        host = parts.hostname or ""
        url = httpx2.URL(to.endpoint)
        if _origin(parts) not in self._also:
            url = url.copy_with(host=await _public_address(host, parts.port or 443))
        body = http_ece.encrypt(
            message,
            private_key=ec.generate_private_key(_CURVE),
            dh=to.key,
            auth_secret=to.secret,
            version="aes128gcm",
        )
        request = self._client.build_request(
            "POST",
            url,
            content=body,
            headers={
                "Host": parts.netloc,
                "Authorization": f"vapid t={self._token(_origin(parts))}, k={self.public_key}",
                "Content-Encoding": "aes128gcm",
                "Content-Type": "application/octet-stream",
                "TTL": str(int(TIME_TO_LIVE.total_seconds())),
                "Topic": topic,
                "Urgency": "normal",
            },
            extensions={"sni_hostname": host},
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()  # only the status is used, not the body
        return int(answer.status_code)

    def _token(self, audience: str) -> str:
        """Return the VAPID token that proves the sender (RFC 8292, 2)."""
        claims = {
            "aud": audience,
            "exp": unix_seconds(self._clock.now() + TOKEN_LIFETIME),
            "sub": self._contact,
        }
        return jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, self._key)


def fresh_vapid_key_pem() -> bytes:
    """Return a new private key in PEM for the key file."""
    return ec.generate_private_key(_CURVE).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


async def _public_address(host: str, port: int) -> str:
    """Return an address of a host; refuse the host unless all its addresses are in the public internet."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    if not addresses or not all(ip_address(one).is_global for one in addresses):
        raise PushEndpointRefusedError("a push service is in the public internet")
    return addresses[0]


def _parts(endpoint: str) -> SplitResult:
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError as error:
        raise PushEndpointRefusedError("this is no address") from error
    return parts


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
