"""`kswifi demo --move`: a session moves in mid-use to a second phone; the old line is refused, no octet is lost."""

import json
import subprocess
import sys


def test_a_session_moves_to_a_new_phone_in_mid_use() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "kswifi", "demo", "--move", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    facts = json.loads(ran.stdout)
    assert facts["delivered_before"] > 0
    assert facts["delivered_before"] + facts["delivered_after"] == facts["allowance_octets"]
    assert (facts["overrun_octets"], facts["old_line_refused"]) == (0, True)
