"""Profiles and cards for tests: one of our own profiles with known keys, and cards that do what cards must not."""

from dataclasses import replace
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from kswifi.aka import milenage
from kswifi.euicc.card import Euicc
from kswifi.kernel.numbers import Eid, Iccid, Imsi, luhn_digit
from kswifi.lab.phone.sim import AuthenticateResult
from kswifi.rsp import session_record
from kswifi.rsp.saip.build import ProfileParameters, build_profile
from kswifi.rsp.saip.elements import ProfileHeader
from kswifi.rsp.saip.package import read_package
from kswifi.rsp.session_record import SessionRecord
from tests.support.memory_storage import MemoryStorage

EID = Eid.with_check_digits("890490320012345678900000000001")
K = bytes(range(16))
OPC = bytes(range(16, 32))
ADM_KEY = b"87654321"
KIC = bytes(range(32, 48))
KID = bytes(range(48, 64))
PIN_1 = b"1234\xff\xff\xff\xff"
PUK_1 = b"11111111"
SIGNING_KEY = ec.derive_private_key(0x4B5357694669, ec.SECP256R1())


def iccid(number: int = 1) -> Iccid:
    digits = f"8923401{number:011d}"
    return Iccid(digits + luhn_digit(digits))


def signed_record(number: int = 1) -> bytes:
    record = SessionRecord(
        session_id=UUID(int=number),
        iccid=iccid(number),
        allowance_octets=1_000_000_000,
        valid_from=1_800_000_000,
        valid_until=1_802_592_000,
        key_id=session_record.key_id(SIGNING_KEY.public_key()),
    )
    return session_record.sign(record, SIGNING_KEY)


def profile_parameters(number: int = 1) -> ProfileParameters:
    return ProfileParameters(
        iccid=iccid(number),
        imsi=Imsi(f"62199{number:010d}"),
        k=K,
        opc=OPC,
        adm_key=ADM_KEY,
        session_record=signed_record(number),
        pin_1=PIN_1,
        puk_1=PUK_1,
        puk_2=b"22222222",
        kic=KIC,
        kid=KID,
    )


def profile_package(number: int = 1, **changes: object) -> bytes:
    return build_profile(replace(profile_parameters(number), **changes))  # type: ignore[arg-type]


def needing(service: str, number: int = 1) -> bytes:
    """One of our profiles that calls one more service mandatory."""
    header, *others = read_package(profile_package(number))
    decoded = ProfileHeader.decode(header.value)
    asked = replace(decoded, mandatory_services=(*decoded.mandatory_services, service))
    return asked.encode() + b"".join(element.raw for element in others)


def euicc_with(*numbers: int) -> Euicc:
    """A card in memory with these profiles, the first of them enabled."""
    euicc = Euicc.create(MemoryStorage(), EID)
    for number in numbers:
        euicc.load_profile_package(profile_package(number))
    if numbers:
        enable(euicc, iccid(numbers[0]))
    return euicc


def send(euicc: Euicc, command: str) -> tuple[bytes, str]:
    """Send a command in hexadecimal; return its data, 61xx fetched, and the status word in hexadecimal."""
    response = euicc.transmit(bytes.fromhex(command))
    data = response[:-2]
    while response[-2] == 0x61:
        response = euicc.transmit(bytes([int(command[:2], 16), 0xC0, 0, 0, response[-1]]))
        data += response[:-2]
    return data, response[-2:].hex().upper()


def store_data(euicc: Euicc, request: str) -> bytes:
    """Send one ES10 request on a channel of its own; return the answer."""
    channel = send(euicc, "0070000001")[0][0]
    assert send(euicc, f"{channel:02X}A4040010A0000005591010FFFFFFFF8900000100")[1] == "9000"
    octets = bytes.fromhex(request)
    data, status = send(euicc, f"{0x80 | channel:02X}E29100{len(octets):02X}{request}")
    assert status == "9000"
    send(euicc, f"007080{channel:02X}")
    return data


def enable(euicc: Euicc, profile: Iccid) -> int:
    answer = store_data(euicc, f"BF3111A00C5A0A{profile.to_bytes().hex()}8101FF")
    return answer[-1]


class RogueCard:
    """A card that skips the MAC check: it answers any challenge, with the key it was given."""

    def __init__(self, imsi: Imsi, k: bytes = bytes(16), opc: bytes = bytes(16)) -> None:
        self._imsi = imsi
        self._k = k
        self._opc = opc

    def imsi(self) -> Imsi:
        return self._imsi

    def authenticate(self, rand: bytes, autn: bytes) -> AuthenticateResult:
        res, ck, ik, _ = milenage.f2345(self._k, self._opc, rand)
        return AuthenticateResult(res=res, ck=ck, ik=ik)
