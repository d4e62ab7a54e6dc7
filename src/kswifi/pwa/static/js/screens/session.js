import { Facts } from "../facts.js";
import { formatOctets, lastDay, sizeName, when } from "../format.js";
import { t } from "../i18n.js";
import { Intent } from "../intent.js";
import { Meter } from "../meter.js";
import { beTold, pushHere, pushOn } from "../push.js";
import { packageOf, SessionManager } from "../road.js";
import { useEffect, useState } from "../state.js";
import { endOf, stepsOf } from "../steps.js";
import {
  actions,
  activity,
  current,
  isEnded,
  isProvided,
  isStored,
  preferences,
  say,
  sessionOf,
  stateOf,
  storedInOrder,
  words,
} from "../store.js";
import { Support } from "../support.js";
import { Heading, html, Icon, Note, Row } from "../ui.js";
import Statement from "./statement.js";

/** @import {InternetSession, VerifiedPackage} from "../types.d.ts" */

/** Show what to do after a session is used up. @param {{one: InternetSession}} props */
function Finished({ one }) {
  const next = storedInOrder().filter((other) => other !== one);
  return html`
    <${Note} icon="wifi" live>
      <b>${t("finished.title")}</b><br />${t(next.length ? "finished.next" : "finished.lead")}<br />
      <a class="btn plain inline" href="#/venues">${t("venues.link")}</a>
    <//>
    ${next.map(
      (other) => html`<a class="pass" key=${other.session_id} href=${`#/activate/${other.session_id}`}>
        <div class="row between"><b>${t("size.session", { size: sizeName(other.allowance_octets) })}</b><${Icon} name="chevron" /></div>
      </a>`,
    )}
  `;
}

/** Lead to giving some of it away, to limits, and to moving it to a new phone; or to the line of a data provider. */
/** @param {{one: InternetSession}} props */
const Further = ({ one }) => html`<div class="list">
  ${
    isProvided(one)
      ? html`<${Row} icon="line" to=${`line/${one.session_id}`} name=${t("line.title")} />`
      : html`
        ${one.left_octets && html`<${Row} icon="wifi" to=${`gifts/${one.session_id}`} name=${t("gifts.give")} />`}
        <${Row} icon="pause" to=${`limits/${one.esim_id}`} name=${t("limits.title")} />
        <${Row} icon="phone" to=${`move/${one.esim_id}`} name=${t("new_esim.title")} />
      `
  }
</div>`;

/** @param {{id: string}} props */
export default function Session({ id }) {
  const one = id ? sessionOf(id) : current.value;
  const [verified, setVerified] = useState(/** @type {VerifiedPackage | null} */ (null));
  useEffect(() => {
    if (one && (isStored(one) || isEnded(one))) packageOf(one).then(setVerified, () => {});
  }, [one?.session_id]);
  if (!one) return html`<${Heading} title=${t("session.unknown")} /><a class="btn quiet wide" href="#/home">${t("nav.home")}</a>`;
  const waiting = actions.value.find((action) => action.session_id === one.session_id);
  const seen = stepsOf(activity.value.filter((entry) => entry.session_id === one.session_id));
  const rows = /** @type {[string, string][]} */ ([
    ["receipt.size", one.allowance_octets === null ? sizeName(null) : formatOctets(one.allowance_octets)],
    ["receipt.used", formatOctets(one.used_octets)],
    ["receipt.ordered", when(one.ordered_at)],
    ["receipt.until", lastDay(one.valid_until)],
    ...(one.storage_proof ? [["receipt.proof", t(`proof.${one.storage_proof}`)]] : []),
    ...(verified
      ? [
          ["receipt.iccid", verified.manifest.iccid],
          ["receipt.key", verified.kid.slice(0, 16)],
        ]
      : []),
    ["receipt.id", one.session_id],
  ]);
  return html`
    <${Heading} title=${t("size.session", { size: sizeName(one.allowance_octets) })} back="#/home" />
    <div class="hero">
      <${Meter} one=${one} />
      <span class=${`badge ${stateOf(one) === "active" ? "" : "grey"}`} role="status">${endOf(one).toUpperCase()}</span>
    </div>
    ${one.state === "exhausted" && html`<${Finished} one=${one} />`}
    ${one.state === "failed" && html`<${Note} kind="error">${t("session.failed")}<//><${Support} about=${one.session_id} />`}
    ${!isEnded(one) && one.waits && html`<${Note} icon="clock" live>${t("session.waits")}<//>`}
    ${!isEnded(one) && html`<${Facts} one=${one} />`}
    ${
      !isEnded(one) &&
      pushHere &&
      pushOn.value === false &&
      preferences.value.alerts &&
      Notification.permission !== "denied" &&
      html`<div class="card">
        <p>${t("push.ask")}</p>
        <button
          class="btn quiet wide"
          onClick=${() =>
            beTold().then(
              (told) => say(t(told ? "push.on" : "settings.alerts_denied")),
              (error) => say(words(error)),
            )}
        >
          <${Icon} name="bell" />
          ${t("push.yes")}
        </button>
      </div>`
    }
    ${waiting && html`<${Intent} action=${waiting} />`}
    ${one.used_octets > 0 && html`<${Statement} session_id=${one.session_id} used_octets=${one.used_octets} />`}
    <details class="card">
      <summary>${t("receipt.title")}<${Icon} name="chevron" /></summary>
      <table class="table">
        <tbody>
          ${rows.map(([name, value]) => html`<tr key=${name}><th scope="row" class="soft">${t(name)}</th><td>${value}</td></tr>`)}
        </tbody>
      </table>
      <p class="small soft">${t("receipt.units")}</p>
    </details>
    ${
      seen.length > 0 &&
      html`<section class="stack">
        <h2>${t("session.seen")}</h2>
        <ul class="list">
          ${seen.map(
            (entry) => html`<li class="item" key=${entry.sequence}>
              <span class="grow">${entry.text}</span>
              <span class="small soft num">${when(entry.at)}</span>
            </li>`,
          )}
        </ul>
      </section>`
    }
    ${
      verified &&
      html`<details class="card">
        <summary>${t("session.terms")}<${Icon} name="chevron" /></summary>
        <p class="small soft" style="white-space:pre-line">${verified.terms}</p>
      </details>`
    }
    ${!isEnded(one) && isStored(one) && html`<${Further} one=${one} />`}
    <div class="act stick">
      ${
        one.state === "active" &&
        !isEnded(one) &&
        !isProvided(one) &&
        html`<button class="btn quiet wide" onClick=${() => SessionManager.pauseSession(one)}>
          <${Icon} name="pause" />
          ${t("session.pause")}
        </button>`
      }
      ${
        one.state === "paused" &&
        !isEnded(one) &&
        html`<button class="btn wide" onClick=${() => SessionManager.activateDownloadedSession(one)}>
          <${Icon} name="play" />
          ${t("session.continue")}
        </button>`
      }
      ${
        one.state === "stored" &&
        !isEnded(one) &&
        html`
          <a class="btn wide" href=${`#/activate/${one.session_id}`}>${t("activate.button")}</a>
          <button class="btn plain wide" onClick=${() => SessionManager.cancel(one.session_id)}>${t("session.give_back")}</button>
        `
      }
      ${isEnded(one) && html`<a class="btn wide" href="#/choose"><${Icon} name="down" />${t("home.download")}</a>`}
    </div>
  `;
}
