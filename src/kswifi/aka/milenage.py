"""Milenage and AKA: how a card and its network authenticate each other (TS 35.206, TS 33.102 6.3, TS 33.401 A.2).

Card and network share one secret key K. Neither ever sends it. One authentication goes like this:

1. The network draws a random challenge RAND and takes its next sequence number SQN. ``generate_vector`` computes
   from K, RAND and SQN: the token AUTN that proves the network to the card, the answer XRES that it expects from
   the card, and the session keys CK and IK.
2. The card gets RAND and AUTN. ``verify_autn`` recomputes AK, which uncovers SQN, and then MAC-A. If MAC-A differs,
   the sender does not know K. If SQN was used before, the challenge is a replay (``kswifi.euicc`` checks this).
3. The card answers RES, which the network compares with XRES. Both sides now have the same CK and IK; ``kasme``
   derives the LTE key from them.
4. If SQN was not acceptable, the card answers AUTS instead: its own highest SQN, protected by MAC-S
   (``build_auts``). The network checks it (``verify_auts``) and goes on from that number.

The functions f1 to f5* of TS 35.206 share one AES encryption of RAND (TEMP). Each then makes one more, with its own
rotation and constant; everything else is XOR. AES comes from `cryptography`. Callers pass sequence numbers as
integers of 48 bits.
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
"""The AMF of an EPS vector: only the separation bit is set (TS 33.401, 6.1.2; TS 33.102, annex H)."""

_RESYNCHRONISATION_AMF: Final = b"\x00\x00"  # TS 33.102, 6.3.3: a dummy AMF of zeros enters f1*
_FC_KASME: Final = b"\x10"  # TS 33.401, A.2


class MilenageError(KswifiError):
    """A key, challenge, token or sequence number has a wrong length or value."""

    code = "milenage_error"


class MacFailureError(MilenageError):
    """MAC-A or MAC-S is wrong: the sender of the token does not know this key."""

    code = "mac_failure"


@dataclass(frozen=True, slots=True)
class AuthenticationVector:
    """One UMTS authentication vector (TS 33.102, 6.3.2).

    XRES, CK and IK are left out of ``repr``, so that they cannot get into a log.

    Attributes:
        rand: the challenge, 16 octets.
        autn: the network's token, 16 octets: SQN xor AK (6), AMF (2), MAC-A (8).
        xres: the answer that the card must give, 8 octets.
        ck: the cipher key, 16 octets.
        ik: the integrity key, 16 octets.
    """

    rand: bytes
    autn: bytes
    xres: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)

    @property
    def sqn_xor_ak(self) -> bytes:
        """Return the first six octets of AUTN, an input of the KASME derivation (TS 33.401, A.2)."""
        return self.autn[:SQN_OCTETS]


@dataclass(frozen=True, slots=True)
class VerifiedChallenge:
    """What a card has after MAC-A proved right: the network's SQN and AMF, its own answer RES, and CK and IK."""

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
    # E[x]k of TS 35.206: one block of the bare cipher. ECB of a single block is exactly that.
    encryptor = Cipher(algorithms.AES(k), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()


def opc(k: bytes, op: bytes) -> bytes:
    """Return OPc = OP xor E[OP]k (TS 35.206, 4.1).

    A card stores OPc instead of OP: a card whose secrets are read then does not reveal the operator's OP.

    Raises:
        MilenageError: a length is wrong.
    """
    _require("k", k, KEY_OCTETS)
    _require("op", op, KEY_OCTETS)
    return _xor(op, _encrypt(k, op))


def _temp(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return TEMP = E[RAND xor OPc]k, which f1 to f5* all start from (TS 35.206, 4.1)."""
    _require("k", k, KEY_OCTETS)
    _require("opc", opc, KEY_OCTETS)
    _require("rand", rand, RAND_OCTETS)
    return _encrypt(k, _xor(rand, opc))


def _out1(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    """Return OUT1, whose first half is MAC-A and whose second half is MAC-S.

    It alone covers SQN and AMF, which IN1 holds twice: SQN || AMF || SQN || AMF.
    """
    _require("sqn", sqn, SQN_OCTETS)
    _require("amf", amf, AMF_OCTETS)
    temp = _temp(k, opc, rand)
    in1 = (sqn + amf) * 2
    # TS 35.206, 4.1: r1 rotates by 64 bits, c1 is zero
    return _xor(_encrypt(k, _xor(temp, _rotate(_xor(in1, opc), 8))), opc)


def _out(k: bytes, opc: bytes, temp: bytes, rotate_octets: int, constant: int) -> bytes:
    """Return OUT2, OUT3, OUT4 or OUT5, which differ only in their rotation r and constant c (TS 35.206, 4.1)."""
    block = bytearray(_rotate(_xor(temp, opc), rotate_octets))
    block[15] ^= constant
    return _xor(_encrypt(k, bytes(block)), opc)


def f1(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    """Return MAC-A, eight octets, by which the network proves to the card that it knows K."""
    return _out1(k, opc, rand, sqn, amf)[:8]


def f1_star(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    """Return MAC-S, eight octets, by which the card authenticates its resynchronisation token AUTS."""
    return _out1(k, opc, rand, sqn, amf)[8:]


def f2345(k: bytes, opc: bytes, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return (RES, CK, IK, AK) of a challenge: f2, f3, f4 and f5 with TEMP computed once (TS 35.206, 4.1).

    The rotations r2 to r4 are 0, 32 and 64 bits, the constants c2 to c4 are 1, 2 and 4. RES and AK are both parts
    of
    OUT2: its last eight and its first six octets.
    """
    temp = _temp(k, opc, rand)
    out2 = _out(k, opc, temp, 0, 1)
    return out2[8:], _out(k, opc, temp, 4, 2), _out(k, opc, temp, 8, 4), out2[:6]


def f2(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return RES, eight octets, by which the card proves to the network that it knows K."""
    return f2345(k, opc, rand)[0]


def f3(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return CK, the cipher key, 16 octets."""
    return f2345(k, opc, rand)[1]


def f4(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return IK, the integrity key, 16 octets."""
    return f2345(k, opc, rand)[2]


def f5(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return AK, six octets, which hides SQN in AUTN: SQN in clear would let a listener follow one subscriber."""
    return f2345(k, opc, rand)[3]


def f5_star(k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return AK*, six octets, which hides SQN in AUTS: rotation r5 is 96 bits, constant c5 is 8."""
    return _out(k, opc, _temp(k, opc, rand), 12, 8)[:6]


def _sqn_octets(sqn: int) -> bytes:
    if not 0 <= sqn <= SQN_MAX:
        raise MilenageError(f"a sequence number has 48 bits, not {sqn}", field="sqn")
    return sqn.to_bytes(SQN_OCTETS, "big")


def generate_vector(k: bytes, opc: bytes, sqn: int, amf: bytes, rand: bytes) -> AuthenticationVector:
    """Make one authentication vector (TS 33.102, 6.3.2), with AUTN = SQN xor AK || AMF || MAC-A.

    Args:
        k: the subscriber's key, 16 octets.
        opc: the operator variant of this subscriber, 16 octets.
        sqn: the sequence number, 48 bits, higher than any that this card has accepted.
        amf: the authentication management field, 2 octets; ``AMF_SEPARATION_BIT`` for LTE.
        rand: the challenge, 16 random octets that were never used before.

    Raises:
        MilenageError: a length or the sequence number is out of range.
    """
    sqn_octets = _sqn_octets(sqn)
    xres, ck, ik, ak = f2345(k, opc, rand)
    autn = _xor(sqn_octets, ak) + amf + f1(k, opc, rand, sqn_octets, amf)
    return AuthenticationVector(rand=rand, autn=autn, xres=xres, ck=ck, ik=ik)


def verify_autn(k: bytes, opc: bytes, rand: bytes, autn: bytes) -> VerifiedChallenge:
    """Check a challenge as the card does (TS 33.102, 6.3.3), except for the freshness of SQN, which the card keeps.

    Raises:
        MacFailureError: the network does not know K.
        MilenageError: a length is wrong.
    """
    _require("autn", autn, AUTN_OCTETS)
    res, ck, ik, ak = f2345(k, opc, rand)
    # SQN comes out of AUTN only with AK, that is, only with K; MAC-A then proves that it was not altered.
    sqn, amf, mac_a = _xor(autn[:6], ak), autn[6:8], autn[8:]
    if not hmac.compare_digest(f1(k, opc, rand, sqn, amf), mac_a):
        raise MacFailureError("the challenge was not made with this card's key")
    return VerifiedChallenge(sqn=int.from_bytes(sqn, "big"), amf=amf, res=res, ck=ck, ik=ik)


def build_auts(k: bytes, opc: bytes, rand: bytes, sqn_ms: int) -> bytes:
    """Return AUTS = SQN_MS xor AK* || MAC-S, 14 octets: the card's request to resynchronise (TS 33.102, 6.3.3).

    Args:
        k: the subscriber's key, 16 octets.
        opc: the operator variant, 16 octets.
        rand: the challenge that is answered, 16 octets.
        sqn_ms: the highest sequence number that the card has accepted.

    Raises:
        MilenageError: a length or the sequence number is out of range.
    """
    sqn = _sqn_octets(sqn_ms)
    mac_s = f1_star(k, opc, rand, sqn, _RESYNCHRONISATION_AMF)
    return _xor(sqn, f5_star(k, opc, rand)) + mac_s


def verify_auts(k: bytes, opc: bytes, rand: bytes, auts: bytes) -> int:
    """Check AUTS and return SQN_MS, the card's highest accepted sequence number (TS 33.102, 6.3.5).

    Args:
        k: the subscriber's key, 16 octets.
        opc: the operator variant, 16 octets.
        rand: the challenge that the card answered. The caller must have sent it, else AUTS can be a replay.
        auts: the card's token, 14 octets.

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

    The serving network is an input, so that a vector made for one network gives another network no usable key.

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
    mac.update(_FC_KASME + plmn + b"\x00\x03" + sqn_xor_ak + b"\x00\x06")  # FC || P0 || L0 || P1 || L1
    return mac.finalize()
