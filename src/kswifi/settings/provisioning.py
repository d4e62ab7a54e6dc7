"""The settings of profiles: numbers and access point; ES2+ as a server, and as a client of an external SM-DP+."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from kswifi.esim.model import LineSettings, NumberRange
from kswifi.esim.smdp.rsp_model import SmdpRules


class ProvisioningSettings(BaseSettings):
    """Settings of profiles and of ES2+; all other settings are in ``kswifi.settings``."""

    # The numbers of new lines, and the access point that people configure: choose them before the first order
    plmn: Annotated[
        str, Field(pattern=r"^[0-9]{5,6}$", description="MCC and MNC of new IMSIs; 00101 is the test network's.")
    ] = "00101"
    iccid_prefix: Annotated[
        str, Field(pattern=r"^89[0-9]{3,12}$", description="First digits of new ICCIDs: 89, country, issuer.")
    ] = "8999901"
    apn: Annotated[
        str, Field(max_length=63, pattern=r"^[A-Za-z0-9.-]+$", description="The access point name of the lines.")
    ] = "internet"
    apn_user_name: Annotated[str, Field(max_length=64, description="The user name there, if it asks for one.")] = (
        "kswifi"
    )
    apn_password: Annotated[
        str, Field(max_length=64, description="The password there: no secret, every package says it.")
    ] = "kswifi"  # noqa: S105 - printed in every package, like every carrier's

    es2_port: Annotated[
        int | None,
        Field(ge=0, le=65535, description="ES2+ for registered operators, over mutual TLS; unset: not served."),
    ] = None
    es2_on_rsp_port: Annotated[
        bool, Field(description="Serve ES2+ on the port of ES9+ too, to those who bring a registered certificate.")
    ] = False

    # Download orders at our own SM-DP+ (docs/rsp.md)
    order_days: Annotated[
        int | None,
        Field(
            ge=1,
            le=3650,
            description="Days that an operator's order can be downloaded after its release; unset: without end.",
        ),
    ] = None
    order_downloads: Annotated[
        int,
        Field(
            ge=1, le=1000, description="How often one order's profile is bound to a card (8.8.5/6.4 after that)."
        ),
    ] = 10
    confirmation_code_tries: Annotated[
        int, Field(ge=1, le=100, description="Wrong confirmation codes after which an order ends in Error.")
    ] = 3

    # The external SM-DP+ that delivers our profiles (docs/rsp.md); without es2_peer_url, our own delivers them
    es2_peer_url: Annotated[
        str | None,
        Field(
            max_length=400,
            pattern=r"^https://[^/?#@]+(/[^?#]*)?$",
            description="ES2+ address of the external SM-DP+ that delivers new profiles; unset: our own does.",
        ),
    ] = None
    es2_peer_address: Annotated[
        str | None,
        Field(
            max_length=253,
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$",
            description="That SM-DP+'s name in activation codes.",
        ),
    ] = None
    es2_peer_requester: Annotated[
        str | None,
        Field(min_length=1, max_length=255, description="What it calls us (functionRequesterIdentifier)."),
    ] = None
    es2_peer_certificate: Annotated[
        Path | None, Field(description="Our TLS client certificate there, with its chain (PEM).")
    ] = None
    es2_peer_key: Annotated[Path | None, Field(description="That certificate's key (PEM).")] = None
    es2_peer_ca: Annotated[
        Path | None, Field(description="The authorities of its certificate (PEM); unset: this system's.")
    ] = None
    es2_peer_profile_type: Annotated[
        str | None, Field(min_length=1, max_length=64, description="The profile type of our stock, if agreed.")
    ] = None
    es2_peer_callback_certificate: Annotated[
        Path | None,
        Field(description="The TLS client certificates with which it reports downloads, at es2_port (PEM)."),
    ] = None
    es2_peer_storage_proof: Annotated[
        Literal["por", "provider_status"],
        Field(description="When a session can be spent: on the card's own proof, or on that SM-DP+'s word."),
    ] = "por"

    @property
    def numbers(self) -> NumberRange:
        """The number range of new lines."""
        return NumberRange(self.iccid_prefix, self.plmn)

    @property
    def smdp_rules(self) -> SmdpRules:
        """The limits of our own SM-DP+."""
        return SmdpRules(
            downloads=self.order_downloads,
            confirmation_code_tries=self.confirmation_code_tries,
            order_life=None if self.order_days is None else timedelta(days=self.order_days),
        )

    def line_settings(self, smdp_address: str) -> LineSettings:
        """Return the access point settings for people's phones; the caller gives the SM-DP+'s name."""
        return LineSettings(smdp_address, self.apn, self.apn_user_name, self.apn_password)

    @model_validator(mode="after")
    def _whole_peer(self) -> Self:
        if self.es2_peer_url is None:
            return self
        for name in ("address", "requester", "certificate", "key"):
            if getattr(self, f"es2_peer_{name}") is None:
                raise ValueError(f"es2_peer_{name} is needed too, for es2_peer_url")
        for name in ("certificate", "key", "ca", "callback_certificate"):
            path = getattr(self, f"es2_peer_{name}")
            if path is not None and not path.is_file():
                raise ValueError(f"es2_peer_{name}: there is no file {path}")
        hears = self.es2_peer_callback_certificate is not None
        if hears and self.es2_port is None and not self.es2_on_rsp_port:
            raise ValueError("es2_peer_callback_certificate needs es2_port, where that SM-DP+ calls back")
        if self.es2_peer_storage_proof == "provider_status" and not hears:
            raise ValueError("es2_peer_storage_proof=provider_status needs es2_peer_callback_certificate")
        return self
