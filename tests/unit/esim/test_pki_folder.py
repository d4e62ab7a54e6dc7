"""The installation's certificates as files: made, taken over, renewed, revoked; never overwritten or shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.esim.smdp.pki_folder import import_folder, init_folder, load_folder, revoked_in, tls_files
from kswifi.rsp.certificates import Role, RspCertificate
from kswifi.rsp.errors import CertificateRevokedError, PkiError
from kswifi.rsp.pki import Pki, load_pki

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SGP26 = Path(__file__).parents[2] / "data" / "sgp26"


def made(folder: Path, host: str = "rsp.example") -> Pki:
    return init_folder(folder, smdp_address=host, organization="KSWiFi", eid_prefix="89049032", at=NOW)


def test_a_made_pki_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    pki = made(folder)
    assert {each.certificate.raw for each in load_folder(folder).certificates} == {
        each.certificate.raw for each in pki.certificates
    }
    assert {each.certificate.role for each in pki.certificates} >= {Role.CI, Role.EUM, Role.EUICC, Role.DP_TLS}
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    for card in pki.card_identities():
        pki.trust().check_card(card.euicc.certificate.raw, card.eum.raw, NOW)
    with pytest.raises(PkiError, match="not empty"):
        made(folder)


def test_an_operators_certificates_are_checked_and_taken_over(tmp_path: Path) -> None:
    taken = import_folder(SGP26, tmp_path / "pki")
    assert len(taken.smdp_identities()) == 2
    assert load_folder(tmp_path / "pki").smdp_identities()[0].oid == taken.smdp_identities()[0].oid
    with pytest.raises(PkiError, match="not empty"):
        import_folder(SGP26, tmp_path / "pki")
    (tmp_path / "useless").mkdir()
    (tmp_path / "useless" / "CERT.der").write_bytes(b"no certificate")
    for source in (tmp_path / "useless", tmp_path / "missing"):
        with pytest.raises(PkiError):
            import_folder(source, tmp_path / "other")
        assert not (tmp_path / "other").exists()


def test_tls_certificates_are_made_where_the_ci_can_and_renewed_in_time(tmp_path: Path) -> None:
    pki = made(tmp_path / "pki")

    def served(pki: Pki, host: str, at: datetime) -> RspCertificate:
        certificate, key = tls_files(pki, host, tmp_path / "tls", at)
        assert key.stat().st_mode & 0o077 == 0
        found = load_pki({certificate.name: certificate.read_bytes(), key.name: key.read_bytes()}).certificates[0]
        assert found.key is not None
        return found.certificate

    own = served(pki, "RSP.example", NOW)
    assert own.raw in {each.certificate.raw for each in pki.certificates}
    other = served(pki, "other.example", NOW)
    assert other.dns_names == ("other.example",)
    assert served(pki, "other.example", NOW).raw == other.raw  # kept
    later = NOW + timedelta(days=380)
    renewed = served(pki, "other.example", later)
    assert renewed.raw != other.raw
    assert renewed.not_after > later
    stranger = made(tmp_path / "stranger")
    assert served(stranger, "other.example", later).raw != renewed.raw  # another CI's is no good
    without = Pki(tuple(each for each in pki.certificates if each.certificate.role is not Role.CI))
    with pytest.raises(PkiError, match=r"third\.example"):
        served(without, "third.example", NOW)


def test_revocation_lists_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    pki = made(folder)
    card = pki.card_identities()[0]
    issuer = next(each for each in pki.of_role(Role.CI) if each.certificate.key_id == card.issuer_key_id)
    revoked = x509.RevokedCertificateBuilder().serial_number(card.eum.serial_number).revocation_date(NOW).build()
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.parsed.subject)
        .last_update(NOW)
        .next_update(NOW + timedelta(days=30))
        .add_revoked_certificate(revoked)
        .sign(issuer.key, SHA256())
    )
    assert revoked_in(folder, pki, NOW) == frozenset()
    (folder / "ci.crl").write_bytes(crl.public_bytes(Encoding.DER))
    found = revoked_in(folder, load_folder(folder), NOW)
    assert found == {(card.issuer_key_id, card.eum.serial_number)}
    with pytest.raises(CertificateRevokedError):
        pki.trust(found).check_card(card.euicc.certificate.raw, card.eum.raw, NOW)
    with pytest.raises(PkiError, match=r"ci\.crl"):
        revoked_in(folder, pki, NOW + timedelta(days=31))
    (folder / "ci.crl").write_bytes(b"junk")
    with pytest.raises(PkiError, match=r"ci\.crl"):
        revoked_in(folder, pki, NOW)
