"""Certificates and chains: the GSMA's test certificates and ones made on the spot."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.kernel.numbers import Eid
from kswifi.rsp import pki, pki_making, trust
from kswifi.rsp.certificates import Role, read_certificate
from kswifi.rsp.curves import Curve
from kswifi.rsp.errors import (
    CertificateExpiredError,
    CertificateInvalidError,
    CertificateRefusedError,
    CertificateRevokedError,
    PkiError,
    UnknownCertificateIssuerError,
)
from kswifi.rsp.status_codes import Status, status_of_certificate

SGP26: Final = Path(__file__).parents[2] / "data" / "sgp26"
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
EID: Final = Eid.with_check_digits("890490320000000000000000000001")
PLAN: Final = pki_making.PkiPlan("KSWiFi Lab", "rsp.kswifi.example", "89049032")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


GSMA: Final = pki.load_pki(files_of(SGP26))
OWN: Final = pki.load_pki(pki_making.make_pki(PLAN, EID, NOW))


@pytest.fixture(params=["sgp26", "own"])
def made(request: pytest.FixtureRequest) -> pki.Pki:
    return GSMA if request.param == "sgp26" else OWN


def card_of(source: pki.Pki, curve: Curve) -> pki.CardIdentity:
    return next(card for card in source.card_identities() if card.eum.curve is curve)


@pytest.mark.parametrize("curve", list(Curve))
def test_cards_are_trusted_by_their_own_pki_and_by_no_other(made: pki.Pki, curve: Curve) -> None:
    card = card_of(made, curve)
    chain = made.trust().check_card(card.euicc.certificate.raw, card.eum.raw, NOW)
    assert chain.eid == card.euicc.certificate.eid
    assert chain.issuer.curve is curve
    other = OWN if made is GSMA else GSMA
    with pytest.raises(UnknownCertificateIssuerError) as caught:
        other.trust().check_card(card.euicc.certificate.raw, card.eum.raw, NOW)
    assert caught.value.role == "eum"


def test_the_oddities_of_the_test_certificates_are_read() -> None:
    card = card_of(GSMA, Curve.NIST_P256)
    assert card.euicc.certificate.serial_number == 0x020000000000000001
    assert card.euicc.certificate.not_after.year == 7496
    assert [subtree.eid_prefix for subtree in card.eum.permitted] == ["89049032"]
    assert card.euicc.certificate.eid == "89049032123451234512345678901235"


@pytest.mark.parametrize("role", [Role.DP_AUTH, Role.DP_PB])
def test_servers_are_trusted_in_their_role_only(made: pki.Pki, role: Role) -> None:
    other = Role.DP_PB if role is Role.DP_AUTH else Role.DP_AUTH
    for each in made.of_role(role):
        assert made.trust().check_server(each.certificate.raw, role, NOW).oid == each.certificate.oid
        with pytest.raises(CertificateInvalidError):
            made.trust().check_server(each.certificate.raw, other, NOW)


def test_an_expired_certificate_is_expired_and_a_new_one_is_not_yet_valid() -> None:
    [tls] = GSMA.of_role(Role.DP_TLS)
    checked = GSMA.trust().check_server(tls.certificate.raw, Role.DP_TLS, NOW - timedelta(days=600))
    assert checked.dns_names == ("testsmdpplus2.example.com",)
    with pytest.raises(CertificateExpiredError):
        GSMA.trust().check_server(tls.certificate.raw, Role.DP_TLS, NOW)
    with pytest.raises(CertificateInvalidError, match="not begun"):
        GSMA.trust().check_server(tls.certificate.raw, Role.DP_TLS, NOW - timedelta(days=6000))
    unclocked = GSMA.trust().check_server(tls.certificate.raw, Role.DP_TLS, None)
    assert unclocked.raw == tls.certificate.raw, "a card has no clock"


def test_a_chain_expires_with_the_manufacturer_and_with_the_issuer() -> None:
    card = card_of(GSMA, Curve.NIST_P256)
    with pytest.raises(CertificateExpiredError) as caught:
        GSMA.trust().check_card(card.euicc.certificate.raw, card.eum.raw, NOW.replace(year=2054, month=6))
    assert caught.value.role == "eum"
    auth = next(each for each in OWN.of_role(Role.DP_AUTH))
    with pytest.raises(CertificateExpiredError) as caught:
        OWN.trust().check_server(auth.certificate.raw, Role.DP_AUTH, NOW.replace(year=2037))
    assert caught.value.role == "dp_auth"


def test_a_certificate_is_not_good_longer_than_its_issuer() -> None:
    old = pki_making.make_issuer(
        Curve.NIST_P256, organization="Old", oid="2.999.1", at=NOW - timedelta(days=365 * 36)
    )
    server = pki_making.make_server(old, Role.DP_AUTH, organization="Old", oid="2.999.10", at=NOW)
    trusting = trust.Trust([old.certificate])
    assert trusting.check_server(server.certificate.raw, Role.DP_AUTH, None).oid == "2.999.10"
    with pytest.raises(CertificateExpiredError) as caught:
        trusting.check_server(server.certificate.raw, Role.DP_AUTH, NOW)
    assert caught.value.role == "ci"
    assert status_of_certificate(caught.value) is Status.EUM_CERTIFICATE_EXPIRED


def test_a_card_must_name_its_manufacturers_key() -> None:
    """A signature by the right key is not enough where the certificate names another."""
    swap = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(x509.SubjectKeyIdentifier(b"k" * 20))
    der = forged(Role.EUICC, CARD_NAMES, issuer=own_eum(), swap=swap)
    with pytest.raises(CertificateInvalidError, match="another issuer"):
        OWN.trust().check_card(der, own_eum().certificate.raw, NOW)


def test_revoked_certificates_are_refused_at_every_link() -> None:
    card = card_of(OWN, Curve.NIST_P256)
    euicc, eum = card.euicc.certificate, card.eum
    for victim, role in ((euicc, "euicc"), (eum, "eum")):
        revoked = frozenset({(victim.issuer_key_id, victim.serial_number)})
        with pytest.raises(CertificateRevokedError) as caught:
            OWN.trust(revoked).check_card(euicc.raw, eum.raw, NOW)
        assert caught.value.role == role
    others = frozenset({(eum.key_id, 1), (eum.issuer_key_id, euicc.serial_number)})
    assert OWN.trust(others).check_card(euicc.raw, eum.raw, NOW).eid == EID


@pytest.mark.parametrize("curve", list(Curve))
def test_flipping_any_octet_of_a_chain_is_refused(made: pki.Pki, curve: Curve) -> None:
    card, check = card_of(made, curve), made.trust().check_card
    euicc, eum = card.euicc.certificate.raw, card.eum.raw
    every = 1 if curve is Curve.NIST_P256 else 3  # the other curve is five times as slow
    for broken in flips(euicc)[::every]:
        with pytest.raises(CertificateRefusedError):
            check(broken, eum, NOW)
    for broken in flips(eum)[::every]:
        with pytest.raises(CertificateRefusedError):
            check(euicc, broken, NOW)


def flips(octets: bytes) -> list[bytes]:
    """Return the octets with one of them changed, in its lowest and in its highest bit."""
    return [
        octets[:at] + bytes([octets[at] ^ bit]) + octets[at + 1 :]
        for at in range(len(octets))
        for bit in (0x01, 0x80)
    ]


def test_cut_and_lengthened_certificates_are_refused() -> None:
    card = card_of(GSMA, Curve.NIST_P256)
    euicc, eum = card.euicc.certificate.raw, card.eum.raw
    for broken in (b"", euicc[:-1], euicc + b"\x00", euicc * 20, eum):
        with pytest.raises(CertificateInvalidError) as caught:
            GSMA.trust().check_card(broken, eum, NOW)
        assert caught.value.role == "euicc"


@settings(deadline=None, max_examples=200)
@given(garbage=st.binary(max_size=120), cut=st.integers(0, 600))
def test_garbage_is_an_invalid_certificate_and_nothing_else(garbage: bytes, cut: int) -> None:
    whole = card_of(GSMA, Curve.NIST_P256).euicc.certificate.raw
    for octets in (garbage, whole[:cut] + garbage + whole[cut + len(garbage) :]):
        if octets != whole:
            try:
                read_certificate(octets, Role.EUICC)
            except CertificateInvalidError:
                continue


Change = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


def forged(
    role: Role,
    names: dict[x509.ObjectIdentifier, str],
    *,
    issuer: pki.KeyedCertificate,
    leave: str = "",
    swap: x509.ExtensionType | None = None,
) -> bytes:
    """Sign a certificate like a good one of this role, but for one extension left out or put in its place."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    model = next(each.certificate.parsed for each in OWN.of_role(role) if each.certificate.curve is Curve.NIST_P256)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, text) for oid, text in names.items()]))
        .issuer_name(issuer.certificate.parsed.subject)
        .public_key(public)
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in model.extensions:
        value = extension.value
        if type(value).__name__ == leave:
            continue
        if swap is not None and type(value) is type(swap):
            value = swap
        builder = builder.add_extension(value, critical=extension.critical)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)


