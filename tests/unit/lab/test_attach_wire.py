"""Lines of the attach wire: encoding, decoding, and the refusal of malformed ones."""

import pytest

from kswifi.lab.attach_wire import (
    LONGEST_LINE_OCTETS,
    AttachWireError,
    decode_line,
    encode_line,
    octets_field,
    text_field,
)


def test_a_message_is_one_line() -> None:
    line = encode_line({"type": "attach_request", "imsi": "1", "apn": "a\nb"})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_line(line)["apn"] == "a\nb"


@pytest.mark.parametrize(
    "line", [b"", b"{}\n", b"[]\n", b"\xff\n", b'{"type":1}\n', b"x" * LONGEST_LINE_OCTETS + b"\n", b"[" * 4000]
)
def test_malformed_lines_are_refused(line: bytes) -> None:
    with pytest.raises(AttachWireError):
        decode_line(line)


def test_fields_are_read_and_wrong_ones_refused_by_name() -> None:
    message = {"type": "t", "res": "00ff", "apn": 5, "bad": "0g"}
    assert octets_field(message, "res", 2) == b"\x00\xff"
    for name, length in (("res", 3), ("bad", None), ("gone", None), ("apn", None)):
        with pytest.raises(AttachWireError, match=name):
            octets_field(message, name, length)
    with pytest.raises(AttachWireError, match="apn"):
        text_field(message, "apn")
