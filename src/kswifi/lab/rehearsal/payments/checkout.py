"""The checkout page for the payer, with a button for each possible outcome of a payment. It has no script."""

import base64
import hashlib
from html import escape
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from kswifi.kernel.quantities import format_naira
from kswifi.lab.rehearsal.payments.engine import Engine
from kswifi.lab.rehearsal.payments.model import Charge, ChargeStatus, GatewayRefusal

LATE_SECONDS: Final = 8.0

_STYLE: Final = """
:root { color-scheme: dark; }
body { margin: 0; background: #000; color: #e8f6f8; font: 17px/1.5 system-ui, sans-serif; }
main { max-width: 26rem; margin: 0 auto; padding: 1.5rem; }
.sandbox { background: #ffd54a; color: #000; font-weight: 700; text-align: center; padding: .6rem 1rem; }
h1 { font-size: 1.2rem; } .amount { font-size: 2.2rem; font-weight: 700; color: #00cfe8; margin: .2rem 0 1rem; }
button, a.button { display: block; width: 100%; box-sizing: border-box; min-height: 48px; margin: .6rem 0;
  border-radius: 8px; border: 1px solid #3a5559; background: #0d1a1c; color: inherit; font: inherit;
  cursor: pointer; padding: .7rem; text-align: center; text-decoration: none; line-height: 1.35; }
button.pay { background: #00cfe8; color: #000; border: 0; font-weight: 700; }
:focus-visible { outline: 3px solid #ffd54a; outline-offset: 2px; }
p.note { color: #a9c4c8; font-size: .9rem; overflow-wrap: anywhere; }
"""
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_ACTIONS: Final = (
    ("pay", "Pay", True),
    ("pay-late", f"Pay, and notify the shop {LATE_SECONDS:.0f} seconds late", False),
    ("pay-twice", "Pay, and notify the shop twice", False),
    ("pay-untold", "Pay, and never notify the shop", False),
    ("decline", "Let the bank decline it", False),
)


class CheckoutPages:
    """The checkout page of each charge, under a random name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            Route("/checkout/{token}", self.page, methods=["GET"]),
            Route("/checkout/{token}/{action}", self.act, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """Show the amount to pay, or the outcome."""
        try:
            charge = self._engine.book.by_token(request.path_params["token"])
        except GatewayRefusal:
            return HTMLResponse(_page("There is no such checkout", ""), 404, _headers(None))
        return HTMLResponse(_page("Checkout", _content(charge)), headers=_headers(charge))

    async def act(self, request: Request) -> Response:
        """Carry out the action of a button; after a payment redirect to the shop."""
        action = request.path_params["action"]
        try:
            charge = self._engine.book.by_token(request.path_params["token"])
            if action == "decline":
                self._engine.decline(charge)
                return RedirectResponse(f"/checkout/{charge.token}", 303, _headers(charge))
            webhooks = {
                "pay": (1, 0.0),
                "pay-late": (1, LATE_SECONDS),
                "pay-twice": (2, 0.0),
                "pay-untold": (0, 0.0),
            }
            if action not in webhooks:
                return HTMLResponse(_page("There is no such button", ""), 404, _headers(None))
            times, seconds = webhooks[action]
            self._engine.pay(charge, tell_times=times, tell_after_seconds=seconds)
        except GatewayRefusal as refusal:
            return HTMLResponse(_page("This cannot be done", f"<p>{escape(refusal.message)}"), 409, _headers(None))
        return RedirectResponse(charge.return_url, 303, _headers(charge))


def _content(charge: Charge) -> str:
    title = escape(charge.title) or "Payment"
    head = f'<h1>{title}</h1><p class="amount">{format_naira(charge.requested_kobo)}</p>'
    back = f'<a class="button" href="{escape(charge.return_url)}">Back to the shop</a>'
    note = f'<p class="note">Reference {escape(charge.reference)}</p>'
    if charge.status in (ChargeStatus.PAID, ChargeStatus.REVERSED):
        words = "Paid." if charge.status is ChargeStatus.PAID else "Paid, and sent back."
        return f"{head}<p>{words} {back}{note}"
    declined = "<p>The bank declined it. Try again." if charge.status is ChargeStatus.DECLINED else ""
    buttons = "".join(
        f'<button formaction="/checkout/{charge.token}/{action}"{" class=pay" if first else ""}>{label}</button>'
        for action, label, first in _ACTIONS
    )
    return f'{head}{declined}<form method="post">{buttons}</form>{back}{note}'


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>SANDBOX: {title}</title><style>{_STYLE}</style>"
        '<div class="sandbox">SANDBOX: no money moves here</div>'
        f"<main>{content or f'<h1>{title}</h1>'}</main></html>"
    )


def _headers(charge: Charge | None) -> dict[str, str]:
    shop = ""
    if charge is not None:
        parts = urlsplit(charge.return_url)  # a form may only redirect to an origin that form-action allows
        shop = f" {parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else ""
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; form-action 'self'{shop}; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