CARD_NAMES: Final = {NameOID.ORGANIZATION_NAME: "KSWiFi Lab", NameOID.SERIAL_NUMBER: str(EID)}


def own_eum() -> pki.KeyedCertificate:
    return next(each for each in OWN.of_role(Role.EUM) if each.certificate.curve is Curve.NIST_P256)


def own_issuer() -> pki.KeyedCertificate:
    return next(each for each in OWN.of_role(Role.CI) if each.certificate.curve is Curve.NIST_P256)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({NameOID.SERIAL_NUMBER: str(Eid.with_check_digits("890440320000000000000000000001"))}, "range"),
        ({NameOID.ORGANIZATION_NAME: "Another Maker"}, "range"),
        ({NameOID.SERIAL_NUMBER: "none"}, "32 digits"),
    ],
)
def test_a_card_may_not_leave_its_manufacturers_range(names: dict[x509.ObjectIdentifier, str], words: str) -> None:
    der = forged(Role.EUICC, CARD_NAMES | names, issuer=own_eum())
    with pytest.raises(CertificateInvalidError, match=words) as caught:
        OWN.trust().check_card(der, own_eum().certificate.raw, NOW)
    assert caught.value.role == "euicc"


@pytest.mark.parametrize(
    "leave", ["CertificatePolicies", "KeyUsage", "SubjectKeyIdentifier", "AuthorityKeyIdentifier"]
)
def test_a_card_without_an_extension_is_refused(leave: str) -> None:
    good = forged(Role.EUICC, CARD_NAMES, issuer=own_eum())
    assert OWN.trust().check_card(good, own_eum().certificate.raw, NOW).eid == EID
    der = forged(Role.EUICC, CARD_NAMES, issuer=own_eum(), leave=leave)
    with pytest.raises(CertificateInvalidError):
        OWN.trust().check_card(der, own_eum().certificate.raw, NOW)


