// A session that a data provider delivers: portion by portion onto the line that its owner has, or as an eSIM of the provider.
import { change, newKey, Problem, read } from "../api.js";
import { Ask } from "../ask.js";
import { now } from "../clock.js";
import * as db from "../db.js";
import { isApple } from "../doors.js";
import { age, duration, formatOctets, sizeName, when } from "../format.js";
import { add, t } from "../i18n.js";
import { Install } from "../install.js";
import { Intent } from "../intent.js";
import { SessionManager } from "../road.js";
import { go } from "../router.js";
import { useEffect, useRef, useState } from "../state.js";
import { account, actions, asked, isEnded, isStored, preferences, reachable, say, sessionOf, signedIn, words } from "../store.js";
import { Support } from "../support.js";
import { SwitchOn } from "../switch_on.js";
import * as texts from "../text/line.js";
import { Heading, html, Icon, Note } from "../ui.js";

add(texts);

/** @import {Activation, InternetSession} from "../types.d.ts" */
/**
 * @typedef {{number: number, octets: number, state: string, words: string | null, created_at: string, delivered_at: string | null}} Portion
 * @typedef {{portions: Portion[], drawn_octets: number}} Portions
 * @typedef {{activation_code: string, qr_code_svg: string, smdp_address: string, confirmation_code: string | null, apn: string | null,
 *   user_name: string | null, password: string | null, roaming: boolean | null}} Installation
 * @typedef {{provider: string, wants_on: boolean, observed: string | null, observed_at: string | null, confirmed: boolean,
 *   wanted_since: string | null, pauses: boolean,
 *   tethering: boolean | null, roams: boolean, usage_lag_seconds: number | null}} Service
 * @typedef {{verification_id: string, phone_number: string, expires_at: string}} Sending
 */

const CODES = "/api/v1/phone-verifications";
const NETWORKS = { mtn: "MTN", airtel: "Airtel", glo: "Glo", "9mobile": "9mobile" };
const ON_ITS_WAY = ["intended", "unknown", "placed"];
const NOT_SENT = ["refused", "cancelled", "refunded"];
const BETWEEN = 3000;

/** How often to look, in milliseconds. */
const pace = () => (preferences.peek().low_data ? 5 : 1) * BETWEEN;

/** Verify the number of the line, and keep it with its owner's consent. A reload in between loses nothing. */
/** @param {{done: () => void}} props */
function YourNumber({ done }) {
  const [sending, setSending] = useState(/** @type {Sending | null} */ (null));
  const [network, choose] = useState("mtn");
  /** @param {Sending | null} next */
  const keep = (next) => {
    setSending(next);
    return next ? db.put("kv", next, "verifying_line") : db.remove("kv", "verifying_line");
  };
  useEffect(() => {
    db.get("kv", "verifying_line").then((kept) => kept && Date.parse(kept.expires_at) > now() && setSending(kept));
  }, []);
  const choice = html`<div class="stack tight" role="group" aria-label=${t("line.network")}>
    <b>${t("line.network")}</b>
    <div class="seg">
      ${Object.entries(NETWORKS).map(
        ([key, name]) =>
          html`<button type="button" key=${key} aria-pressed=${network === key} onClick=${() => choose(key)}>${name}</button>`,
      )}
    </div>
  </div>`;
  if (!sending)
    return html`<${Ask}
      what="number"
      key="number"
      input=${{ type: "tel", autocomplete: "tel", defaultValue: account.value?.phone_number ?? "" }}
      send=${async (/** @type {string} */ phone_number) => keep({ ...(await change(CODES, { phone_number })), phone_number })}
    >
      <p class="small soft">${t("line.consent")}</p>
    <//>`;
  return html`
    <${Ask}
      what="code"
      key="code"
      input=${{ inputmode: "numeric", pattern: "[0-9]{6}", maxlength: 6, autocomplete: "one-time-code" }}
      send=${async (/** @type {string} */ code) => {
        await change(`${CODES}/${sending.verification_id}/confirm`, { code, keep_for_network: network });
        await keep(null);
        await signedIn(await read("/api/v1/account"));
        say(t("phone.verified"));
        done();
      }}
    >
      <${Note} icon="phone" live>${t("phone.sent", { number: sending.phone_number })}<//>
      ${choice}
    <//>
    <button class="btn plain wide" onClick=${() => keep(null)}>${t("phone.again")}</button>
  `;
}

