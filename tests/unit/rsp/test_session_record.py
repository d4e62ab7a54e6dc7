"""The card's session record: one form, one signature, and a message of its own for each way to be wrong."""

from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.kernel.numbers import Iccid
from kswifi.rsp import session_record
from kswifi.rsp.session_record import SessionRecord
from tests.support.cards import SIGNING_KEY, iccid

PUBLIC_KEY = SIGNING_KEY.public_key()
RECORD = SessionRecord(
    session_id=UUID("0192f0c1-1111-7222-8333-444455556666"),
    iccid=iccid(1),
    allowance_octets=1_000_000_000,
    valid_from=1_800_000_000,
    valid_until=1_802_592_000,
    key_id=session_record.key_id(PUBLIC_KEY),
)


def test_round_trip_through_the_cards_padded_file() -> None:
    signed = session_record.sign(RECORD, SIGNING_KEY)
    assert len(signed) == session_record.RECORD_OCTETS == 123
    padded = session_record.pad(signed, 160)
    assert len(padded) == 160
    verified = session_record.verify(padded, PUBLIC_KEY)
    assert replace(verified, signature=b"") == RECORD
    assert verified.encode() == signed


def test_the_layout_is_what_the_document_says() -> None:
    unsigned = RECORD.encode_unsigned()
    assert unsigned.hex() == (
        "01" + "0192f0c1111172228333444455556666" + RECORD.iccid.to_bytes().hex() + "000000003b9aca00"
        "000000006b49d200" + "000000006b715f00" + RECORD.key_id.hex()
    )


def test_uncapped_is_all_ones() -> None:
    signed = session_record.sign(replace(RECORD, allowance_octets=None), SIGNING_KEY)
    assert signed[27:35] == b"\xff" * 8
    assert session_record.verify(signed, PUBLIC_KEY).allowance_octets is None


def test_signing_twice_gives_the_same_octets() -> None:
    assert session_record.sign(RECORD, SIGNING_KEY) == session_record.sign(RECORD, SIGNING_KEY)


@pytest.mark.parametrize("octet", range(session_record.RECORD_OCTETS))
def test_every_flipped_octet_is_refused(octet: int) -> None:
    altered = bytearray(session_record.sign(RECORD, SIGNING_KEY))
    altered[octet] ^= 0x01
    with pytest.raises(session_record.SessionRecordError):
        session_record.verify(bytes(altered), PUBLIC_KEY)


def test_each_refusal_has_its_own_words() -> None:
    signed = session_record.sign(RECORD, SIGNING_KEY)
    more = bytearray(signed)
    more[34] ^= 0x01
    with pytest.raises(session_record.BadSignatureError, match="altered"):
        session_record.verify(bytes(more), PUBLIC_KEY)
    with pytest.raises(session_record.UnknownKeyError):
        session_record.verify(signed, ec.generate_private_key(ec.SECP256R1()).public_key())


def test_a_rogue_key_that_claims_the_right_key_id_is_refused() -> None:
    rogue = ec.generate_private_key(ec.SECP256R1())
    forged = session_record.sign(replace(RECORD, key_id=session_record.key_id(rogue.public_key())), rogue)
    renamed = forged[:51] + RECORD.key_id + forged[59:]
    with pytest.raises(session_record.BadSignatureError):
        session_record.verify(renamed, PUBLIC_KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"allowance_octets": -1},
        {"allowance_octets": (1 << 64) - 1},
        {"valid_until": 1_800_000_000},
        {"key_id": b"short"},
    ],
)
def test_fields_that_do_not_fit_are_never_signed(change: dict[str, int]) -> None:
    with pytest.raises(session_record.SessionRecordError):
        session_record.sign(replace(RECORD, **change), SIGNING_KEY)  # type: ignore[arg-type]


def test_octets_that_are_no_record() -> None:
    signed = session_record.sign(RECORD, SIGNING_KEY)
    for octets in (b"", b"\xff" * 160, signed[:-1], signed + b"\x00", b"\x02" + signed[1:]):
        with pytest.raises(session_record.MalformedRecordError):
            session_record.verify(octets, PUBLIC_KEY)
    assert session_record.is_empty_record(b"\xff" * 160)
    assert not session_record.is_empty_record(session_record.pad(signed, 160))
    with pytest.raises(session_record.MalformedRecordError):
        session_record.pad(signed, 100)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_octets_are_refused_cleanly(octets: bytes) -> None:
    with pytest.raises(session_record.SessionRecordError):
        session_record.verify(b"\x01" + octets, PUBLIC_KEY)


@settings(deadline=None, max_examples=50)
@given(
    st.uuids(),
    st.one_of(st.none(), st.integers(0, (1 << 64) - 2)),
    st.integers(0, 1 << 40),
    st.integers(1, 1 << 40),
)
def test_any_record_survives_its_encoding(
    session_id: UUID, allowance: int | None, valid_from: int, seconds: int
) -> None:
    record = replace(
        RECORD,
        session_id=session_id,
        iccid=Iccid("890001234567890123"),
        allowance_octets=allowance,
        valid_from=valid_from,
        valid_until=valid_from + seconds,
    )
    verified = session_record.verify(session_record.sign(record, SIGNING_KEY), PUBLIC_KEY)
    assert replace(verified, signature=b"") == record
