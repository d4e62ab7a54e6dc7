"""The callback of the operator's USSD code over HTTP, called by a rehearsal of the aggregator."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx2
import pytest

from kswifi.lab.rehearsal.ussd import UssdFailedError, dial
from kswifi.sessions.ussd import FIRST_SCREEN, UssdActivation, UssdRules
from kswifi.supply import store
from tests.support import api
from tests.support.supply_roads import NUMBER, open_supply_road

RULES = UssdRules("*384*1#", "a-secret-path-0001", ("127.0.0.0/8",))


async def test_a_dial_sends_a_portion_and_a_forged_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    async with open_supply_road(tmp_path, "vtpass") as road, api.serving(tmp_path / "api") as (client, services):
        at = f"{client.base_url}/webhooks/ussd/{RULES.secret_path}"

        async def dialled(url: str, answers: Sequence[str] = ()) -> list[str]:
            return await asyncio.to_thread(dial, url, NUMBER, RULES.service_code, answers)

        with pytest.raises(UssdFailedError, match="404"):
            await dialled(at)  # no code is configured
        digest = partial(store.number_digest, road.supply.vault)
        vars_of = partial(object.__setattr__, services, "ussd")
        vars_of(UssdActivation(road.database, road.lines, digest, RULES))
        await road.keep_number()
        session = await road.transferred("free-3gb")
        first, last = await dialled(at, ["1"])
        assert first == FIRST_SCREEN
        assert last.startswith("END 1 GB is on its way")
        assert len(await road.orders(session)) == 1
        with pytest.raises(UssdFailedError, match="404"):
            await dialled(f"{at}x", ["1"])
        assert (await client.post(at, content=b"\xff&&=&" + b"a=1&" * 50)).status_code == 404  # another code
        assert (await client.post(at, content=b"a" * 10**6)).status_code == httpx2.codes.CONTENT_TOO_LARGE
        vars_of(UssdActivation(road.database, road.lines, digest, replace(RULES, networks=("10.0.0.0/8",))))
        with pytest.raises(UssdFailedError, match="401"):
            await dialled(at, ["1"])
        assert len(await road.orders(session)) == 1
