"""The sandbox's checkout in one's own network: phones pay there, and only this machine may tell it more."""

from starlette.testclient import TestClient

from kswifi.lab.rehearsal.payments.server import CONTROL_HEADER, GatewayConfig, make_gateway, make_webhooks

HERE, PHONE = "192.168.1.5", "192.168.1.9"


def status(client_address: str, path: str) -> int:
    config = GatewayConfig(
        face="sandbox", secret="s" * 64, webhook_url="http://127.0.0.1:9/", host=HERE, for_phones=True
    )
    engine, app = make_gateway(config, make_webhooks(config), f"http://{HERE}:8085")
    with TestClient(app, base_url=f"http://{HERE}:8085", client=(client_address, 50_000)) as client:
        answer = client.request("DELETE", path, headers={CONTROL_HEADER: "1"})
    engine.close()
    return answer.status_code


def test_faults_are_set_from_this_machine_alone() -> None:
    assert status(HERE, "/control/faults") == 204
    assert status("127.0.0.1", "/control/faults") == 204
    assert status(PHONE, "/control/faults") == 400
    assert status("::ffff:192.168.1.9", "/control/faults") == 400
