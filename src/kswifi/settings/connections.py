"""The settings of connections: their number and their time limits."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class ConnectionSettings(BaseSettings):
    """Settings of the listeners (docs/limits.md); all other settings are in ``kswifi.settings``."""

    connections: Annotated[
        int, Field(ge=16, le=100_000, description="Connections of all HTTP ports together that are held at once.")
    ] = 4096
    connections_per_address: Annotated[
        int, Field(ge=1, le=100_000, description="Of these, from one IPv4 address or one IPv6 /64.")
    ] = 512
    diameter_connections: Annotated[
        int, Field(ge=4, le=100_000, description="Connections of Diameter peers that are held at once.")
    ] = 256
    request_head_seconds: Annotated[
        float,
        Field(gt=0, le=600, description="Within which a TLS handshake, and then a request's head, is complete."),
    ] = 10.0
    request_body_seconds: Annotated[
        float, Field(gt=0, le=3600, description="Within which a request's body is complete.")
    ] = 30.0
    keep_alive_seconds: Annotated[
        float, Field(gt=0, le=3600, description="A connection without a request is closed after this time.")
    ] = 30.0
    slow_reader_seconds: Annotated[
        float, Field(gt=0, le=3600, description="Within which a client reads 4 KiB of an answer that waits for it.")
    ] = 30.0
    capabilities_seconds: Annotated[
        float,
        Field(gt=0, le=600, description="Within which a Diameter peer sends its Capabilities-Exchange-Request."),
    ] = 5.0
