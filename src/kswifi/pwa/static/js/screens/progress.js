import { formatOctets, lastDay, sizeName } from "../format.js";
import { t } from "../i18n.js";
import { SessionManager, storedPackage } from "../road.js";
import { go } from "../router.js";
import { useEffect, useState } from "../state.js";
import { isEnded, isStored, phone, progress, sessionOf } from "../store.js";
import { Heading, html, Icon, Note } from "../ui.js";

/** @param {{id: string}} props */
export default function ProgressScreen({ id }) {
  const [seal, setSeal] = useState("");
  const one = sessionOf(id);
  const now = progress.value[id];
  const state = one?.state;
  useEffect(() => {
    if (one && !seal)
      storedPackage(one).then(
        (verified) => verified && setSeal(verified.kid),
        () => {},
      );
  }, [state]);
  if (!one) return html`<${Heading} title=${t("session.unknown")} /><a class="btn quiet wide" href="#/home">${t("nav.home")}</a>`;
  const done = isStored(one) || one.state === "exhausted";
  const ended = isEnded(one) && !done;
  const at = done ? 3 : ["downloaded", "transferring"].includes(one.state) ? 2 : 1;
  const size = sizeName(one.allowance_octets);
  const right = one.allowance_octets === null ? size : formatOctets(one.allowance_octets);
  const received = now?.received ?? 0;
  const total = now?.total ?? one.package_octets;
  const title = ended
    ? t(`state.${one.state}`)
    : done
      ? t("progress.ready")
      : at === 2
        ? t("progress.transferring")
        : t("progress.downloading", { size });
  const install = at === 2 && !phone.value;
  const paused = now?.running === false || !now;
  const mark = (/** @type {number} */ step) => (at > step || done ? "done" : at === step ? "now" : "");
  const bullet = (/** @type {number} */ step) => (at > step || done ? html`<${Icon} name="check" />` : step);

  return html`
    <${Heading} title=${title} lead=${ended ? (one.reason ?? "") : t("until", { day: lastDay(one.valid_until) })} />
    <div class="card">
      <div class="road" aria-hidden="true">
        <span class=${`node ${at >= 1 ? "on" : ""}`}><${Icon} name="wifi" /></span>
        <span class=${`leg ${at >= 2 ? "on" : at === 1 && !paused ? "on moving" : ""}`}></span>
        <span class=${`node ${at >= 2 ? "on" : ""}`}><${Icon} name="phone" /></span>
        <span class=${`leg ${done ? "on" : at === 2 && !paused && !install ? "on moving" : ""}`}></span>
        <span class=${`node ${done ? "on" : ""}`}><${Icon} name="chip" /></span>
      </div>
    </div>
    <ol class="steps card">
      <li class=${mark(1)}>
        <span class="bullet">${bullet(1)}</span>
        <b>${t(at > 1 ? "progress.downloaded" : "progress.downloading", { size })}</b>
        <div class="body small">
          <span class="soft">${t("progress.right", { size: right, octets: total ? formatOctets(total) : "…" })}</span>
          ${
            at === 1 && total
              ? html`
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
                <span class="num">${t("progress.octets", { received: formatOctets(received), total: formatOctets(total) })}</span>
              `
              : null
          }
          ${seal && html`<span class="row" style="gap:.4rem"><span class="mark"><${Icon} name="seal" /></span>${t("seal.ok")}</span>`}
        </div>
      </li>
      <li class=${mark(2)}>
        <span class="bullet">${bullet(2)}</span>
        <b>${t(done ? "progress.transferred" : "progress.transferring")}</b>
        <div class="body small"><span class="soft">${t(done ? "progress.proved" : "progress.transfer_lead")}</span></div>
      </li>
      <li class=${done ? "done" : ""}>
        <span class="bullet">${done ? html`<${Icon} name="check" />` : 3}</span>
        <b>${t("progress.ready")}</b>
      </li>
    </ol>
    ${now?.problem && !done && html`<${Note} kind="error" live>${now.problem}<//>`}
    ${install && html`<${Note} icon="chip">${t("progress.install")}<//>`}
    <div class="act stick">
      ${
        done
          ? html`<a class="btn wide" href=${`#/activate/${id}`}>${t("activate.button")}</a>`
          : ended
            ? html`<a class="btn wide" href="#/choose">${t("home.download")}</a>`
            : install
              ? html`<a class="btn wide" href=${`#/activate/${id}`}>${t("activate.install")}</a>`
              : paused
                ? html`<button class="btn wide" onClick=${() => SessionManager.resumeDownload(id)}>
                  <${Icon} name="play" />
                  ${t("resume")}
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
          onClick=${async () => {
            await SessionManager.cancel(id);
            go("home");
          }}
        >
          ${t("cancel")}
        </button>`
      }
    </div>
  `;
}
