"""Who may connect by Diameter, under which name and from where, and what each peer may ask for."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from prometheus_client.parser import text_string_to_metric_families

from kswifi.bootstrap.metrics.charging import ChargingMetrics
from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import APPLICATION_CREDIT_CONTROL, APPLICATION_S6A
from kswifi.diameter.messages.base import CapabilitiesExchangeAnswer
from kswifi.diameter.messages.s6a import AuthenticationInformationRequest, EutranVector
from kswifi.diameter.reader import read_avps, read_message
from kswifi.servers.diameter.node import TlsListener
from kswifi.servers.diameter.peer_rules import LOOPBACK, PeerRules
from kswifi.servers.diameter.s6a import S6aApplication
from kswifi.servers.diameter.tls import DiameterTlsError, peer_context
from tests.support.charging import INITIAL, TERMINATION, UPDATE, request, units
from tests.support.diameter_samples import IMSI
from tests.support.gy_server import IDENTITY, GyServer, RawClient, greeting, running

SMF, MME, EVIL = "smf.localdomain", "mme.localdomain", "evil.localdomain"
ONE_ADDRESS = (ip_network("127.0.0.1/32"),)
Scenario = Callable[[GyServer], Awaitable[None]]


class Centre:
    """Gives a vector to everybody: the node is what must not ask it for a peer that may not."""

    asked = 0

    async def eutran_vector(self, imsi: str, plmn: bytes, resynchronization: bytes | None = None) -> EutranVector:
        self.asked += 1
        return EutranVector(rand=b"r" * 16, xres=b"x" * 8, autn=b"a" * 16, kasme=b"k" * 32)


def run(tmp_path: Path, rules: PeerRules, scenario: Scenario, centre: Centre | None = None) -> None:
    async def story() -> None:
        more = () if centre is None else (S6aApplication(centre, IDENTITY),)
        async with running(GyServer(tmp_path, rules=rules, more=more)) as server:
            await server.credit("account", 10**9)
            await scenario(server)

    asyncio.run(story())


def result_of(answer: bytes) -> int:
    return read_message(answer).need(d.RESULT_CODE)


def air(origin_host: str) -> bytes:
    return AuthenticationInformationRequest(
        session_id=f"{origin_host};1;1",
        origin_host=origin_host,
        origin_realm="localdomain",
        destination_realm="localdomain",
        user_name=IMSI,
        visited_plmn_id=b"\x00\xf1\x10",
    ).encode()


async def dialled(
    server: GyServer, origin_host: str, address: str, *applications: int
) -> tuple[RawClient, int | None]:
    """Connect from an address under a name; return the client and the CEA's Result-Code, None if it was cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.node.port, local_addr=(address, 0))
    client = RawClient(reader, writer)
    RawClient.opened.append(client)
    client.send(greeting(origin_host, applications=applications or (APPLICATION_CREDIT_CONTROL,)))
    try:
        answer = await client.receive()
    except ConnectionError:
        answer = None
    return client, None if answer is None else result_of(answer)


@pytest.mark.parametrize(
    ("origin_host", "address", "result", "reason"),
    [
        (SMF, "127.0.0.1", 2001, None),
        ("SMF.LocalDomain", "127.0.0.1", 2001, None),
        (EVIL, "127.0.0.1", 3010, "identity"),
        (SMF, "127.0.0.3", 3010, "identity"),  # another peer's address
        (MME, "127.0.0.3", 2001, None),
        (SMF, "127.0.0.2", None, "address"),  # the address of no peer: closed before the greeting
    ],
)
def test_a_peer_is_admitted_by_address_and_name(
    tmp_path: Path, origin_host: str, address: str, result: int | None, reason: str | None
) -> None:
    rules = PeerRules(peers={SMF: ONE_ADDRESS, MME: (ip_network("127.0.0.3/32"),)}, any_name_from=())

    async def scenario(server: GyServer) -> None:
        client, told = await dialled(server, origin_host, address)
        assert told == result
        if reason is None:
            assert [name.lower() for name in server.node.peers] == [origin_host.lower()]
        else:
            with suppress(ConnectionError):
                assert await client.receive() is None
            assert server.node.peers == ()
        assert +server.node.refused_peers.by_reason == ({} if reason is None else {reason: 1})
        metrics = ChargingMetrics(server.service, server.node, lambda: server.ledger.figures).text().decode()
        counted = {
            sample.labels["reason"]: sample.value
            for family in text_string_to_metric_families(metrics)
            for sample in family.samples
            if sample.name == "kswifi_diameter_peers_refused_total"
        }
        assert {name for name, count in counted.items() if count} == ({reason} if reason else set())

    run(tmp_path, rules, scenario)


def test_vectors_are_refused_to_peers_that_are_not_listed_for_them(tmp_path: Path) -> None:
    rules = PeerRules(reserved={APPLICATION_S6A: frozenset({MME})})
    centre = Centre()

    async def scenario(server: GyServer) -> None:
        both = (APPLICATION_CREDIT_CONTROL, APPLICATION_S6A)
        charging_peer, told = await dialled(server, SMF, "127.0.0.1", *both)
        assert told == 2001
        assert result_of(await charging_peer.ask(air(SMF))) == 3007
        _, told = await dialled(server, EVIL, "127.0.0.1", APPLICATION_S6A)
        assert told == 5010
        relay, told = await dialled(server, "dra.localdomain", "127.0.0.1", 0xFFFFFFFF)
        assert told == 2001
        assert result_of(await relay.ask(air("dra.localdomain"))) == 3007
        assert centre.asked == 0
        mme, told = await dialled(server, MME, "127.0.0.1", APPLICATION_S6A)
        assert told == 2001
        assert result_of(await mme.ask(air(SMF))) == 5004
        assert centre.asked == 0
        assert result_of(await mme.ask(air(MME))) == 2001
        assert centre.asked == 1

    run(tmp_path, rules, scenario, centre)