def policies(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids])


def key_usage(*, sign: bool, issue: bool) -> x509.KeyUsage:
    return x509.KeyUsage(sign, False, False, False, False, issue, False, False, False)


@pytest.mark.parametrize(
    "swap",
    [
        key_usage(sign=True, issue=False),
        x509.BasicConstraints(False, None),
        x509.NameConstraints([x509.DNSName("example.com")], None),
        x509.NameConstraints(
            [x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x")]))], None
        ),
        x509.CertificatePolicies([]),
        policies("2.23.146.1.2.1.4"),
        policies("2.23.146.1.2.1.2", "2.23.146.1.2.1.4"),
    ],
    ids=["key usage", "constraints", "dns", "no digits", "no policy", "a server's policy", "two roles"],
)
def test_manufacturers_that_are_none_are_refused(swap: x509.ExtensionType) -> None:
    der = forged(Role.EUM, {NameOID.ORGANIZATION_NAME: "KSWiFi Lab"}, issuer=own_issuer(), swap=swap)
    card = forged(Role.EUICC, CARD_NAMES, issuer=own_eum())
    with pytest.raises(CertificateInvalidError) as caught:
        OWN.trust().check_card(card, der, NOW)
    assert caught.value.role == "eum"


def test_a_manufacturer_needs_name_constraints_and_a_card_may_not_issue() -> None:
    names = {NameOID.ORGANIZATION_NAME: "KSWiFi Lab"}
    with pytest.raises(CertificateInvalidError, match="lacks"):
        read_certificate(forged(Role.EUM, names, issuer=own_issuer(), leave="NameConstraints"))
    swap = key_usage(sign=False, issue=True)
    with pytest.raises(CertificateInvalidError, match="usage"):
        read_certificate(forged(Role.EUICC, CARD_NAMES, issuer=own_eum(), swap=swap))


def test_other_algorithms_are_refused() -> None:
    issuer = own_issuer()
    model = own_eum().certificate.parsed
    builder = (
        x509.CertificateBuilder()
        .subject_name(model.subject)
        .issuer_name(model.issuer)
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
    )
    for extension in model.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    sha384 = builder.public_key(issuer.certificate.public_key).sign(issuer.key, SHA384())
    p384 = builder.public_key(ec.generate_private_key(ec.SECP384R1()).public_key()).sign(issuer.key, SHA256())
    edwards = builder.public_key(ed25519.Ed25519PrivateKey.generate().public_key()).sign(issuer.key, SHA256())
    for certificate in (sha384, p384, edwards):
        with pytest.raises(CertificateInvalidError):
            read_certificate(certificate.public_bytes(Encoding.DER), Role.EUM)


def crl_of(issuer: pki.KeyedCertificate, serials: list[int], *, days: int = 1) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.parsed.subject)
        .last_update(NOW - timedelta(days=2))
        .next_update(NOW + timedelta(days=days))
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)


