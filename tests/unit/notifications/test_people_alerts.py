"""Alerts of gifts and moves: which account gets which, on all devices, once."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from kswifi.kernel.clock import SystemClock
from kswifi.notifications.follower import PUSH, AlertFollower
from kswifi.notifications.model import Wishes
from kswifi.notifications.service import put_wishes
from kswifi.notifications.sql import push_subscription
from kswifi.outbox.sql import outbox_entry
from kswifi.people.gifts import Wish
from kswifi.people.move_model import MoveReason
from kswifi.people.moves import MoveService
from kswifi.people.returns import return_due
from kswifi.people.standing_orders import CarriedOutBy, StandingWish
from tests.support.databases import START
from tests.support.pushes import push_transport
from tests.support.session_roads import ADA, BOLA, GB, Road, open_road

DEVICES = {ADA: "019ab0de-0000-7000-8000-0000000000a1", BOLA: "019ab0de-0000-7000-8000-0000000000b1"}


async def told(road: Road) -> list[tuple[str, dict[str, Any]]]:
    """Return whose device is sent which message, in order."""

    def look(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
        rows = connection.execute(
            select(outbox_entry.c.payload).where(outbox_entry.c.kind == PUSH).order_by(outbox_entry.c.id)
        )
        whose = {device: user for user, device in DEVICES.items()}
        return [(whose[it.payload["subscription_id"]], json.loads(it.payload["message"])) for it in rows]

    return await road.database.read(look)


async def with_devices(road: Road) -> AlertFollower:
    def subscribe(connection: Connection) -> None:
        for user_id, device in DEVICES.items():
            connection.execute(
                insert(push_subscription).values(
                    subscription_id=device,
                    user_id=user_id,
                    endpoint=f"https://push.example/{device}",
                    key=bytes(65),
                    secret=bytes(16),
                    created_at=START,
                )
            )

    await road.database.write(subscribe)
    follower = AlertFollower(road.database, push_transport(SystemClock()))
    await follower.catch_up()
    return follower


async def test_a_gift_alerts_giver_and_receiver(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        follower = await with_devices(road)
        session = await road.stored()
        wish = Wish(session.session_id, 200_000_000)
        gift = await road.database.write(lambda connection: road.gifts.offer(connection, ADA, wish))
        await road.settle()
        code = str(gift.code)
        claimed = await road.database.write(
            lambda connection: road.gifts.claim(connection, BOLA, code, esim_id=None, device_id=None)
        )
        await road.settle()
        await follower.catch_up()
        assert [(who, it["what"]) for who, it in await told(road)] == [(ADA, "gift_claimed")]
        await road.downloads.cancel(BOLA, claimed.to_session_id or "")
        await return_due(road.database)
        await road.settle()
        await follower.catch_up()
        messages = await told(road)
        assert [(who, it["what"]) for who, it in messages] == [(ADA, "gift_claimed"), (ADA, "gift_returned")]
        assert messages[1][1]["allowance_octets"] == 200_000_000


async def test_a_move_alerts_the_owner_whatever_the_wishes_are(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        follower = await with_devices(road)
        session = await road.stored(GB)
        await road.database.write(lambda connection: put_wishes(connection, ADA, Wishes(usage=False, expiry=False)))
        await road.database.write(
            lambda connection: MoveService().ask(connection, ADA, session.esim_id, MoveReason.LOST)
        )
        await follower.catch_up()
        await follower.catch_up()
        assert [(who, it["what"]) for who, it in await told(road)] == [(ADA, "move_asked")]


async def test_a_due_session_alerts_its_owner_once(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        follower = await with_devices(road)
        session = await road.stored()
        wish = StandingWish("free-1gb", 20, None)
        await road.database.write(lambda connection: road.standing_orders.put(connection, ADA, wish))
        await road.use(session, 850_000_000)
        for _ in range(2):
            await road.standing_watch.look()
            await follower.catch_up()
        (who, message), *_ = found = [(who, it) for who, it in await told(road) if it["what"] == "session_due"]
        assert (who, len(found)) == (ADA, 1)
        assert (message["allowance_octets"], message["session_id"], message["valid_until"]) == (GB, None, None)
        await road.standing_orders.carry_out(ADA, 1, CarriedOutBy.PERSON)
        await follower.catch_up()
        assert [it["what"] for _, it in await told(road)].count("session_due") == 1
