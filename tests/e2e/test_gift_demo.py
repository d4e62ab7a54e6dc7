"""`kswifi demo --gift`: half of a session on a second phone, both halves used to the last octet."""

import json
import subprocess
import sys


def test_half_of_a_session_is_given_and_both_halves_are_cut_off_exactly() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "kswifi", "demo", "--gift", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    facts = json.loads(ran.stdout)
    half = facts["allowance_octets"] // 2
    assert (facts["given_octets"], facts["sum_octets"]) == (half, facts["allowance_octets"])
    for side in (facts["giver"], facts["receiver"]):
        assert (side["used_octets"], side["overrun_octets"], side["cut_off"]) == (half, 0, True)
