// Guide the installation of the profile on the user's phone: one tap, a QR code, by hand. Show the progress that the server knows,
// and what to do if the phone refuses.
import { read } from "./api.js";
import * as db from "./db.js";
import { isApple } from "./doors.js";
import { Guide } from "./guide.js";
import { t } from "./i18n.js";
import { SessionManager } from "./road.js";
import { go } from "./router.js";
import { useState } from "./state.js";
import { profiles, receive, say, words } from "./store.js";
import { Support } from "./support.js";
import { CopyButton, html, Icon, Note } from "./ui.js";

/** @import {Activation, InternetSession} from "./types.d.ts" */

const ONE_TAP = {
  ios: "https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=",
  android: "https://esimsetup.android.com/esim_qrcode_provisioning?carddata=",
};
const LINES = /** @type {const} */ (["smdp_address", "activation_code", "apn", "user_name", "password"]);

/** @param {{name: string, value: string}} props */
const Line = ({ name, value }) => html`<li class="row">
  <div class="grow"><p class="small soft">${t(`install.${name}`)}</p><p class="mono">${value}</p></div>
  <${CopyButton} text=${value} label=${t("copy", { what: t(`install.${name}`) })} onDone=${() => say(t("copied"))} />
</li>`;

/** Give a session back, and order the next one for a new eSIM. @param {InternetSession} one */
export async function startAnew(one) {
  await db.put("kv", true, "new_esim");
  await SessionManager.cancel(one.session_id);
  go("choose");
}

/** Ask the user what happened on the phone, and the server what it knows. @param {{one: InternetSession}} props */
function Outcome({ one }) {
  const [said, say_] = useState("");
  const [problem, setProblem] = useState("");
  async function worked() {
    setProblem("");
    try {
      const told = await receive(await read(`/api/v1/sessions/${one.session_id}`));
      say_(["downloaded", "transferring"].includes(told.state) ? "not_yet" : "");
    } catch (error) {
      setProblem(words(error));
    }
  }
  return html`<section class="card">
    <h2>${t("outcome.title")}</h2>
    <button class="btn quiet wide" onClick=${worked}><${Icon} name="check" />${t("outcome.worked")}</button>
    <button class="btn quiet wide" onClick=${() => say_("refused")}><${Icon} name="alert" />${t("outcome.refused")}</button>
    <button class="btn quiet wide" onClick=${() => say_("deleted")}><${Icon} name="phone" />${t("outcome.deleted")}</button>
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${said && html`<${Note} icon="alert" live>${t(`outcome.${said}_lead`)}<//>`}
    ${
      said === "refused" &&
      html`<button
        class="btn wide"
        onClick=${() => {
          SessionManager.cancel(one.session_id);
          go("home");
        }}
      >
        ${t("session.give_back")}
      </button>`
    }
    ${said === "deleted" && html`<button class="btn wide" onClick=${() => startAnew(one)}>${t("new_esim.button")}</button>`}
    ${said && html`<${Support} about=${one.session_id} />`}
  </section>`;
}

/** @param {{one: InternetSession, activation: Activation, system: "android" | "ios"}} props */
export function Install({ one, activation, system }) {
  const manual = activation.manual_setup;
  const fetching = profiles.value[one.esim_id] === "downloaded";
  return html`
    <${Note} icon=${fetching ? "chip" : "clock"} live>
      <b>${t(fetching ? "progress.transferring" : "progress.waiting")}</b><br />${t(fetching ? "install.fetching" : "install.waiting")}
    <//>
    <section class="card">
      <h2>${t("install.title")}</h2>
      <p class="soft">${t("install.lead")}</p>
      <a class="btn wide" href=${ONE_TAP[system] + activation.activation_code} rel="noreferrer">
        ${t("install.one_tap", { system: t(`system.${system}`) })}
      </a>
      <p class="small soft row" style="gap:.5rem"><${Icon} name="wifi" /><span class="grow">${t("install.wifi")}</span></p>
    </section>
    <section class="card">
      <h2>${t("install.qr")}</h2>
      <p class="soft small">${t("install.qr_lead")}</p>
      <img class="qr" alt=${t("install.qr_alt")} src=${`data:image/svg+xml,${encodeURIComponent(activation.qr_code_svg)}`} />
    </section>
    <details class="card">
      <summary>${t("install.manual")}<${Icon} name="chevron" /></summary>
      <p class="soft small">${t("install.manual_lead")}</p>
      <ul class="stack">
        <${Line} name="whole_code" value=${activation.activation_code} />
        ${LINES.filter((name) => manual[name]).map((name) => html`<${Line} key=${name} name=${name} value=${manual[name]} />`)}
      </ul>
    </details>
    <${Guide} first=${isApple ? "iphone" : ""} />
    <${Outcome} one=${one} />
    <p class="small soft">${t("install.honest")}</p>
  `;
}
