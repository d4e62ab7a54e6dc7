"""How much a client has taken, also of a connection that is closed already."""

import asyncio
import ssl

from kswifi.listeners.progress import taken_octets


async def test_a_tls_connection_that_was_closed_twice_has_taken_nothing() -> None:
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context()
    protocol = asyncio.sslproto.SSLProtocol(  # type: ignore[attr-defined]
        loop, asyncio.Protocol(), context, loop.create_future(), server_hostname="localhost"
    )
    transport = protocol._get_app_transport()
    transport.close()
    transport.close()
    assert taken_octets(transport) == 0
