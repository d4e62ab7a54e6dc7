"""Who runs a command, for the log of exported keys."""

import os
import pwd


def operating_user() -> str:
    """Return the login name of the process's user, or "uid N" where the system has no name for the user's number.

    The name comes from the number of the user, never from LOGNAME and USER, which a user can set at will.
    Containers run with numbers that no user database knows.
    """
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