def test_revocation_lists_are_read_and_checked() -> None:
    issuer, eum = own_issuer(), own_eum().certificate
    crl = crl_of(issuer, [eum.serial_number, 99])
    revoked = trust.read_revocations(crl, issuer.certificate, NOW)
    assert revoked == {(issuer.certificate.key_id, eum.serial_number), (issuer.certificate.key_id, 99)}
    card = card_of(OWN, Curve.NIST_P256)
    with pytest.raises(CertificateRevokedError):
        OWN.trust(revoked).check_card(card.euicc.certificate.raw, card.eum.raw, NOW)
    other = next(each for each in GSMA.of_role(Role.CI) if each.certificate.curve is Curve.NIST_P256)
    for octets, by in ((crl, other), (crl_of(issuer, [], days=-1), issuer), (b"0", issuer), (crl[:-1], issuer)):
        with pytest.raises(PkiError):
            trust.read_revocations(octets, by.certificate, NOW)
    with pytest.raises(PkiError, match="too long"):
        trust.read_revocations(bytes(trust.MAX_CRL_OCTETS + 1), issuer.certificate, NOW)


@pytest.mark.parametrize("eid", ["89049032000000000000000000000164", "890490320000000000000000000000AF"])
def test_an_eid_that_another_maker_gave_is_kept_as_it_is(eid: str) -> None:
    der = forged(Role.EUICC, CARD_NAMES | {NameOID.SERIAL_NUMBER: eid}, issuer=own_eum())
    assert OWN.trust().check_card(der, own_eum().certificate.raw, NOW).eid == eid


EUM_NAMES: Final = {NameOID.ORGANIZATION_NAME: "KSWiFi Lab", NameOID.COMMON_NAME: "EUM"}
LATER: Final = NOW + timedelta(days=2)  # when what ``forged`` makes has expired


@pytest.mark.parametrize("leave", ["CertificatePolicies", "KeyUsage", "BasicConstraints", "NameConstraints"])
@pytest.mark.parametrize(
    ("stranger", "at", "status"),
    [
        (True, LATER, Status.CI_UNKNOWN),
        (False, LATER, Status.EUM_CERTIFICATE_EXPIRED),
        (False, NOW, Status.EUM_CERTIFICATE_INVALID),
    ],
)
def test_issuer_and_validity_of_a_manufacturer_are_judged_before_its_role(
    leave: str, stranger: bool, at: datetime, status: Status
) -> None:
    issuer = GSMA.of_role(Role.CI)[0] if stranger else own_issuer()
    der = forged(Role.EUM, EUM_NAMES, issuer=own_issuer(), leave=leave)
    trusting = trust.Trust([issuer.certificate])
    card = card_of(OWN, Curve.NIST_P256).euicc.certificate.raw
    with pytest.raises(CertificateRefusedError) as caught:
        trusting.check_card(card, der, at)
    assert status_of_certificate(caught.value) is status


def test_the_validity_of_a_card_is_judged_before_its_role() -> None:
    der = forged(Role.EUICC, CARD_NAMES, issuer=own_eum(), leave="CertificatePolicies")
    for at, status in ((LATER, Status.EUICC_CERTIFICATE_EXPIRED), (NOW, Status.EUICC_CERTIFICATE_INVALID)):
        with pytest.raises(CertificateRefusedError) as caught:
            OWN.trust().check_card(der, own_eum().certificate.raw, at)
        assert status_of_certificate(caught.value) is status
