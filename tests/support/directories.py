"""Names of directories with characters that have a meaning in URLs, SQL, shells or encodings."""

from typing import Final

ODD_DIRECTORIES: Final = (
    "with space",
    "q?x",
    "q?mode=memory",
    "p%41x",
    "100%",
    "a#b",
    "ü ₦",
    "it's",
    'say "no"',
    "a&b=c;d",
    "file:x",
    "new\nline",
    "octet\udcff",  # not UTF-8: the octet FF
)
