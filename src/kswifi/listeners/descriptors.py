"""The number of files and sockets that this process may open at the same time."""

import resource
from typing import Final

from kswifi.kernel.errors import KswifiError

RESERVED: Final = 128
"""Descriptors kept for databases, journals, listeners and outgoing requests, not for connections of clients."""
LEAST: Final = 192
"""With fewer descriptors the process refuses to start."""
_MOST: Final = 1_048_576


class TooFewDescriptorsError(KswifiError):
    """The process may open fewer files than it needs."""

    code = "too_few_descriptors"


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard limit, and return the limit now in force.

    Raises:
        TooFewDescriptorsError: the limit is below ``LEAST``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            pass  # macOS refuses more than its kernel's own limit; the old limit stays in force
    limit = _MOST if soft == resource.RLIM_INFINITY else soft
    if limit < LEAST:
        raise TooFewDescriptorsError(
            f"this process may open {limit} files at once and needs at least {LEAST}: raise the limit "
            "(ulimit -Hn, or LimitNOFILE= of a systemd unit)",
            limit=limit,
            least=LEAST,
        )
    return limit
