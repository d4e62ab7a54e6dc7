import { change } from "../api.js";
import { trouble } from "../db.js";
import { InstallApp } from "../doors.js";
import { formatOctets } from "../format.js";
import { t } from "../i18n.js";
import { listen } from "../live.js";
import { beTold, beToldNoMore, pushHere, pushOn } from "../push.js";
import { go } from "../router.js";
import { useEffect, useRef, useState } from "../state.js";
import { account, environment, forget, prefer, preferences, reachable, say } from "../store.js";
import { Support } from "../support.js";
import { Heading, html, Icon, Insecure, Row, Switch } from "../ui.js";

/** @param {{label: string, value: string, options: [string, string][], change: (value: any) => void}} props */
const Choice = ({ label, value, options, change: set }) => html`<div class="stack tight" role="group" aria-label=${label}>
  <h2>${label}</h2>
  <div class="seg">
    ${options.map(([key, text]) => html`<button key=${key} aria-pressed=${value === key} onClick=${() => set(key)}>${text}</button>`)}
  </div>
</div>`;

async function leave() {
  await forget();
  listen();
  go("home");
}

async function signOut() {
  await beToldNoMore().catch(() => {});
  // This device is signed out in any case. If the server cannot be reached, the login session ends after its lifetime.
  await change("/api/v1/logins/current", undefined, { method: "DELETE" }).catch(() => {});
  await leave();
}

/** @param {boolean} on */
async function alerts(on) {
  await prefer({ alerts: on });
  if (!on && pushOn.peek()) await beToldNoMore();
}

/** @param {boolean} on */
async function push(on) {
  if (!on) return beToldNoMore();
  await prefer({ alerts: true });
  if (!(await beTold().catch(() => false))) say(t("settings.alerts_denied"));
}

export default function Settings() {
  const { theme, language, low_data, alerts: told } = preferences.value;
  const [held, setHeld] = useState(/** @type {number | null} */ (null));
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    navigator.storage?.estimate?.().then(({ usage }) => setHeld(usage ?? null));
  }, []);
  const who = account.value;
  return html`
    <${Heading} title=${t("settings.title")} />
    ${
      who
        ? html`<div class="list">
          <${Row} icon="user" to="security" name=${who.phone_number ?? who.email ?? ""} hint=${t("security.teaser")} />
          <${Row} icon="line" to="usage" name=${t("usage.title")} />
          <${Row} icon="down" to="standing" name=${t("standing.title")} />
          <${Row} icon="wifi" to="gifts" name=${t("gifts.title")} />
          <${Row} icon="phone" to="move" name=${t("new_esim.title")} />
        </div>`
        : html`<a class="btn wide" href="#/account">${t("account.sign_in")}</a>`
    }
    <${Choice}
      label=${t("settings.theme")}
      value=${theme}
      options=${/** @type {[string, string][]} */ (["system", "dark", "light"].map((one) => [one, t(`theme.${one}`)]))}
      change=${(/** @type {any} */ value) => prefer({ theme: value })}
    />
    <${Choice}
      label=${t("settings.language")}
      value=${language}
      options=${
        /** @type {[string, string][]} */ ([
          ["", t("language.system")],
          ["en", "English"],
          ["pcm", "Naijá"],
        ])
      }
      change=${(/** @type {any} */ value) => prefer({ language: value })}
    />
    <div class="list">
      <${Switch}
        label=${t("settings.low_data")}
        hint=${t("settings.low_data_hint")}
        on=${low_data}
        change=${(/** @type {boolean} */ on) => prefer({ low_data: on }).then(listen)}
      />
      <${Switch} label=${t("settings.alerts")} hint=${t("settings.alerts_hint")} on=${told} change=${alerts} />
      ${
        who &&
        pushHere &&
        html`<${Switch} label=${t("settings.push")} hint=${t("settings.push_hint")} on=${Boolean(pushOn.value)} change=${push} />`
      }
    </div>
    <${InstallApp} />
    <${Insecure} />
    <section class="card">
      <h2>${t("about.title")}</h2>
      <p class="soft">${t("about.lead")}</p>
      <ul class="stack">
        ${["device", "card", "server"].map(
          (place) => html`<li class="row" style="align-items:flex-start">
            <span class="dot"><${Icon} name=${place === "device" ? "phone" : place === "card" ? "chip" : "wifi"} /></span>
            <span class="grow"><b>${t(`about.${place}`)}</b><br /><span class="small soft">${t(`about.${place}.what`)}</span></span>
          </li>`,
        )}
      </ul>
      ${held !== null && !trouble.value && html`<p class="small soft num">${t("about.held", { size: formatOctets(held) })}</p>`}
    </section>
    <div class="list"><${Row} icon="phone" to="device" name=${t("device.title")} hint=${t("device.teaser")} /></div>
    <${Support} />
    ${environment.value?.lab_origin && html`<a class="btn quiet wide" href="/lab"><${Icon} name="phone" />${t("esim.lab")}</a>`}
    ${
      who &&
      html`
        <button class="btn danger wide" onClick=${() => dialog.current?.showModal()}>${t("settings.sign_out")}</button>
        <dialog ref=${dialog} aria-labelledby="sure">
          <div class="stack">
            <h2 id="sure">${t("settings.sure")}</h2>
            <p class="soft">${t("settings.sure_lead")}${reachable.value ? "" : ` ${t("settings.sure_offline")}`}</p>
            <button class="btn wide" onClick=${signOut}>${t("settings.sign_out")}</button>
            <button class="btn plain wide" onClick=${() => dialog.current?.close()}>${t("settings.stay")}</button>
          </div>
        </dialog>
      `
    }
  `;
}
