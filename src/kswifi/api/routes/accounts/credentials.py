"""What a browser passes on from an authenticator, as bodies of requests (WebAuthn Level 3, 5.1)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kswifi.api.edge.schemas import RequestBody

ChallengeId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Base64Url = Annotated[str, Field(max_length=16_384, pattern=r"^[A-Za-z0-9_-]*$")]


class _FromAuthenticator(BaseModel):
    """Base of what a browser passes on from an authenticator; unknown members are allowed."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class AttestationBody(_FromAuthenticator):
    """`AuthenticatorAttestationResponse`, as JSON."""

    clientDataJSON: Base64Url  # noqa: N815 - WebAuthn's own name
    attestationObject: Base64Url  # noqa: N815 - WebAuthn's own name


class AssertionBody(_FromAuthenticator):
    """`AuthenticatorAssertionResponse`, as JSON."""

    clientDataJSON: Base64Url  # noqa: N815 - WebAuthn's own name
    authenticatorData: Base64Url  # noqa: N815 - WebAuthn's own name
    signature: Base64Url
    userHandle: Base64Url | None = None  # noqa: N815 - WebAuthn's own name


class MadeCredential(_FromAuthenticator):
    """`PublicKeyCredential.toJSON()` of `navigator.credentials.create()`."""

    id: Base64Url
    rawId: Base64Url  # noqa: N815 - WebAuthn's own name
    type: Literal["public-key"]
    response: AttestationBody


class UsedCredential(_FromAuthenticator):
    """`PublicKeyCredential.toJSON()` of `navigator.credentials.get()`."""

    id: Base64Url
    rawId: Base64Url  # noqa: N815 - WebAuthn's own name
    type: Literal["public-key"]
    response: AssertionBody


class UsedPasskeyBody(RequestBody):
    """A passkey that signed the challenge."""

    challenge_id: ChallengeId
    credential: UsedCredential
