"""The routes of the app's files: content codings, ETags, security headers, and the budget of octets."""

import gzip
import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from kswifi.pwa.assets import NEVER_KEPT, ON_DEMAND, PARCEL, STATIC, Asset, Assets, load_assets
from kswifi.pwa.router import SCREENS, content_security_policy, pwa_routes

LAB = "http://127.0.0.1:8081"


def client(lab_origin: str | None = LAB) -> TestClient:
    return TestClient(Starlette(routes=pwa_routes(lab_origin)))


def version_of(assets: Assets) -> dict[str, Any]:
    """Return the list of this version's files that the server puts before the service worker's script."""
    statement = re.match(r"self\.VERSION=(\{.*?\});", assets.by_url["/sw.js"].content.decode())
    assert statement is not None
    version: dict[str, Any] = json.loads(statement.group(1))
    return version


def test_the_page_is_served_with_a_policy_that_allows_its_import_map_and_no_other_inline_script() -> None:
    page = client().get("/")
    policy = page.headers["content-security-policy"]
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page.text, re.DOTALL)
    assert len(inline) == 1
    digest = hashlib.sha256(inline[0].encode()).digest()
    assert f"script-src 'self' 'sha256-{b64encode(digest).decode()}';" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'; trusted-types kswifi" in policy
    assert page.headers["cache-control"] == "no-cache"


def test_the_policy_lets_the_page_reach_the_lab_only_where_there_is_one() -> None:
    assets = load_assets()
    assert f"connect-src 'self' {LAB};" in content_security_policy(assets, LAB)
    assert "connect-src 'self';" in content_security_policy(assets, None)
    assert "frame-src 'none'" in content_security_policy(assets, None)


def test_the_lab_phone_exists_in_embedded_mode_only() -> None:
    for path in ("/lab", "/app/js/lab.js", "/app/lab.css"):
        assert client().get(path).status_code == 200
        assert client(None).get(path).status_code == 404


@pytest.mark.parametrize("coding", ["br", "gzip", "identity"])
def test_a_file_is_sent_in_the_coding_asked_for_and_revalidated_by_a_tag_of_that_coding(coding: str) -> None:
    asking = {"accept-encoding": coding}
    answer = client().get("/app/app.css", headers=asking)
    assert answer.headers.get("content-encoding", "identity") == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.content == load_assets().by_url["/app/app.css"].content  # the client has decoded it
    again = client().get(
        "/app/app.css", headers={**asking, "if-none-match": f'"other", W/{answer.headers["etag"]}'}
    )
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    for other in {"br", "gzip", "identity"} - {coding}:
        sent = client().get(
            "/app/app.css", headers={"accept-encoding": other, "if-none-match": answer.headers["etag"]}
        )
        assert sent.status_code == 200
        assert sent.headers["etag"] != answer.headers["etag"]


def test_brotli_is_shorter_than_gzip_for_every_file_that_is_compressed_and_made_once() -> None:
    for asset in load_assets().by_url.values():
        if asset.gzipped is not None and len(asset.content) > 200:
            assert len(asset.brotli()) < len(asset.gzipped), asset.url
            assert asset.brotli() is asset.brotli()


def test_a_link_may_name_any_screen_as_a_path() -> None:
    listed = re.findall(r"^  (\w+): \(\) => import", (STATIC / "js/screens/index.js").read_text(), re.MULTILINE)
    assert sorted(SCREENS) == sorted(listed)
    page = client().get("/").content
    for path in ("/choose", "/session/%", "/pass/KS-1?utm_source=x"):
        assert client().get(path).content == page
    assert client().get("/chooses").status_code == 404


def test_a_file_that_does_not_become_shorter_is_sent_as_it_is() -> None:
    icon = client().get("/app/icons/icon-192.png", headers={"accept-encoding": "br, gzip"})
    assert "content-encoding" not in icon.headers


def test_a_client_that_refuses_every_coding_gets_406() -> None:
    refused = client().get("/app/app.css", headers={"accept-encoding": "zstd, *;q=0"})
    assert (refused.status_code, refused.content) == (406, b"")
    assert refused.headers["vary"] == "accept-encoding"


def test_files_that_are_not_part_of_the_app_are_not_served() -> None:
    for path in ("/app/vendor/README.md", "/app/vendor/preact.LICENSE", "/app/js/types.d.ts", "/app/../router.py"):
        assert client().get(path).status_code == 404


