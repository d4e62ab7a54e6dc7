import asyncio
import errno
import json
import subprocess
import sys

from structlog.testing import capture_logs

from kswifi.lab.http_serving import bound_accept_log
from kswifi.lab.sockets import listen

LIMIT = """
import json, resource
from kswifi.lab.sockets import raise_descriptor_limit
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
print(json.dumps([raise_descriptor_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE), hard]))
"""


def test_the_limit_of_descriptors_is_raised_as_far_as_it_goes() -> None:
    result = subprocess.run([sys.executable, "-c", LIMIT], capture_output=True, check=True)
    told, soft, hard, hard_before = json.loads(result.stdout)
    assert told == soft == hard == hard_before


def test_it_listens_on_both_families() -> None:
    for host in ("127.0.0.1", "::1"):
        with listen(host, 0) as listener:
            assert listener.getsockname()[0] == host


def test_accepts_that_fail_are_logged_once_in_a_while() -> None:
    async def fail() -> None:
        loop = asyncio.get_running_loop()
        bound_accept_log(loop)
        for _ in range(100):
            error = OSError(errno.EMFILE, "Too many open files")
            loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": error})

    with capture_logs() as logged:
        asyncio.run(fail())
    assert [it["event"] for it in logged] == ["new connections cannot be accepted"]
