import { behindDoor, Door, InstallApp } from "../doors.js";
import { Facts } from "../facts.js";
import { age, lastDay, sizeName, when } from "../format.js";
import { t } from "../i18n.js";
import { Meter } from "../meter.js";
import { useEffect } from "../state.js";
import { stepsOf } from "../steps.js";
import {
  account,
  actions,
  activity,
  asOf,
  current,
  esimOff,
  isEnded,
  isUnderWay,
  loadOrders,
  ordering,
  pass,
  progress,
  reachable,
  sessions,
  stateOf,
  storedInOrder,
} from "../store.js";
import { Chip, Heading, html, Icon, Insecure, Note, Row, Size } from "../ui.js";

/** @import {InternetSession} from "../types.d.ts" */

/** A picture of WiFi going into a card. */
const Art = () => html`<svg class="art" viewBox="0 0 240 150" fill="none" aria-hidden="true" stroke-linecap="round">
  <rect x="78" y="56" width="84" height="88" rx="16" fill="var(--card)" stroke="var(--line)" stroke-width="2" />
  <path d="M138 57v12a8 8 0 0 0 8 8h15" stroke="var(--line)" stroke-width="2" />
  <g transform="translate(94 88)" stroke="var(--mark)" stroke-width="2.2">
    <rect width="52" height="38" rx="9" />
    <path d="M0 13h16v12H0M52 13H36v12h16M16 13c0-6 4-5 4-13M36 13c0-6-4-5-4-13M16 25c0 6 4 5 4 13M36 25c0 6-4 5-4 13M16 13v12M36 13v12" />
  </g>
  <g stroke="var(--mark)" stroke-width="7">
    <path d="M86 30a48 48 0 0 1 68 0" opacity=".35" />
    <path d="M100 42a29 29 0 0 1 40 0" opacity=".7" />
  </g>
</svg>`;

