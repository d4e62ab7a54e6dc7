// My use: today and this week, the pace, until when it lasts, and the use by hour, day, week and session.
import { read } from "../api.js";
import { now } from "../clock.js";
import * as db from "../db.js";
import { age, formatDay, formatHour, formatMonth, formatOctets, sizeName, when } from "../format.js";
import { add, t } from "../i18n.js";
import { useEffect, useState } from "../state.js";
import { asked, reachable, words } from "../store.js";
import * as texts from "../text/usage.js";
import { Heading, html, Icon, Note } from "../ui.js";
import { Chart } from "./statement.js";

add(texts);

/**
 * @typedef {{starts_at: string, ends_at: string, octets: number, portion_octets: number}} Period
 * @typedef {{today: Period, this_week: Period, last_week: Period, last_week_so_far_octets: number, pace_octets: number | null,
 *   left_octets: number | null, lasts_until: string | null, ends_by: "use" | "validity" | null, lapsing_octets: number | null,
 *   biggest_hours: {starts_at: string, octets: number}[], kept_days: number}} Summary
 * @typedef {{session_id: string, allowance_octets: number | null, state: string, octets: number, counted_by: string,
 *   portions: {number: number, octets: number, state: string, delivered_at: string | null}[]}} SessionUse
 * @typedef {{month: string, csv: string, pdf: string}} Month
 * @typedef {{summary: Summary, sessions: SessionUse[], months: Month[], at: number}} Kept
 */
/** @typedef {"hour" | "day" | "week"} Span */

const SHOWN = 30;

