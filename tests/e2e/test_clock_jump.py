"""A running server whose clock jumps by 40 days: nothing ends until the jump is confirmed, and charging goes on."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from kswifi.bench.gy_load.messages import PEER, load_templates, session_parts
from kswifi.cli.main import app
from kswifi.diameter.constants import ResultCode
from kswifi.diameter.framing import MessageFramer
from kswifi.diameter.header import peek_header
from kswifi.diameter.messages.credit_control import CreditControlAnswer
from tests.support.clocks import jumping_reader
from tests.support.gy_server import greeting
from tests.support.long_runs import cases
from tests.support.own_core import OwnCoreServer, serving

FORTY_DAYS = 40 * 86_400


async def opened(server: OwnCoreServer, number: int) -> int:
    """Open a ChargingSession of a subscriber of its own; return the Result-Code."""
    message = load_templates()[0][0].fill(session_parts(number, number), number, 0, 1_795_000_000, 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(greeting(PEER) + message)
        framer = MessageFramer()
        async with asyncio.timeout(10):
            while octets := await reader.read(1 << 16):
                for answer in framer.feed(octets):
                    if peek_header(answer).application_id:
                        return CreditControlAnswer.decode(answer).result_code
    finally:
        writer.transport.abort()
    raise AssertionError("the server closed the connection")


async def readiness(server: OwnCoreServer, *, ready: bool) -> str:
    async with httpx2.AsyncClient() as client, asyncio.timeout(30):
        while True:
            answer = await client.get(f"{server.monitoring}/readyz")
            if answer.is_success == ready:
                return answer.text
            await asyncio.sleep(0.1)


@cases("ahead", [FORTY_DAYS, -FORTY_DAYS], always=[FORTY_DAYS])
def test_a_jump_ends_nothing_and_charging_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    jump = tmp_path / "jump"
    with serving(tmp_path, OwnCoreServer(tmp_path, alter=("clock_that_jumps", str(jump)))) as server:
        server.start()
        asyncio.run(readiness(server, ready=True))
        assert asyncio.run(opened(server, 1)) == ResultCode.SUCCESS
        jump.write_text(str(ahead))
        assert "clock" in asyncio.run(readiness(server, ready=False))
        assert asyncio.run(opened(server, 2)) == ResultCode.SUCCESS  # its account ends in a day
        server.stop()

        process = server.start()  # between two runs, it is the same
        assert "clock" in asyncio.run(readiness(server, ready=False))
        assert asyncio.run(opened(server, 3)) == ResultCode.SUCCESS
        assert "clock_jumped" in server.log

        monkeypatch.setenv("KSWIFI_DATA_DIR", str(server.data_dir))
        with monkeypatch.context() as patch:
            for module in ("kernel.clock_guard", "bootstrap.clock"):
                patch.setattr(f"kswifi.{module}.machine_reader", jumping_reader(jump))
            assert CliRunner().invoke(app, ["clock", "show"]).exit_code == 1
            assert CliRunner().invoke(app, ["clock", "confirm"]).exit_code == 0
        asyncio.run(readiness(server, ready=True))
        expected = ResultCode.CREDIT_LIMIT_REACHED if ahead > 0 else ResultCode.SUCCESS
        assert asyncio.run(opened(server, 4)) == expected
        assert process.ended() is None
        server.stop()
        assert server.state().wallets  # every record and sum is checked
