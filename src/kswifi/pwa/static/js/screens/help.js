import { t } from "../i18n.js";
import { useState } from "../state.js";
import { Support } from "../support.js";
import { Heading, html, Icon } from "../ui.js";

const TOPICS =
  "what download activate phone install ate metered end pause offline several gift auto pass alerts lost portal passkey trust data".split(
    " ",
  );

/** The answers are part of the app's texts, so that they can be searched without a network. */
export default function Help() {
  const [query, setQuery] = useState("");
  const asked = query.trim().toLowerCase().split(/\s+/);
  const found = TOPICS.filter((one) => asked.every((word) => `${t(`help.${one}`)} ${t(`help.${one}.text`)}`.toLowerCase().includes(word)));
  return html`
    <${Heading} title=${t("help.title")} />
    <div class="field">
      <label for="query">${t("help.search")}</label>
      <input id="query" type="search" value=${query} onInput=${(/** @type {any} */ event) => setQuery(event.target.value)} />
    </div>
    <p class="vh" role="status">${t("help.found", { n: found.length })}</p>
    <div class="list">
      ${found.map(
        (one) => html`<details class="item" style="display:block;padding:.25rem 1rem" key=${one}>
          <summary>${t(`help.${one}`)}<${Icon} name="chevron" /></summary>
          <p class="soft" style="padding-bottom:.75rem">${t(`help.${one}.text`)}</p>
        </details>`,
      )}
    </div>
    ${!found.length && html`<p class="soft">${t("help.none")}</p>`}
    <a class="item card" href="#/venues">
      <span class="dot"><${Icon} name="wifi" /></span>
      <span class="grow"><b>${t("venues.link")}</b></span>
      <${Icon} name="chevron" />
    </a>
    <a class="item card" href="#/device">
      <span class="dot"><${Icon} name="phone" /></span>
      <span class="grow"><b>${t("device.title")}</b><span class="small soft">${t("device.teaser")}</span></span>
      <${Icon} name="chevron" />
    </a>
    <${Support} />
  `;
}
