"""What is wrong with a screen: what breaks WCAG, what has to be scrolled sideways, what a thumb would miss.

With SCREENS=1 its picture in docs/screens is taken anew.
"""

import os
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

ROOT = Path(__file__).parents[2]
AXE = (ROOT / "tests/browser/vendor/axe.min.js").read_text(encoding="utf-8")
PICTURES = ROOT / "docs/screens" if os.environ.get("SCREENS") else None
SMALL_PICTURES = ("01-welcome", "07-choose", "08-downloading", "13-home-active", "21-lab-phone")
MANIFEST = {"07-choose": "screen-choose", "09-ready": "screen-ready", "13-home-active": "screen-home"}
"""The dark pictures that the app's manifest shows before it is installed."""
NORMAL: ViewportSize = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def check_looks(page: Page, name: str) -> list[str]:
    """Return what is wrong with the screen as it is now: in the dark, in the light, and at a width of 320 px.

    What is accessible in the dark can fail in the light by its colours alone, and at 320 px by its layout alone.
    """
    wrong = check_screen(page, name, "dark")
    size = page.viewport_size or NORMAL
    page.emulate_media(color_scheme="light")
    _take_picture(page, name, "light")
    wrong += _violations(page, f"{name} (light)", {"type": "rule", "values": ["color-contrast"]})
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 320, "height": 640})
    _take_picture(page, name, "small")
    wrong += check_layout(page, f"{name} (small)")
    page.set_viewport_size(size)
    return wrong


def check_screen(page: Page, name: str, look: str) -> list[str]:
    """Return what is wrong with the screen as it is now."""
    page.wait_for_timeout(250)
    _take_picture(page, name, look)
    # A bar that stays at the edge may lie over what can be scrolled from under it: look at all of the page at once.
    size = page.viewport_size or NORMAL
    page.set_viewport_size({"width": size["width"], "height": 3000})
    wrong = _violations(page, f"{name} ({look})", {"type": "tag", "values": RULES})
    wrong += check_layout(page, f"{name} ({look})")
    page.set_viewport_size(size)
    return wrong


def _violations(page: Page, name: str, rules: dict[str, object]) -> list[str]:
    """Return what axe finds with these rules."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE)
    found = page.evaluate("(rules) => axe.run({ runOnly: rules, resultTypes: ['violations'] })", rules)
    return [
        f"{name}: {one['id']}: {node['html'][:160]}: {node['failureSummary'][:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def _take_picture(page: Page, name: str, look: str) -> None:
    if PICTURES is None or (look == "small" and name not in SMALL_PICTURES):
        return
    page.wait_for_timeout(250)
    picture = page.screenshot(path=PICTURES / f"{look}-{name}.png")
    if look == "dark" and name in MANIFEST:
        (ROOT / f"src/kswifi/pwa/static/pictures/{MANIFEST[name]}.png").write_bytes(picture)


def check_layout(page: Page, name: str) -> list[str]:
    """Return what does not fit, and what a thumb would miss."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    too_wide = [f"{name}: {wide} px too wide"] if wide > 0 else []
    small = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input, summary, label.item')].filter((one) => {
          const at = one.getBoundingClientRect();
          return at.width && one.checkVisibility({ visibilityProperty: true }) && !one.closest('.skip') &&
            (at.height < 47.5 || at.width < 47.5) && !one.matches('p a, .switch');
        }).map((one) => one.outerHTML.slice(0, 120))"""
    )
    return too_wide + [f"{name}: a target below 48 px: {one}" for one in small]
