// Show the figures of a session in use: the time left, the pace, and the age of the figures.
import { now } from "./clock.js";
import { duration, runsOutAt, when } from "./format.js";
import { t } from "./i18n.js";
import { html, Note } from "./ui.js";

/** @import {InternetSession} from "./types.d.ts" */

/** @param {{one: InternetSession}} props */
export function Facts({ one }) {
  const out = one.state === "active" ? runsOutAt(one) : null;
  const limited = html`<${Note} icon="pause" live>
    ${t("alert.limit_reached")}<br /><a class="btn plain inline" href=${`#/limits/${one.esim_id}`}>${t("limits.title")}</a>
  <//>`;
  return html`${one.hold === "limited" && limited}<dl class="facts">
    <div><dt>${t("fact.time_left")}</dt><dd>${duration(one.valid_until - now())}</dd></div>
    ${out !== null && html`<div><dt>${t("fact.pace")}</dt><dd>${out > one.valid_until ? t("fact.lasts") : when(out)}</dd></div>`}
    <div><dt>${t("fact.as_of")}</dt><dd>${one.as_of ? when(one.as_of) : "–"}</dd></div>
  </dl>`;
}