def test_every_file_of_the_app_is_precached_with_its_hash_and_the_lab_phone_is_not() -> None:
    assets = load_assets()
    version = version_of(assets)
    listed = dict(version["precache"])
    assert version["onDemand"] == sorted(ON_DEMAND)
    assert listed == {
        url: asset.tag
        for url, asset in assets.by_url.items()
        if url not in ("/sw.js", "/lab", PARCEL)
        and "lab." not in url
        and (url in ON_DEMAND or not url.startswith(NEVER_KEPT))
    }
    assert "/" in listed
    assert "/app/js/main.js" in listed


def test_a_second_language_is_sent_without_keys_in_the_order_of_english() -> None:
    sent = load_assets().by_url["/app/js/text/pcm.js"].content.decode()
    source = (STATIC / "js/text/pcm.js").read_text(encoding="utf-8")
    lines = source.partition("`")[2].partition("`")[0].split("\n")
    values = [text for _, parted, text in (line.strip().partition(" ") for line in lines) if parted]
    assert len(values) > 300
    assert sent == "export default[`" + "\n".join(values) + "\n`];"


def test_a_changed_file_changes_the_service_worker(tmp_path: Path) -> None:
    for name in ("index.html", "sw.js", "app.css"):
        (tmp_path / name).write_bytes((STATIC / name).read_bytes())
    before = load_assets(tmp_path).by_url["/sw.js"].sha256
    (tmp_path / "app.css").write_text("body { color: red }")
    assert load_assets(tmp_path).by_url["/sw.js"].sha256 != before


def test_every_module_and_file_that_a_page_names_exists() -> None:
    assets = load_assets()
    for url, asset in assets.by_url.items():
        if not asset.media_type.startswith(("text/html", "text/javascript", "application/manifest")):
            continue
        text = asset.content.decode()
        for named in re.findall(r'"(/app/[^"]+)"', text):
            assert named in assets.by_url, f"{url} names {named}"
        folder = url.rpartition("/")[0]
        for named in re.findall(r'(?:^import|^\} from|\bfrom|import\()\s*"(\.[^"]+)"', text):
            parts = f"{folder}/{named}".split("/")
            found: list[str] = []
            for part in parts:
                if part == "..":
                    found.pop()
                elif part != ".":
                    found.append(part)
            assert "/".join(found) in assets.by_url, f"{url} imports {named}"


def test_the_parcel_and_the_page_together_bring_every_script_once() -> None:
    assets = load_assets()
    nothing, *parts = assets.by_url[PARCEL].content.decode().split("\0")
    parcel = dict(zip(parts[::2], parts[1::2], strict=True))
    assert (nothing, len(parts)) == ("", 2 * len(parcel))
    assert {url: assets.by_url[url].content.decode() for url in parcel} == parcel
    assert version_of(assets)["parcel"] == assets.by_url[PARCEL].tag
    scripts = {one.url for one in assets.precached if one.url.endswith(".js")} - ON_DEMAND
    page = assets.by_url["/"].content.decode()
    assert parcel.keys() == {url for url in scripts if f'"{url}"' not in page}


def test_the_app_in_one_language_stays_within_its_budget() -> None:
    assets = load_assets()
    print(f"\nthe app in one language: {assets.first_visit_octets} octets of Brotli")
    for asset in sorted(assets.by_url.values(), key=lambda one: -len(_body(one)))[:12]:
        print(f"  {len(_body(asset)):6} {asset.url}")
    assert assets.first_visit_octets <= 60_000
    assert all(asset.content == gzip.decompress(asset.gzipped) for asset in assets.by_url.values() if asset.gzipped)


def _body(asset: Asset) -> bytes:
    return asset.body((*asset.codings, "identity")[0])


def test_nothing_that_a_device_keeps_is_left_out_of_that_count() -> None:
    assets = load_assets()
    parcel = assets.by_url[PARCEL].content.decode().split("\0")
    alone = {one.url for one in assets.precached if one.url not in parcel and one.url not in ON_DEMAND}
    counted = sum(len(_body(assets.by_url[url])) for url in (*alone, "/sw.js", PARCEL))
    assert assets.first_visit_octets == counted
