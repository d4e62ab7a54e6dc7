"""The bench of remote SIM provisioning at work, for a moment: it measures what it says."""

import json

import pytest
from typer.testing import CliRunner

from kswifi.bench import packets as packet_bench
from kswifi.bench.packets import PacketBenchError, run_packets
from kswifi.cli.main import app
from kswifi.rsp.saip.build import SESSION_RECORDS


def test_it_downloads_and_carries_packets() -> None:
    done = CliRunner().invoke(app, ["bench", "rsp", "--json", "--clients", "1", "--downloads", "2", "--cards", "2"])
    assert done.exit_code == 0, (done.output, done.exception)
    figures = json.loads(done.stdout)
    assert (figures["clients"], figures["downloads"], figures["packets"]) == (1, 2, 2 * SESSION_RECORDS)
    measured = set(figures) - {"clients", "downloads", "packets"}
    assert measured >= {"packets_per_s", "server_cpu_ms_per_packet", "packet_make_cpu_us", "packet_proof_cpu_us"}
    for name in measured - {"server_cpu_ms_per_download", "server_cpu_ms_per_initiate"}:
        assert figures[name] > 0, name  # the server's CPU is read in hundredths of a second


def test_a_proof_that_is_not_taken_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_bench, "_proof", lambda *_: b"\x69\x85")
    with pytest.raises(PacketBenchError):
        run_packets(1)
