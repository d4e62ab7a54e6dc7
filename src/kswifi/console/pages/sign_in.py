"""Sign in with a passkey, register one by a one-time link, sign out; in embedded mode, sign in as a demo member."""

import json
from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from kswifi.accounts.errors import PasskeyRefusedError
from kswifi.accounts.model import PasskeyOptions
from kswifi.console.errors import NO_SUCH_PAGE
from kswifi.console.services import ConsoleServices
from kswifi.console.visit import Page, Visit
from kswifi.desk.audit import record
from kswifi.desk.errors import UNKNOWN_STAFF
from kswifi.desk.roles import STAFF_ROLES, Operator, Role
from kswifi.desk.staff import (
    LOGIN_LIFETIME,
    Member,
    StaffLogin,
    add_member,
    begin_login,
    end_login,
    enrolling,
    find_member,
)
from kswifi.kernel.errors import RefusedError

DEMO: Final = "demo-"
_DEMO_OPERATOR: Final = Operator("embedded", Role.SHELL)


def cookie_name(services: ConsoleServices) -> str:
    """Return the sign-in cookie's name; the prefix __Host- binds it to this host (RFC 6265bis, 4.1.3.2)."""
    return "__Host-kswifi_staff" if services.https else "kswifi_staff"


async def _sign_in_page(visit: Visit) -> Response:
    return visit.page("sign_in.html", roles=[str(it) for it in STAFF_ROLES])


async def _options(visit: Visit) -> Response:
    return _options_answer(await visit.services.passkeys.sign_in_options())


async def _sign_in(visit: Visit) -> Response:
    challenge_id, credential = _credential(visit)
    return _signed_in(visit, await visit.services.passkeys.sign_in(challenge_id, credential))


async def _enrol_page(visit: Visit) -> Response:
    token = visit.part("token")
    member = await visit.read(lambda connection: enrolling(connection, token))
    return visit.page("enrol.html", member=member, token=token)


async def _enrol_options(visit: Visit) -> Response:
    return _options_answer(await visit.services.passkeys.enrolment_options(visit.part("token")))


async def _enrol(visit: Visit) -> Response:
    challenge_id, credential = _credential(visit)
    return _signed_in(visit, await visit.services.passkeys.enrol(visit.part("token"), challenge_id, credential))


async def _demo(visit: Visit) -> Response:
    """Sign in as the demo member of a role: embedded mode only, which listens on loopback alone."""
    if not visit.services.demo:
        raise NO_SUCH_PAGE("there is no such page")
    role = Role(visit.field("role")) if visit.field("role") in STAFF_ROLES else Role.FOUNDER

    def change(connection: Connection) -> StaffLogin:
        member = _demo_member(connection, role)
        record(connection, member.operator, "staff sign-in", member.name, reason="demo account of embedded mode")
        return begin_login(connection, member)

    return _signed_in(visit, await visit.write(change))


def _demo_member(connection: Connection, role: Role) -> Member:
    name = f"{DEMO}{role}"
    try:
        return find_member(connection, name)
    except RefusedError as error:
        if error.refusal is not UNKNOWN_STAFF:
            raise
    add_member(connection, _DEMO_OPERATOR, name, role)
    return find_member(connection, name)


async def _sign_out(visit: Visit) -> Response:
    token = visit.request.cookies.get(cookie_name(visit.services), "")
    await visit.write(lambda connection: end_login(connection, token))
    answer = visit.to("/sign-in")
    answer.delete_cookie(
        cookie_name(visit.services), path="/", secure=visit.services.https, httponly=True, samesite="strict"
    )
    return answer


def _options_answer(made: PasskeyOptions) -> Response:
    return JSONResponse({"challenge_id": made.challenge_id, "options": dict(made.options)})


def _credential(visit: Visit) -> tuple[str, dict[str, Any]]:
    try:
        credential = json.loads(visit.field("credential"))
    except ValueError:
        raise PasskeyRefusedError("this passkey could not be read") from None
    if not isinstance(credential, dict):
        raise PasskeyRefusedError("this passkey could not be read")
    return visit.field("challenge_id"), credential


def _signed_in(visit: Visit, login: StaffLogin) -> Response:
    answer = visit.to("/")
    answer.set_cookie(
        cookie_name(visit.services),
        login.token,
        max_age=int(LOGIN_LIFETIME.total_seconds()),
        path="/",
        secure=visit.services.https,
        httponly=True,
        samesite="strict",
    )
    return answer


PAGES: Final = (
    Page("GET", "/sign-in", _sign_in_page, public=True),
    Page("POST", "/sign-in/options", _options, public=True),
    Page("POST", "/sign-in", _sign_in, public=True),
    Page("POST", "/sign-in/demo", _demo, public=True),
    Page("GET", "/enrol/{token}", _enrol_page, public=True),
    Page("POST", "/enrol/{token}/options", _enrol_options, public=True),
    Page("POST", "/enrol/{token}", _enrol, public=True),
    Page("POST", "/sign-out", _sign_out),
)
