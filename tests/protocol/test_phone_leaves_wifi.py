"""Leaving WiFi: the phone's process keeps no way out over it, neither a warm connection nor a datagram."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PHONE = """
import socket, sys
from pathlib import Path
from kswifi.lab.demo.app import PhoneApp
from kswifi.lab.demo.road import Road
from kswifi.lab.phone.network import Network, NoNetworkError

class Teller:
    def begin(self, stage): pass
    def end(self, stage, seconds): pass

folder, port = Path(sys.argv[1]), int(sys.argv[2])
gateway, other = ("127.0.0.1", int(sys.argv[3])), ("127.0.0.1", port)
network = Network(folder, [gateway])
network.forbid_other_connects()
app = PhoneApp(f"http://127.0.0.1:{port}")
road = Road(app, None, network, None, None, other, folder, Teller())

def must_be_refused(tried, words):
    try:
        tried()
    except NoNetworkError:
        return
    sys.exit(words)

assert app.offers() == [{"signed_in": False}]
assert app.offers() == [{"signed_in": True}]     # the pool is warm, the cookie is set
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.sendto(b"over WiFi", other)
road.leave_wifi()
must_be_refused(app.offers, "a request went over a connection that WiFi had made")
must_be_refused(lambda: datagrams.sendto(b"x", other), "sendto went past the switch")
must_be_refused(lambda: datagrams.sendto(b"x", 0, other), "sendto with flags went past the switch")
must_be_refused(lambda: datagrams.sendmsg([b"x"], [], 0, other), "sendmsg went past the switch")
datagrams.sendto(b"x", gateway)                  # the access network is reached
datagrams.sendmsg([b"x"], [], 0, gateway)
one, two = socket.socketpair()
one.sendmsg([b"x"])                              # what has its peer already names no address
network.wifi = True
assert app.offers() == [{"signed_in": True}]     # back on WiFi, and still signed in
for each in (datagrams, one, two):
    each.close()
app.close()
print("kept to the switch")
"""


class _Offers(BaseHTTPRequestHandler):
    """A server that keeps connections alive, signs in by cookie and tells whether it did."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        signed_in = "kswifi=1" in self.headers.get("Cookie", "")
        body = b'{"offers": [{"signed_in": %s}]}' % str(signed_in).lower().encode()
        self.send_response(200)
        self.send_header("Set-Cookie", "kswifi=1; Path=/; HttpOnly")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@contextmanager
def _offers() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Offers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_after_leaving_wifi_no_warm_connection_and_no_datagram_gets_out(tmp_path: Path) -> None:
    with _offers() as port:
        phone = subprocess.run(
            [sys.executable, "-c", PHONE, str(tmp_path), str(port), "9"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (phone.returncode, phone.stdout) == (0, "kept to the switch\n"), phone.stderr
