"""The newest pages that the lab phone has fetched, kept so that KSWiFi's page can show them in a frame.

Their content is not ours and not trusted. They are served from the origin of the control server, never from
KSWiFi's, with a policy under which no script runs and nothing is fetched. So every octet shown came through the
phone's sockets.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

PAGES: Final = 16
LARGEST_PAGE_OCTETS: Final = 1_048_576
"""Of a longer page only the beginning is kept."""

_SHOWN: Final = ("text/", "image/")
_ANYTHING_ELSE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A fetched page."""

    media_type: str
    content: bytes


class ShownPages:
    """The newest pages, each under a random name."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, ShownPage] = OrderedDict()

    def put(self, media_type: str, content: bytes) -> str:
        """Store a page and return its name; beyond ``PAGES`` the oldest is removed."""
        name = secrets.token_urlsafe(16)
        shown = media_type if media_type.lower().startswith(_SHOWN) else _ANYTHING_ELSE
        self._pages[name] = ShownPage(shown, content[:LARGEST_PAGE_OCTETS])
        if len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        return name

    def get(self, name: str) -> ShownPage | None:
        """Return a page; None if it does not exist any more."""
        return self._pages.get(name)


def page_policy(web_origins: tuple[str, ...]) -> str:
    """Return the Content-Security-Policy of a shown page: text and styles only, in frames of these origins."""
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
