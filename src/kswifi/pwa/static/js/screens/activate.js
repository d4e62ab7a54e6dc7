import { isApple } from "../doors.js";
import { Facts } from "../facts.js";
import { age, lastDay } from "../format.js";
import { t } from "../i18n.js";
import { Install } from "../install.js";
import { Intent } from "../intent.js";
import { Meter } from "../meter.js";
import { packageOf, SessionManager } from "../road.js";
import { go } from "../router.js";
import { useEffect, useState } from "../state.js";
import {
  actions,
  current,
  environment,
  isEnded,
  isProvided,
  isStored,
  isUnderWay,
  phone,
  reachable,
  sessionOf,
  sessions,
  stateOf,
  storedInOrder,
  words,
} from "../store.js";
import { SwitchOn } from "../switch_on.js";
import { Heading, html, Icon, Note } from "../ui.js";

/** @import {InternetSession, VerifiedPackage} from "../types.d.ts" */

const SYSTEMS = /** @type {const} */ (["android", "ios"]);

/** @param {{system: string, choose: (system: "android" | "ios") => void}} props */
const Systems = ({ system, choose }) => html`<div class="seg" role="group" aria-label=${t("activate.system")}>
  ${SYSTEMS.map(
    (one) => html`<button type="button" aria-pressed=${system === one} onClick=${() => choose(one)}>${t(`system.${one}`)}</button>`,
  )}
</div>`;

/** Show a session as a ring, with its state. @param {{one: InternetSession}} props */
const Hero = ({ one }) => html`<div class="hero">
  <${Meter} one=${one} small />
  <span class=${`badge ${one.state === "active" ? "" : "line"}`}>${t(`state.${stateOf(one)}`).toUpperCase()}</span>
</div>`;

/** Return the session to activate if the address names none: the one in use, else the first in the order of use. */
const first = () => current.value ?? storedInOrder()[0] ?? sessions.value.find(isUnderWay) ?? null;

/** @param {{id: string}} props */
export default function Activate({ id }) {
  const one = (id ? sessionOf(id) : null) ?? first();
  const [system, choose] = useState(/** @type {"android" | "ios"} */ (isApple ? "ios" : "android"));
  const [verified, setVerified] = useState(/** @type {VerifiedPackage | null} */ (null));
  const [refused, setRefused] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (one && isProvided(one)) go(`line/${one.session_id}`, true);
  }, [one?.session_id]);
  const look = () => {
    setRefused(null);
    if (one && !isEnded(one) && one.state !== "ordered") packageOf(one).then(setVerified, setRefused);
  };
  useEffect(look, [one?.session_id, one?.state, reachable.value]);
  if (!one)
    return html`
      <${Heading} title=${t("activate.none")} lead=${t("home.lead")} />
      <a class="btn wide" href="#/choose">${t("home.download")}</a>
    `;
  if (isEnded(one))
    return html`
      <${Heading} title=${t(`state.${stateOf(one)}`)} back="#/home" />
      <${Hero} one=${one} />
      <div class="act stick"><a class="btn wide" href="#/choose"><${Icon} name="down" />${t("home.download")}</a></div>
    `;
  const stored = isStored(one);
  const active = one.state === "active";
  const intent = actions.value.find((action) => action.kind === "activate" && action.session_id === one.session_id);
  const lab = phone.value;
  const lineOn = Boolean(!one.hold && lab?.attached && lab.profiles.some((profile) => profile.enabled && profile.iccid === one.iccid));
  const title = active ? t("active.title") : stored ? t("activate.title") : t("activate.install");
  async function activate() {
    if (!one) return;
    setBusy(true);
    setProblem("");
    await SessionManager.activateDownloadedSession(one).catch((error) => setProblem(words(error)));
    setBusy(false);
  }
  // A package that cannot be fetched now is not a damaged package.
  const code = /** @type {any} */ (refused)?.code;
  const damaged = /^(package_|not_a_package)/.test(code ?? "") && code !== "package_not_ready";
  return html`
    <${Heading} title=${title} lead=${stored && !active ? t("activate.lead") : t("until", { day: lastDay(one.valid_until) })} />
    <${Hero} one=${one} />
    ${
      damaged
        ? html`<${Note} kind="error" live><b>${t("seal.bad")}</b><br />${t(`problem.${code}`)}<//>`
        : refused
          ? html`<${Note} icon="noline" live>
            ${words(refused)} <button class="btn plain inline" onClick=${look}>${t("again")}</button>
          <//>`
          : verified &&
            html`<${Note}>${t("seal.ok")} <span class="soft small">${t("seal.key", { kid: verified.kid.slice(0, 8) })}</span><//>`
    }
    ${stored && html`<${Facts} one=${one} />`}
    ${active && html`<${Note} icon="line" live>${t("active.lead", { age: one.as_of ? age(one.as_of) : "" })}<//>`}
    ${stored && !active && lineOn && !intent && html`<${Note} icon="line" live><b>${t("line.on")}</b> ${t("line.on_lead")}<//>`}
    ${
      one.hold === "exhausted" &&
      !active &&
      (stored || isUnderWay(one)) &&
      !intent &&
      html`<${Note} icon="line" live>
        <b>${t("line.used_up")}</b> ${t(environment.value?.stored_session_starts ? "line.starts_stored" : "line.needs_activation")}
      <//>`
    }
    ${intent && html`<${Intent} action=${intent} />`}
    ${stored && !lab && html`<${SwitchOn} one=${one} system=${system} systems=${html`<${Systems} system=${system} choose=${choose} />`} />`}
    ${!stored && verified && !lab && html`<${Systems} system=${system} choose=${choose} />`}
    ${!stored && verified?.activation && html`<${Install} one=${one} activation=${verified.activation} system=${system} />`}
    <div class="act stick">
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      ${
        active
          ? html`<a class="btn wide" href=${`#/session/${one.session_id}`}>${t("home.details")}</a>`
          : lineOn && one.state === "stored" && !intent
            ? html`<a class="btn quiet wide" href="/lab"><${Icon} name="phone" />${t("esim.lab")}</a>`
            : stored &&
              html`<button class="btn wide" disabled=${busy} onClick=${activate}>
                <${Icon} name="line" />
                ${t(one.state === "paused" ? "session.continue" : "activate.button")}
              </button>`
      }
      ${stored && !reachable.value && html`<p class="small soft centre">${t("activate.offline")}</p>`}
    </div>
  `;
}
