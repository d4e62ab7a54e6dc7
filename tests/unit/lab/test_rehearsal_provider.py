"""The rehearsal provider: its control, its book after a restart, and profiles from another server."""

from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kswifi.lab.rehearsal.providers.engine import Rules, invented_profile
from kswifi.lab.rehearsal.providers.model import AssignmentState, Profile, ProviderRefusedError
from kswifi.lab.rehearsal.providers.server import (
    CONTROL_HEADER,
    ProviderConfig,
    RunningProvider,
    make_provider,
    serving_provider,
)
from tests.support.clocks import ManualClock
from tests.support.data_providers import START, serving

BUNDLE = "esim_1GB_7D_NG_V2"


def provider(
    file: Path | None = None, profile_url: str | None = None, rules: Rules | None = None
) -> RunningProvider:
    config = ProviderConfig(
        face="esim_go", key="a-key", clock=ManualClock(START), file=file, profile_url=profile_url, rules=rules
    )
    return make_provider(config, "http://127.0.0.1:1")[0]


async def test_the_control_wants_its_header_and_does_what_phones_do() -> None:
    async with serving_provider(ProviderConfig(face="esim_go", key="a-key", clock=ManualClock(START))) as running:
        order = await running.engine.buy(BUNDLE)
        async with httpx2.AsyncClient(base_url=running.origin, trust_env=False) as client:
            path = f"/control/lines/{order.line}"
            assert (await client.post(f"{path}/install")).status_code == 403
            client.headers[CONTROL_HEADER] = "1"
            assert (await client.post(f"{path}/install")).status_code == 204
            covered = await client.post(f"{path}/use", json={"octets": 3 * 10**9})
            assert covered.json() == {"covered": 10**9}
            line = (await client.get(path)).json()
            assert line == {"line": order.line, "suspended": False, "installed": True, "octets_left": 0}
            assert (await client.post("/control/rules", json={"lag_seconds": 60})).status_code == 204
            assert running.engine.rules.lag == timedelta(minutes=1)
            wrongs: list[object] = [{"wrong": "nothing"}, {"lag": 5}, []]
            for wrong in wrongs:
                assert (await client.post("/control/faults", json=wrong)).status_code == 400
            assert (await client.post("/control/lines/T9/install")).status_code == 400


async def test_the_book_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "book.json"
    first = provider(file=file).engine
    order = await first.buy(BUNDLE)
    first.use(first.line(order.line), 1000)
    again = provider(file=file).engine
    assert again.book == first.book
    assert again.line(order.line).assignments[0].used == 1000
    assert file.stat().st_mode & 0o077 == 0


async def test_profiles_come_from_another_server_if_there_is_one() -> None:
    asked: list[object] = []
    answer: list[Response] = [JSONResponse({"iccid": "8943108160000000001", "activation_code": "LPA:1$our.test$X"})]

    async def profiles(request: Request) -> Response:
        asked.append(await request.json())
        return answer[0]

    async with serving({"/profiles": profiles}) as origin:
        engine = provider(profile_url=f"{origin}/profiles").engine
        order = await engine.buy(BUNDLE)
        assert engine.line(order.line).profile == Profile("8943108160000000001", "LPA:1$our.test$X")
        assert asked == [{"bundle_id": BUNDLE}]
        for wrong in (JSONResponse({"iccid": 7}), Response(status_code=503)):
            answer[0], before = wrong, engine.book.balance_minor
            with pytest.raises(ProviderRefusedError):
                await engine.buy(BUNDLE)
            assert engine.book.balance_minor == before


async def test_of_several_bundles_the_next_starts_when_the_first_is_used_up() -> None:
    engine = provider().engine
    line = engine.line((await engine.buy(BUNDLE)).line)
    await engine.buy("esim_3GB_30D_NG_V2", line=line)
    assert engine.use(line, 1_500_000_000) == 1_500_000_000
    states = [(it.state, it.used) for it in line.assignments]
    assert states == [(AssignmentState.DEPLETED, 10**9), (AssignmentState.ACTIVE, 500_000_000)]


async def test_a_pending_order_settles_by_the_clock_or_fails_with_its_money_back() -> None:
    engine = provider(rules=Rules(settles_after=timedelta(minutes=5), fails_next=True)).engine
    before = engine.book.balance_minor
    failing, good = await engine.buy(BUNDLE), await engine.buy(BUNDLE)
    assert engine.book.balance_minor == before - failing.price_minor - good.price_minor
    clock = engine.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(minutes=6))
    engine.advance()
    assert (failing.state, good.state) == ("failed", "completed")
    assert engine.book.balance_minor == before - good.price_minor


async def test_invented_profiles_are_all_different() -> None:
    made = [await invented_profile(BUNDLE) for _ in range(50)]
    assert len({it.iccid for it in made}) == len({it.activation_code for it in made}) == 50
