"""The logs of `kswifi up` do not grow without bound while it runs."""

import os
from pathlib import Path

from kswifi.cli.up import rotate


def test_a_log_that_is_written_by_another_process_is_kept_and_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("ab") as writer:  # as a child has it
        os.write(writer.fileno(), b"old\n" * 30)
        assert not rotate(log, 1000)
        assert rotate(log, 100)
        os.write(writer.fileno(), b"new\n")
        assert log.read_bytes() == b"new\n"
        assert log.with_suffix(".log.1").read_bytes() == b"old\n" * 30
        assert not rotate(log, 100)


def test_a_log_that_is_not_there_yet_is_no_error(tmp_path: Path) -> None:
    assert not rotate(tmp_path / "lab.log")
