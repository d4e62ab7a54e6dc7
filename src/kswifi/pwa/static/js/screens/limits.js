// Limits that people set on a line of theirs: a pause that ends by itself, and the most that a day uses.
import { change, newKey, Problem, read } from "../api.js";
import { now } from "../clock.js";
import * as db from "../db.js";
import { formatOctets, when } from "../format.js";
import { add, t } from "../i18n.js";
import { SessionManager } from "../road.js";
import { useEffect, useRef, useState } from "../state.js";
import { asked, current, isEnded, isStored, preferences, reachable, say, sessions, words } from "../store.js";
import * as texts from "../text/limits.js";
import { Heading, html, Icon, Note } from "../ui.js";

add(texts);

/**
 * @typedef {{offered: boolean, not_offered_because: string | null, least_octets: number, longest_pause_hours: number,
 *   daily_octets: number | null, used_today_octets: number | null, lifted_today: boolean, day_ends_at: string | null,
 *   limit_reached: boolean, pause_ends_at: string | null, hold: string | null, back_at: string | null}} Limits
 */

const SIZES = [50e6, 100e6, 250e6, 500e6, 1e9];
const HOUR = 36e5;

/** The ends of a pause that can be chosen, at this instant. @returns {[string, number][]} */
function ends() {
  const morning = new Date(now());
  morning.setDate(morning.getDate() + 1);
  morning.setHours(6, 0, 0, 0);
  return [
    ["hour", now() + HOUR],
    ["hours", now() + 4 * HOUR],
    ["morning", morning.getTime()],
    ["week", now() + 168 * HOUR],
  ];
}

/** @param {{id: string}} props the eSIM, or nothing for that of the session in use */
export default function LineLimits({ id }) {
  const esim_id = id || (current.value ?? sessions.value.find((one) => isStored(one)))?.esim_id || "";
  const path = `/api/v1/esims/${esim_id}/limits`;
  const one = sessions.value.find((it) => it.esim_id === esim_id && isStored(it) && !isEnded(it));
  const [found, setFound] = useState(/** @type {Limits | null} */ (null));
  const [until, setUntil] = useState("hour");
  const [size, setSize] = useState(/** @type {number | null | undefined} */ (undefined));
  const [problem, setProblem] = useState("");
  const sent = useRef({ what: "", key: "" });
  const keep = (/** @type {Limits} */ next) => {
    setFound(next);
    db.put("kv", next, path).catch(() => {});
  };
  const moving = Boolean(found && (found.limit_reached || found.pause_ends_at));
  useEffect(() => {
    if (!esim_id) return;
    db.get("kv", path).then((kept) => setFound((before) => before ?? kept ?? null));
    const look = () =>
      read(path).then(
        (fresh) => {
          keep(fresh);
          setProblem("");
        },
        (error) => setProblem(words(error)),
      );
    look();
    const again = moving && setInterval(look, preferences.peek().low_data ? 15000 : 3000);
    return () => clearInterval(again || undefined);
  }, [path, asked.value, reachable.value, moving]);
  /** @param {string} method @param {string} to @param {object} body @param {string} done */
  async function send(method, to, body, done) {
    setProblem("");
    const what = method + to + JSON.stringify(body);
    // After a lost answer the same request keeps its key.
    if (sent.current.what !== what) sent.current = { what, key: newKey() };
    try {
      keep(await change(to, body, { method, key: sent.current.key }));
      sent.current = { what: "", key: "" };
      say(done, { about: "limits" });
    } catch (error) {
      if (error instanceof Problem && !error.passing) sent.current = { what: "", key: "" };
      setProblem(words(error));
    }
  }
  const pause = () => {
    const at = /** @type {number} */ (ends().find(([name]) => name === until)?.[1]);
    return send("POST", `/api/v1/esims/${esim_id}/pause`, { until: new Date(at).toISOString() }, t("limits.paused", { at: when(at) }));
  };
  const limit = (/** @type {number | null} */ daily_octets) =>
    send("PUT", path, { daily_octets }, t(daily_octets === null ? "limits.removed" : "limits.set"));
  const back = found?.back_at ? t("limits.back", { at: when(Date.parse(found.back_at)) }) : "";
  if (!esim_id) return html`<${Heading} title=${t("limits.title")} back="#/home" /><${Note}>${t("limits.no_line")}<//>`;
  if (found && !found.offered && found.daily_octets === null)
    return html`
      <${Heading} title=${t("limits.title")} back="#/home" />
      <${Note} icon="alert">${t(`limits.not.${found.not_offered_because}`)}<//>
    `;
  const chosen = size === undefined ? (found?.daily_octets ?? null) : size;
  const sizes = SIZES.filter((it) => it >= (found?.least_octets ?? 0));
  return html`
    <${Heading} title=${t("limits.title")} back=${one ? `#/session/${one.session_id}` : "#/home"} />
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${
      found?.limit_reached &&
      html`<${Note} icon="pause" live>
        <b>${t("limits.reached")}</b> ${t("limits.reached_lead")} ${back} ${t("limits.off_and_on")}
        <br /><button class="btn plain inline" onClick=${() => send("POST", `${path}/lift`, {}, t("limits.lifted"))}>
          ${t("limits.lift")}
        </button>
      <//>`
    }
    ${
      found?.pause_ends_at &&
      html`<${Note} icon="pause" live>
        <b>${t("limits.paused", { at: when(Date.parse(found.pause_ends_at)) })}</b> ${back} ${t("limits.off_and_on")}
        ${
          one &&
          html`<br /><button class="btn plain inline" onClick=${() => SessionManager.activateDownloadedSession(one)}>
            ${t("session.continue")}
          </button>`
        }
      <//>`
    }
    <section class="card">
      <h2>${t("limits.pause")}</h2>
      <div class="seg" role="group" aria-label=${t("limits.pause")}>
        ${ends().map(
          ([name]) => html`<button type="button" key=${name} aria-pressed=${until === name} onClick=${() => setUntil(name)}>
            ${t(`limits.until.${name}`)}
          </button>`,
        )}
      </div>
      <p class="small soft">${t("limits.pause_lead")}</p>
      <button class="btn wide" onClick=${pause}><${Icon} name="pause" />${t("limits.pause_button")}</button>
    </section>
    <section class="card">
      <h2>${t("limits.day")}</h2>
      ${
        found?.daily_octets &&
        html`
          <b>${t("limits.used", { used: formatOctets(found.used_today_octets ?? 0), all: formatOctets(found.daily_octets) })}</b>
          <div class="gauge" aria-hidden="true">
            <i style=${{ width: `${Math.min(100, (100 * (found.used_today_octets ?? 0)) / found.daily_octets)}%` }}></i>
          </div>
          ${found.lifted_today && html`<p class="small soft">${t("limits.lifted")}</p>`}
        `
      }
      <div class="seg" role="group" aria-label=${t("limits.day")}>
        <button type="button" aria-pressed=${chosen === null} onClick=${() => setSize(null)}>${t("limits.none")}</button>
        ${sizes.map(
          (it) =>
            html`<button type="button" key=${it} aria-pressed=${chosen === it} onClick=${() => setSize(it)}>${formatOctets(it)}</button>`,
        )}
      </div>
      <p class="small soft">${t("limits.day_lead")}</p>
      <button class="btn quiet wide" onClick=${() => limit(chosen)}>${t("limits.day_button")}</button>
    </section>
  `;
}
