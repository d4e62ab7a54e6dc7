"""The push service of the lab phone and its browser's side of Web Push (RFC 8030, 8291, 8292) over real HTTP.

In reality a push service stores messages that it cannot read, and the browser, which has the keys, fetches and
decrypts them. Here both are one object, so that the messages can be shown. As in reality, a sender must
authenticate with the key that the subscription was made for, and a message that cannot be decrypted is refused.
"""

import json
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import http_ece
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kswifi.kernel.errors import KswifiError

SUBSCRIPTIONS: Final = 64
MESSAGES: Final = 50
LARGEST_MESSAGE_OCTETS: Final = 4_096  # RFC 8030, 7.2: every push service accepts so many


class PushRequestRefusedError(KswifiError):
    """The request is not a valid push message for this subscription."""

    code = "push_refused"


@dataclass(slots=True)
class _Subscription:
    """A subscription of the browser: its key and secret, and the public key of its only permitted sender."""

    sender: bytes
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))


class PushService:
    """The subscriptions of the lab phone's browser, and the newest messages that they received."""

    def __init__(self) -> None:
        self._subscriptions: OrderedDict[str, _Subscription] = OrderedDict()
        self._messages: deque[dict[str, Any]] = deque(maxlen=MESSAGES)

    def subscribe(self, origin: str, application_server_key: str) -> dict[str, Any]:
        """Make a subscription; return the object that ``PushSubscription.toJSON()`` gives a page.

        Args:
            origin: of this service.
            application_server_key: the sender's public key (P-256), base64url.

        Raises:
            PushRequestRefusedError: the key is malformed.
        """
        sender = _decoded(application_server_key)
        _public_key(sender)
        name = secrets.token_urlsafe(24)
        made = self._subscriptions[name] = _Subscription(sender)
        if len(self._subscriptions) > SUBSCRIPTIONS:
            self._subscriptions.popitem(last=False)
        point = made.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": _encoded(point), "auth": _encoded(made.secret)}
        return {"endpoint": f"{origin}/push/{name}", "expirationTime": None, "keys": keys}

    def unsubscribe(self, name: str) -> None:
        """Remove a subscription. Senders to it get 410 from now on."""
        self._subscriptions.pop(name, None)

    def take(self, name: str, origin: str, headers: dict[str, str], body: bytes) -> bool:
        """Accept a message; return False if the subscription does not exist any more.

        Raises:
            PushRequestRefusedError: it has no TTL, is from another sender, or cannot be decrypted.
        """
        subscription = self._subscriptions.get(name)
        if subscription is None:
            return False
        require_push_message(headers, origin, subscription.sender)
        try:
            text = http_ece.decrypt(
                body, private_key=subscription.key, auth_secret=subscription.secret, version="aes128gcm"
            )
            message = json.loads(text)
        except (http_ece.ECEException, InvalidTag, ValueError) as error:
            raise PushRequestRefusedError("the message cannot be decrypted") from error
        self._messages.appendleft(
            {"at": datetime.now(UTC).isoformat(), "topic": headers.get("topic", ""), "message": message}
        )
        return True

    def messages(self) -> list[dict[str, Any]]:
        """Return the received messages, the newest first."""
        return list(self._messages)


async def receive(service: PushService, request: Request) -> Response:
    """Serve the push resource: accept a message that an application server POSTs (RFC 8030, 5)."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_MESSAGE_OCTETS:
            return Response(status_code=413)
    try:
        taken = service.take(request.path_params["name"], origin_of(request), dict(request.headers), body)
    except PushRequestRefusedError as error:
        return JSONResponse({"code": error.code, "detail": error.message}, 403)
    return (
        Response(status_code=201, headers={"Location": "/phone/messages"}) if taken else Response(status_code=410)
    )


def origin_of(request: Request) -> str:
    """Return the origin of this service, as the request addressed it."""
    return f"{request.url.scheme}://{request.url.netloc}"


def require_push_message(headers: Mapping[str, str], origin: str, sender: bytes) -> None:
    """Check those parts of a push message that a push service can check without the browser's keys.

    Args:
        headers: of the request, with names in lower case.
        origin: of the push service.
        sender: the public key of the subscription's sender.

    Raises:
        PushRequestRefusedError: it has no TTL, is from another sender, or is not encrypted.
    """
    if not headers.get("ttl", "").isdigit():
        raise PushRequestRefusedError("a push message has a TTL (RFC 8030, 5.2)")
    _require_sender(sender, origin, headers.get("authorization", ""))
    if headers.get("content-encoding") != "aes128gcm":
        raise PushRequestRefusedError("a push message is encrypted as aes128gcm (RFC 8291, 4)")


def _require_sender(sender: bytes, origin: str, authorization: str) -> None:
    """Refuse a sender that does not authenticate with the key of the subscription (RFC 8292, 4.2)."""
    scheme, _, rest = authorization.partition(" ")
    given = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if scheme.lower() != "vapid" or _decoded(given.get("k", "")) != sender:
        raise PushRequestRefusedError("this subscription takes messages of another sender")
    try:
        claims = jwt.decode(given.get("t", ""), _public_key(sender), algorithms=["ES256"]).claims
    except (JoseError, ValueError) as error:
        raise PushRequestRefusedError("the sender's token cannot be verified") from error
    now = datetime.now(UTC).timestamp()
    if claims.get("aud") != origin or not now < float(claims.get("exp", 0)) <= now + 86_400:
        raise PushRequestRefusedError("the sender's token is for another service, or its time is over")


def _public_key(point: bytes) -> ECKey:
    try:
        return ECKey.import_key(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
    except ValueError as error:
        raise PushRequestRefusedError("this is no P-256 key") from error


def _encoded(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except ValueError as error:
        raise PushRequestRefusedError("this is no base64url") from error
