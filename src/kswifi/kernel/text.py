"""Text from outside that cannot be kept: what UTF-8 cannot write, and NUL.

JSON may escape half of a surrogate pair (``\\ud800``, RFC 8259, 8.2), and Python then has a string that no UTF-8
encoder takes: not the database's, not the log's. NUL ends a string early for programs in C.
"""


def is_storable(value: object) -> bool:
    """Tell whether all text in a JSON value, the names of members too, can be written as UTF-8 and has no NUL."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\0" in one or not _is_utf_8(one):
                return False
        elif isinstance(one, dict):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, (list, tuple)):
            waiting += one
    return True


def _is_utf_8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
