"""The seeded stream of the content server, and the derivation of proxy passwords."""

import hmac
from base64 import urlsafe_b64decode
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.lab.access_keys import proxy_authorization, proxy_password
from kswifi.lab.stream import CHUNK_OCTETS, SeededStream, chunks, stream_sha256


@settings(max_examples=30, deadline=None)
@given(offset=st.integers(0, 3 * CHUNK_OCTETS), octets=st.integers(1, CHUNK_OCTETS + 5))
def test_any_part_of_a_stream_can_be_computed_alone(offset: int, octets: int) -> None:
    whole = b"".join(bytes(chunk) for chunk in chunks("s", offset + octets))
    part = b"".join(bytes(chunk) for chunk in chunks("s", octets, offset))
    assert part == whole[offset:]
    assert stream_sha256("s", len(whole)) == sha256(whole).hexdigest()


def test_seeds_and_chunks_differ() -> None:
    stream = SeededStream("a")
    first = bytes(stream.next_chunk())
    assert first != bytes(stream.next_chunk())
    assert first != bytes(SeededStream("b").next_chunk())


def test_the_password_is_the_generic_kdf_of_ts_33_220() -> None:
    kasme = bytes(range(32))
    message = b"\xf0" + b"kswifi-proxy" + b"\x00\x0c" + b"b0123" + b"\x00\x05"
    password = proxy_password(kasme, "b0123")
    assert urlsafe_b64decode(password + "=") == hmac.digest(kasme, message, "sha256")
    assert password != proxy_password(kasme, "b0124") != proxy_password(bytes(32), "b0124")
    assert proxy_authorization("user", "pass") == "Basic dXNlcjpwYXNz"
