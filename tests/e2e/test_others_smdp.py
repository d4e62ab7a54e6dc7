"""The whole road with an external SM-DP+: profiles handed over, ordered, installed, proved by packets, spent.

Every wire is real: ES2+ and its callbacks by mutual TLS, ES9+, the card's APDUs, REST, S6a and Gy.
"""

import csv
import shutil
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import pkcs7_decrypt_der
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from kswifi.cli.provisioning.delivery import DELIVERY_COMMAND_REFUSED, delivery_app
from kswifi.data_directory.layout import Installation
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.operators.operators import add_operator, find_operator
from kswifi.esim.operators.profile_stock import stock_profile
from kswifi.kernel.numbers import Imsi
from kswifi.lab.demo.road import Road
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.ports import free_ports
from kswifi.rsp.certificates import Role
from tests.support.es2 import refresh, self_signed
from tests.support.refusals import refused
from tests.support.smdp import ADDRESS, VAULT_KEY, RunningSmdp, running_smdp
from tests.support.system import PASSWORD, WholeSystem, control_rows, new_identifier, resolve_here, whole_system

OFFER = "free-3mb"
OCTETS = 3_000_000


@dataclass
class Both:
    """Our system, and the SM-DP+ that delivers for it."""

    system: WholeSystem
    other: RunningSmdp
    folder: Path
    recipient: Path
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate


