"""What the app's own state does: signals, effects, and the three hooks, under the Preact that draws them."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.app_modules import files_as_sent, files_as_written, opened_with_modules


@pytest.fixture(params=[files_as_sent, files_as_written], ids=["as sent", "as written"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened_with_modules(browser, request.param()) as opened:
        yield opened


def run(page: Page, body: str) -> Any:
    """Run statements with Preact's `h` and `render`, the module as `m`, a `root`, a `log`, and `drawn` to wait."""
    return page.evaluate(
        f"""async () => {{
        const [{{ h, render }}, m] = await Promise.all([import("preact"), import("/app/js/state.js")]);
        const root = document.createElement("div");
        const log = [];
        const drawn = () => new Promise((resolve) => setTimeout(resolve, 60));
        {body} }}"""
    )


def test_an_effect_runs_again_for_what_it_reads_and_at_most_once_more_for_what_it_read_before(page: Page) -> None:
    assert run(
        page,
        """const a = m.signal(1), b = m.signal(10), which = m.signal(true);
            const sum = m.computed(() => (which.value ? a.value : b.value));
            m.effect(() => log.push(sum.value));
            b.value = 11;
            a.value = 2;
            a.value = 2;
            which.value = false;
            a.value = 3;
            a.value = 4;
            b.value = 12;
            return log;""",
    ) == [1, 2, 11, 11, 12]


def test_peek_does_not_subscribe(page: Page) -> None:
    assert run(
        page,
        """const a = m.signal(1), b = m.signal(1);
            const twice = m.computed(() => 2 * b.value);
            m.effect(() => log.push(a.peek() + twice.peek()));
            a.value = b.value = 5;
            return [log, a.peek(), twice.peek()];""",
    ) == [[3], 5, 10]


def test_only_components_that_read_a_signal_are_drawn_anew(page: Page) -> None:
    found = run(
        page,
        """const name = m.signal("Ada"), other = m.signal(0);
        const Reads = () => (log.push("reads"), h("b", null, name.value));
        const Idle = () => (log.push("idle"), h("i", null, other.peek()));
        const Both = () => h("div", null, h(Reads), h(Idle));
        render(h(Both), root);
        name.value = "Obi";
        other.value = 1;
        await drawn();
        const shown = root.textContent;
        render(null, root);
        name.value = "Uche";
        await drawn();
        return [shown, log];""",
    )
    assert found == ["Obi0", ["reads", "idle", "reads"]]


def test_state_and_references_belong_to_one_component_and_stay(page: Page) -> None:
    found = run(
        page,
        """const setters = [];
        const Counts = ({ by }) => {
          const [count, set] = m.useState(by);
          const ref = m.useRef({ drawn: 0 });
          ref.current.drawn += 1;
          setters.push(set);
          return h("p", null, `${count}/${ref.current.drawn} `);
        };
        render([h(Counts, { by: 1 }), h(Counts, { by: 100 })], root);
        setters[0]((before) => before + 1);
        setters[0]((before) => before + 1);
        setters[1](100);
        await drawn();
        return [root.textContent, setters[0] === setters[2]];""",
    )
    assert found == ["3/2 100/1 ", True]


def test_effects_of_components_run_once_drawn_again_when_what_they_depend_on_changes_and_are_undone(
    page: Page,
) -> None:
    found = run(
        page,
        """const id = m.signal(1), noise = m.signal(0);
        const inner = (at) => () => (log.push(`inner ${at} ${root.textContent}`), () => log.push(`undo ${at}`));
        const Inner = ({ at }) => (m.useEffect(inner(at), [at]), h("b", null, at));
        const outer = () => void log.push("outer");
        const Outer = () => (m.useEffect(outer, []), noise.value, h(Inner, { at: id.value }));
        render(h(Outer), root);
        log.push("drawn");
        await drawn();
        noise.value = 1;
        await drawn();
        id.value = 2;
        await drawn();
        render(null, root);
        id.value = 3;
        await drawn();
        return log;""",
    )
    assert found == ["drawn", "inner 1 1", "outer", "undo 1", "inner 2 2", "undo 2"]


def test_an_effect_that_sets_state_is_drawn_and_does_not_run_again(page: Page) -> None:
    found = run(
        page,
        """const Asks = () => {
          const [answer, set] = m.useState("…");
          m.useEffect(() => void Promise.resolve("yes").then((said) => (log.push("asked"), set(said))), []);
          return h("p", null, answer);
        };
        render(h(Asks), root);
        await drawn();
        return [root.textContent, log];""",
    )
    assert found == ["yes", ["asked"]]


def test_texts_are_read_by_group_and_key_and_a_second_language_with_its_values_alone(page: Page) -> None:
    english, naija, figures = page.evaluate(
        """async () => { const m = await import("/app/js/i18n.js");
        const texts = () => [m.t("back"), m.t("welcome.1.more"), m.t("fact.as_of")];
        await m.speak("en"); const english = texts();
        await m.speak("pcm"); const naija = texts();
        return [english, naija, m.t("choose.left", { left: "1 GB", all: "5 GB" })]; }"""
    )
    assert english == ["Back", "On WiFi. A session is a few kilobytes.", "As of"]
    assert naija[0] == "Go back"
    assert len(set(naija + english)) == 6
    assert "1 GB" in figures
    assert "5 GB" in figures
