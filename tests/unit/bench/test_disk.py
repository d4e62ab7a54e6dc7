"""Which file system a folder lies on, and that memory is refused."""

from pathlib import Path

import pytest

from kswifi.bench.disk import NotOnDiskError, file_system_of, fsync_ms_p50, require_disk

MEMORY = Path("/dev/shm")


def test_memory_is_refused() -> None:
    if not MEMORY.exists():
        pytest.skip("no /dev/shm here")
    with pytest.raises(NotOnDiskError, match="memory"):
        require_disk(MEMORY)


def test_a_folder_has_a_file_system(tmp_path: Path) -> None:
    mounted = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    # Where the root of this process is no mount of its own (a chroot) nothing is known of what lies beneath it.
    assert (file_system_of(tmp_path) == "unknown") == ("/" not in mounted)
    assert fsync_ms_p50(tmp_path) > 0
    assert not list(tmp_path.iterdir())
