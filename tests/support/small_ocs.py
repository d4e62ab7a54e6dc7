"""A small, stateful charging server and authentication centre for the lab's tests: one subscriber, one balance.

It keeps the rules the real one is held to (a replay gets the stored answer, a new grant is never below the rest of
the old one) in as few lines as that takes, and it can be stopped, made slow or made mute.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from kswifi.aka import milenage
from kswifi.diameter.constants import CcFailureHandling, CcRequestType, Command, FinalUnitAction
from kswifi.diameter.framing import MessageFramer
from kswifi.diameter.header import decode_header
from kswifi.diameter.messages.base import (
    Capabilities,
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogRequest,
    PeerAnswer,
)
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.s6a import (
    AuthenticationInformationAnswer,
    AuthenticationInformationRequest,
    EutranVector,
)
from kswifi.diameter.messages.units import FinalUnitIndication, ServiceCreditControl, ServiceUnit

IMSI = "999700000000001"
K = bytes(range(16))
OPC = bytes(range(16, 32))


@dataclass
class SimCard:
    """A card as the modem needs one; it knows K."""

    k: bytes = K
    opc: bytes = OPC
    highest_sqn: int = 0
    checks_mac: bool = True

    def authenticate(self, rand: bytes, autn: bytes) -> "SimAnswer":
        try:
            challenge = milenage.verify_autn(self.k, self.opc, rand, autn)
        except milenage.MacFailureError:
            if self.checks_mac:
                return SimAnswer(mac_failure=True)
            res, ck, ik, _ = milenage.f2345(self.k, self.opc, rand)
            return SimAnswer(res=res, ck=ck, ik=ik)
        if challenge.sqn <= self.highest_sqn:
            return SimAnswer(auts=milenage.build_auts(self.k, self.opc, rand, self.highest_sqn))
        self.highest_sqn = challenge.sqn
        return SimAnswer(res=challenge.res, ck=challenge.ck, ik=challenge.ik)


@dataclass(frozen=True)
class SimAnswer:
    res: bytes | None = None
    ck: bytes | None = None
    ik: bytes | None = None
    auts: bytes | None = None
    mac_failure: bool = False


@dataclass
class Reservation:
    rest: int = 0
    used: int = 0
    closed: bool = False
    answers: dict[int, CreditControlAnswer] = field(default_factory=dict)


@dataclass
class SmallOcs:
    """Balance in octets; ``action`` follows the last grant; ``mute`` leaves every CCR unanswered.

    The next ``lost_answers`` CCRs are charged, and their answers are lost on the way. ``failure_handling`` is what
    every answer says about that.
    """

    balance: int = 0
    grant: int = 1_000_000
    action: FinalUnitAction = FinalUnitAction.TERMINATE
    validity: int | None = None
    refuse_initial: int | None = None
    mute: bool = False
    lost_answers: int = 0
    failure_handling: CcFailureHandling | None = None
    delay: float = 0.0
    sqn: int = 0
    used: int = 0
    overrun: int = 0
    requests: list[CreditControlRequest] = field(default_factory=list)
    resynchronised: int = 0
    watchdogs: int = 0
    connections: int = 0
    sessions: dict[str, Reservation] = field(default_factory=dict)
    heard: Callable[[CreditControlRequest], None] = lambda _request: None
    address: tuple[str, int] = ("127.0.0.1", 0)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def reserved(self) -> int:
        return sum(session.rest for session in self.sessions.values() if not session.closed)

    async def start(self) -> tuple[str, int]:
        self._server = await asyncio.start_server(self._serve, *self.address)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self.address

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop_connections()
        await asyncio.sleep(0.02)

    def drop_connections(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = MessageFramer()
        self.connections += 1
        self._writers.add(writer)
        try:
            while octets := await reader.read(65536):
                for message in framer.feed(octets):
                    answer = await self._answer(message)
                    if answer:
                        writer.write(answer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, message: bytes) -> bytes | None:
        header = decode_header(message)
        hop, end = header.hop_by_hop, header.end_to_end
        if header.command_code == Command.CAPABILITIES_EXCHANGE:
            theirs = CapabilitiesExchangeRequest.decode(message).capabilities
            ours = Capabilities(
                origin_host="ocs.kswifi",
                origin_realm="kswifi",
                host_ip_addresses=("127.0.0.1",),
                auth_application_ids=(4,),
                vendor_applications=theirs.vendor_applications,
            )
            return CapabilitiesExchangeAnswer(
                result_code=2001, capabilities=ours, hop_by_hop=hop, end_to_end=end
            ).encode()
        if header.command_code in (Command.DEVICE_WATCHDOG, Command.DISCONNECT_PEER):
            if not header.is_request:
                return None
            if header.command_code == Command.DEVICE_WATCHDOG:
                DeviceWatchdogRequest.decode(message)
                self.watchdogs += 1
            return PeerAnswer(
                command_code=header.command_code,
                result_code=2001,
                origin_host="ocs.kswifi",
                origin_realm="kswifi",
                hop_by_hop=hop,
                end_to_end=end,
            ).encode()
        if header.command_code == Command.AUTHENTICATION_INFORMATION:
            return self._vector(AuthenticationInformationRequest.decode(message))
        request = CreditControlRequest.decode(message)
        self.requests.append(request)
        self.heard(request)
        if self.mute:
            return None
        if self.delay:
            await asyncio.sleep(self.delay)
        answer = self._charge(request).encode()
        if self.lost_answers:
            self.lost_answers -= 1
            return None
        return answer

    def _vector(self, request: AuthenticationInformationRequest) -> bytes:
        facts = {
            "session_id": request.session_id,
            "origin_host": "hss.kswifi",
            "origin_realm": "kswifi",
            "hop_by_hop": request.hop_by_hop,
            "end_to_end": request.end_to_end,
        }
        if request.user_name != IMSI:
            return AuthenticationInformationAnswer(result_code=5001, experimental=True, **facts).encode()  # type: ignore[arg-type]
        if request.re_synchronization_info is not None:
            info = request.re_synchronization_info
            self.sqn = milenage.verify_auts(K, OPC, info[:16], info[16:])
            self.resynchronised += 1
        self.sqn += 32
        vector = milenage.generate_vector(K, OPC, self.sqn, milenage.AMF_SEPARATION_BIT, secrets.token_bytes(16))
        kasme = milenage.kasme(vector.ck, vector.ik, request.visited_plmn_id, vector.sqn_xor_ak)
        eutran = EutranVector(rand=vector.rand, xres=vector.xres, autn=vector.autn, kasme=kasme)
        return AuthenticationInformationAnswer(result_code=2001, vector=eutran, **facts).encode()  # type: ignore[arg-type]

    def _charge(self, request: CreditControlRequest) -> CreditControlAnswer:
        session = self.sessions.setdefault(request.session_id, Reservation())
        stored = session.answers.get(request.cc_request_number)
        if stored is None:
            stored = self._decide(request, session)
            session.answers[request.cc_request_number] = stored
        return CreditControlAnswer(
            session_id=stored.session_id,
            result_code=stored.result_code,
            origin_host=stored.origin_host,
            origin_realm=stored.origin_realm,
            cc_request_type=stored.cc_request_type,
            cc_request_number=stored.cc_request_number,
            services=stored.services,
            failure_handling=self.failure_handling,
            hop_by_hop=request.hop_by_hop,
            end_to_end=request.end_to_end,
        )

    def _decide(self, request: CreditControlRequest, session: Reservation) -> CreditControlAnswer:
        used = sum(service.used_octets for service in request.services)
        self.balance += session.rest
        rest = max(0, session.rest - used)
        session.rest = 0
        session.used += used
        self.used += used
        if used > self.balance:
            self.overrun += used - self.balance
        self.balance = max(0, self.balance - used)
        result, services = 2001, ()
        if request.cc_request_type is CcRequestType.INITIAL and self.refuse_initial is not None:
            result = self.refuse_initial
        elif request.cc_request_type is CcRequestType.TERMINATION:
            session.closed = True
        else:
            granted = min(self.balance, max(self.grant, rest))
            self.balance -= granted
            session.rest = granted
            final = None
            if not self.balance:
                final = FinalUnitIndication(action=self.action)
            units = ServiceUnit(cc_total_octets=granted)
            services = (ServiceCreditControl(granted=units, final_unit=final, validity_seconds=self.validity),)  # type: ignore[assignment]
        return CreditControlAnswer(
            session_id=request.session_id,
            result_code=result,
            origin_host="ocs.kswifi",
            origin_realm="kswifi",
            cc_request_type=request.cc_request_type,
            cc_request_number=request.cc_request_number,
            services=services,
        )
