"""One request of the console: who is signed in, the form, and the rendering of the answer."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from kswifi.console.errors import FORM_UNREADABLE, FORM_WITHOUT_TOKEN
from kswifi.console.services import ConsoleServices
from kswifi.desk.customers import masked
from kswifi.desk.roles import Permission
from kswifi.desk.staff import Member, SignedInStaff
from kswifi.kernel.quantities import format_naira, format_octets

_T = TypeVar("_T")

FIELDS_LIMIT: Final = 300
TEMPLATES: Final = Path(__file__).parent / "templates"

environment: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters |= {
    "octets": format_octets,
    "naira": format_naira,
    "masked": masked,
    "path": lambda text: quote(str(text), safe=""),
    "words": lambda text: str(text).replace("_", " "),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A request with its services; ``signed_in`` is None on the pages before the sign-in."""

    request: Request
    services: ConsoleServices
    signed_in: SignedInStaff | None
    form: Mapping[str, str]
    chosen: tuple[tuple[str, str], ...] = ()
    """All fields of the form in order, with those that occur several times."""

    @property
    def member(self) -> Member:
        """The member of staff of a page that needs a sign-in."""
        assert self.signed_in is not None  # noqa: S101 - the application lets nobody else in
        return self.signed_in.member

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, otherwise: str = "") -> str:
        """Return a parameter of the query."""
        return self.request.query_params.get(name, otherwise)[:200]

    def field(self, name: str) -> str:
        """Return a field of the form; empty if it is missing."""
        return self.form.get(name, "")

    async def read(self, step: Callable[[Connection], _T]) -> _T:
        """Run a step that reads."""
        return await self.services.database.read(step)

    async def write(self, step: Callable[[Connection], _T]) -> _T:
        """Run a step that changes something."""
        return await self.services.database.write(step)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page."""
        zone = self.services.zone

        def local(instant: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
            return "" if instant is None else instant.astimezone(zone).strftime(form)

        about = {
            "local": local,
            "me": None if self.signed_in is None else self.signed_in.member,
            "csrf": "" if self.signed_in is None else self.signed_in.csrf_token,
            "may": self._may,
            "path": self.request.url.path,
            "done": self.query("done"),
            "demo": self.services.demo,
        }
        # Under "no-referrer", browsers send "Origin: null" with a form (Fetch, 3.1), which the edge refuses.
        headers = {"referrer-policy": "same-origin"}
        return HTMLResponse(environment.get_template(template).render(**about, **values), status, headers)

    def to(self, path: str, done: str = "") -> Response:
        """Return the browser to a page after a change (RFC 9110, 15.4.4); ``done`` is shown there."""
        separator = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{separator}done={quote(done)}" if done else path, 303)

    def _may(self, permission: str) -> bool:
        return self.signed_in is not None and self.signed_in.member.operator.may(Permission(permission))


Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One route of the console.

    ``permission`` None: every signed-in member may use it. ``public``: it is served before the sign-in.
    """

    method: str
    path: str
    handler: Handler
    permission: Permission | None = None
    public: bool = False


async def read_form(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the fields of a form in ``application/x-www-form-urlencoded``.

    Raises:
        FORM_UNREADABLE: it is not such a form, or has too many fields.
    """
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_LIMIT)
    except ValueError:  # UnicodeDecodeError is one
        raise FORM_UNREADABLE("this form cannot be read") from None
    if any("\x00" in value for _, value in fields):
        raise FORM_UNREADABLE("this form cannot be read")
    return tuple(fields)


def require_csrf(signed_in: SignedInStaff, form: Mapping[str, str]) -> None:
    """Refuse a form that was not rendered for this sign-in.

    Raises:
        FORM_WITHOUT_TOKEN: its token is missing or that of another sign-in.
    """
    if not hmac.compare_digest(form.get("csrf", "").encode(), signed_in.csrf_token.encode()):
        raise FORM_WITHOUT_TOKEN("this form is out of date: load the page again")
