"""python-diameter, an independent client with its own peer state machine, spends a session to the octet."""

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diameter.message import constants as c
    from diameter.message.avp.grouped import (
        MultipleServicesCreditControl,
        RequestedServiceUnit,
        SubscriptionId,
        UsedServiceUnit,
    )
    from diameter.message.commands import CreditControlRequest
    from diameter.node import Node
    from diameter.node.application import SimpleThreadingApplication
    from diameter.node.peer import PEER_TRANSPORT_TCP

from tests.support.diameter_samples import IMSI
from tests.support.gy_server import GyServer, running


class IndependentClient:
    """python-diameter's node and application; blocking, so it runs in a thread."""

    def __init__(self, port: int) -> None:
        self.node = Node("client.localdomain", "localdomain", ip_addresses=["127.0.0.1"])
        self.node.wakeup_interval = 1
        self.node.idle_timeout = 3
        peer = self.node.add_peer(
            f"aaa://ocs.localdomain:{port}",
            "localdomain",
            ip_addresses=["127.0.0.1"],
            is_persistent=True,
            is_default=True,
        )
        assert peer.transport == PEER_TRANSPORT_TCP
        self.application = SimpleThreadingApplication(
            c.APP_DIAMETER_CREDIT_CONTROL_APPLICATION, is_auth_application=True
        )
        self.node.add_application(self.application, [peer])
        self.session_id = self.node.session_generator.next_id()

    def request(self, kind: int, number: int, used: int | None = None) -> CreditControlRequest:
        request = CreditControlRequest()
        request.session_id = self.session_id
        request.origin_host = self.node.origin_host.encode()
        request.origin_realm = self.node.realm_name.encode()
        request.destination_realm = b"localdomain"
        request.auth_application_id = c.APP_DIAMETER_CREDIT_CONTROL_APPLICATION
        request.service_context_id = "32251@3gpp.org"
        request.cc_request_type = kind
        request.cc_request_number = number
        request.subscription_id = [
            SubscriptionId(subscription_id_type=c.E_SUBSCRIPTION_ID_TYPE_END_USER_IMSI, subscription_id_data=IMSI)
        ]
        group = MultipleServicesCreditControl(rating_group=100)
        if kind != c.E_CC_REQUEST_TYPE_TERMINATION_REQUEST:
            group.requested_service_unit = RequestedServiceUnit()
        if used is not None:
            group.used_service_unit = [UsedServiceUnit(cc_total_octets=used)]
        request.multiple_services_credit_control = [group]
        return request

    def ask(self, request: CreditControlRequest) -> Any:
        return self.application.send_request(request, timeout=5)

    def spend(self) -> tuple[list[Any], Any]:
        """Return the answers of a whole session, the last one asked for twice."""
        self.node.start()
        try:
            self.application.wait_for_ready(timeout=10)
            answers = [self.ask(self.request(c.E_CC_REQUEST_TYPE_INITIAL_REQUEST, 0))]
            number = 0
            while answers[-1].multiple_services_credit_control[0].final_unit_indication is None:
                number += 1
                granted = answers[-1].multiple_services_credit_control[0].granted_service_unit.cc_total_octets
                update = self.request(c.E_CC_REQUEST_TYPE_UPDATE_REQUEST, number, granted)
                answers.append(self.ask(update))
            granted = answers[-1].multiple_services_credit_control[0].granted_service_unit.cc_total_octets
            end = self.request(c.E_CC_REQUEST_TYPE_TERMINATION_REQUEST, number + 1, granted)
            answers.append(self.ask(end))
            again = self.request(c.E_CC_REQUEST_TYPE_TERMINATION_REQUEST, number + 1, granted)
            again.header.is_retransmit = True
            return answers, self.ask(again)
        finally:
            self.node.stop(wait_timeout=5)


# Its threads may leave sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_independent_client_completes_a_session_and_a_replay(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        await server.credit("account", 43_210_987)
        client = IndependentClient(server.node.port)
        answers, replayed = await asyncio.to_thread(client.spend)
        assert [it.result_code for it in answers] == [2001] * len(answers)
        groups = [it.multiple_services_credit_control[0] for it in answers]
        assert all(it.rating_group == 100 for it in groups)
        grants = [it.granted_service_unit.cc_total_octets for it in groups[:-1]]
        assert sum(grants) == 43_210_987
        assert max(grants) <= 10_000_000
        assert [it.final_unit_indication is not None for it in groups[:-1]] == [False] * (len(grants) - 1) + [True]
        assert (replayed.result_code, replayed.cc_request_number) == (2001, len(answers) - 1)
        assert server.balances("account") == (43_210_987, 0, 0)
        assert server.service.counters.overrun_octets == 0
