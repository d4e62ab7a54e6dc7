import { readAll } from "../api.js";
import * as db from "../db.js";
import { formatDay, formatHour, formatOctets, when } from "../format.js";
import { t } from "../i18n.js";
import { Intent } from "../intent.js";
import { want } from "../outbox.js";
import { useEffect, useState } from "../state.js";
import { actions, reachable } from "../store.js";
import { html, Icon } from "../ui.js";

/** @typedef {{starts_at: string, octets: number}} Hour */

/** @typedef {"hour" | "day" | "week"} Span */

/** Return the name of the week of an instant, by its Monday. @param {number} at */
function weekOf(at) {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - ((day.getDay() + 6) % 7));
  return t("statement.week_of", { day: formatDay(day.getTime()) });
}
const NAMES = { hour: formatHour, day: formatDay, week: weekOf };

/**
 * Sum up hours by day or by week, or keep them, the newest first.
 * @param {Hour[]} hours @param {Span} by
 * @returns {{name: string, octets: number}[]}
 */
export function history(hours, by) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const { starts_at, octets } of hours) {
    const name = NAMES[by](Date.parse(starts_at));
    sums.set(name, (sums.get(name) ?? 0) + octets);
  }
  return [...sums].map(([name, octets]) => ({ name, octets })).reverse();
}

/** Show the figures as columns, the oldest at the left. The table below has the same figures. */
/** @param {{rows: {name: string, octets: number}[]}} props */
export function Chart({ rows }) {
  const shown = rows.slice(0, 24).reverse();
  const most = Math.max(...rows.map((one) => one.octets), 1);
  const wide = 240 / Math.max(shown.length, 6);
  return html`<svg class="chart" viewBox="0 0 240 72" preserveAspectRatio="none" aria-hidden="true">
    ${shown.map(({ octets }, at) => {
      const high = Math.max(2, (68 * octets) / most);
      return html`<rect key=${at} x=${wide * (at + 0.15)} y=${70 - high} width=${wide * 0.7} height=${high} rx="2" />`;
    })}
    <path d="M0 71h240" stroke="var(--edge)" />
  </svg>`;
}

/** @typedef {{words: string, created_at: string, answer: string | null}} Said */

/** @param {Said} one */
const answer = (one) => one.answer && html`<br />→ ${one.answer}`;

/** Report that the statement is wrong. Without a network the report is stored and sent later. */
/** @param {{session_id: string, hours: Hour[]}} props */
function Dispute({ session_id, hours }) {
  const path = `/api/v1/sessions/${session_id}/disputes`;
  const [said, setSaid] = useState(/** @type {Said[]} */ ([]));
  const waits = actions.value.find((one) => one.path === path);
  useEffect(() => {
    waits ||
      readAll(path, "disputes").then(
        ({ disputes }) => setSaid(disputes),
        () => {},
      );
  }, [path, waits?.key, reachable.value]);
  /** @param {SubmitEvent} event */
  const send = (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const { words, hour } = Object.fromEntries(new FormData(form));
    form.reset();
    want({ kind: "dispute", path, body: { words, hours: hour ? [hour] : [] } }).catch(() => {});
  };
  return html`
    <form class="stack" style="margin:1rem 0" onSubmit=${send}>
      <div class="field">
        <label for="hour">${t("statement.when")}</label>
        <select id="hour" name="hour">
          <option value="">${t("dispute.all")}</option>
          ${hours.map((one) => html`<option value=${one.starts_at}>${formatHour(Date.parse(one.starts_at))}</option>`)}
        </select>
      </div>
      <div class="field">
        <label for="words">${t("dispute.words")}</label>
        <textarea id="words" name="words" rows="3" maxlength="1000" required></textarea>
      </div>
      <button class="btn quiet wide">${t("dispute.send")}</button>
    </form>
    ${waits && html`<${Intent} action=${waits} />`}
    <div role="status">
      ${
        said.length > 0 &&
        html`<ul class="stack">
          ${said.map(
            (one) =>
              html`<li class="small"><b>${t("dispute.said", { at: when(Date.parse(one.created_at)) })}</b><br />${one.words}
                ${answer(one)}</li>`,
          )}
        </ul>`
      }
    </div>
  `;
}

/** Show the use by hour, as the network reported it. It is stored on the device for when there is no network. */
/** @param {{session_id: string, used_octets: number}} props */
export default function Statement({ session_id, used_octets }) {
  const [hours, setHours] = useState(/** @type {Hour[]} */ ([]));
  const [by, choose] = useState(/** @type {Span} */ ("hour"));
  useEffect(() => {
    const key = `statement ${session_id}`;
    db.get("kv", key).then((kept) => kept && setHours(kept));
    // The records follow the balance by about a second: read them again until both agree.
    let tries = 0;
    /** @type {number | undefined} */
    let later;
    const ask = async () => {
      const statement = await readAll(`/api/v1/sessions/${session_id}/statement`, "hours");
      setHours(statement.hours);
      await db.put("kv", statement.hours, key);
      if (statement.octets < used_octets && ++tries < 5) later = setTimeout(() => ask().catch(() => {}), 1000 * tries);
    };
    ask().catch(() => {});
    return () => clearTimeout(later);
  }, [session_id, used_octets, reachable.value]);
  if (!hours.length) return null;
  const rows = history(hours, by);
  const most = Math.max(...rows.map((one) => one.octets));
  const csv = ["starts_at,octets", ...hours.map((one) => `${one.starts_at},${one.octets}`)].join("\n");
  return html`<section class="card">
    <h2>${t("statement.title")}</h2>
    <div class="seg" role="group" aria-label=${t("statement.title")}>
      ${["hour", "day", "week"].map(
        (one) => html`<button aria-pressed=${by === one} onClick=${() => choose(/** @type {Span} */ (one))}>
          ${t(`statement.${one}`)}
        </button>`,
      )}
    </div>
    <${Chart} rows=${rows} />
    <table class="table">
      <thead class="vh"><tr><th scope="col">${t("statement.when")}</th><th scope="col">${t("receipt.used")}</th></tr></thead>
      <tbody>
        ${rows.slice(0, 24).map(
          (one) => html`<tr key=${one.name}>
            <th scope="row">
              ${one.name}
              <div class="gauge" aria-hidden="true"><i style=${{ width: `${(100 * one.octets) / most}%` }}></i></div>
            </th>
            <td>${formatOctets(one.octets)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    <details>
      <summary>${t("statement.dispute")}<${Icon} name="chevron" /></summary>
      <p class="small soft">${t("statement.dispute_lead")}</p>
      <a class="btn quiet wide" download=${`kswifi-${session_id}.csv`} href=${`data:text/csv,${encodeURIComponent(csv)}`}>
        <${Icon} name="down" />
        ${t("statement.save")}
      </a>
      <${Dispute} session_id=${session_id} hours=${hours} />
    </details>
  </section>`;
}
