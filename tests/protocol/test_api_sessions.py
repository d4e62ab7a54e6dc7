"""The road of a session over HTTP."""

import asyncio
import hashlib
import json
from pathlib import Path

from kswifi.rsp.messages.notifications import InstallError, InstallFailure
from kswifi.session_package.codec import read_key_set, verify_package
from tests.support.api import problem
from tests.support.session_api import Served, served
from tests.support.session_roads import GB

UNKNOWN_SESSION = "/api/v1/sessions/019ab0de-0000-7000-8000-00000000dead"


async def _download(api: Served, path: str) -> bytes:
    answer = await api.get(f"{path}/package")
    assert answer.status_code == 200, answer.text
    confirmed = await api.post(f"{path}/downloaded", {"sha256": hashlib.sha256(answer.content).hexdigest()})
    assert confirmed.json()["state"] == "downloaded", confirmed.text
    return answer.content


async def test_the_whole_road(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.working():
        ordered = await api.post("/api/v1/sessions", {"session_size_octets": GB})
        assert ordered.status_code == 201
        session = ordered.json()
        assert (session["state"], session["offer_id"], session["balance"]["used"]) == (
            "ordered",
            "free-1gb",
            0,
        )
        path = f"/api/v1/sessions/{session['session_id']}"
        await _until(api, path, "packaged")

        package = await _download(api, path)
        keys = read_key_set((await api.get("/.well-known/jwks.json")).content)
        verified = verify_package(package, keys, session["iccid"], api.road.clock.now())
        assert verified.manifest.session_id == session["session_id"]

        transferring = (await api.post(f"{path}/transfer", {})).json()
        assert transferring["state"] == "transferring"
        esim = f"/api/v1/esims/{session['esim_id']}"
        await _until(api, esim, "released", "profile_state")
        await api.road.prove(await api.road.downloads.session(api.page.user_id, session["session_id"]))
        await _until(api, path, "stored")
        assert (await api.get(path)).json()["storage_proof"] == "install_result"
        assert (await api.get(esim)).json()["profile_state"] == "installed"

        line = (await api.post(f"{path}/activate")).json()
        assert (line["hold"], line["wants_pause"]) == (None, False)
        found = await api.road.now(await api.road.downloads.session(api.page.user_id, session["session_id"]))
        await api.road.use(found, GB)
        usage = (await api.get(f"{path}/usage")).json()
        assert usage["state"] == "exhausted"
        assert usage["balance"] == {
            "credited": GB, "used": GB, "reserved": 0, "available": 0, "overrun": 0,
            "expired": 0, "revoked": 0, "withheld": 0,
        }  # fmt: skip
        assert usage["hold"] == "exhausted"
        assert usage["as_of"] == "2026-11-23T09:00:00.000Z"
        problem(await api.post(f"{path}/activate"), 409, "no_session_on_esim")
        problem(await api.get(f"{path}/package"), 410, "session_ended")
        listed = (await api.get("/api/v1/sessions")).json()
        assert [one["session_id"] for one in listed["sessions"]] == [session["session_id"]]
        assert session["activated_at"] is None
        assert listed["sessions"][0]["activated_at"] == "2026-11-23T09:00:00.000Z"
        assert listed["free"] == {"octets": 5 * GB, "days": 30, "left_octets": 4 * GB}


async def _until(api: Served, path: str, state: str, member: str = "state") -> None:
    for _ in range(500):
        if (await api.get(path)).json()[member] == state:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never {state}")


async def test_a_download_goes_on_at_any_octet(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        path = await api.order()
        url = f"{path}/package"
        whole = await api.get(url)
        etag, package = whole.headers["etag"], whole.content
        assert etag == f'"{hashlib.sha256(package).hexdigest()}"'
        assert whole.headers["accept-ranges"] == "bytes"
        assert (await api.get(path)).json()["state"] == "downloading"
        size = len(package)
        for at in (1, 7, size // 2, size - 1):
            rest = await api.get(url, Range=f"bytes={at}-", **{"If-Range": etag})
            assert (rest.status_code, rest.content) == (206, package[at:])
            assert rest.headers["content-range"] == f"bytes {at}-{size - 1}/{size}"
            assert rest.headers["content-length"] == str(size - at)
        for asked, expected in (("0-0", package[:1]), ("5-9", package[5:10]), ("-3", package[-3:])):
            assert (await api.get(url, Range=f"bytes={asked}")).content == expected
        beyond = await api.get(url, Range=f"bytes=10-{size * 2}")
        assert (beyond.status_code, beyond.content) == (206, package[10:])
        everything = await api.get(url, Range=f"bytes=-{size * 2}")
        assert (everything.status_code, everything.content) == (206, package)


async def test_ranges_that_do_not_fit(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        url = f"{await api.order()}/package"
        whole = await api.get(url)
        size = len(whole.content)
        for asked in (f"bytes={size}-", "bytes=-0"):
            refused = await api.get(url, Range=asked)
            assert problem(refused, 416, "range_not_satisfiable")["facts"] == {"octets": size}
            assert refused.headers["content-range"] == f"bytes */{size}"
            assert "package" not in refused.headers.get("content-disposition", "")
        # Another version, several ranges, other units, nonsense: the whole is never wrong.
        for headers in (
            {"Range": "bytes=5-", "If-Range": '"another"'},
            {"Range": "bytes=5-", "If-Range": "W/" + whole.headers["etag"]},
            {"Range": "bytes=0-1,3-4"},
            {"Range": "octets=5-"},
            {"Range": "bytes=9-5"},
            {"Range": "bytes=-"},
            {"Range": "bytes=" + "9" * 30 + "-"},
        ):
            answer = await api.get(url, **headers)
            assert (answer.status_code, answer.content) == (200, whole.content), headers
        known = await api.get(url, **{"If-None-Match": f'"x", {whole.headers["etag"]}'})
        assert (known.status_code, known.content) == (304, b"")


async def test_asking_twice_gives_one_session(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        body = {"offer_id": "free-1gb"}
        first = await api.post("/api/v1/sessions", body, key="one-and-the-same")
        again = await api.post("/api/v1/sessions", body, key="one-and-the-same")
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        other = await api.post("/api/v1/sessions", {"offer_id": "free-3gb"}, key="one-and-the-same")
        problem(other, 422, "idempotency_key_reused")
        assert len((await api.get("/api/v1/sessions")).json()["sessions"]) == 1
        headers = {"X-CSRF-Token": api.page.csrf_token}
        missing = await api.page.client.post("/api/v1/sessions", json=body, headers=headers)
        problem(missing, 400, "idempotency_key_missing")


async def test_what_cannot_be_ordered(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        orders = "/api/v1/sessions"
        refused = problem(await api.post(orders, {"offer_id": "unlimited"}), 402, "payments_not_set_up")
        assert refused["facts"] == {"offer_id": "unlimited", "price_kobo": 80_000}
        problem(await api.post(orders, {"session_size_octets": None}), 402, "payments_not_set_up")
        problem(await api.post(orders, {"offer_id": "free-2gb"}), 404, "unknown_offer")
        problem(await api.post(orders, {"session_size_octets": 2 * GB}), 404, "unknown_offer")
        wrong: tuple[object, ...] = (
            {},
            {"offer_id": "free-1gb", "session_size_octets": GB},
            {"offer_id": "free-1gb", "session_size_octets": None},
            {"offer_id": 1},
            {"session_size_octets": 1.5},
            {"session_size_octets": "1000000000"},
            {"session_size_octets": -1},
            {"offer_id": "free-1gb", "esim_id": "mine"},
            {"offer_id": "free-1gb", "surplus": True},
            [],
            None,
        )
        for body in wrong:
            problem(await api.post(orders, body), 422, "invalid_request")
        free = {"octets": 5 * GB, "days": 30, "left_octets": 5 * GB}
        assert (await api.get(orders)).json() == {"sessions": [], "free": free, "next": None, "notices": []}
        assert (await api.get("/api/v1/esims")).json() == {"esims": [], "next": None}
        await api.order("free-5gb")
        beyond = problem(await api.post(orders, {"offer_id": "free-1gb"}), 409, "free_allowance_used_up")
        assert beyond["facts"]["left_octets"] == 0
        assert (await api.get(orders)).json()["free"] == {**free, "left_octets": 0}


async def test_another_users_session_is_not_there(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        path = await api.order()
        session = (await api.get(path)).json()
        esim = f"/api/v1/esims/{session['esim_id']}"
        async with api.another("08039999999") as bola:
            for where in (path, UNKNOWN_SESSION, "/api/v1/sessions/1"):
                for got in ("", "/package", "/usage"):
                    problem(await bola.client.get(where + got), 404, "unknown_session")
                for change, body in (
                    ("/downloaded", {"sha256": "0" * 64}),
                    ("/transfer", {}),
                    ("/activate", None),
                    ("/deactivate", None),
                    ("/cancel", None),
                ):
                    problem(await bola.send("POST", where + change, body), 404, "unknown_session")
            problem(await bola.client.get(esim), 404, "unknown_esim")
            taken = {"offer_id": "free-1gb", "esim_id": session["esim_id"]}
            problem(await bola.send("POST", "/api/v1/sessions", taken), 404, "unknown_esim")
            assert (await bola.client.get("/api/v1/sessions")).json()["sessions"] == []
        assert (await api.get(path)).json() == session


async def test_without_signing_in_there_is_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        path = await api.order()
        api.page.client.cookies.clear()
        for got in ("/api/v1/sessions", path, f"{path}/package", "/api/v1/esims"):
            problem(await api.get(got), 401, "not_signed_in")
        problem(await api.post(f"{path}/cancel"), 401, "not_signed_in")
        assert (await api.get("/.well-known/jwks.json")).status_code == 200


async def test_a_download_over_the_session_itself_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        path = await api.order()
        async with api.over_the_session() as page:
            problem(await page.client.get(f"{path}/package"), 403, "not_on_wifi")
            problem(await page.send("POST", "/api/v1/sessions", {"offer_id": "free-1gb"}), 403, "not_on_wifi")
            problem(await page.send("POST", f"{path}/transfer", {}), 403, "not_on_wifi")
            # Looking, pausing and going on cost nothing and work from anywhere.
            assert (await page.client.get(path)).json()["state"] == "packaged"
            problem(await page.send("POST", f"{path}/activate"), 409, "no_session_on_esim")
        assert (await api.get(f"{path}/package")).status_code == 200


async def test_out_of_order_requests(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        first = await api.post("/api/v1/sessions", {"offer_id": "free-1gb"})
        path = f"/api/v1/sessions/{first.json()['session_id']}"
        early = await api.get(f"{path}/package")
        problem(early, 503, "package_not_ready")
        assert early.headers["retry-after"] == "1"
        problem(await api.post(f"{path}/transfer", {}), 503, "package_not_ready")
        await api.road.settle()
        problem(await api.post(f"{path}/transfer", {}), 409, "illegal_transition")
        problem(await api.post(f"{path}/deactivate"), 409, "no_session_on_esim")
        await api.get(f"{path}/package")
        problem(await api.post(f"{path}/downloaded", {"sha256": "0" * 64}), 422, "package_digest_mismatch")
        problem(await api.post(f"{path}/downloaded", {"sha256": "short"}), 422, "invalid_request")
        other = (await api.post("/api/v1/sessions", {"offer_id": "free-1gb"})).json()
        await _download(api, path)
        wrong = await api.post(f"{path}/transfer", {"esim_id": other["esim_id"]})
        problem(wrong, 409, "session_is_for_another_esim")
        assert (await api.post(f"{path}/cancel")).json()["state"] == "revoked"
        problem(await api.get(f"{path}/package"), 410, "session_ended")


async def test_a_refused_installation_and_the_next_try(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        path = await api.order()
        await _download(api, path)
        session_id = path.rpartition("/")[2]
        for failure in (InstallFailure(5, InstallError.INSUFFICIENT_MEMORY), None):
            await api.post(f"{path}/transfer", {})
            await api.road.settle()
            await api.road.prove(await api.road.downloads.session(api.page.user_id, session_id), failure)
            await api.road.settle()
            session = (await api.get(path)).json()
            state = ("stored", "install_result") if failure is None else ("downloaded", None)
            assert (session["state"], session["storage_proof"]) == state
            assert bool(session["state_reason"]) is (failure is not None)


async def test_pausing_and_going_on(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        session = await api.road.stored(user_id=api.page.user_id)
        path = f"/api/v1/sessions/{session.session_id}"
        await api.road.use(session, 1000)
        paused = (await api.post(f"{path}/deactivate")).json()
        assert (paused["wants_pause"], paused["hold"]) == (True, None), "asked for, not yet confirmed"
        await api.road.settle()
        now = (await api.get(path)).json()
        assert (now["state"], now["hold"]) == ("paused", "paused")
        await api.post(f"{path}/activate")
        await api.road.settle()
        now = (await api.get(path)).json()
        assert (now["state"], now["hold"]) == ("active", None)
        problem(await api.post(f"{path}/cancel"), 409, "not_cancellable")


async def test_the_openapi_document_holds_all_of_it(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        document = (await api.get("/api/v1/openapi.json")).json()
        paths = document["paths"]
        assert {path for path in paths if "sessions" in path or "esims" in path} == {
            "/api/v1/sessions",
            "/api/v1/sessions/{session_id}",
            *(
                f"/api/v1/sessions/{{session_id}}/{what}"
                for what in (
                    "package", "downloaded", "transfer", "activate", "deactivate", "cancel",
                    "usage", "statement", "disputes",
                )
            ),
            "/api/v1/usage/sessions",
            *(f"/api/v1/esims/{{esim_id}}/{what}" for what in ("pause", "limits", "limits/lift")),
            "/api/v1/esims/{esim_id}/installation",
        "/api/v1/esims/{esim_id}/service",
        "/api/v1/sessions/{session_id}/portions",
        "/api/v1/esims",
            "/api/v1/esims/{esim_id}",
            *(f"/api/v1/esims/{{esim_id}}/{what}" for what in ("sessions", "packets", "packets/{packet_id}")),
        }  # fmt: skip
        ordering = paths["/api/v1/sessions"]["post"]
        assert ordering["responses"]["201"]["content"]["application/json"]["schema"]
        assert "payments_not_set_up" in json.dumps(ordering["responses"]["402"])
        package = paths["/api/v1/sessions/{session_id}/package"]["get"]["responses"]
        assert {"200", "206", "304", "416"} <= set(package)


async def test_the_connection_tells_wifi_from_the_session(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        assert (await api.get("/api/v1/connection")).json() == {"wifi": True}
        async with api.over_the_session() as page:
            assert (await page.client.get("/api/v1/connection")).json() == {"wifi": False}
