// What to do before the first octet: a checklist of what else would spend the session, the steps to switch the line on, and a test.
import { read } from "./api.js";
import { t } from "./i18n.js";
import { useState } from "./state.js";
import { receive } from "./store.js";
import { html, Icon, Note } from "./ui.js";

/** @import {InternetSession} from "./types.d.ts" */

/** @param {{text: string}} props */
export const Steps = ({ text }) => html`<ol class="steps">
  ${text
    .split(" | ")
    .map((one, at) => html`<li class="now"><span class="bullet">${at + 1}</span><span style="padding-top:.25rem">${one}</span></li>`)}
</ol>`;

/** The settings that keep a phone from using data by itself. */
const CHECKS = ["saver", "updates", "whatsapp", "other_sim"];
const [TRIES, BETWEEN] = [4, 3000];

/**
 * Test the line. The server sees whether this request came over WiFi; that the session is in use it learns from the network's
 * reports, which takes some seconds.
 * @param {InternetSession} one
 */
async function test(one) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      if ((await read("/api/v1/connection")).wifi) return "wifi";
      const told = await receive(await read(`/api/v1/sessions/${one.session_id}`));
      if (told.state === "active" && told.used_octets > 0) return "works";
    } catch {
      return "no_data";
    }
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
  return "other_line";
}

/** @param {{one: InternetSession, system: "android" | "ios", systems: any}} props */
export function SwitchOn({ one, system, systems }) {
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState("");
  async function run() {
    setBusy(true);
    setFound(await test(one));
    setBusy(false);
  }
  return html`
    ${
      one.used_octets === 0 &&
      html`<details class="card" open>
        <summary>${t("check.title")}<${Icon} name="chevron" /></summary>
        <p class="small soft">${t("check.lead")}</p>
        ${CHECKS.map(
          (what) => html`<label class="row check" key=${what}>
            <input class="switch" type="checkbox" />
            <span class="grow">${t(`check.${what}`)}</span>
          </label>`,
        )}
      </details>`
    }
    <section class="card">
      <h2>${t("how.title")}</h2>
      ${systems}
      <${Steps} text=${t(`how.${system}`)} />
      <p class="small soft">${t("how.offline")}</p>
    </section>
    <section class="card">
      <h2>${t("test.title")}</h2>
      <p class="small soft">${t("test.lead")}</p>
      <button class="btn quiet wide" disabled=${busy} onClick=${run}>
        <${Icon} name="line" />
        ${t(busy ? "test.running" : "test.button")}
      </button>
      ${
        found &&
        html`<${Note} kind=${found === "works" ? "" : "warning"} icon=${found === "works" ? "check" : "alert"} live>
          ${t(`test.${found}`)}
        <//>`
      }
    </section>
  `;
}
