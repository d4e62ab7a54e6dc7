import { age, lastDay } from "../format.js";
import { t } from "../i18n.js";
import { SessionManager, storedPackage } from "../road.js";
import { useEffect, useState } from "../state.js";
import { actions, environment, isStored, isUnderWay, phone, reachable, say, sessionOf, sessions, words } from "../store.js";
import { Chip, CopyButton, Heading, html, Icon, Note, Size } from "../ui.js";

/** @import {Activation, InternetSession, VerifiedPackage} from "../types.d.ts" */

const SYSTEMS = /** @type {const} */ (["android", "ios"]);
const ONE_TAP = {
  ios: "https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=",
  android: "https://esimsetup.android.com/esim_qrcode_provisioning?carddata=",
};
const here = /iPhone|iPad|Mac/.test(navigator.userAgent) ? "ios" : "android";

/** @param {{system: string, choose: (system: "android" | "ios") => void}} props */
const Systems = ({ system, choose }) => html`<div class="seg" role="group" aria-label=${t("activate.system")}>
  ${SYSTEMS.map(
    (one) => html`<button type="button" aria-pressed=${system === one} onClick=${() => choose(one)}>${t(`system.${one}`)}</button>`,
  )}
</div>`;

/** @param {{system: "android" | "ios", what: string}} props */
const Steps = ({ system, what }) => html`<ol class="steps">
  ${t(`${what}.${system}`)
    .split(" | ")
    .map((text, at) => html`<li class="now"><span class="bullet">${at + 1}</span><span style="line-height:2rem">${text}</span></li>`)}
</ol>`;

/** @param {{activation: Activation, system: "android" | "ios"}} props */
function Install({ activation, system }) {
  const manual = activation.manual_setup;
  const copied = () => say(t("copied"));
  const lines = /** @type {const} */ (["smdp_address", "activation_code", "apn", "user_name", "password"]);
  return html`
    <section class="card">
      <h2>${t("install.title")}</h2>
      <p class="soft">${t("install.lead")}</p>
      <a class="btn wide" href=${ONE_TAP[system] + activation.activation_code} rel="noreferrer">
        ${t("install.one_tap", { system: t(`system.${system}`) })}
      </a>
      <${Note} icon="wifi">${t("install.wifi")}<//>
    </section>
    <section class="card">
      <h2>${t("install.qr")}</h2>
      <p class="soft small">${t("install.qr_lead")}</p>
      <img class="qr" alt=${t("install.qr_alt")} src=${`data:image/svg+xml,${encodeURIComponent(activation.qr_code_svg)}`} />
    </section>
    <details class="card">
      <summary>${t("install.manual")}<${Icon} name="chevron" /></summary>
      <ul class="stack">
        ${lines
          .filter((name) => manual[name])
          .map(
            (name) => html`<li class="row" key=${name}>
            <div class="grow"><p class="small soft">${t(`install.${name}`)}</p><p class="mono">${manual[name]}</p></div>
            <${CopyButton} text=${manual[name]} label=${t("copy", { what: t(`install.${name}`) })} onDone=${copied} />
          </li>`,
          )}
      </ul>
    </details>
    <p class="small soft">${t("install.honest")}</p>
  `;
}

/** @param {{one: InternetSession}} props */
function Pass({ one }) {
  return html`<div class="pass">
    <div class="row between">
      <div class="grow">
        <${Size} octets=${one.allowance_octets} />
        <p class="small soft">${t("until", { day: lastDay(one.valid_until) })}</p>
      </div>
      <${Chip} />
    </div>
    <p class="small"><span class=${`badge ${one.state === "active" ? "" : "line"}`}>${t(`state.${one.state}`).toUpperCase()}</span></p>
  </div>`;
}

/** @param {{id: string}} props */
export default function Activate({ id }) {
  const one = sessionOf(id) ?? sessions.value.find(isStored) ?? sessions.value.find(isUnderWay) ?? null;
  const [system, choose] = useState(/** @type {"android" | "ios"} */ (here));
  const [verified, setVerified] = useState(/** @type {VerifiedPackage | null} */ (null));
  const [refused, setRefused] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (one) storedPackage(one).then(setVerified, (error) => setRefused(error.code ?? "internal_error"));
  }, [one?.session_id]);
  if (!one)
    return html`
      <${Heading} title=${t("activate.none")} lead=${t("home.lead")} />
      <a class="btn wide" href="#/choose">${t("home.download")}</a>
    `;

  const stored = isStored(one);
  const intent = actions.value.find((action) => action.kind === "activate" && action.session_id === one.session_id);
  const lab = phone.value;
  const lineOn = Boolean(!one.hold && lab?.attached && lab.profiles.some((profile) => profile.enabled && profile.iccid === one.iccid));
  const title = one.state === "active" ? t("active.title") : stored ? t("activate.title") : t("activate.install");
  async function activate() {
    if (!one) return;
    setBusy(true);
    setProblem("");
    await SessionManager.activateDownloadedSession(one).catch((error) => setProblem(words(error)));
    setBusy(false);
  }
  return html`
    <${Heading} title=${title} lead=${stored && one.state !== "active" ? t("activate.lead") : ""} />
    <${Pass} one=${one} />
    ${
      refused
        ? html`<${Note} kind="error" live><b>${t("seal.bad")}</b><br />${t(`problem.${refused}`)}<//>`
        : verified && html`<${Note}>${t("seal.ok")} <span class="soft small">${t("seal.key", { kid: verified.kid.slice(0, 8) })}</span><//>`
    }
    ${
      one.state === "active" &&
      html`<${Note} icon="line" live><b>${t("active.title")}</b> ${t("active.lead", { age: one.as_of ? age(one.as_of) : "" })}<//>`
    }
    ${
      stored &&
      one.state !== "active" &&
      lineOn &&
      !intent &&
      html`<${Note} icon="line" live><b>${t("line.on")}</b> ${t("line.on_lead")}<//>`
    }
    ${
      one.hold === "exhausted" &&
      one.state !== "active" &&
      (stored || isUnderWay(one)) &&
      !intent &&
      html`<${Note} icon="line" live>
        <b>${t("line.used_up")}</b> ${t(environment.value?.stored_session_starts ? "line.starts_stored" : "line.needs_activation")}
      <//>`
    }
    ${intent && html`<${Note} icon="clock" live><b>${t("intent.title")}</b> ${t("intent.lead")}<//>`}
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${
      stored &&
      one.state !== "active" &&
      !lab &&
      html`<section class="card">
        <h2>${t("how.title")}</h2>
        <${Systems} system=${system} choose=${choose} />
        <${Steps} system=${system} what="how" />
        <p class="small soft">${t("how.offline")}</p>
      </section>`
    }
    ${!stored && verified && !lab && html`<${Systems} system=${system} choose=${choose} />`}
    ${(!stored || !lab) && verified && html`<${Install} activation=${verified.activation} system=${system} />`}
    ${
      stored &&
      html`<div class="act stick">
        ${
          one.state === "active"
            ? html`<a class="btn wide" href=${`#/session/${one.session_id}`}>${t("home.details")}</a>`
            : lineOn && one.state === "stored" && !intent
              ? html`<a class="btn quiet wide" href="/lab"><${Icon} name="phone" />${t("esim.lab")}</a>`
              : html`<button class="btn wide" disabled=${busy || Boolean(intent)} onClick=${activate}>
                <${Icon} name="line" />
                ${t(one.state === "paused" ? "session.continue" : "activate.button")}
              </button>`
        }
        ${!reachable.value && html`<p class="small soft centre">${t("activate.offline")}</p>`}
      </div>`
    }
  `;
}
