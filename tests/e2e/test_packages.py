"""The package on its way from the server to the card: asked for twice, broken off, and tampered with."""

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from subprocess import run

import httpx2
import pytest
from joserfc.jwk import ECKey, KeySet

from kswifi.euicc.card import Euicc
from kswifi.euicc.es10.credentials import make_credentials
from kswifi.euicc.storage import DirectoryStorage
from kswifi.kernel.clock import SystemClock
from kswifi.kernel.numbers import Iccid
from kswifi.lab.demo.app import AppError
from kswifi.lab.demo.road import Road
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.es9 import Es9RefusedError
from kswifi.lab.phone.lpa import DownloadRefusedError
from kswifi.lab.phone.personalise import read_pki
from kswifi.session_package import PackageError, VerifiedPackage, verify_package
from kswifi.session_package.codec import MAGIC
from tests.support.cards import profile_package
from tests.support.system import PASSWORD, WholeSystem, new_identifier

SEED = int(os.environ.get("TEST_SEED", "20261123"))


def order(road: Road, offer_id: str = "free-3mb") -> None:
    road.register(new_identifier(), PASSWORD)
    road.choose(offer_id)
    road.order()


def test_a_request_sent_again_gives_one_session(system: WholeSystem) -> None:
    with system.road(name="again") as road:
        road.register(new_identifier(), PASSWORD)
        answers: list[httpx2.Response] = []

        def ask(offer_id: str = "free-3mb") -> httpx2.Response:
            headers = {"Idempotency-Key": "order-000001", "X-CSRF-Token": road.app._csrf_token}
            return road.app._client.post("/api/v1/sessions", json={"offer_id": offer_id}, headers=headers)

        threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers.append(ask())
        assert {it.status_code for it in answers} <= {201, 409}
        assert {it.json()["code"] for it in answers if it.status_code == 409} <= {"request_in_flight"}
        ordered = {it.json()["session_id"] for it in answers if it.status_code == 201}
        listed = road.app._client.get("/api/v1/sessions").json()["sessions"]
        assert [it["session_id"] for it in listed] == list(ordered)
        other = ask("free-20mb")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        unpaid = road.app._client.post(
            "/api/v1/sessions",
            json={"offer_id": "unlimited"},
            headers={"Idempotency-Key": "order-000002", "X-CSRF-Token": road.app._csrf_token},
        )
        assert unpaid.json()["code"] == "payment_required"
        assert len(road.app._client.get("/api/v1/sessions").json()["sessions"]) == 1


def test_a_download_goes_on_at_any_octet(system: WholeSystem, tmp_path: Path) -> None:
    with system.road(name="resumed") as road:
        order(road)
        session_id = road.walked.session_id
        url = f"/api/v1/sessions/{session_id}/package"
        whole = road.app._client.get(url)
        etag = whole.headers["ETag"]
        chance = Random(SEED)
        for cut in [1, len(whole.content) - 1, *(chance.randrange(1, len(whole.content)) for _ in range(8))]:
            headers = {"Range": f"bytes={cut}-", "If-Range": etag, "Accept-Encoding": "identity"}
            rest = road.app._client.get(url, headers=headers)
            assert (rest.status_code, rest.content) == (206, whole.content[cut:]), f"seed {SEED}, octet {cut}"
        stale = road.app._client.get(url, headers={"Range": "bytes=100-", "If-Range": '"another"'})
        assert (stale.status_code, stale.content) == (200, whole.content)
        beyond = road.app._client.get(url, headers={"Range": f"bytes={len(whole.content)}-"})
        assert beyond.status_code == 416
        target = tmp_path / "package"
        seen: list[int] = []
        downloaded = road.app.download(
            session_id, target, lambda have, _: seen.append(have), chance.randrange(1, len(whole.content))
        )
        assert (downloaded.tries, downloaded.broke_off) == (2, True)
        assert downloaded.resumed_at is not None
        assert downloaded.resumed_at > 0
        assert seen == sorted(seen), f"an octet came twice: {seen}"
        assert target.read_bytes() == whole.content
        assert len(whole.content) <= 32 * 1024

        with pytest.raises(AppError) as refused:  # the device holds something else
            road.app.downloaded(session_id, hashlib.sha256(b"something else").hexdigest())
        assert refused.value.facts["problem"] == "package_digest_mismatch"
        assert road.app.internet_session(session_id)["state"] == "downloading"


def flipped(package: bytes, at: int) -> bytes:
    return package[:at] + bytes([package[at] ^ 0x01]) + package[at + 1 :]


