"""An installation's PKI: made on the spot, or loaded from a folder like the GSMA's test certificates."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kswifi.kernel.numbers import Eid
from kswifi.rsp import pki, pki_making
from kswifi.rsp.certificates import Role
from kswifi.rsp.curves import Curve
from kswifi.rsp.errors import PkiError

SGP26: Final = Path(__file__).parents[2] / "data" / "sgp26"
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
EID: Final = Eid.with_check_digits("890490320000000000000000000001")
PLAN: Final = pki_making.PkiPlan("KSWiFi Lab", "rsp.kswifi.example", "89049032")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


GSMA: Final = pki.load_pki(files_of(SGP26))
OWN: Final = pki.load_pki(pki_making.make_pki(PLAN, EID, NOW))


def test_an_installations_pki_has_all_it_needs_on_both_curves() -> None:
    identities = OWN.smdp_identities()
    assert {identity.auth.certificate.curve for identity in identities} == set(Curve)
    assert {identity.issuer_key_id for identity in identities} == set(OWN.trust().issuer_key_ids)
    assert len(OWN.card_identities()) == 2
    tls = OWN.tls_for("RSP.kswifi.example")
    assert tls is not None
    assert tls.certificate.curve is Curve.NIST_P256
    assert tls.certificate.not_after - NOW <= timedelta(days=397)
    assert OWN.tls_for("other.example") is None
    assert pki_making.private_key_pem(tls.key).startswith(b"-----BEGIN PRIVATE KEY-----")
    assert "PRIVATE" not in repr(OWN)


def test_of_several_servers_the_one_with_the_lowest_identifier_is_taken() -> None:
    identities = GSMA.smdp_identities()
    assert [identity.oid for identity in identities] == ["2.999.10", "2.999.10"]
    for identity in identities:
        assert identity.auth.certificate.issuer_key_id == identity.pb.certificate.issuer_key_id
        assert identity.auth.key.public_key() == identity.auth.certificate.public_key


def test_a_folder_without_servers_or_keys_says_so() -> None:
    files = {name: content for name, content in files_of(SGP26).items() if "DPpb" not in name}
    with pytest.raises(PkiError, match="belong together"):
        pki.load_pki(files).smdp_identities()
    keyless = pki.load_pki({name: content for name, content in files_of(SGP26).items() if "SK_" not in name})
    assert keyless.card_identities() == ()
    with pytest.raises(PkiError, match="missing"):
        _ = keyless.of_role(Role.EUM)[0].key


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("CERT.der", b"0"),
        ("CERT.pem", b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"),
        ("SK.pem", b"-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n"),
        (
            "SK.pem",
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ),
    ],
)
def test_files_that_are_broken_are_named(name: str, content: bytes) -> None:
    with pytest.raises(PkiError) as caught:
        pki.load_pki({name: content})
    assert caught.value.facts["file"] == name


def test_other_files_are_left_and_too_many_refused() -> None:
    assert pki.load_pki({"README.md": b"hello", "PK.pem": b"-----BEGIN PUBLIC KEY-----"}).certificates == ()
    with pytest.raises(PkiError, match="too many"):
        pki.load_pki({str(number): b"" for number in range(513)})
