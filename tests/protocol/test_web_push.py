"""Web Push over real HTTP: our sender against the lab's push service, which decrypts and checks who sends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from kswifi.accounts.identifiers import SecurityChange, tell_owner
from kswifi.bootstrap.metrics.notifications import NotificationMetrics
from kswifi.kernel.clock import SystemClock
from kswifi.lab.rehearsal.push import PushService, receive
from kswifi.notifications.errors import PushEndpointRefusedError
from kswifi.notifications.follower import AlertFollower, PushOutcome
from kswifi.notifications.model import Subscription, Wishes
from kswifi.notifications.ports import GONE, NOT_IDENTIFIED
from kswifi.notifications.service import (
    SUBSCRIPTIONS_LIMIT,
    NotificationService,
    note_refusal,
    put_wishes,
    standing_of,
)
from kswifi.outbox.results import Done, Refused, Unknown
from kswifi.providers.push.web_push import WebPush, fresh_vapid_key_pem
from tests.support.authenticator import decoded
from tests.support.pushes import push_transport
from tests.support.session_roads import ADA, GB, Road, open_road


@asynccontextmanager
async def push_service() -> AsyncIterator[tuple[PushService, WebPush, str]]:
    """Serve the lab's push service; give it, a sender that may reach it, and its origin."""
    service = PushService()

    async def take(request: Request) -> Response:
        if request.path_params["name"].startswith("status-"):
            return Response(status_code=int(request.path_params["name"][7:]))
        return await receive(service, request)

    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Starlette(routes=[Route("/push/{name}", take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None))
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment] # the test's own stay
    running = asyncio.create_task(server.serve(sockets=[listener]))
    sender = push_transport(SystemClock(), frozenset({origin}))
    try:
        yield service, sender, origin
    finally:
        await sender.close()
        server.should_exit = True
        await asyncio.wait_for(running, 20)
        listener.close()


def subscribed(service: PushService, sender: WebPush, origin: str) -> Subscription:
    made = service.subscribe(origin, sender.public_key)
    return Subscription("s", made["endpoint"], decoded(made["keys"]["p256dh"]), decoded(made["keys"]["auth"]))


async def test_a_message_arrives_decrypted_and_a_subscription_that_is_gone_is_reported() -> None:
    async with push_service() as (service, sender, origin):
        to = subscribed(service, sender, origin)
        assert await sender.send(to, b'{"what": "share"}', "topic") == Done()
        (told,) = service.messages()
        assert (told["message"], told["topic"]) == ({"what": "share"}, "topic")
        service.unsubscribe(to.endpoint.rpartition("/")[2])
        assert await sender.send(to, b"{}", "topic") == Refused(GONE)


async def test_another_sender_other_keys_and_no_json_are_no_message() -> None:
    async with push_service() as (service, sender, origin):
        to = subscribed(service, sender, origin)
        stranger = WebPush(fresh_vapid_key_pem(), "mailto:evil@example.ng", SystemClock(), frozenset({origin}))
        assert isinstance(await stranger.send(to, b"{}", "t"), Refused)
        await stranger.close()
        assert isinstance(await sender.send(replace(to, secret=bytes(16)), b"{}", "t"), Refused)
        assert isinstance(await sender.send(to, b"no json", "t"), Refused)
        assert service.messages() == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(201, Done), (429, Unknown), (503, Unknown), (400, Refused), (404, Refused), (401, Refused), (403, Refused)],
)
async def test_what_a_push_service_answers_is_done_refused_or_unknown(status: int, kind: type) -> None:
    async with push_service() as (service, sender, origin):
        to = subscribed(service, sender, origin)
        answer = await sender.send(replace(to, endpoint=f"{origin}/push/status-{status}"), b"{}", "t")
        assert isinstance(answer, kind)
        assert (answer == Refused(GONE)) == (status == 404)
        assert (answer == Refused(NOT_IDENTIFIED)) == (status in (401, 403))


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/x",
        "https://127.0.0.1/x",
        "https://10.0.0.8/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
        "https://user@push.example/x",
        "ftp://push.example/x",
        "https:///x",
        "https://[oh/x",
    ],
)
async def test_nothing_is_sent_into_a_private_network(endpoint: str) -> None:
    sender = push_transport(SystemClock())
    with pytest.raises(PushEndpointRefusedError):
        sender.check_endpoint(endpoint)
    await sender.close()


async def test_a_public_name_that_leads_home_is_refused_when_it_is_looked_up() -> None:
    sender = push_transport(SystemClock())
    to = Subscription("s", "https://localhost/x", b"", b"")
    sender.check_endpoint(to.endpoint)
    answer = await sender.send(to, b"{}", "t")
    assert answer == Refused("a push service is in the public internet")
    await sender.close()


@asynccontextmanager
async def told_road(folder: Path) -> AsyncIterator[tuple[Road, PushService, NotificationService, AlertFollower]]:
    """A road whose owner has one device, and the follower that tells it."""
    async with push_service() as (service, sender, origin), open_road(folder) as road:
        follower = AlertFollower(road.database, sender)
        road.worker._handlers.update(follower.handlers())
        await follower.catch_up()
        notifications = NotificationService(road.database, sender)
        made = service.subscribe(origin, sender.public_key)
        keys = (decoded(made["keys"]["p256dh"]), decoded(made["keys"]["auth"]))
        await notifications.subscribe(ADA, made["endpoint"], *keys)
        yield road, service, notifications, follower


