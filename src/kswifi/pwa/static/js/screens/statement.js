import { useEffect, useState } from "preact/hooks";
import { read } from "../api.js";
import * as db from "../db.js";
import { formatDay, formatHour, formatOctets } from "../format.js";
import { t } from "../i18n.js";
import { Icon, html } from "../ui.js";

/** @typedef {{starts_at: string, octets: number}} Hour */

/**
 * Hours put together by day or left as they are, the newest first.
 * @param {Hour[]} hours @param {"hour" | "day"} by
 * @returns {{name: string, octets: number}[]}
 */
export function history(hours, by) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const { starts_at, octets } of hours) {
    const name = (by === "day" ? formatDay : formatHour)(Date.parse(starts_at));
    sums.set(name, (sums.get(name) ?? 0) + octets);
  }
  return [...sums].map(([name, octets]) => ({ name, octets })).reverse();
}

/** What was used in which hour, as the network's records say; kept on the device for when there is no network. */
/** @param {{session_id: string, used_octets: number}} props */
export default function Statement({ session_id, used_octets }) {
  const [hours, setHours] = useState(/** @type {Hour[]} */ ([]));
  const [by, choose] = useState(/** @type {"hour" | "day"} */ ("hour"));
  useEffect(() => {
    const key = `statement ${session_id}`;
    db.get("kv", key).then((kept) => kept && setHours(kept));
    // The records follow the balance by a second or so: ask again until both say the same.
    let tries = 0;
    /** @type {number | undefined} */
    let later;
    const ask = async () => {
      const statement = await read(`/api/v1/sessions/${session_id}/statement`);
      setHours(statement.hours);
      await db.put("kv", statement.hours, key);
      if (statement.octets < used_octets && ++tries < 5) later = setTimeout(() => ask().catch(() => {}), 1000 * tries);
    };
    ask().catch(() => {});
    return () => clearTimeout(later);
  }, [session_id, used_octets]);
  if (!hours.length) return null;
  const rows = history(hours, by);
  const most = Math.max(...rows.map((one) => one.octets));
  const csv = ["starts_at,octets", ...hours.map((one) => `${one.starts_at},${one.octets}`)].join("\n");
  return html`<section class="card"><h2>${t("statement.title")}</h2>
    <div class="seg" role="group" aria-label=${t("statement.title")}>${["hour", "day"].map((one) => html`<button aria-pressed=${by === one} onClick=${() => choose(/** @type {"hour" | "day"} */ (one))}>${t(`statement.${one}`)}</button>`)}</div>
    <table class="table"><thead class="vh"><tr><th scope="col">${t("statement.when")}</th><th scope="col">${t("receipt.used")}</th></tr></thead>
      <tbody>${rows.slice(0, 24).map((one) => html`<tr key=${one.name}><th scope="row">${one.name}<div class="gauge" aria-hidden="true"><i style=${{ width: `${(100 * one.octets) / most}%` }}></i></div></th><td>${formatOctets(one.octets)}</td></tr>`)}</tbody></table>
    <details><summary>${t("statement.dispute")}<${Icon} name="chevron" /></summary><p class="small soft">${t("statement.dispute_lead")}</p>
      <a class="btn quiet wide" download=${`kswifi-${session_id}.csv`} href=${`data:text/csv,${encodeURIComponent(csv)}`}><${Icon} name="down" />${t("statement.save")}</a></details></section>`;
}