def _recipient(folder: Path) -> tuple[Path, rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The other's loading dock")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    path = folder / "recipient.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path, key, certificate


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    with running_smdp(folder / "other", profiles_dir=None, es2_on_es9=False) as other:
        shutil.copytree(folder / "other" / "pki", folder / "var" / "pki")  # one certificate issuer for both
        own, es2_port = self_signed(folder, "kswifi"), free_ports(["es2"])["es2"]
        operators = other.smdp.operators
        assert operators is not None
        ca = folder / "ci.pem"
        issuers = (each.certificate.parsed.public_bytes(Encoding.PEM) for each in other.pki.of_role(Role.CI))
        ca.write_bytes(b"".join(issuers))
        other.write(
            lambda connection: add_operator(
                connection,
                "KSWiFi",
                own.certificate,
                callback_url=f"https://localhost:{es2_port}",
                callback_ca=ca.read_text(),
            )
        )
        refresh(other)
        system = whole_system(
            folder,
            es2_port=es2_port,
            es2_peer_url=f"https://{ADDRESS}:{operators.port}",
            es2_peer_address=ADDRESS,
            es2_peer_requester="2.999.77",
            es2_peer_certificate=own.pem,
            es2_peer_key=own.key,
            es2_peer_ca=ca,
            es2_peer_profile_type="kswifi",
            es2_peer_callback_certificate=operators._tls.certificate,
        )
        system.alter["server"] = ("resolve_here", ADDRESS)
        system.start()
        try:
            yield Both(system, other, folder, *_recipient(folder))
        finally:
            system.stop()


@pytest.fixture
def kswifi(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands run in this process as they would next to the server."""
    import socket

    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)  # put back afterwards
    resolve_here(ADDRESS)
    for name, value in both.system.environment.items():
        monkeypatch.setenv(name, value)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(delivery_app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def order_refused(road: Road) -> str:
    """Ask for a session once, and return the code of the refusal."""
    headers = {"X-CSRF-Token": road.app._csrf_token, "Idempotency-Key": str(uuid.uuid4())}
    answer = road.app._client.post("/api/v1/sessions", json={"offer_id": OFFER}, headers=headers)
    assert answer.status_code == 503
    return str(answer.json()["code"])


def orders_there(both: Both, iccid: str) -> int:
    """Count the orders that the other SM-DP+ ever had for a profile."""
    query = f"SELECT count(*) FROM profile_order WHERE iccid = '{iccid}'"
    return both.other.write(lambda connection: int(connection.exec_driver_sql(query).scalar_one()))


def stock(both: Both, output: Path) -> list[bytes]:
    """Be the other's loading dock: open each file with its key, compare it with the list, take it into stock."""
    profiles = []
    with (output / "profiles.csv").open() as file:
        for row in csv.DictReader(file):
            sealed = (output / row["file"]).read_bytes()
            profile = pkcs7_decrypt_der(sealed, both.certificate, both.key, [])
            assert sha256(profile).hexdigest() == row["sha256_of_profile"]
            taken = both.other.write(
                lambda connection, profile=profile: stock_profile(  # type: ignore[misc]
                    *(
                        connection,
                        SubscriberVault(VAULT_KEY),
                        find_operator(connection, "KSWiFi"),
                        "kswifi",
                        profile,
                    )
                )
            )
            assert taken == row["iccid"]
            profiles.append(profile)
    return profiles


def test_from_the_stock_to_the_cut_off(both: Both, kswifi: None) -> None:
    assert "it knows us" in run("check")
    output = both.folder / "handed-over"
    with both.system.road(name="a-phone") as road:
        road.register(new_identifier(), PASSWORD)
        road.choose(OFFER)
        assert order_refused(road) == "esim_numbers_used_up", "nothing is in the stock"
        said = run("make", "--count", "2", "--recipient", str(both.recipient), "--output", str(output))
        batch = said.split()[-1]
        assert order_refused(road) == "esim_numbers_used_up", "the SM-DP+ does not have the profiles yet"
        profiles = stock(both, output)
        _nothing_in_clear(both, output, profiles)
        assert "2 lines" in run("ready", batch)
        road.order()
        assert batch in run("list")
        road.download(break_off=True)
        package = road.walked.package
        assert package is not None
        code = ActivationCode.parse(str(package.activation["activation_code"]))
        assert code.smdp_address == ADDRESS
        road._servers = ProfileServers(road._servers.pki_dir, ("127.0.0.1", both.other.smdp.port))
        road.app.transfer(road.walked.session_id, road.walked.esim_id)
        road._put_on_card()
        while road.app.profile_state(road.walked.esim_id) != "installed":  # the other's callback says so
            pass
        assert road.app.internet_session(road.walked.session_id)["state"] == "transferring"
        assert road.carry_packets() == 1
        stored = road.app.wait_until(road.walked.session_id, ("stored",))
        assert stored["storage_proof"] == "por"
        road.leave_wifi()
        road.switch_line_on()
        road.browse_until_cut_off()
        assert road.walked.traffic is not None
        assert road.walked.traffic.delivered_octets == OCTETS
        road.modem.detach()
        road.network.line, road.network.wifi = False, True
        road.app.wait_until(road.walked.session_id, ("exhausted",))
        balances = both.system.account(road.walked.session_id)
        assert (balances.used, balances.available, balances.overrun) == (OCTETS, 0, 0)
    told = control_rows(both.system.data_dir, "SELECT eid FROM peer_order WHERE profile_state = 'installed'")
    assert len(told) == 1
    assert told[0][0], "the external SM-DP+ reported the card's EID, so that free data has its limit for each card"


def test_a_server_killed_around_its_calls_orders_once(both: Both, kswifi: None) -> None:
    output = both.folder / "more"
    said = run("make", "--count", "3", "--recipient", str(both.recipient), "--output", str(output))
    stock(both, output)
    run("ready", said.split()[-1])
    for number in range(3):
        with both.system.road(name=f"killed-{number}") as road:
            road.register(new_identifier(), PASSWORD)
            road.choose(OFFER)
            road.order()
            road.download(break_off=False)
            road.app.transfer(road.walked.session_id, road.walked.esim_id)
            both.system.kill("server")
            both.system.start_one("server")
            road._servers = ProfileServers(road._servers.pki_dir, ("127.0.0.1", both.other.smdp.port))
            road._put_on_card()
            while road.app.internet_session(road.walked.session_id)["state"] != "stored":
                road.carry_packets()
            iccid = str(road.walked.package.manifest.iccid) if road.walked.package else ""
        assert orders_there(both, iccid) == 1


def test_what_cannot_be_made_leaves_nothing(both: Both, kswifi: None, tmp_path: Path) -> None:
    elliptic = self_signed(tmp_path, "elliptic").pem
    there = tmp_path / "there"
    there.mkdir()
    before = control_rows(both.system.data_dir, "SELECT count(*) FROM stock_line")
    recipient = str(both.recipient)
    for arguments in (
        ["--recipient", str(elliptic), "--output", str(tmp_path / "a")],
        ["--recipient", recipient, "--output", str(there)],
        ["--recipient", recipient, "--output", str(tmp_path / "a"), "--type", 'a"b'],
        ["--recipient", recipient, "--output", str(tmp_path / "a"), "--iccid-prefix", "12"],
        ["--recipient", recipient, "--output", str(tmp_path / "a"), "--plmn", "1"],
    ):
        with pytest.raises(Exception, match=r"."):
            run("make", "--count", "1", *arguments)
    assert control_rows(both.system.data_dir, "SELECT count(*) FROM stock_line") == before
    assert not (tmp_path / "a").exists()
    with pytest.raises(Exception, match="no such batch"):
        run("ready", "unknown")


def test_an_unregistered_certificate_is_reported(both: Both, kswifi: None, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = self_signed(both.folder, "stranger")
    monkeypatch.setenv("KSWIFI_ES2_PEER_CERTIFICATE", str(stranger.pem))
    monkeypatch.setenv("KSWIFI_ES2_PEER_KEY", str(stranger.key))
    result = CliRunner().invoke(delivery_app, ["check"])
    assert result.exit_code == 1
    assert "it knows us" not in result.output
    monkeypatch.delenv("KSWIFI_ES2_PEER_URL")
    with refused(DELIVERY_COMMAND_REFUSED):
        run("check")


def _nothing_in_clear(both: Both, output: Path, profiles: list[bytes]) -> None:
    """The files are their owner's alone and hold no key; the log says that keys left, and which not."""
    octets = b"".join(path.read_bytes() for path in output.iterdir())
    log = both.system.data_dir / "log" / "subscribers.log"
    for path in (*output.iterdir(), log):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(output.stat().st_mode) == 0o700
    text = log.read_text()
    assert "subscribers=2" in text
    vault = SubscriberVault(Installation(both.system.data_dir).subscriber_key.read_bytes())
    rows = control_rows(both.system.data_dir, "SELECT imsi, sealed_keys FROM stock_line")
    assert len(rows) == len(profiles) == 2
    for imsi, sealed in rows:
        keys = vault.open(Imsi(imsi), sealed)
        assert any(keys.k in profile and keys.opc in profile for profile in profiles)
        for secret in (keys.k, keys.opc, keys.adm_key):
            assert secret not in octets
            assert secret.hex() not in text
