"""SUCI: 3GPP's known answers, how EF.SUCI_Calc_Info is read, and what GET IDENTITY says of a subscriber."""

import hmac
import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kswifi.euicc.card import Euicc
from kswifi.euicc.state import decode_state, encode_state
from kswifi.euicc.usim.suci import OneTimeKey, Scheme, conceal, encode_suci, read_calculation_info
from kswifi.kernel.numbers import Iccid
from kswifi.rsp import tlv
from tests.support.cards import EID, enable, euicc_with, send
from tests.support.memory_storage import MemoryStorage

DATA = Path(__file__).parents[2] / "data"
KNOWN = json.loads((DATA / "suci" / "ts33501-c4.json").read_text())
PACKAGE = (DATA / "ts48" / "TS48v5_SAIP2.3_NoBERTLV.der").read_bytes()
ICCID = Iccid("89000123456789012341")
USIM = "00A4040C07A0000000871002"
GET_IDENTITY = "8078000100"
KEY_A = bytes.fromhex(KNOWN[0]["home_network_public_key"])
KEY_B = bytes.fromhex(KNOWN[2]["home_network_public_key"])
BOTH = tlv.encode(0xA0, bytes([2, 1, 1, 2, 0, 0])) + tlv.encode(
    0xA1, tlv.encode(0x80, b"\x1b"), tlv.encode(0x81, KEY_B), tlv.encode(0x80, b"\x1e"), tlv.encode(0x81, KEY_A)
)
"""Profile B with the first key, profile A with the second, the null scheme."""


def one_time_key(known: dict[str, str], scheme: Scheme) -> OneTimeKey:
    octets = bytes.fromhex(known["one_time_private_key"])
    if scheme is Scheme.PROFILE_A:
        return x25519.X25519PrivateKey.from_private_bytes(octets)
    return ec.derive_private_key(int.from_bytes(octets, "big"), ec.SECP256R1())


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["clause"])
def test_known_answers(known: dict[str, str]) -> None:
    scheme = Scheme(int(known["scheme"]))
    output = conceal(
        scheme,
        bytes.fromhex(known["home_network_public_key"]),
        bytes.fromhex(known["plain"]),
        one_time_key(known, scheme),
    )
    assert output.hex() == known["output"]


def test_the_subscriber_of_the_known_answers_as_a_whole() -> None:
    """IMSI 274 012 001002086, as the clause has it; octets as TS 24.501, 9.11.3.4 codes them."""
    keys = tlv.encode(0xA1, tlv.encode(0x80, b"\x1b"), tlv.encode(0x81, KEY_A))
    info = read_calculation_info(tlv.encode(0xA0, b"\x01\x01") + keys)
    suci = encode_suci("274012001002086", 3, b"\x21\x43", info, one_time_key(KNOWN[0], Scheme.PROFILE_A))
    assert suci.hex() == "01" + "722410" + "2143" + "01" + "1b" + KNOWN[0]["output"]


@pytest.mark.parametrize(
    ("content", "scheme", "key"),
    [
        (BOTH, Scheme.PROFILE_B, KEY_B),
        (BOTH + b"\xff" * 20, Scheme.PROFILE_B, KEY_B),
        (tlv.encode(0xA0, bytes([9, 1, 1, 2])) + BOTH[8:], Scheme.PROFILE_A, KEY_A),  # no scheme has the number 9
        (tlv.encode(0xA0, bytes([1, 3, 2, 0])) + BOTH[8:], Scheme.NULL, None),  # keys that are not there
        (tlv.encode(0xA0, bytes([0, 0, 1, 2])) + BOTH[8:], Scheme.NULL, None),  # the operator prefers it
        (bytes.fromhex("A0020000FF"), Scheme.NULL, None),
        (b"\xff" * 16, Scheme.NULL, None),
        (b"", Scheme.NULL, None),
    ],
)
def test_the_first_scheme_that_can_be_used_is(content: bytes, scheme: Scheme, key: bytes | None) -> None:
    chosen, found = read_calculation_info(content).choice()
    assert (chosen, None if found is None else found.octets) == (scheme, key)


def card(info: bytes | None = None, **files: bytes) -> Euicc:
    """GSMA's profile with GET IDENTITY, enabled, its PIN verified; files of its USIM changed by identifier."""
    storage = MemoryStorage()
    Euicc.create(storage, EID).load_profile_package(PACKAGE)
    state = decode_state(storage.load())
    usim = next(it for it in state.profiles[0].mf.directories if (it.aid or b"").hex().startswith("a0000000871002"))
    if info is not None:
        files["5FD04F01"] = info
    for path, content in files.items():
        directory = usim
        for start in range(0, len(path) - 4, 4):
            wanted = bytes.fromhex(path[start : start + 4])
            directory = next(each for each in directory.directories if each.file_id == wanted)
        file = directory.file(bytes.fromhex(path[-4:]))
        assert file is not None
        file.content = content
    state.profiles[0].mf.pins[0].enabled = True
    storage.save(encode_state(state))
    euicc = Euicc.open(storage)
    assert enable(euicc, ICCID) == 0
    send(euicc, USIM)
    send(euicc, "0020000108" + "30303030FFFFFFFF")
    return euicc


