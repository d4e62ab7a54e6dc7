"""The settings of the address of each port."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from kswifi.kernel.listening import is_loopback

Host = Annotated[str, Field(min_length=1, max_length=253)]
Mode = Literal["embedded", "own-core", "resold"]

_HOSTS: Final = (
    "host",
    "api_host",
    "rsp_host",
    "es2_host",
    "diameter_host",
    "diameter_tls_host",
    "metrics_host",
    "console_host",
)
_EMBEDDED_HELP: Final = (
    "embedded mode is a lab for one machine and listens on loopback alone. For phones in this network start "
    "`kswifi up --lan`; for a network of your own set KSWIFI_MODE=own-core (docs/own-core.md)"
)


class ListenSettings(BaseSettings):
    """Settings of the addresses that ports bind to; all other settings are in ``kswifi.settings``."""

    mode: Annotated[
        Mode,
        Field(
            description="embedded: with the lab's phone and gateway; own-core: a network core speaks Gy to us; "
            "resold: data providers deliver the sessions."
        ),
    ] = "embedded"
    host: Annotated[
        Host,
        Field(description="Address that API, ES9+ and ES2+ bind to, where they have no setting of their own."),
    ] = "127.0.0.1"
    api_host: Annotated[
        Host | None, Field(description="Address of REST, events and the page; host if not set.")
    ] = None
    rsp_host: Annotated[Host | None, Field(description="Address of ES9+; host if not set.")] = None
    es2_host: Annotated[Host | None, Field(description="Address of ES2+; host if not set.")] = None
    diameter_host: Annotated[
        Host | None,
        Field(description="Address of Gy and S6a over plain TCP; loopback if not set, even where host is not."),
    ] = None
    diameter_tls_host: Annotated[
        Host | None,
        Field(description="Address of Gy and S6a over TLS with certificates of both sides; none if not set."),
    ] = None
    metrics_host: Annotated[Host, Field(description="Address that metrics_port binds to.")] = "127.0.0.1"

    console_host: Annotated[
        Host, Field(description="Address that console_port binds to; others than loopback need console_origin.")
    ] = "127.0.0.1"
    console_origin: Annotated[
        str | None,
        Field(
            pattern=r"^https://[^/?#@\s]+$",
            description="https://host[:port] at which staff reach the console, behind a reverse proxy.",
        ),
    ] = None

    @model_validator(mode="after")
    def _console_by_tls(self) -> Self:
        if not is_loopback(self.console_host) and self.console_origin is None:
            raise ValueError("console_host is reached by others: set console_origin, and TLS before it")
        return self

    @model_validator(mode="after")
    def _embedded_on_loopback(self) -> Self:
        for name in _HOSTS:
            host: str | None = getattr(self, name)
            if self.mode == "embedded" and host is not None and not is_loopback(host):
                raise ValueError(f"KSWIFI_{name.upper()} is {host}, which others reach: {_EMBEDDED_HELP}")
        return self

    @property
    def api_bind(self) -> str:
        """The address that the API binds to."""
        return self.api_host or self.host

    @property
    def rsp_bind(self) -> str:
        """The address that ES9+ binds to."""
        return self.rsp_host or self.host

    @property
    def es2_bind(self) -> str:
        """The address that ES2+ binds to."""
        return self.es2_host or self.host

    @property
    def diameter_bind(self) -> str:
        """The address that Diameter over plain TCP binds to: loopback, unless it is set explicitly."""
        if self.diameter_host is not None:
            return self.diameter_host
        if is_loopback(self.host):
            return self.host
        return "::1" if ":" in self.host else "127.0.0.1"

    @property
    def is_on_loopback(self) -> bool:
        """True if every port is reachable from this machine only."""
        binds = (self.api_bind, self.rsp_bind, self.es2_bind, self.diameter_bind, self.diameter_tls_host)
        return all(bind is None or is_loopback(bind) for bind in binds)


def reachable(bind: str) -> str:
    """Return the address for connections from this machine to a port that binds to ``bind``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)
