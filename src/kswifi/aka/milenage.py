"""Milenage and the arithmetic of authentication (3GPP TS 35.206, TS 33.102 6.3, TS 33.401 A.2).

The card and the authentication centre both compute here: AES from `cryptography`, everything else is XOR.
Sequence numbers are integers of 48 bits at this module's edge, octets only inside.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC

from kswifi.kernel.errors import KswifiError

KEY_OCTETS: Final = 16
RAND_OCTETS: Final = 16
SQN_OCTETS: Final = 6
AMF_OCTETS: Final = 2
AUTN_OCTETS: Final = 16
AUTS_OCTETS: Final = 14
SQN_MAX: Final = (1 << 48) - 1

AMF_SEPARATION_BIT: Final = b"\x80\x00"
"""The AMF of an EPS vector: the separation bit alone (TS 33.401, 6.1.2; TS 33.102 annex H)."""

_RESYNCHRONISATION_AMF: Final = b"\x00\x00"  # TS 33.102, 6.3.3: a dummy AMF of zeros enters f1*
_FC_KASME: Final = b"\x10"  # TS 33.401, A.2


class MilenageError(KswifiError):
    """A key, challenge or token that cannot be used."""

    code = "milenage_error"


class MacFailureError(MilenageError):
    """The token was not made with this key: MAC-A or MAC-S differs."""

    code = "mac_failure"


@dataclass(frozen=True, slots=True)
class AuthenticationVector:
    """One UMTS authentication vector (TS 33.102, 6.3.2): ``autn`` starts with SQN xor AK.

    XRES, CK and IK stay out of ``repr``: a log must not hold them.
    """

    rand: bytes
    autn: bytes
    xres: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)

    @property
    def sqn_xor_ak(self) -> bytes:
        """Return the six octets that KASME is derived with."""
        return self.autn[:SQN_OCTETS]


@dataclass(frozen=True, slots=True)
class VerifiedChallenge:
    """What a card knows once MAC-A was right: the network's sequence number and its own answers."""

    sqn: int
    amf: bytes
    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)


def _require(name: str, octets: bytes, length: int) -> None:
    if len(octets) != length:
        raise MilenageError(f"{name} has {length} octets, not {len(octets)}", field=name, length=len(octets))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _rotate(block: bytes, octets: int) -> bytes:
    return block[octets:] + block[:octets]


