"""Every route of the console in every role: allowed, refused, and never without a sign-in or a token."""

from pathlib import Path

from sqlalchemy import Connection, text

from kswifi.console.app import PAGES
from kswifi.desk.audit import actions
from kswifi.desk.fraud.actions import ActionKind, act
from kswifi.desk.goodwill import ask
from kswifi.desk.incidents import begin
from kswifi.desk.roles import ALLOWED, STAFF_ROLES, Operator, Permission, Role
from kswifi.free_data.holds import HoldState, place_hold
from kswifi.outbox.service import enqueue
from tests.support.console import DISPUTE, SHELL, Console, open_console
from tests.support.session_roads import ADA, BOLA

FORMS = {
    "/goodwill/{goodwill_id}": {"decision": "refuse", "reason": "looked into"},
    "/incidents": {"words": "Slow in Lagos"},
    "/customers/{user_id}/caller/check": {"code": "000000"},
    "/customers/{user_id}/notes": {"words": "called"},
    "/sessions/{session_id}/goodwill": {"offer": "free-1gb", "reason": "data vanished"},
    "/disputes/{dispute_id}": {"answer": "We looked."},
    "/venues/vouchers": {"venue": "Cafe", "count": "10", "days": "3", "budget": "", "offer": "free-1gb"},
    "/venues/report": {"venue": "Mama Put", "days": "30"},
    "/budgets": {"budget": "new", "kind": "operator", "total": "1000", "reason": "first money"},
    "/budgets/stop": {"words": "later", "reason": "no money"},
    "/fraud/clusters/{user_id}": {"kind": "hold", "reason": "one device"},
    "/fraud/accounts": {"kind": "hold", "user_id": ADA, "reason": "one device"},
    "/fraud/holds/{hold_id}": {"decision": "keep", "reason": "looked into"},
    "/jobs/retry": {"key": "odd", "reason": "again"},
    "/staff": {"name": "new-one", "role": "support"},
    "/staff/{name}/role": {"role": "support"},
}
OWN_RULES = {  # what a page refuses by a rule of its own, also to a role that may use it
    "/customers/{user_id}/caller/check": 422,  # a wrong code
    "/customers/{user_id}/recovery": 403,  # only for a caller who was checked by a code
    "/fraud/clusters/{user_id}": 404,  # Ada shares no mark with anybody
}


async def _ids(console: Console) -> dict[str, str]:
    """Return what the paths name, made so that each request can do its work."""

    def change(connection: Connection) -> dict[str, str]:
        offer = console.services.catalogue.offer("free-3gb")
        made = ask(connection, Operator("zoe", Role.SUPPORT), console.session.session_id, offer, "too much")
        enqueue(connection, kind="session.expire", key="odd", payload={})
        connection.execute(text("UPDATE outbox_entry SET state = 'stuck' WHERE key = 'odd'"))
        held = place_hold(connection, BOLA, "device", {}, "fraud rules", HoldState.WAITING)
        assert held is not None
        return {
            "hold_id": held.hold_id,
            "action_id": act(connection, SHELL, ActionKind.HOLD, [ADA], "one device").action_id,
            "goodwill_id": made.goodwill_id,
            "incident_id": begin(connection, SHELL, "Slow").incident_id,
            "user_id": ADA,
            "session_id": console.session.session_id,
            "esim_id": console.session.esim_id,
            "reference": console.reference,
            "dispute_id": DISPUTE,
            "batch_id": "1",
            "token": "no-such-token",
            "form": "csv",
            "name": "a-support",
        }

    return await console.road.database.write(change)


async def test_every_route_in_every_role(tmp_path: Path) -> None:
    wrong = []
    for number, role in enumerate(STAFF_ROLES):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_console(folder) as console:
            for each in STAFF_ROLES:
                await console.member(each)
            ids = await _ids(console)
            for page in PAGES:
                if page.public or page.path == "/sign-out":
                    continue
                async with console.desk(role) as desk:
                    if role in ALLOWED[Permission.REVEAL]:  # the rows below are about roles, not about callers
                        await desk.post(f"/customers/{ADA}/open", {"reason": "a letter"})
                    path = page.path.format(**ids)
                    form = FORMS.get(page.path, {"reason": "a reason"})
                    answer = await (desk.get(path) if page.method == "GET" else desk.post(path, form))
                allowed = page.permission is None or role in ALLOWED[page.permission]
                expected = {200, 303} if allowed else {403}
                expected = {OWN_RULES[page.path]} if allowed and page.path in OWN_RULES else expected
                if answer.status_code not in expected or answer.headers["cache-control"] != "no-store":
                    wrong.append((role, page.method, page.path, answer.status_code, answer.text[-300:]))
    assert wrong == []


async def test_nothing_is_served_or_done_without_a_sign_in(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.visitor() as client:
        ids = await _ids(console)
        before = len(await console.road.database.read(actions))
        for page in PAGES:
            if page.public:
                continue
            path = page.path.format(**ids)
            if page.method == "GET":
                answer = await client.get(path)
                assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in"), path
            else:
                answer = await client.post(path, data=FORMS.get(page.path, {"reason": "a reason"}))
                assert answer.status_code == 401, path
        assert len(await console.road.database.read(actions)) == before


async def test_no_form_is_taken_without_its_token(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console:
        ids = await _ids(console)
        async with console.desk(Role.FOUNDER) as desk, console.desk(Role.SUPPORT) as other:
            before = len(await console.road.database.read(actions))
            for page in PAGES:
                if page.public or page.method == "GET":
                    continue
                for token in ("", "wrong", other.csrf):
                    answer = await desk.post(page.path.format(**ids), FORMS.get(page.path), csrf=token)
                    assert answer.status_code == 403, page.path
            assert len(await console.road.database.read(actions)) == before


async def test_requests_from_other_origins_and_names_are_refused(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.FOUNDER) as desk:
        form = {"csrf": desk.csrf, "words": "Slow"}
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await desk.client.post("/incidents", data=form, headers=headers)
            assert answer.status_code == 403
        assert (await desk.client.get("/", headers={"Host": "evil.example"})).status_code == 421
        answer = await desk.get("/")
        policy = answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "same-origin"  # a browser names the origin of its forms then
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "style=" not in answer.text
        assert "onclick" not in answer.text


async def test_a_large_or_odd_form_is_refused(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.desk(Role.FOUNDER) as desk:
        many = "&".join(f"f{number}=1" for number in range(400))
        for body in (b"\xff\xfe=1", many.encode(), b"words=%00"):
            headers = {"content-type": "application/x-www-form-urlencoded"}
            assert (await desk.client.post("/incidents", content=body, headers=headers)).status_code == 400
        assert (await desk.client.post("/incidents", data={"words": "x" * 70_000})).status_code == 413
        for path in (
            "/customers/nobody",
            "/lines/nothing",
            "/payments/none",
            "/disputes/none",
            "/no-such-page",
            "/audit?before=x",
        ):
            assert (await desk.get(path)).status_code in (200, 404), path