/** Read something that is kept on the device for when there is no network. @template T @param {string} key @param {() => Promise<T>} ask */
function useKept(key, ask) {
  const [found, setFound] = useState(/** @type {T | null} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let gone = false;
    db.get("kv", key).then((kept) => gone || setFound((now) => now ?? kept ?? null));
    ask().then(
      (fresh) => {
        if (gone) return;
        setFound(fresh);
        setProblem("");
        db.put("kv", fresh, key).catch(() => {});
      },
      (error) => gone || setProblem(words(error)),
    );
    return () => {
      gone = true;
    };
  }, [key, asked.value, reachable.value]);
  return { found, problem };
}

/** Compare this week with the last one at the same time of the week. @param {Summary} of */
function comparison({ this_week, last_week_so_far_octets: before }) {
  if (!before) return t("usage.no_week_before");
  const more = this_week.octets - before;
  return t(more > 0 ? "usage.more" : "usage.less", { size: formatOctets(Math.abs(more)) });
}

/** @param {{of: Summary}} props */
const Pace = ({ of }) => html`<section class="stack">
  <dl class="facts">
    <div><dt>${t("usage.today")}</dt><dd>${formatOctets(of.today.octets)}</dd></div>
    <div><dt>${t("usage.this_week")}</dt><dd>${formatOctets(of.this_week.octets)}</dd></div>
    <div><dt>${t("usage.pace")}</dt><dd>${of.pace_octets === null ? "–" : formatOctets(of.pace_octets)}</dd></div>
  </dl>
  <p>${comparison(of)}</p>
  ${
    of.lasts_until &&
    html`<p>
      <b>${t(`usage.lasts.${of.ends_by}`, { at: formatDay(Date.parse(of.lasts_until)) })}</b>
      ${of.lapsing_octets ? html`<br /><span class="soft">${t("usage.lapsing", { size: formatOctets(of.lapsing_octets) })}</span>` : ""}
    </p>`
  }
  ${of.lapsing_octets ? html`<a class="btn quiet wide" href="#/gifts">${t("gifts.give")}</a>` : ""}
</section>`;

/** The use by hour, day or week. */
function History() {
  const [by, choose] = useState(/** @type {Span} */ ("day"));
  const { found } = useKept(`usage ${by}`, () => read(`/api/v1/usage/periods?by=${by}&limit=${SHOWN}`).then(({ periods }) => periods));
  const name = (/** @type {Period} */ { starts_at }) =>
    by === "hour" ? formatHour(Date.parse(starts_at)) : formatDay(Date.parse(starts_at));
  const rows = /** @type {Period[]} */ (found ?? []).map((one) => ({ name: name(one), octets: one.octets, sent: one.portion_octets }));
  return html`<section class="card">
    <h2>${t("statement.title")}</h2>
    <div class="seg" role="group" aria-label=${t("statement.title")}>
      ${["hour", "day", "week"].map(
        (one) => html`<button aria-pressed=${by === one} onClick=${() => choose(/** @type {Span} */ (one))}>
          ${t(`statement.${one}`)}
        </button>`,
      )}
    </div>
    ${!rows.length && html`<p class="soft">${t("usage.none")}</p>`}
    ${
      rows.length > 0 &&
      html`<${Chart} rows=${rows} />
        <table class="table">
          <thead class="vh"><tr><th scope="col">${t("statement.when")}</th><th scope="col">${t("receipt.used")}</th></tr></thead>
          <tbody>
            ${rows.map(
              (one) => html`<tr key=${one.name}>
                <th scope="row">
                  ${by === "week" ? t("statement.week_of", { day: one.name }) : one.name}
                  ${one.sent ? html`<br /><span class="small soft">${t("usage.portions", { size: formatOctets(one.sent) })}</span>` : ""}
                </th>
                <td>${formatOctets(one.octets)}</td>
              </tr>`,
            )}
          </tbody>
        </table>`
    }
  </section>`;
}

/** @param {{list: SessionUse[]}} props */
const BySession = ({ list }) =>
  list.length > 0 &&
  html`<section class="stack">
    <h2>${t("usage.by_session")}</h2>
    <div class="list">
      ${list.map(
        (one) => html`<a class="item" key=${one.session_id} href=${`#/session/${one.session_id}`}>
          <span class="grow">
            <b>${t("size.session", { size: sizeName(one.allowance_octets) })}</b>
            <span class="small soft">
              ${t(`state.${one.state}`)}${one.counted_by === "network" ? "" : ` · ${t(`usage.counted.${one.counted_by}`)}`}
            </span>
          </span>
          <span class="num">${formatOctets(one.octets)}</span>
          <${Icon} name="chevron" />
        </a>`,
      )}
    </div>
  </section>`;

/** The statements of months, as files. @param {{months: Month[]}} props */
const Statements = ({ months }) =>
  months.length > 0 &&
  html`<section class="stack">
    <h2>${t("usage.statements")}</h2>
    <ul class="list">
      ${months.map(
        ({ month, csv, pdf }) => html`<li class="item" key=${month}>
          <span class="grow">${formatMonth(Date.parse(`${month}-15`))}</span>
          <a class="btn plain" href=${pdf} download aria-label=${`${formatMonth(Date.parse(`${month}-15`))}, PDF`}>PDF</a>
          <a class="btn plain" href=${csv} download aria-label=${`${formatMonth(Date.parse(`${month}-15`))}, CSV`}>CSV</a>
        </li>`,
      )}
    </ul>
  </section>`;

export default function Usage() {
  const { found, problem } = useKept("usage", async () => {
    const [summary, { sessions }, { months }] = await Promise.all([
      read("/api/v1/usage"),
      read(`/api/v1/usage/sessions?limit=${SHOWN}`),
      read("/api/v1/statements?limit=12"),
    ]);
    return /** @type {Kept} */ ({ summary, sessions, months, at: now() });
  });
  return html`
    <${Heading} title=${t("usage.title")} back="#/settings" />
    ${problem && html`<${Note} icon="noline" live>${problem} ${found ? t("as_of", { age: age(found.at) }) : ""}<//>`}
    ${found && html`<${Pace} of=${found.summary} />`}
    <${History} />
    ${found && html`<${BySession} list=${found.sessions} />`}
    ${
      found &&
      found.summary.biggest_hours.length > 0 &&
      html`<section class="stack">
        <h2>${t("usage.biggest")}</h2>
        <ul class="list">
          ${found.summary.biggest_hours.map(
            (one) => html`<li class="item" key=${one.starts_at}>
              <span class="grow">${when(Date.parse(one.starts_at))}</span>
              <span class="num">${formatOctets(one.octets)}</span>
            </li>`,
          )}
        </ul>
      </section>`
    }
    ${found && html`<${Statements} months=${found.months} />`}
    <${Note}>${t("usage.nobody_knows")} ${found ? t("usage.kept", { n: found.summary.kept_days }) : ""}<//>
  `;
}