def _encrypt(k: bytes, block: bytes) -> bytes:
    # One block of the bare cipher is what TS 35.206 names E[x]k; there is no message and so no mode.
    encryptor = Cipher(algorithms.AES(k), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()


def opc(k: bytes, op: bytes) -> bytes:
    """Return OPc = OP xor E[OP]k (TS 35.206, 4.1): what a card stores instead of the operator's OP.

    Raises:
        MilenageError: a length is wrong.
    """
    _require("k", k, KEY_OCTETS)
    _require("op", op, KEY_OCTETS)
    return _xor(op, _encrypt(k, op))


def _temp(k: bytes, opc: bytes, rand: bytes) -> bytes:
    _require("k", k, KEY_OCTETS)
    _require("opc", opc, KEY_OCTETS)
    _require("rand", rand, RAND_OCTETS)
    return _encrypt(k, _xor(rand, opc))


def _out1(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    _require("sqn", sqn, SQN_OCTETS)
    _require("amf", amf, AMF_OCTETS)
    temp = _temp(k, opc, rand)
    in1 = (sqn + amf) * 2
    # TS 35.206, 4.1: r1 = 64 bits, c1 = 0
    return _xor(_encrypt(k, _xor(temp, _rotate(_xor(in1, opc), 8))), opc)


def _out(k: bytes, opc: bytes, temp: bytes, rotate_octets: int, constant: int) -> bytes:
    block = bytearray(_rotate(_xor(temp, opc), rotate_octets))
    block[15] ^= constant
    return _xor(_encrypt(k, bytes(block)), opc)


def f1(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    """Return MAC-A, eight octets: the network proves itself to the card."""
    return _out1(k, opc, rand, sqn, amf)[:8]


def f1_star(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    """Return MAC-S, eight octets: the card proves its resynchronisation token."""
    return _out1(k, opc, rand, sqn, amf)[8:]


def f2345(k: bytes, opc: bytes, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return (RES, CK, IK, AK) of a challenge: f2, f3, f4 and f5 in one walk (TS 35.206, 4.1).

    r2..r4 are 0, 32 and 64 bits, c2..c4 are 1, 2 and 4; f2 and f5 are two halves of one block.
    """
    temp = _temp(k, opc, rand)
    out2 = _out(k, opc, temp, 0, 1)
    return out2[8:], _out(k, opc, temp, 4, 2), _out(k, opc, temp, 8, 4), out2[:6]


def f2(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return RES, eight octets: the card proves itself to the network."""
    return f2345(k, opc, rand)[0]


def f3(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return CK, the cipher key."""
    return f2345(k, opc, rand)[1]


def f4(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return IK, the integrity key."""
    return f2345(k, opc, rand)[2]


def f5(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return AK, six octets: it hides the sequence number on the air."""
    return f2345(k, opc, rand)[3]


def f5_star(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return AK for resynchronisation: r5 is 96 bits, c5 is 8."""
    return _out(k, opc, _temp(k, opc, rand), 12, 8)[:6]


def _sqn_octets(sqn: int) -> bytes:
    if not 0 <= sqn <= SQN_MAX:
        raise MilenageError(f"a sequence number has 48 bits, not {sqn}", field="sqn")
    return sqn.to_bytes(SQN_OCTETS, "big")


def generate_vector(k: bytes, opc: bytes, sqn: int, amf: bytes, rand: bytes) -> AuthenticationVector:
    """Make one authentication vector (TS 33.102, 6.3.2); AUTN = SQN xor AK || AMF || MAC-A.

    ``rand`` comes from the caller, who owns the randomness; it must never be used twice.

    Raises:
        MilenageError: a length or the sequence number is out of range.
    """
    sqn_octets = _sqn_octets(sqn)
    xres, ck, ik, ak = f2345(k, opc, rand)
    autn = _xor(sqn_octets, ak) + amf + f1(k, opc, rand, sqn_octets, amf)
    return AuthenticationVector(rand=rand, autn=autn, xres=xres, ck=ck, ik=ik)


def verify_autn(k: bytes, opc: bytes, rand: bytes, autn: bytes) -> VerifiedChallenge:
    """Check a challenge as the card does (TS 33.102, 6.3.3), all but the freshness of its sequence number.

    Raises:
        MacFailureError: the network does not know K.
        MilenageError: a length is wrong.
    """
    _require("autn", autn, AUTN_OCTETS)
    res, ck, ik, ak = f2345(k, opc, rand)
    sqn, amf, mac_a = _xor(autn[:6], ak), autn[6:8], autn[8:]
    if not hmac.compare_digest(f1(k, opc, rand, sqn, amf), mac_a):
        raise MacFailureError("the challenge was not made with this card's key")
    return VerifiedChallenge(sqn=int.from_bytes(sqn, "big"), amf=amf, res=res, ck=ck, ik=ik)


def build_auts(k: bytes, opc: bytes, rand: bytes, sqn_ms: int) -> bytes:
    """Return AUTS = SQN_MS xor AK* || MAC-S, 14 octets (TS 33.102, 6.3.3)."""
    sqn = _sqn_octets(sqn_ms)
    mac_s = f1_star(k, opc, rand, sqn, _RESYNCHRONISATION_AMF)
    return _xor(sqn, f5_star(k, opc, rand)) + mac_s


def verify_auts(k: bytes, opc: bytes, rand: bytes, auts: bytes) -> int:
    """Return SQN_MS, the card's highest accepted sequence number (TS 33.102, 6.3.5).

    ``rand`` is the challenge that the card answered; the network must have sent it.

    Raises:
        MacFailureError: the token was not made by a card with this key for this challenge.
        MilenageError: a length is wrong.
    """
    _require("auts", auts, AUTS_OCTETS)
    sqn = _xor(auts[:6], f5_star(k, opc, rand))
    if not hmac.compare_digest(f1_star(k, opc, rand, sqn, _RESYNCHRONISATION_AMF), auts[6:]):
        raise MacFailureError("the resynchronisation token was not made with this subscriber's key")
    return int.from_bytes(sqn, "big")


def kasme(ck: bytes, ik: bytes, plmn: bytes, sqn_xor_ak: bytes) -> bytes:
    """Return KASME, 32 octets: the key of an EPS security context (TS 33.401, A.2; TS 33.220, B.2).

    Args:
        ck: the cipher key, 16 octets.
        ik: the integrity key, 16 octets.
        plmn: the serving network id, three octets as TS 24.301 sends it (MCC and MNC, swapped nibbles).
        sqn_xor_ak: the first six octets of AUTN.

    Raises:
        MilenageError: a length is wrong.
    """
    _require("ck", ck, KEY_OCTETS)
    _require("ik", ik, KEY_OCTETS)
    _require("plmn", plmn, 3)
    _require("sqn_xor_ak", sqn_xor_ak, SQN_OCTETS)
    mac = HMAC(ck + ik, hashes.SHA256())
    mac.update(_FC_KASME + plmn + b"\x00\x03" + sqn_xor_ak + b"\x00\x06")
    return mac.finalize()
