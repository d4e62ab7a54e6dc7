"""Who runs a command, for the log of exported keys."""

import getpass
import os


def operating_user() -> str:
    """Return the login name of the user, or "uid N" where the system has no name for the user's number.

    Containers run with numbers that no user database knows.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13
        return f"uid {os.getuid()}"