def test_the_greeting_offers_only_what_the_peer_is_served(tmp_path: Path) -> None:
    rules = PeerRules(reserved={APPLICATION_S6A: frozenset({MME})})

    async def scenario(server: GyServer) -> None:
        for name, offered in ((SMF, False), (MME, True)):
            client = await RawClient.connect(server.node.port, greet=False)
            answer = CapabilitiesExchangeAnswer.decode(await client.ask(greeting(name)))
            assert answer.capabilities is not None
            assert (APPLICATION_S6A in answer.capabilities.application_ids) is offered

    run(tmp_path, rules, scenario, Centre())


def test_a_peer_cannot_spend_the_session_of_another(tmp_path: Path) -> None:
    async def scenario(server: GyServer) -> None:
        smf = await RawClient.connect(server.node.port, host=SMF)
        evil = await RawClient.connect(server.node.port, host=EVIL)
        assert (await smf.charge(request(INITIAL, 0, units(), host=SMF, imsi=IMSI).encode())).result_code == 2001
        used, reserved, _ = server.balances("account")
        for kind, number in ((INITIAL, 0), (UPDATE, 1), (TERMINATION, 1)):
            stolen = request(kind, number, units(5_000_000), host=SMF, imsi=IMSI).encode()
            answer = await evil.ask(stolen)
            assert result_of(answer) == 5004
            failed = read_avps(read_message(answer).need(d.FAILED_AVP))
            assert failed.need(d.ORIGIN_HOST) == SMF
        assert server.balances("account")[:2] == (used, reserved)
        own = await smf.charge(request(UPDATE, 1, units(1_000), host="SMF.LOCALDOMAIN", imsi=IMSI).encode())
        assert own.result_code == 2001
        assert server.balances("account")[0] == 1_000

    run(tmp_path, PeerRules(), scenario)


def test_a_routing_agent_forwards_for_others_only_if_it_is_listed(tmp_path: Path) -> None:
    async def scenario(server: GyServer) -> None:
        for name, result in (("DRA.localdomain", 2001), ("other-dra.localdomain", 5004)):
            agent, told = await dialled(server, name, "127.0.0.1", 0xFFFFFFFF)
            assert told == 2001
            forwarded = request(INITIAL, 0, units(), host=SMF, imsi=IMSI, session=f"{name};1").encode()
            assert result_of(await agent.ask(forwarded)) == result

    run(tmp_path, PeerRules(agents=frozenset({"dra.localdomain"})), scenario)


# -- TLS (RFC 6733, 13.1)


class Authority:
    """A certificate authority, and the certificates it gives."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._certificate(self._name, self._key, None).public_bytes(Encoding.PEM))

    def give(self, host: str) -> tuple[Path, Path]:
        """Return the files of a certificate for a DNS name, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate, secret = self._folder / f"{host}.crt", self._folder / f"{host}.key"
        certificate.write_bytes(self._certificate(subject, key, host).public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, secret

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, host: str | None
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, SHA256())


async def over_tls(
    port: int, ca: Path, mine: tuple[Path, Path] | None, *, by: str = IDENTITY.origin_host
) -> RawClient:
    context = ssl.create_default_context(cafile=ca)
    if mine is not None:
        context.load_cert_chain(*mine)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=by)
    client = RawClient(reader, writer)
    RawClient.opened.append(client)
    return client


async def is_greeted(port: int, ca: Path, mine: tuple[Path, Path] | None) -> bool:
    """Tell whether a peer gets an answer to its greeting; TLS 1.3 refuses a client after its handshake."""
    try:
        client = await over_tls(port, ca, mine)
        client.send(greeting(SMF))
        return await client.receive() is not None
    except (ssl.SSLError, ConnectionError):
        return False


def test_over_tls_a_peer_is_whom_its_certificate_names(tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path, "ours"), Authority(tmp_path, "strange")
    context = peer_context(*ours.give(IDENTITY.origin_host), ours.file)
    smf, forged = ours.give(SMF), strange.give("forged.localdomain")

    async def scenario() -> None:
        rules = PeerRules(peers={SMF: LOOPBACK, MME: LOOPBACK}, any_name_from=())
        tls = TlsListener("127.0.0.1", 0, context)
        async with running(GyServer(tmp_path / "ledger", rules=rules, tls=tls)) as server:
            await server.credit("account", 10**9)
            port = server.node.tls_port
            assert port is not None
            client = await over_tls(port, ours.file, smf)
            assert result_of(await client.ask(greeting(SMF))) == 2001
            answer = await client.charge(request(INITIAL, 0, units(), host=SMF, imsi=IMSI).encode())
            assert answer.result_code == 2001
            client.send(request(TERMINATION, 1, units(7), host=SMF, imsi=IMSI).encode())
            assert result_of(await client.receive() or b"") == 2001
            posing = await over_tls(port, ours.file, smf)
            assert result_of(await posing.ask(greeting(MME))) == 3010
            assert server.node.refused_peers.by_reason["certificate"] == 1
            for mine in (None, forged):
                assert not await is_greeted(port, ours.file, mine)
            assert server.node.peers == (SMF,)

    (tmp_path / "ledger").mkdir()
    asyncio.run(scenario())


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    certificate, key = ours.give("ocs.localdomain")
    _, other_key = ours.give("other.localdomain")
    for files in ((certificate, other_key, ours.file), (certificate, key, key), (key, key, ours.file)):
        with pytest.raises(DiameterTlsError, match="cannot be used"):
            peer_context(*files)
