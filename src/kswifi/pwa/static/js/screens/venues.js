// The places with free WiFi. The list is on the device, because it is needed when there is no data.
import { t } from "../i18n.js";
import { useEffect, useState } from "../state.js";
import { loadVenues, reachable, venues } from "../store.js";
import { Heading, html, Icon, Note } from "../ui.js";

/** A list that is longer than this can be searched. */
const MANY = 6;

export default function Venues() {
  const [query, setQuery] = useState("");
  useEffect(() => void loadVenues().catch(() => {}), [reachable.value]);
  const list = venues.value;
  const words = query.trim().toLowerCase().split(/\s+/);
  const found = list.filter(({ name, area }) => words.every((word) => `${name} ${area}`.toLowerCase().includes(word)));
  return html`
    <${Heading} title=${t("venues.title")} lead=${t("venues.lead")} back="#/help" />
    ${!list.length && html`<${Note} icon="wifi">${t("venues.none")}<//>`}
    ${
      list.length > MANY &&
      html`<div class="field">
        <label for="place">${t("venues.search")}</label>
        <input id="place" type="search" value=${query} onInput=${(/** @type {any} */ event) => setQuery(event.target.value)} />
      </div>`
    }
    ${
      found.length > 0 &&
      html`<ul class="list">
      ${found.map(
        ({ name, area, hours }) => html`<li class="item" key=${name + area}>
          <span class="dot"><${Icon} name="wifi" /></span>
          <span class="grow"><b>${name}</b><span class="small soft">${area} · ${hours}</span></span>
        </li>`,
      )}
    </ul>`
    }
  `;
}