async def told(road: Road, service: PushService, follower: AlertFollower) -> list[tuple[str, int | None]]:
    await road.settle()
    await follower.catch_up()
    await road.worker.run_until_idle()
    return [(one["message"]["what"], one["message"]["percent"]) for one in reversed(service.messages())]


async def test_each_threshold_is_sent_once_and_the_highest_where_several_are_passed(tmp_path: Path) -> None:
    async with told_road(tmp_path) as (road, service, _notifications, follower):
        session = await road.stored()
        assert await told(road, service, follower) == []
        await road.use(session, GB // 2, 1)
        assert await told(road, service, follower) == [("share", 50)]
        await road.use(session, 1000, 2)
        assert await told(road, service, follower) == [("share", 50)]
        await road.use(session, GB * 46 // 100, 3)
        assert await told(road, service, follower) == [("share", 50), ("share", 95)]
        await road.use(session, GB, 4)
        assert await told(road, service, follower) == [("share", 50), ("share", 95), ("finished", None)]
        again = AlertFollower(road.database, follower._transport)
        assert len(await told(road, service, again)) == 3


async def test_the_end_is_announced_a_day_before_and_only_what_is_wished(tmp_path: Path) -> None:
    async with told_road(tmp_path) as (road, service, _, follower):
        session = await road.stored()
        await told(road, service, follower)
        await road.database.write(lambda connection: put_wishes(connection, ADA, Wishes(usage=False, expiry=True)))
        await road.use(session, GB // 2, 1)
        assert await told(road, service, follower) == []
        road.clock.advance(session.valid_until - timedelta(hours=23) - road.clock.now())
        assert await told(road, service, follower) == [("ends", None)]


async def test_a_device_that_is_gone_is_forgotten_and_an_account_has_so_many(tmp_path: Path) -> None:
    async with told_road(tmp_path) as (road, service, notifications, follower):
        session = await road.stored()
        service.unsubscribe(next(iter(service._subscriptions)))
        await road.use(session, GB // 2, 1)
        assert await told(road, service, follower) == []
        assert (await road.database.read(partial(standing_of, user_id=ADA)))[1] == []
        key = decoded(service.subscribe("https://push.example", notifications.public_key)["keys"]["p256dh"])
        for number in range(SUBSCRIPTIONS_LIMIT + 3):
            await notifications.subscribe(ADA, f"https://push.example/{number}", key, bytes(16))
        assert len((await road.database.read(partial(standing_of, user_id=ADA)))[1]) == SUBSCRIPTIONS_LIMIT


async def test_a_push_service_that_refuses_this_server_is_logged_counted_and_shown(tmp_path: Path) -> None:
    async with told_road(tmp_path) as (road, service, _notifications, follower):
        session = await road.stored()
        (device,) = await subscriptions(road)
        known = follower._transport
        origin = frozenset({device.endpoint.partition("/push/")[0]})
        follower._transport = WebPush(fresh_vapid_key_pem(), "mailto:a@kswifi.test", SystemClock(), origin)
        await road.use(session, GB // 2, 1)
        with capture_logs() as lines:
            assert await told(road, service, follower) == []
        refused = [it for it in lines if it["event"] == "push_service_refuses_this_server"]
        assert [(it["log_level"], it["service"]) for it in refused] == [("error", "127.0.0.1")]
        assert "/push/" not in str(refused)  # the rest of an endpoint is a secret of its device
        (device,) = await subscriptions(road)
        assert device.refused_at == road.clock.now()
        assert 'kswifi_push_messages_total{outcome="not_identified"} 1.0' in await metrics(follower)
        road.clock.advance(timedelta(minutes=1))
        await road.use(session, GB * 3 // 10, 2)
        assert await told(road, service, follower) == []
        assert await subscriptions(road) == [device]  # the instant of the first refusal
        await follower._transport.close()
        follower._transport = known
        await road.use(session, GB * 15 // 100, 3)
        assert await told(road, service, follower) == [("share", 95)]
        assert [it.refused_at for it in await subscriptions(road)] == [None]
        assert follower.outcomes == {PushOutcome.NOT_IDENTIFIED: 2, PushOutcome.SENT: 1}


async def test_a_device_that_subscribes_anew_is_not_refused_any_more(tmp_path: Path) -> None:
    async with told_road(tmp_path) as (road, _service, notifications, _follower):
        (device,) = await subscriptions(road)
        await road.database.write(partial(note_refusal, subscription_id=device.subscription_id))
        await notifications.subscribe(ADA, device.endpoint, device.key, device.secret)
        assert await subscriptions(road) == [device]


async def subscriptions(road: Road) -> list[Subscription]:
    return (await road.database.read(partial(standing_of, user_id=ADA)))[1]


async def metrics(follower: AlertFollower) -> str:
    return (await NotificationMetrics(follower).text()).decode()


async def test_a_change_of_security_reaches_each_device_whatever_is_wished(tmp_path: Path) -> None:
    async with told_road(tmp_path) as (road, service, _notifications, follower):
        await road.database.write(lambda connection: put_wishes(connection, ADA, Wishes(usage=False, expiry=False)))
        await road.database.write(lambda connection: tell_owner(connection, ADA, SecurityChange.PASSKEY_ADDED))
        await follower.catch_up()
        await road.worker.run_until_idle()
        assert [it["message"] for it in service.messages()] == [{"what": "security", "change": "passkey_added"}]
