"""The first guesses of anyone who guesses: length does the rest (NIST SP 800-63B, 5.1.1.2)."""

from typing import Final

OBVIOUS_PASSWORDS: Final = frozenset(
    {
        "password",
        "passw0rd",
        "password1",
        "password12",
        "password123",
        "12345678",
        "123456789",
        "1234567890",
        "0123456789",
        "87654321",
        "qwertyui",
        "qwerty12",
        "qwerty123",
        "qwertyuiop",
        "1q2w3e4r",
        "1qaz2wsx",
        "iloveyou",
        "abcd1234",
        "abc12345",
        "letmein1",
        "welcome1",
        "admin123",
        "football",
        "sunshine",
        "princess",
        "kswifi123",
        "nigeria1",
        "nigeria123",
        "jesus123",
        "godisgood",
        "lagos123",
        "blessing",
    }
)
