"""The access gateway: its ports, its bearers, and the recovery of bearers that an earlier process left behind."""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from kswifi.diameter.constants import Command, ResultCode
from kswifi.diameter.messages.server_requests import ServerRequest
from kswifi.lab.access_keys import proxy_password
from kswifi.lab.gateway.attach import AttachPort
from kswifi.lab.gateway.authentication import new_session_id
from kswifi.lab.gateway.bearer import Access, Bearer, SlowLane
from kswifi.lab.gateway.count import CountFile, CountIdentity
from kswifi.lab.gateway.credit import CreditAnswer, CreditControl
from kswifi.lab.gateway.destinations import Destinations
from kswifi.lab.gateway.diameter_client import DiameterClient
from kswifi.lab.gateway.drain import drained
from kswifi.lab.gateway.errors import AccessRefusedError, DamagedCountError, GatewayError, GatewayInUseError
from kswifi.lab.gateway.proxy import IdleLimits, Proxy
from kswifi.lab.settings import HostPort, LabConfig

_log = structlog.get_logger(__name__)

_SETTLE_SECONDS: Final = 5.0
_DRAIN_SECONDS: Final = 2.0

_EMM_CAUSES: Final = {4010: 7, 5030: 8}  # TS 24.301, 9.9.3.9: EPS services not allowed (of this kind or any)
_EMM_ESM_FAILURE: Final = 19
_EMM_CONGESTION: Final = 22
_REASONS: Final = {
    3004: "the network is busy: try again",
    4010: "this line is frozen",
    4012: "no stored session has octets left: back to WiFi",
    5030: "the charging server does not know this subscriber",
    5031: "this service has no price",
}


