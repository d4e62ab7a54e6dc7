"""Pages that the lab phone fetched, kept for a moment so that a web page can show them in a frame.

They are others' words: shown from the control's origin, never KSWiFi's, in a sandbox in which nothing runs and that
fetches nothing. What is seen there came through the lab phone's sockets, every octet of it.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

PAGES: Final = 16
LARGEST_PAGE_OCTETS: Final = 1_048_576
"""What is shown of a longer one is its beginning."""

_SHOWN: Final = ("text/", "image/")
_ANYTHING_ELSE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ShownPage:
    """What came, as it came."""

    media_type: str
    content: bytes


class ShownPages:
    """The newest pages, each under a name that cannot be guessed."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, ShownPage] = OrderedDict()

    def put(self, media_type: str, content: bytes) -> str:
        """Keep a page and return its name; the oldest goes where there are too many."""
        name = secrets.token_urlsafe(16)
        shown = media_type if media_type.lower().startswith(_SHOWN) else _ANYTHING_ELSE
        self._pages[name] = ShownPage(shown, content[:LARGEST_PAGE_OCTETS])
        if len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        return name

    def get(self, name: str) -> ShownPage | None:
        """Return a page, None where it is gone."""
        return self._pages.get(name)


def page_policy(web_origins: tuple[str, ...]) -> str:
    """Return the Content-Security-Policy of a shown page: its words and looks alone, in frames of these origins."""
    ancestors = " ".join(web_origins) or "'none'"
    return "; ".join(
        (
            "sandbox",
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "form-action 'none'",
            f"frame-ancestors {ancestors}",
        )
    )
