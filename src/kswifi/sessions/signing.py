"""The installation's ES256 key, which signs session packages and session records."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey, KeySet, KeySetSerialization

from kswifi.rsp.session_record import SessionRecord, key_id, sign
from kswifi.sessions.errors import SESSION_SIGNING_KEY_DAMAGED


class SessionSigningKey:
    """Signs packages and records; `/.well-known/jwks.json` serves the public key."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, retired: Sequence[ECKey] = ()) -> None:
        """``retired`` are public keys that signed before; they are published after the key in use."""
        self._private_key: Final = private_key
        self.jwk: Final = ECKey.import_key(private_key)
        self.jwk.ensure_kid()  # the RFC 7638 thumbprint
        others = [it for it in retired if it.thumbprint() != self.jwk.thumbprint()]
        for it in others:
            it.ensure_kid()
        self.public_keys: Final = KeySet([self.jwk, *others])

    @classmethod
    def from_pem(cls, pem: bytes, retired: Sequence[ECKey] = ()) -> "SessionSigningKey":
        """Read the key file (PKCS #8, PEM).

        Raises:
            SESSION_SIGNING_KEY_DAMAGED: it is not a P-256 key.
        """
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise SESSION_SIGNING_KEY_DAMAGED("the session signing key cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise SESSION_SIGNING_KEY_DAMAGED("the session signing key is not a P-256 key")
        return cls(key, retired)

    @property
    def kid(self) -> str:
        """Return the key id, the RFC 7638 thumbprint."""
        return self.jwk.thumbprint()

    def jwks(self) -> KeySetSerialization:
        """Return the JWK Set to publish; it holds public keys only."""
        return self.public_keys.as_dict(private=False, alg="ES256", use="sig")

    def sign_record(self, record: SessionRecord) -> bytes:
        """Return the signed session record with this key's id. Deterministic: equal records give equal octets."""
        named = dataclasses.replace(record, key_id=key_id(self._private_key.public_key()))
        return sign(named, self._private_key)


def fresh_signing_key_pem() -> bytes:
    """Return a new private key in PEM for the key file."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
