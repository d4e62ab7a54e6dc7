"""The number of files and sockets that the process may open at once."""

import resource
from typing import Final

from kswifi.kernel.errors import KswifiError

RESERVED: Final = 128
"""Descriptors for all but the connections of clients: databases, journals, listeners, outgoing requests."""
LEAST: Final = 192
_MOST: Final = 1_048_576


class TooFewDescriptorsError(KswifiError):
    """The process may open too few files to serve."""

    code = "too_few_descriptors"


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what it is now.

    Raises:
        TooFewDescriptorsError: the hard limit is too low to serve anybody.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            pass  # macOS refuses more than its kernel's own limit, and keeps what was set
    limit = _MOST if soft == resource.RLIM_INFINITY else soft
    if limit < LEAST:
        raise TooFewDescriptorsError(
            f"this process may open {limit} files at once and needs at least {LEAST}: raise the limit "
            "(ulimit -Hn, or LimitNOFILE= of a systemd unit)",
            limit=limit,
            least=LEAST,
        )
    return limit