def test_the_identity_of_the_standard_profile() -> None:
    """It gives no key of its home network, so its SUCI is in the null scheme: IMSI 001 01 0123456063."""
    told, status = send(card(), GET_IDENTITY)
    assert status == "9000"
    assert told.hex().upper() == "A10D" + "01" + "00F110" + "F0FF" + "00" + "00" + "1032540636"


def opened(suci: bytes) -> bytes:
    """What the home network reads, with the private keys of the known answers (TS 33.501, C.3.3)."""
    scheme, output = suci[6], suci[8:]
    if scheme == Scheme.PROFILE_A:
        private = "c53c22208b61860b06c62e5406a7b330c2b577aa5558981510d128247d38bd1d"
        public, rest = output[:32], output[32:]
        key = x25519.X25519PrivateKey.from_private_bytes(bytes.fromhex(private))
        shared = key.exchange(x25519.X25519PublicKey.from_public_bytes(public))
    else:
        number = int("f1ab1074477ebcc7f554ea1c5fc368b1616730155e0041ac447d6301975fecda", 16)
        public, rest = output[:33], output[33:]
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        shared = ec.derive_private_key(number, ec.SECP256R1()).exchange(ec.ECDH(), theirs)
    material = b"".join(sha256(shared + counter.to_bytes(4, "big") + public).digest() for counter in (1, 2))
    ciphered, mac = rest[:-8], rest[-8:]
    assert hmac.digest(material[32:], ciphered, "sha256")[:8] == mac
    decryptor = Cipher(algorithms.AES(material[:16]), modes.CTR(material[16:32])).decryptor()
    return decryptor.update(ciphered) + decryptor.finalize()


@pytest.mark.parametrize(("schemes", "scheme", "identifier"), [("0201", 2, 0x1B), ("0102", 1, 0x1E)])
def test_a_concealed_identity_is_opened_by_the_home_network_alone(
    schemes: str, scheme: int, identifier: int
) -> None:
    euicc = card(tlv.encode(0xA0, bytes.fromhex(schemes)) + BOTH[8:], **{"5FC04F0A": bytes.fromhex("2143FFFF")})
    told = []
    for _ in range(2):
        answer, status = send(euicc, GET_IDENTITY)
        assert status == "9000"
        suci = tlv.only(answer, 0xA1).value
        assert suci[:8].hex() == f"0100f1102143{scheme:02x}{identifier:02x}"
        assert opened(suci).hex() == "1032540636"
        told.append(suci)
    assert told[0] != told[1], "a key for one use"


def test_who_is_not_told_an_identity() -> None:
    euicc = card()
    assert send(euicc, "8078000200")[1] == "6A86"  # WLAN offload is no context of this card
    assert send(euicc, "8078010100")[1] == "6A86"
    assert send(euicc, "80780001010000")[1] == "6700"
    assert send(euicc, "0078000100")[1] == "6E00"
    send(euicc, "00A4040C07A0000000871004")
    assert send(euicc, GET_IDENTITY)[1] == "6985"  # an ISIM has none
    euicc.reset()
    send(euicc, USIM)
    assert send(euicc, GET_IDENTITY)[1] == "6982"  # the PIN is asked for
    own = euicc_with(1)
    send(own, USIM)
    assert send(own, GET_IDENTITY)[1] == "6985"  # its service table offers no such thing


@pytest.mark.parametrize(
    "files",
    [
        {"6F38": bytes(15)},
        {"6F38": bytes(15) + b"\x08"},
        {"6F07": b""},
        {"6F07": b"\xff" * 9},
        {"5FD04F01": BOTH[:-1]},
        {"5FD04F01": BOTH.replace(KEY_B, bytes(33))},
        {"5FD04F01": BOTH.replace(KEY_B, KEY_A[:31] + b"\x00\x00")},
        {"5FD04F01": tlv.encode(0xA0, b"\x01\x01") + tlv.encode(0xA1, tlv.encode(0x81, bytes(32)))},
    ],
)
def test_files_that_give_no_identity(files: dict[str, bytes]) -> None:
    assert send(card(None, **files), GET_IDENTITY)[1] == "6985"
