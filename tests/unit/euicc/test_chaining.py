"""Commands in parts (ISO/IEC 7816-4, 5.3.3): joined, bounded, and given up when something else comes."""

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.chaining import CHAIN_MAX_OCTETS
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.lpa import Lpa
from tests.support.cards import ADM_KEY, euicc_with, iccid, send
from tests.support.rsp import ADDRESS, SmallSmdp, new_card

SELECT_ISD_R = "00A4040C10A0000005591010FFFFFFFF8900000100"
ENABLE_2 = f"BF3111A00C5A0A{iccid(2).to_bytes().hex()}8101FF"


class Chaining:
    """A reader that sends the data of every command in parts."""

    def __init__(self, euicc: Euicc, octets: int) -> None:
        self._euicc = euicc
        self._octets = octets

    def transmit(self, command: bytes) -> bytes:
        header, data = command[:4], command[5 : 5 + command[4]] if len(command) > 5 else b""
        if len(data) <= self._octets:
            return self._euicc.transmit(command)
        while len(data) > self._octets:
            part, data = data[: self._octets], data[self._octets :]
            chained = bytes([header[0] | 0x10]) + header[1:] + bytes([len(part)]) + part
            assert self._euicc.transmit(chained) == b"\x90\x00"
        return self._euicc.transmit(header + bytes([len(data)]) + data)


@pytest.mark.parametrize(("octets", "block"), [(6, 255), (7, 120), (100, 255), (254, 255)])
def test_a_download_in_parts_of_any_size(octets: int, block: int) -> None:
    server, euicc = SmallSmdp(), new_card()
    lpa = Lpa(Chaining(euicc, octets), server, chunk_octets=block)
    assert lpa.download(ActivationCode(ADDRESS, "ORDER-1")).iccid == iccid(1)
    assert [done.failure for done in lpa.process_notifications()] == [None]


def test_one_block_may_be_longer_than_an_apdu() -> None:
    """STORE DATA with P1 91 alone, its request in parts: how an LPA on top of a chaining reader sends it."""
    euicc = euicc_with(1, 2)
    send(euicc, SELECT_ISD_R)
    request = bytes.fromhex(ENABLE_2)
    for start in range(0, len(request), 6):
        part = request[start : start + 6]
        last = start + 6 >= len(request)
        data, status = send(euicc, f"{'80' if last else '90'}E29100{len(part):02X}{part.hex()}")
        assert (status, bool(data)) == ("9000", last)
    with Es10(euicc) as es10:
        assert [each.state for each in es10.profiles()] == [0, 1]


def test_a_record_in_two_parts() -> None:
    euicc = euicc_with(1)
    send(euicc, "00A4040C07A0000000871002")
    send(euicc, "00A4080C067FFF5F104F01")
    send(euicc, "0020000A08" + ADM_KEY.hex())
    assert send(euicc, "10DC010464" + "AB" * 100) == (b"", "9000")
    assert send(euicc, "00DC01043C" + "CD" * 60) == (b"", "9000")
    assert send(euicc, "00B2010400")[0] == b"\xab" * 100 + b"\xcd" * 60


def test_another_command_gives_the_chain_up() -> None:
    euicc = euicc_with(1, 2)
    send(euicc, SELECT_ISD_R)
    assert send(euicc, f"90E2910006{ENABLE_2[:12]}")[1] == "9000"
    send(euicc, "80F2000C00")
    assert send(euicc, f"80E291000E{ENABLE_2[12:]}")[1] == "6A80", "the rest alone is no request"
    with Es10(euicc) as es10:
        assert [each.state for each in es10.profiles()] == [1, 0]


def test_a_chain_is_bounded_and_its_channel_its_own() -> None:
    euicc = euicc_with(1, 2)
    send(euicc, SELECT_ISD_R)
    channel = send(euicc, "0070000001")[0][0]
    assert send(euicc, f"90E2910006{ENABLE_2[:12]}")[1] == "9000"
    assert send(euicc, f"0{channel}A4000C023F00")[1] == "9000"  # another channel disturbs nothing
    rest = bytes.fromhex(ENABLE_2[12:])
    assert send(euicc, f"80E29100{len(rest):02X}{rest.hex()}")[1] == "9000"
    for _ in range(CHAIN_MAX_OCTETS // 255):
        assert send(euicc, "90E29100FF" + "00" * 255)[1] == "9000"
    assert send(euicc, "90E29100FF" + "00" * 255)[1] == "6700"
    assert send(euicc, "80E2910003BF2D00")[1] == "9000", "and then it is as if nothing had been"