/** @param {{one: InternetSession}} props */
function InUse({ one }) {
  return html`<section class="stack" aria-label=${t(`state.${stateOf(one)}`)}>
    <div class="hero">
      <${Meter} one=${one} />
      <span class=${`badge ${one.state === "active" ? "" : "grey"}`}>${t(`state.${stateOf(one)}`).toUpperCase()}</span>
    </div>
    <${Facts} one=${one} />
    <a class="btn quiet wide" href=${`#/session/${one.session_id}`}>${t("home.details")}<${Icon} name="chevron" /></a>
  </section>`;
}

/** @param {{one: InternetSession}} props */
function Stored({ one }) {
  const intent = actions.value.some((action) => action.kind === "activate" && action.session_id === one.session_id);
  return html`<a class="pass" href=${`#/activate/${one.session_id}`}>
    <div class="row between">
      <div class="grow">
        <${Size} octets=${one.allowance_octets} />
        <p class="small soft">${t("until", { day: lastDay(one.valid_until) })}</p>
      </div>
      <${Chip} />
    </div>
    <p class="small"><span class="badge line">${t(intent ? "intent.badge" : "stored.badge")}</span></p>
  </a>`;
}

/** @param {{one: InternetSession}} props */
function UnderWay({ one }) {
  const now = progress.value[one.session_id];
  return html`<a class="item" href=${`#/progress/${one.session_id}`}>
    <span class="dot"><${Icon} name="down" /></span>
    <span class="grow">
      <b>${t("size.session", { size: sizeName(one.allowance_octets) })}</b>
      <span class="small soft">${t(`state.${stateOf(one)}`)}${now?.running === false ? ` · ${t("paused.here")}` : ""}</span>
    </span>
    <${Icon} name="chevron" />
  </a>`;
}

function Recent() {
  const entries = stepsOf(activity.value)
    .slice(0, 4)
    .map((one) => ({ one, about: sessions.value.find((s) => s.session_id === one.session_id) }));
  if (!entries.length) return null;
  return html`<section class="stack">
    <h2>${t("home.recent")}</h2>
    <ul class="list">
      ${entries.map(
        ({ one, about }) => html`<li class="item" key=${one.sequence}>
          <span class="dot"><${Icon} name=${one.what === "active" ? "line" : one.bad ? "alert" : "check"} /></span>
          <span class="grow">
            <b>${about ? t("size.session", { size: sizeName(about.allowance_octets) }) : t("size.a_session")}</b>
            <span class="small soft">${one.text}</span>
          </span>
          <span class="small soft num">${when(one.at)}</span>
        </li>`,
      )}
    </ul>
  </section>`;
}

/** The three steps, for a user without a session. */
const ThreeSteps = () => html`<ol class="list">
  ${
    /** @type {const} */ (["wifi", "chip", "line"]).map(
      (icon, at) => html`<li class="item">
        <span class="dot"><${Icon} name=${icon} /></span>
        <span class="grow"><b>${t(`welcome.${at + 1}`)}</b><span class="small soft">${t(`welcome.${at + 1}.more`)}</span></span>
      </li>`,
    )
  }
</ol>`;

function Welcome() {
  return html`
    <${Heading} title=${t("home.title")} hidden />
    <${Insecure} />
    <div class="empty">
      <${Art} />
      <h2 style="font-size:2rem;line-height:1.12;letter-spacing:-.03em">${t("welcome.title")}</h2>
      <p class="soft">${t("home.lead")}</p>
    </div>
    ${
      behindDoor
        ? html`<${Door} />`
        : html`
          <${ThreeSteps} />
          <div class="list"><${Row} icon="phone" to="device" name=${t("device.title")} hint=${t("device.teaser")} /></div>
          <div class="act stick">
            <a class="btn wide" href="#/account/new">${t("account.sign_up")}</a>
            <a class="btn plain wide" href="#/account">${t("account.sign_in")}</a>
          </div>
        `
    }
  `;
}

/**
 * The button for the one thing that is next.
 * @param {{stored: InternetSession[], under: InternetSession[], one: InternetSession | null}} props
 */
function Next({ stored, under, one }) {
  const other = (/** @type {string} */ kind) => html`<a class=${`btn wide ${kind}`} href="#/choose">
    <${Icon} name="down" />
    ${t("home.download")}
  </a>`;
  const install = under.find((it) => progress.value[it.session_id]?.stage === "install");
  return html`<div class="act stick">
    ${
      one
        ? other("quiet")
        : install
          ? html`<a class="btn wide" href=${`#/activate/${install.session_id}`}><${Icon} name="chip" />${t("activate.install")}</a>`
          : stored.length
            ? html`
              <a class="btn wide" href=${`#/activate/${stored[0].session_id}`}><${Icon} name="line" />${t("activate.button")}</a>
              <a class="btn plain wide" href="#/choose">${t("home.download")}</a>
            `
            : other("")
    }
  </div>`;
}

export default function Home() {
  const stored = storedInOrder();
  useEffect(() => {
    if (stored.length > 1) loadOrders().catch(() => {});
  }, [stored.length]);
  if (!account.value) return html`<${Welcome} />`;
  const one = current.value;
  const under = sessions.value.filter(isUnderWay);
  const ended = sessions.value.filter(isEnded);
  const finished = !one && !stored.length && ended[0]?.state === "exhausted";
  const live = Boolean(one || stored.length || under.length);
  return html`
    <${Heading} title=${t("home.title")} hidden />
    ${
      !reachable.value &&
      html`<${Note} icon="noline" live>${t("offline.note")} ${asOf.value ? t("as_of", { age: age(asOf.value) }) : ""}<//>`
    }
    ${esimOff.value && html`<${Note} icon="chip" live>${t("esim.off")}<//>`}
    ${one && html`<${InUse} one=${one} />`}
    ${
      finished &&
      html`<${Note} icon="wifi">
        <b>${t("finished.title")}</b><br />${t("finished.lead")}<br /><a class="btn plain inline" href="#/venues">${t("venues.link")}</a>
      <//>`
    }
    ${!live && !finished && html`<div class="empty"><${Art} /><h2>${t("home.empty")}</h2><p class="soft">${t("home.lead")}</p></div>`}
    ${!live && !finished && !ordering.value && html`<${ThreeSteps} />`}
    ${
      ordering.value &&
      html`<a class="note" href="#/choose" style="color:inherit;text-decoration:none">
        <${Icon} name="clock" />
        <span class="grow"><b>${t("ordering.title")}</b> ${t("ordering.lead", { since: when(ordering.value.since) })}</span>
      </a>`
    }
    ${
      under.length > 0 &&
      html`<section class="stack">
        <h2>${t("home.under_way")}</h2>
        <div class="list">${under.map((other) => html`<${UnderWay} one=${other} key=${other.session_id} />`)}</div>
      </section>`
    }
    ${
      stored.length > 0 &&
      html`<section class="stack">
        <h2>${t("home.stored")}</h2>
        ${stored.map((other) => html`<${Stored} one=${other} key=${other.session_id} />`)}
      </section>`
    }
    ${
      pass.value?.active &&
      pass.value.ends_at &&
      html`<div class="list">
        <${Row} icon="seal" to="pass" name=${t("pass.title")} hint=${t("until", { day: lastDay(Date.parse(pass.value.ends_at)) })} />
      </div>`
    }
    <${Recent} />
    ${stored.length > 0 && html`<${InstallApp} />`}
    <${Next} stored=${stored} under=${under} one=${one} />
  `;
}
