"""The lab phone's push service and its browser's half of Web Push, in one: RFC 8030, 8291, 8292 over real HTTP.

A browser's push service keeps what it cannot read until the browser, which holds the keys, fetches it. Here both
are one process, so that what a phone would show can be seen: who sends must show the key that was subscribed with,
and a message that does not decrypt is none.
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
LARGEST_MESSAGE_OCTETS: Final = 4_096  # RFC 8030, 7.2: what every service takes


class PushRequestRefusedError(KswifiError):
    """What came is no push message for this subscription."""

    code = "push_refused"


@dataclass(slots=True)
class _Subscription:
    """One browser's: its keys, whose messages it takes, and what it was told."""

    sender: bytes
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))


class PushService:
    """The subscriptions of the lab phone's browser, and the newest messages they were sent."""

    def __init__(self) -> None:
        self._subscriptions: OrderedDict[str, _Subscription] = OrderedDict()
        self._messages: deque[dict[str, Any]] = deque(maxlen=MESSAGES)

    def subscribe(self, origin: str, application_server_key: str) -> dict[str, Any]:
        """Return what ``PushSubscription.toJSON()`` gives a page.

        Raises:
            PushRequestRefusedError: that is no key.
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
        """Forget a subscription: whoever sends to it learns that it is gone."""
        self._subscriptions.pop(name, None)

    def take(self, name: str, origin: str, headers: dict[str, str], body: bytes) -> bool:
        """Take a message; False where the subscription is gone.

        Raises:
            PushRequestRefusedError: it has no lifetime, is not from whom it should be, or cannot be decrypted.
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
        """Return what the phone was told, the newest first."""
        return list(self._messages)


async def receive(service: PushService, request: Request) -> Response:
    """Serve the push resource: POST of a message, as any application server sends it."""
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
    """Return this service's own origin, as it was asked."""
    return f"{request.url.scheme}://{request.url.netloc}"


def require_push_message(headers: Mapping[str, str], origin: str, sender: bytes) -> None:
    """Refuse what a push service need not be able to read in order to refuse it.

    Raises:
        PushRequestRefusedError: it has no lifetime, is not from whom it should be, or is not encrypted.
    """
    if not headers.get("ttl", "").isdigit():
        raise PushRequestRefusedError("a push message has a TTL (RFC 8030, 5.2)")
    _require_sender(sender, origin, headers.get("authorization", ""))
    if headers.get("content-encoding") != "aes128gcm":
        raise PushRequestRefusedError("a push message is encrypted as aes128gcm (RFC 8291, 4)")


def _require_sender(sender: bytes, origin: str, authorization: str) -> None:
    """Refuse whoever does not show the subscription's own key (RFC 8292, 4.2)."""
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