/** Return what became of a portion. @param {Portion} one */
function portionOf(one) {
  if (NOT_SENT.includes(one.state)) return `${t(`line.portion.${one.state}`)} ${one.words ?? ""}`;
  return one.delivered_at ? t("line.portion.sent", { at: when(Date.parse(one.delivered_at)) }) : t("line.portion.coming");
}

/** The portions of a session on the line that its owner has. @param {{one: InternetSession}} props */
function OwnLine({ one }) {
  const path = `/api/v1/sessions/${one.session_id}/portions`;
  const [found, setFound] = useState(/** @type {Portions | null} */ (null));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  const key = useRef(newKey());
  const keep = (/** @type {Portions} */ next) => {
    setFound(next);
    db.put("kv", next, path).catch(() => {});
  };
  useEffect(() => {
    db.get("kv", path).then((kept) => setFound((before) => before ?? kept ?? null));
  }, [path]);
  const coming = (found?.portions ?? []).some((it) => ON_ITS_WAY.includes(it.state));
  useEffect(() => {
    const look = () => read(path).then(keep, () => {});
    look();
    const again = coming && setInterval(look, pace());
    return () => clearInterval(again || undefined);
  }, [path, asked.value, reachable.value, coming]);
  async function send() {
    setBusy(true);
    setProblem(null);
    try {
      keep(await change(path, {}, { key: key.current }));
      key.current = newKey();
    } catch (error) {
      if (error instanceof Problem && !error.passing) key.current = newKey();
      setProblem(error);
    }
    setBusy(false);
  }
  const all = one.allowance_octets ?? 0;
  const drawn = found?.drawn_octets ?? 0;
  const again = problem instanceof Problem && ["number_not_verified", "no_line_yet"].includes(problem.code);
  return html`
    <div class="card">
      <b>${t("line.drawn", { drawn: formatOctets(drawn), all: formatOctets(all) })}</b>
      <div class="gauge" aria-hidden="true"><i style=${{ width: `${all ? (100 * drawn) / all : 0}%` }}></i></div>
      <p class="small soft">${t("line.counts")}</p>
    </div>
    ${
      found &&
      found.portions.length > 0 &&
      html`<ul class="list">
        ${found.portions.map(
          (it) => html`<li class="item" key=${it.number}>
            <span class="dot"><${Icon} name=${NOT_SENT.includes(it.state) ? "alert" : it.delivered_at ? "check" : "clock"} /></span>
            <span class="grow"><b>${formatOctets(it.octets)}</b><span class="small soft">${portionOf(it)}</span></span>
          </li>`,
        )}
      </ul>`
    }
    ${again && html`<${YourNumber} done=${() => setProblem(null)} />`}
    <${Support} about=${one.session_id} />
    <div class="act stick">
      ${problem && html`<${Note} kind="error" live>${words(problem)}<//>`}
      ${!reachable.value && html`<${Note} icon="noline" live>${t("account.offline")}<//>`}
      ${
        !isEnded(one) &&
        drawn < all &&
        html`<button class="btn wide" disabled=${busy || coming} onClick=${send}>
          <${Icon} name="down" />
          ${t(coming ? "line.coming" : found?.portions.length ? "line.send_next" : "line.send")}
        </button>`
      }
    </div>
  `;
}

/** Return the installation data as the screen of the installation takes them. @param {Installation} found @returns {Activation} */
const activationOf = (found) => ({
  activation_code: found.activation_code,
  qr_code_svg: found.qr_code_svg,
  manual_setup: {
    smdp_address: found.smdp_address,
    activation_code: found.activation_code.split("$")[2] ?? "",
    apn: found.apn ?? "",
    user_name: found.user_name ?? "",
    password: found.password ?? "",
  },
});

/** Show whether the line carries data, as the provider reported it last. @param {{service: Service}} props */
const ServiceCard = ({ service }) => html`<section class="card">
  <h2>${t("line.service")}</h2>
  <p>
    <b>${t(`line.observed.${service.observed ?? "unknown"}`)}</b>
    ${service.observed_at && html` <span class="soft">${t("as_of", { age: age(Date.parse(service.observed_at)) })}</span>`}
  </p>
  ${service.wanted_since && !service.confirmed && html`<p class="soft">${t(service.wants_on ? "line.wants_on" : "line.wants_off")}</p>`}
  ${
    service.usage_lag_seconds !== null &&
    html`<p class="small soft">${t("line.lag", { time: duration(1000 * service.usage_lag_seconds) })}</p>`
  }
  ${service.roams && html`<p class="small soft">${t("line.roams")}</p>`}
  ${service.tethering === false && html`<p class="small soft">${t("line.no_tethering")}</p>`}
</section>`;

/** A session on an eSIM of the provider. @param {{one: InternetSession}} props */
function ProviderEsim({ one }) {
  const [found, setFound] = useState(/** @type {Installation | null} */ (null));
  const [service, setService] = useState(/** @type {Service | null} */ (null));
  const [system, choose] = useState(/** @type {"android" | "ios"} */ (isApple ? "ios" : "android"));
  const [problem, setProblem] = useState("");
  const path = `/api/v1/esims/${one.esim_id}`;
  const stored = isStored(one);
  const waits = !stored && !isEnded(one) && !found;
  const settles = service?.wanted_since && !service.confirmed;
  useEffect(() => {
    let gone = false;
    const look = async () => {
      const told = await read(`${path}/service`);
      if (!gone) setService(told);
      if (stored || isEnded(one)) return;
      const data = await read(`${path}/installation`);
      if (gone) return;
      setFound(data);
      setProblem("");
    };
    // "Not yet" is no refusal: the eSIM is being bought.
    const seen = () => look().catch((error) => gone || setProblem(error.code === "no_installation_yet" ? "" : words(error)));
    seen();
    const again = (waits || settles) && setInterval(seen, pace());
    return () => {
      gone = true;
      clearInterval(again || undefined);
    };
  }, [path, stored, waits, Boolean(settles), asked.value, reachable.value]);
  const intent = actions.value.find((action) => action.session_id === one.session_id);
  const systems = html`<div class="seg" role="group" aria-label=${t("activate.system")}>
    ${["android", "ios"].map(
      (it) => html`<button type="button" key=${it} aria-pressed=${system === it} onClick=${() => choose(/** @type {any} */ (it))}>
        ${t(`system.${it}`)}
      </button>`,
    )}
  </div>`;
  return html`
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${waits && !problem && html`<${Note} icon="clock" live><b>${t("line.buying")}</b> ${t("line.buying_lead")}<//>`}
    ${
      found?.confirmation_code &&
      !stored &&
      html`<${Note} icon="key">${t("line.confirmation")} <b class="mono">${found.confirmation_code}</b><//>`
    }
    ${found && !stored && !isEnded(one) && html`${systems}<${Install} one=${one} activation=${activationOf(found)} system=${system} />`}
    ${stored && service && html`<${ServiceCard} service=${service} />`}
    ${intent && html`<${Intent} action=${intent} />`}
    ${stored && !isEnded(one) && html`<${SwitchOn} one=${one} system=${system} systems=${systems} />`}
    <div class="act stick">
      ${
        stored &&
        service?.pauses &&
        html`<button
          class="btn quiet wide"
          onClick=${() => (service.wants_on ? SessionManager.pauseSession(one) : SessionManager.activateDownloadedSession(one))}
        >
          <${Icon} name=${service.wants_on ? "pause" : "play"} />
          ${t(service.wants_on ? "session.pause" : "session.continue")}
        </button>`
      }
      ${stored && service && !service.pauses && html`<p class="small soft centre">${t("line.no_pause")}</p>`}
    </div>
  `;
}

/** @param {{id: string}} props a session, or nothing: then the number of the line is asked for */
export default function Line({ id }) {
  const one = id ? sessionOf(id) : null;
  if (!one)
    return html`
      <${Heading} title=${t("line.number")} lead=${t("line.number_lead")} back="#/choose" />
      <${YourNumber} done=${() => go("choose", true)} />
    `;
  const own = one.line_kind === "own_line";
  return html`
    <${Heading}
      title=${t("size.session", { size: sizeName(one.allowance_octets) })}
      lead=${t(own ? "line.own" : "line.profile")}
      back=${`#/session/${one.session_id}`}
    />
    ${own ? html`<${OwnLine} one=${one} />` : html`<${ProviderEsim} one=${one} />`}
  `;
}
