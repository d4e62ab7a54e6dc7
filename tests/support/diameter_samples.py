"""The captured messages of tests/data/gy, and how to bend them to a test's subscriber and node."""

from pathlib import Path

from kswifi.diameter.avp import PADDING

SAMPLES = Path(__file__).parent.parent / "data" / "gy"
IMSI = "001010000000001"
CCR_NAMES = (
    "ccr-initial",
    "ccr-update-1",
    "ccr-update-2",
    "ccr-update-3",
    "ccr-update-4",
    "ccr-termination",
)


def sample(name: str) -> bytes:
    return bytes.fromhex((SAMPLES / f"{name}.hex").read_text())


def rebuilt(message: bytes, replace: dict[int, bytes | None], extra: bytes = b"") -> bytes:
    """Return the message with the values of top-level AVPs (by code) replaced, or the AVPs left out for None."""
    out = bytearray(message[:20])
    offset = 20
    while offset < len(message):
        code = int.from_bytes(message[offset : offset + 4], "big")
        flags = message[offset + 4]
        length = int.from_bytes(message[offset + 5 : offset + 8], "big")
        start = offset + (12 if flags & 0x80 else 8)
        value: bytes | None = message[start : offset + length]
        value = replace.get(code, value)
        if value is not None:
            size = start - offset + len(value)
            out += message[offset : offset + 5] + size.to_bytes(3, "big") + message[offset + 8 : start]
            out += value + PADDING[len(value) & 3]
        offset += length + -length % 4
    out += extra
    out[1:4] = len(out).to_bytes(3, "big")
    return bytes(out)
