// The steps to install an eSIM by maker of phone. They are fetched when a user opens them, and stored from then on.
import { language, t } from "./i18n.js";
import { useEffect, useState } from "./state.js";
import { reachable } from "./store.js";
import { Steps } from "./switch_on.js";
import { html, Icon, Note } from "./ui.js";

/** The makers with steps of their own; Tecno, Infinix and itel share the menus of one company. */
const MAKERS = ["tecno", "infinix", "itel", "samsung", "xiaomi", "iphone"];
const NAMES = { tecno: "Tecno", infinix: "Infinix", itel: "itel", samsung: "Samsung", xiaomi: "Xiaomi", iphone: "iPhone" };

/** @param {{first: string}} props the maker of this phone, where it is known */
export function Guide({ first }) {
  const [maker, choose] = useState(first);
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (!maker || found) return;
    import("./help/guides.js").then(
      (module) => setFound(module.default),
      () => setFailed(true),
    );
  }, [maker, reachable.value]);
  const steps = found?.[language.value]?.[maker] ?? found?.en[maker];
  const picture = found?.pictures[maker];
  return html`<details class="card">
    <summary>${t("guide.title")}<${Icon} name="chevron" /></summary>
    <div class="seg" role="group" aria-label=${t("guide.title")}>
      ${MAKERS.map(
        (one) => html`<button type="button" key=${one} aria-pressed=${maker === one} onClick=${() => choose(one)}>
          ${/** @type {Record<string, string>} */ (NAMES)[one]}
        </button>`,
      )}
    </div>
    ${failed && !found && html`<${Note} icon="noline" live>${t("problem.offline")}<//>`}
    ${steps && html`<${Steps} text=${steps.join(" | ")} /><p class="small soft">${t("guide.differs")}</p>`}
    ${picture && steps && html`<img class="picture" src=${picture} alt=${t("guide.picture")} />`}
  </details>`;
}