class Gateway:
    """Attach port, proxy and credit control, on the running event loop.

    Args:
        config: addresses, identities and limits.
        content: the address of the content server, which flows may reach although it is private.
    """

    def __init__(self, config: LabConfig, content: HostPort | None = None) -> None:
        self._config = config
        self._dir = config.data_dir / "gateway"
        self._lock: int | None = None
        self._bearers: dict[str, Bearer] = {}
        self._settling: dict[asyncio.Task[None], str] = {}
        self.client = DiameterClient(
            *config.diameter,
            origin_host=config.origin_host,
            realm=config.realm,
            watchdog_seconds=config.watchdog_seconds,
            tx_seconds=config.tx_seconds,
        )
        self.client.serve = self._serve
        allowed = config.allowed if content is None else (*config.allowed, content)
        idle = IdleLimits(config.tunnel_idle_seconds, config.request_idle_seconds)
        self._proxy = Proxy(self._bearers, Destinations(allowed, config.origins), idle)
        self._attach = AttachPort(
            self.client, config.plmn, config.answer_seconds, self._open_bearer, self._close_bearer
        )

    async def start(self) -> tuple[HostPort, HostPort]:
        """Begin to settle the bearers of an earlier gateway, then listen; return the attach and the proxy address.

        Raises:
            GatewayInUseError: another gateway runs on the same folder.
            OSError: a port is taken.
        """
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self._dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise GatewayInUseError(f"another gateway runs on {self._dir}") from None
        self._recover()
        self.client.start()
        proxy = self._proxy.start(self._config.host, self._config.proxy_port)
        attach = self._attach.start(self._config.host, self._config.attach_port, proxy)
        return attach, proxy

    async def close(self) -> None:
        """Detach every phone and report its last usage; late reports stay on disk for the next start."""
        await self._attach.close()
        await self._proxy.close()
        for bearer in list(self._bearers.values()):
            await self._close_bearer(bearer)
        await drained(_DRAIN_SECONDS)
        if self._settling:
            await asyncio.wait(list(self._settling), timeout=_SETTLE_SECONDS)
        for task in list(self._settling):
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)
        await self.client.close()
        if self._lock is not None:
            os.close(self._lock)

    def owns_socket(self, host: str, port: int) -> bool:
        """Tell whether a TCP connection from this address is the gateway's, that is, made for a bearer."""
        return self._proxy.owns_socket(host, port)

    def status(self) -> dict[str, Any]:
        """Return connection, bearers and counts, for people."""
        return {
            "charging_server_connected": self.client.is_open,
            "settling": len(self._settling),
            "damaged_counts": sum(1 for _ in (self._dir / "damaged").glob("*.count")),
            "refused_counts": sum(1 for _ in (self._dir / "refused").glob("*.count")),
            "bearers": [
                {
                    "imsi": bearer.imsi,
                    "access": str(bearer.access),
                    "used_octets": bearer.used_octets,
                    "granted_rest_octets": bearer.available(),
                    "flows": len(bearer.flows),
                }
                for bearer in self._bearers.values()
            ],
        }

    def _serve(self, request: ServerRequest) -> ResultCode:
        """Carry out a request of the charging server for a bearer: report and ask for credit again, or end."""
        for bearer in self._bearers.values():
            if bearer.credit.count.identity.session_id == request.session_id:
                if request.command_code is Command.ABORT_SESSION:
                    bearer.abort()
                    return ResultCode.SUCCESS
                bearer.ask_anew()
                return ResultCode.LIMITED_SUCCESS  # RFC 8506, 5.5: the report follows
        return ResultCode.UNKNOWN_SESSION_ID

    async def _open_bearer(self, imsi: str, apn: str, kasme: bytes) -> Bearer:
        if len(self._bearers) >= self._config.most_bearers:
            raise AccessRefusedError("the gateway has no room for another bearer", _EMM_CONGESTION)
        for other in list(self._bearers.values()):
            identity = other.credit.count.identity
            if (identity.imsi, identity.apn) == (imsi, apn):
                await self._close_bearer(
                    other
                )  # the subscriber attaches again: the old bearer has no modem any more
        await self._settled(imsi)
        bearer_id = "b" + secrets.token_hex(8)
        credit = CreditControl(self._new_count(bearer_id, imsi, apn), self.client, self._dir / "refused")
        bearer = Bearer(
            bearer_id,
            proxy_password(kasme, bearer_id),
            credit,
            slow_lane=SlowLane(self._config.control_only_octets_per_second),
            retry_seconds=self._config.control_only_retry_seconds,
            most_flows=self._config.most_flows_of_a_bearer,
        )
        try:
            answer = await credit.initial()
        except BaseException:
            # The server may have opened the ChargingSession although we saw no answer; it has to be closed.
            self._settle(credit)
            raise
        if not answer.is_success:
            raise _refusal(answer)
        bearer.open(answer)
        if bearer.access is Access.ENDED:
            raise AccessRefusedError(_REASONS[4012], _EMM_ESM_FAILURE)
        self._bearers[bearer_id] = bearer
        return bearer

    def _new_count(self, bearer_id: str, imsi: str, apn: str) -> CountFile:
        charging_id = secrets.randbits(32)
        address = f"10.45.{charging_id >> 8 & 0xFF}.{charging_id % 254 + 1}"
        identity = CountIdentity(new_session_id(self._config.origin_host), imsi, apn, charging_id, address)
        return CountFile.create(self._dir / f"{bearer_id}.count", identity)

    async def _close_bearer(self, bearer: Bearer) -> None:
        """End a bearer; wait some seconds for the charging server, then go on asking it in the background."""
        if self._bearers.pop(bearer.bearer_id, None) is None:
            return
        task = self._in_background(bearer.close("detached"), bearer.imsi)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), _SETTLE_SECONDS)

    async def _settled(self, imsi: str) -> None:
        """Wait until earlier bearers of the subscriber are settled: their grants may hold all remaining octets.

        Raises:
            AccessRefusedError: they are not settled in time.
        """
        tasks = [task for task, whose in self._settling.items() if whose == imsi]
        if tasks:
            _, unsettled = await asyncio.wait(tasks, timeout=_SETTLE_SECONDS)
            if unsettled:
                raise AccessRefusedError("the last bearer of this line is not settled yet", _EMM_CONGESTION)

    def _recover(self) -> None:
        for path in sorted(self._dir.glob("*.count")):
            try:
                count = CountFile.open(path)
            except DamagedCountError as error:
                self._set_aside(path, error)
                continue
            _log.info("settling the bearer of an earlier process", file=path.name, used_octets=count.used)
            self._settle(CreditControl(count, self.client, self._dir / "refused"))

    def _set_aside(self, path: Path, error: GatewayError) -> None:
        damaged = self._dir / "damaged"
        damaged.mkdir(mode=0o700, exist_ok=True)
        path.replace(damaged / path.name)
        _log.error("a count file is damaged: its usage is unknown", file=path.name, reason=error.message)

    def _settle(self, credit: CreditControl) -> None:
        self._in_background(credit.settle(), credit.count.identity.imsi)

    def _in_background(self, work: Coroutine[Any, Any, None], imsi: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._settling[task] = imsi
        task.add_done_callback(self._has_settled)
        return task

    def _has_settled(self, task: asyncio.Task[None]) -> None:
        del self._settling[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("settling failed; the count stays on disk", reason=repr(error))


def _refusal(answer: CreditAnswer) -> AccessRefusedError:
    reason = _REASONS.get(answer.result_code, f"the charging server refused ({answer.result_code})")
    if answer.result_code == 3004:
        return AccessRefusedError(reason, _EMM_CONGESTION)
    return AccessRefusedError(reason, _EMM_CAUSES.get(answer.result_code, _EMM_ESM_FAILURE))
