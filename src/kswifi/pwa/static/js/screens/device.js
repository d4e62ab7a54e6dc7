// Three ways to find out whether this phone can have an eSIM, before signing up.
import * as db from "../db.js";
import { isApple } from "../doors.js";
import { add, t } from "../i18n.js";
import { useEffect, useState } from "../state.js";
import { account } from "../store.js";
import { Steps } from "../switch_on.js";
import * as texts from "../text/device.js";
import { Heading, html, Icon, Note } from "../ui.js";

add(texts);

/** Search the models with eSIM. The list is fetched when the user asks for it. */
function Models() {
  const [list, setList] = useState(/** @type {[string, string][] | null} */ (null));
  const [query, setQuery] = useState("");
  const [problem, setProblem] = useState("");
  const load = () =>
    import("../help/models.js").then(
      (module) => setList(module.default),
      () => setProblem(t("problem.offline")),
    );
  const asked = query.trim().toLowerCase();
  const found = (list ?? []).filter((one) => asked.length > 1 && one.join(" ").toLowerCase().includes(asked));
  return html`<section class="card">
    <h2>${t("device.models")}</h2>
    ${
      list
        ? html`<div class="field">
            <label for="model">${t("device.model")}</label>
            <input id="model" type="search" value=${query} onInput=${(/** @type {any} */ event) => setQuery(event.target.value)} />
          </div>
          <div role="status">
            ${
              asked.length > 1 &&
              (found.length
                ? html`<ul class="stack">${found.slice(0, 12).map(([maker, model]) => html`<li key=${model}>${maker} ${model}</li>`)}</ul>`
                : html`<p class="soft">${t("device.not_listed")}</p>`)
            }
          </div>
          <p class="small soft">${t("device.models_note")}</p>`
        : html`<button class="btn quiet wide" onClick=${load}>${t("device.show_models")}</button>`
    }
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
  </section>`;
}

export default function Device() {
  const [can, setCan] = useState(/** @type {"" | "yes" | "no"} */ (""));
  useEffect(() => void db.get("kv", "can_esim").then((kept) => setCan(kept ?? "")), []);
  const answer = (/** @type {"yes" | "no"} */ one) => {
    setCan(one);
    db.put("kv", one, "can_esim");
  };
  return html`
    <${Heading} title=${t("device.title")} lead=${t("device.lead")} back="#/home" />
    <section class="card">
      <h2>${t("device.settings")}</h2>
      <${Steps} text=${t(isApple ? "device.ios" : "device.android")} />
    </section>
    <section class="card">
      <h2>${t("device.dial")}</h2>
      <p class="soft">${t("device.dial_lead")}</p>
      <a class="btn quiet wide" href="tel:*%2306%23"><${Icon} name="phone" />${t("device.dial_button")}</a>
    </section>
    <${Models} />
    <div class="act stick">
      ${
        can &&
        html`<${Note} kind=${can === "no" ? "warning" : ""} icon=${can === "no" ? "alert" : "check"} live>
          ${t(`device.${can}_lead`)}
        <//>`
      }
      ${
        can === "yes"
          ? html`<a class="btn wide" href=${account.value ? "#/choose" : "#/account/new"}>
            ${t(account.value ? "home.download" : "account.sign_up")}
          </a>`
          : html`<button class="btn wide" onClick=${() => answer("yes")}>${t("device.yes")}</button>`
      }
      ${can !== "no" && html`<button class="btn plain wide" onClick=${() => answer("no")}>${t("device.no")}</button>`}
    </div>
  `;
}
