import { formatOctets, lastDay, sizeName } from "../format.js";
import { t } from "../i18n.js";
import { Meter } from "../meter.js";
import { packageOf, SessionManager, wasRefused } from "../road.js";
import { go } from "../router.js";
import { useEffect, useState } from "../state.js";
import { endOf } from "../steps.js";
import { isEnded, isProvided, isStored, phone, profiles, progress, sessionOf, stateOf } from "../store.js";
import { Support } from "../support.js";
import { Heading, html, Icon, Note } from "../ui.js";

/** @import {InternetSession} from "../types.d.ts" */

/** Show a stored session and the steps that were done. @param {{one: InternetSession, sealed: boolean}} props */
const Ready = ({ one, sealed }) => html`
  <div class="hero">
    <${Meter} one=${one} small />
    <span class="badge line">${t("stored.badge")}</span>
  </div>
  <ul class="list checks">
    <li class="item">
      <span class="dot"><${Icon} name="check" /></span>
      <span class="grow">${t("progress.downloaded", { size: sizeName(one.allowance_octets) })}</span>
    </li>
    ${sealed && html`<li class="item"><span class="dot"><${Icon} name="seal" /></span><span class="grow">${t("seal.ok")}</span></li>`}
    <li class="item"><span class="dot"><${Icon} name="chip" /></span><span class="grow">${t("progress.proved")}</span></li>
  </ul>
`;

/** Show the progress from the WiFi over the phone to the eSIM. @param {{at: number, moving: boolean, done: boolean}} props */
const Way = ({ at, moving, done }) => html`<div class="card">
  <div class="road" aria-hidden="true">
    <span class="node on"><${Icon} name="wifi" /></span>
    <span class=${`leg ${at > 1 ? "on" : moving ? "on moving" : ""}`}></span>
    <span class=${`node ${at > 1 ? "on" : ""}`}><${Icon} name="phone" /></span>
    <span class=${`leg ${done ? "on" : at === 2 && moving ? "on moving" : ""}`}></span>
    <span class=${`node ${done ? "on" : ""}`}><${Icon} name="chip" /></span>
  </div>
</div>`;

/** @param {{id: string}} props */
export default function ProgressScreen({ id }) {
  const [sealed, setSealed] = useState(false);
  const one = sessionOf(id);
  const now = progress.value[id];
  const state = one?.state;
  useEffect(() => {
    if (one && isStored(one) && !sealed)
      packageOf(one).then(
        (verified) => setSealed(Boolean(verified)),
        () => {},
      );
    // Where a data provider delivers it, the screen of the line goes on from here.
    if (one && isProvided(one) && state === "transferring") go(`line/${id}`, true);
  }, [state]);
  if (!one) return html`<${Heading} title=${t("session.unknown")} /><a class="btn quiet wide" href="#/home">${t("nav.home")}</a>`;
  const done = isStored(one) || stateOf(one) === "exhausted";
  const ended = isEnded(one) && !done;
  const at = done ? 3 : ["downloaded", "transferring"].includes(one.state) ? 2 : 1;
  const size = sizeName(one.allowance_octets);
  const received = now?.received ?? 0;
  const total = now?.total ?? one.package_octets;
  const refused = wasRefused(one);
  // Outside the lab nothing moves before the user has installed the profile.
  const install = at === 2 && !phone.value && !refused;
  const waits = install && profiles.value[one.esim_id] !== "downloaded";
  const paused = (now?.running === false || !now) && !refused;
  const titles = [
    [ended, endOf(one)],
    [done, t("progress.ready")],
    [refused, t("refused.title")],
    [waits, t("progress.waiting")],
    [at === 2, t("progress.transferring")],
    [paused, t("progress.paused", { size })],
    [true, t("progress.downloading", { size })],
  ];
  const title = /** @type {string} */ (titles.find(([is]) => is)?.[1]);
  return html`
    <${Heading} title=${title} lead=${ended ? "" : t("until", { day: lastDay(one.valid_until) })} />
    ${
      done
        ? html`<${Ready} one=${one} sealed=${sealed} />`
        : html`
          <${Way} at=${at} moving=${!paused && !waits && !refused && !ended} done=${done} />
          ${
            at === 1 &&
            !ended &&
            html`<div class="card">
              <p class="soft">${t("progress.small", { octets: total ? formatOctets(total) : t("progress.few") })}</p>
              ${
                total &&
                html`
                  <div
                    class="gauge"
                    role="progressbar"
                    aria-label=${title}
                    aria-valuemin="0"
                    aria-valuemax=${total}
                    aria-valuenow=${received}
                  >
                    <i style=${{ width: `${(100 * received) / total}%` }}></i>
                  </div>
                  <span class="num small">${t("progress.octets", { received: formatOctets(received), total: formatOctets(total) })}</span>
                `
              }
            </div>`
          }
          ${at === 2 && html`<p class="soft">${t(refused ? "refused.lead" : install ? "progress.install" : "progress.transfer_lead")}</p>`}
        `
    }
    ${now?.elsewhere && !done && html`<${Note} icon="clock" live>${t("progress.elsewhere")}<//>`}
    ${now?.problem && !done && html`<${Note} kind="error" live>${now.problem}<//>`}
    ${(refused || one.state === "failed") && html`<${Support} about=${one.session_id} />`}
    <div class="act stick">
      ${
        done
          ? html`<a class="btn wide" href=${`#/activate/${id}`}>${t("activate.button")}</a>`
          : ended
            ? html`<a class="btn wide" href="#/choose">${t("home.download")}</a>`
            : install
              ? html`<a class="btn wide" href=${`#/activate/${id}`}>${t("activate.install")}</a>`
              : paused || refused
                ? html`<button class="btn wide" onClick=${() => SessionManager.resumeDownload(id)}>
                  <${Icon} name="play" />
                  ${t(refused ? "refused.again" : "resume")}
                </button>`
                : html`<button class="btn quiet wide" onClick=${() => SessionManager.pauseDownload(id)}>
                  <${Icon} name="pause" />
                  ${t("pause")}
                </button>`
      }
      ${
        !done &&
        !ended &&
        html`<button
          class="btn plain wide"
          onClick=${() => {
            SessionManager.cancel(id);
            go("home");
          }}
        >
          ${t(at === 2 ? "session.give_back" : "cancel")}
        </button>`
      }
    </div>
  `;
}