TAMPERED: dict[str, tuple[Callable[[bytes, int], bytes], str]] = {
    "no package at all": (lambda _package, _body: b"PK\x03\x04" + bytes(1000), "not_a_package"),
    "another first octet": (lambda package, _body: flipped(package, 0), "not_a_package"),
    "another version": (
        lambda package, _body: package[: len(MAGIC)] + b"\x63" + package[len(MAGIC) + 1 :],
        "package_version_unknown",
    ),
    "a bit of the manifest": (lambda package, _body: flipped(package, 300), "package_manifest_damaged"),
    "a bit of the signature": (lambda package, body: flipped(package, body - 40), "package_manifest_damaged"),
    "a bit of the first chunk": (flipped, "package_chunk_damaged"),
    "a bit of the last chunk": (
        lambda package, _body: flipped(package, len(package) - 20),
        "package_chunk_damaged",
    ),
    "cut in the head": (lambda package, _body: package[:10], "package_cut_short"),
    "cut in the manifest": (lambda package, _body: package[:200], "package_cut_short"),
    "cut at the end": (lambda package, _body: package[:-1], "package_cut_short"),
    "surplus": (lambda package, _body: package + b"x", "package_surplus_octets"),
}


def test_a_tampered_package_is_refused_each_with_its_own_words(system: WholeSystem, tmp_path: Path) -> None:
    with system.road(name="tampered") as road:
        order(road)
        road.download(break_off=False)
        package = road._package_file.read_bytes()
        keys, now = road.app.keys(), SystemClock().now()
        genuine = verify_package(package, keys, None, now)
        body = len(package) - genuine.manifest.size
        words = set()
        for kind, (tamper, code) in TAMPERED.items():
            with pytest.raises(PackageError) as refused:
                verify_package(tamper(package, body), keys, None, now)
            assert refused.value.code == code, kind
            words.add(refused.value.message)
        others = KeySet([ECKey.generate_key()])
        for trusted, card, at, code in (
            (keys, "8999901000000000005", now, "package_for_another_card"),
            (keys, None, genuine.valid_until, "package_expired"),
            (others, None, now, "package_unknown_key"),
        ):
            with pytest.raises(PackageError) as refused:
                verify_package(package, trusted, card, at)
            assert refused.value.code == code
            words.add(refused.value.message)
        assert len(words) >= 10

        # Every single bit of the head and a sample of all others: there is none that may be turned.
        chance = Random(SEED)
        for at in [*range(13), *(chance.randrange(len(package)) for _ in range(60))]:
            with pytest.raises(PackageError):
                verify_package(flipped(package, at), keys, None, now)
        verifies_on_the_command_line(system, tmp_path, package, genuine)


def verifies_on_the_command_line(
    system: WholeSystem, tmp_path: Path, package: bytes, genuine: VerifiedPackage
) -> None:
    keys = f"{system.origin}/.well-known/jwks.json"
    for octets, status, words in (
        (package, 0, genuine.manifest.session_id),
        (package[:-5], 1, "cut short: 5 octets are missing"),
    ):
        file = tmp_path / "file.kswifi"
        file.write_bytes(octets)
        command = [sys.executable, "-m", "kswifi", "package", "verify", str(file), "--keys", keys]
        told = run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (told.returncode, words in told.stdout + told.stderr) == (status, True), told
        assert "Traceback" not in told.stderr


def test_a_card_that_cannot_install_fails_the_transfer_which_can_be_repeated(
    system: WholeSystem, tmp_path: Path
) -> None:
    with system.road(name="taken-card") as road:
        order(road)
        road.download(break_off=False)
        session_id = road.walked.session_id
        road.app.transfer(session_id, road.walked.esim_id)
        road.app.wait_for_profile(road.walked.esim_id)
        assert road.walked.package is not None
        code = ActivationCode.parse(road.walked.package.activation["activation_code"])
        servers, eid = road._servers, road.card.eid()
        assert servers.pki_dir is not None
        credentials = make_credentials(read_pki(servers.pki_dir), eid, SystemClock().now())
        (tmp_path / "taken").mkdir()
        euicc = Euicc.create(DirectoryStorage.open(tmp_path / "taken"), eid, credentials=credentials)
        euicc.load_profile_package(profile_package(iccid=Iccid(str(road.walked.package.manifest.iccid))))
        with Card(euicc) as taken:  # a profile of this number is on it
            with pytest.raises(DownloadRefusedError, match="the card did not install the profile"):
                servers.download(taken, code)
            assert servers.deliver_notifications(taken) == []
        failed = road.app.wait_until(session_id, ("downloaded",))
        assert "the card did not install it" in failed["state_reason"]
        assert system.account(session_id).reserved == 0
        road.store()
        stored = road.app.internet_session(session_id)
        assert (stored["state"], stored["storage_proof"]) == ("stored", "install_result")


def test_no_other_card_gets_a_profile_that_one_has_begun_to_download(system: WholeSystem, tmp_path: Path) -> None:
    with system.road(name="first-card") as road:
        order(road)
        road.download(break_off=False)
        road.store()
        assert road.walked.package is not None
        code = ActivationCode.parse(road.walked.package.activation["activation_code"])
        with road._servers.take_card(tmp_path / "other") as other, pytest.raises(Es9RefusedError):
            road._servers.download(other, code)


def test_a_package_outlived_by_its_validity_is_not_downloaded_into_use(system: WholeSystem) -> None:
    with system.road(name="expired") as road:
        order(road, "day-1mb")
        road.download(break_off=False)
        package = road._package_file.read_bytes()
        with pytest.raises(PackageError) as refused:
            verify_package(package, road.app.keys(), None, SystemClock().now() + timedelta(days=3))
        assert refused.value.code == "package_expired"
