"""The client of one ChargingSession (Gy): CCR-Initial, CCR-Update and CCR-Terminate.

Requests are sent one at a time, in the order of their CC-Request-Numbers. Each is written to the count file before
it is sent, and repeated until it is answered, with the same number and the T flag after a restart. So the charging
server can recognise a repetition, and no usage is reported twice or lost.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from kswifi.diameter.constants import (
    TERMINATION_CAUSE_LOGOUT,
    CcFailureHandling,
    CcRequestType,
    FinalUnitAction,
    ReportingReason,
    RequestedAction,
    ResultCode,
    SubscriptionIdType,
)
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId
from kswifi.lab.gateway.count import CountFile, CountRecord, PendingRequest
from kswifi.lab.gateway.diameter_client import DiameterClient

_log = structlog.get_logger(__name__)

REQUESTED_OCTETS: Final = 10_000_000
_LONGEST_BACK_OFF_SECONDS: Final = 5.0
_RAT_TYPE_VIRTUAL: Final = 7  # TS 29.061, 16.4.7.2: neither radio nor WLAN


@dataclass(frozen=True, slots=True)
class CreditAnswer:
    """The charging server's decision.

    Attributes:
        result_code: of the group of services, or else of the whole answer.
        granted_octets: how many octets may be used now.
        final_action: what to do after this grant; None if it is not the last.
        validity_seconds: how long the grant holds; None for no limit.
        failure_handling: what to do while the server does not answer.
    """

    result_code: int
    granted_octets: int
    final_action: FinalUnitAction | None = None
    validity_seconds: int | None = None
    failure_handling: CcFailureHandling | None = None

    @property
    def is_success(self) -> bool:
        """Whether the request was successful, also if it granted nothing."""
        return 2000 <= self.result_code < 3000

    @property
    def took_usage(self) -> bool:
        """Whether the reported usage was booked: a lack of credit (4xxx) refuses the next grant, not the report."""
        return self.is_success or 4000 <= self.result_code < 5000


class CreditControl:
    """Asks for grants and reports usage, one request at a time.

    Args:
        count: the count file of this ChargingSession.
        client: the Diameter connection.
        refused_dir: where the file goes if the server refuses the last report.
    """

    def __init__(self, count: CountFile, client: DiameterClient, refused_dir: Path) -> None:
        self.count = count
        self._client = client
        self._refused_dir = refused_dir
        self._lock = asyncio.Lock()
        self._is_settled = False
        self.failure_handling: CcFailureHandling | None = None
        """What to do while the charging server does not answer (RFC 8506, 8.14); None if it has not sent it."""

    @property
    def patience_seconds(self) -> float | None:
        """How many seconds service may go on while a request is unanswered; None for as long as the grant lasts.

        TERMINATE ends service when Tx is over, RETRY_AND_TERMINATE when the repetition was not answered either
        (RFC 8506, 5.7). With CONTINUE, and if the server has not sent a value, the grant may be used up, and
        nothing beyond it.
        """
        if self.failure_handling is CcFailureHandling.TERMINATE:
            return self._client.tx_seconds
        if self.failure_handling is CcFailureHandling.RETRY_AND_TERMINATE:
            return 2 * self._client.tx_seconds
        return None

    @property
    def limit_octets(self) -> int:
        """How many octets of this ChargingSession may be used, in total since its beginning."""
        return self.count.record.limit_octets

    async def initial(self) -> CreditAnswer:
        """Open the ChargingSession (CCR-Initial). If it is refused, the count file is deleted."""
        async with self._lock:
            answer = await self._request(CcRequestType.INITIAL, None)
            if not answer.is_success:
                self._forget()
            return answer

    async def update(self, reason: ReportingReason) -> CreditAnswer:
        """Report usage and ask for more (CCR-Update).

        Args:
            reason: why it is reported now.
        """
        async with self._lock:
            return await self._request(CcRequestType.UPDATE, reason)

    async def settle(self) -> None:
        """End the ChargingSession: repeat an unanswered request, report the rest (CCR-Terminate), delete the file.

        It waits until the charging server answers, without a limit. If it is cancelled, everything stays on disk
        for the next start. Idempotent.
        """
        async with self._lock:
            if self._is_settled:
                return
            pending = self.count.record.pending
            if pending is not None:
                answer = await self._send(pending, was_sent=True)
                if pending.request_type == CcRequestType.INITIAL and not answer.is_success:
                    self._forget()
                    return
                if pending.request_type == CcRequestType.TERMINATION:
                    self._end(answer)
                    return
            self._end(await self._request(CcRequestType.TERMINATION, ReportingReason.FINAL))

    def _end(self, answer: CreditAnswer) -> None:
        unreported = self.count.used - self.count.record.reported_octets
        if answer.is_success or not unreported:
            self._forget()
            return
        # The server refuses the usage. An operator has to look at it, so the file is kept.
        self._refused_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _log.error(
            "the charging server refused the last report: its count file is set aside",
            file=self.count.path.name,
            result_code=answer.result_code,
            unreported_octets=unreported,
        )
        self._is_settled = True
        self.count.close()
        self.count.path.replace(self._refused_dir / self.count.path.name)

    def _forget(self) -> None:
        self._is_settled = True
        self.count.remove()

    async def _request(self, kind: CcRequestType, reason: ReportingReason | None) -> CreditAnswer:
        record = self.count.record
        used = self.count.used - record.reported_octets
        uplink = self.count.uplink - record.reported_uplink_octets
        pending = PendingRequest(kind, record.next_number, used, reason, uplink, int(time.time()))
        self.count.write(replace(record, pending=pending))
        await asyncio.to_thread(self.count.sync)
        return await self._send(pending, was_sent=False)

    async def _send(self, pending: PendingRequest, *, was_sent: bool) -> CreditAnswer:
        message = self._encode(pending, was_sent=was_sent)
        back_off = 0.1
        while True:
            answer = read_answer(await self._client.ask(message))
            is_initial = pending.request_type == CcRequestType.INITIAL
            if not 3000 <= answer.result_code < 4000 or (is_initial and not was_sent):
                break
            # 3xxx: too busy, or the request could not be delivered. Nothing was booked; send the same again, later.
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, _LONGEST_BACK_OFF_SECONDS)
        if answer.failure_handling is not None:
            self.failure_handling = answer.failure_handling
        record = self.count.record
        reported, uplink = record.reported_octets, record.reported_uplink_octets
        if answer.took_usage:
            reported, uplink = reported + pending.used_octets, uplink + pending.uplink_octets
        limit = reported + answer.granted_octets
        self.count.write(CountRecord(limit, reported, pending.request_number + 1, None, uplink))
        return answer

    def _encode(self, pending: PendingRequest, *, was_sent: bool) -> bytes:
        """Encode the request in the shape that packet cores send: one group of services, without a Rating-Group."""
        identity = self.count.identity
        kind = CcRequestType(pending.request_type)
        reason = None if pending.reporting_reason is None else ReportingReason(pending.reporting_reason)
        is_last = kind is CcRequestType.TERMINATION
        # The total is charged; the octets of each direction are for the charging data record (RFC 8506, 8.24,
        # 8.25).
        used = ServiceUnit(
            cc_total_octets=pending.used_octets,
            cc_input_octets=pending.uplink_octets,
            cc_output_octets=pending.used_octets - pending.uplink_octets,
            reporting_reason=reason,
        )
        service = ServiceCreditControl(
            requested=None if is_last else ServiceUnit(cc_total_octets=REQUESTED_OCTETS),
            used=() if kind is CcRequestType.INITIAL else (used,),
            reporting_reason=reason,
        )
        return CreditControlRequest(
            session_id=identity.session_id,
            origin_host=self._client.origin_host,
            origin_realm=self._client.realm,
            destination_realm=self._client.realm,
            cc_request_type=kind,
            cc_request_number=pending.request_number,
            event_timestamp=pending.made_at,
            subscription_ids=(SubscriptionId(SubscriptionIdType.IMSI, identity.imsi),),
            requested_action=RequestedAction.DIRECT_DEBITING,
            termination_cause=TERMINATION_CAUSE_LOGOUT if is_last else None,
            multiple_services_indicator=0 if kind is CcRequestType.INITIAL else None,
            services=(service,),
            ps_information=PsInformation(
                charging_id=identity.charging_id,
                pdp_addresses=(identity.pdn_address,),
                called_station_id=identity.apn,
                rat_type=_RAT_TYPE_VIRTUAL,
            ),
            retransmitted=was_sent,
        ).encode()


def read_answer(message: bytes) -> CreditAnswer:
    """Decode a Credit-Control-Answer.

    The Result-Code of the group of services takes precedence over that of the answer (RFC 8506, 8.16). A malformed
    answer counts as 5012: nothing is granted, and the usage is not counted as reported.
    """
    try:
        answer = CreditControlAnswer.decode(message)
    except DiameterError as error:
        _log.error("the charging server's answer cannot be read", reason=error.message)
        return CreditAnswer(ResultCode.UNABLE_TO_COMPLY, 0)
    if answer.result_code != ResultCode.SUCCESS or not answer.services:
        return CreditAnswer(answer.result_code, 0, failure_handling=answer.failure_handling)
    service = answer.services[0]
    granted = 0 if service.granted is None else service.granted.octets or 0
    final = None if service.final_unit is None else service.final_unit.action
    result = service.result_code or answer.result_code
    granted = granted if 2000 <= result < 3000 else 0
    return CreditAnswer(result, granted, final, service.validity_seconds, answer.failure_handling)
