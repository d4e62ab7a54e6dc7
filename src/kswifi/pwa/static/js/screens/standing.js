// The screen of the standing order: what is ordered ahead, when, and what became of it.
import { change, newKey, Problem } from "../api.js";
import { t } from "../i18n.js";
import { SessionManager } from "../road.js";
import { carryOut, keep, limits, load, onWifi, sizeOf, standing } from "../standing.js";
import { useEffect, useRef, useState } from "../state.js";
import { asked, offers, reachable, say, words } from "../store.js";
import { Heading, html, Icon, Note } from "../ui.js";

/** @typedef {import("../standing.js").Standing} Standing */

const PERCENTS = [5, 10, 20, 30, 50];
const DAYS = [1, 2, 3, 5, 7];
const RESULTS = ["ordered", "ignored", "not_needed", "no_esim", "offer_gone"];

/** @param {{label: string, options: [any, string][], value: any, choose: (value: any) => void}} props */
const Pick = ({ label, options, value, choose }) => html`<div class="stack tight" role="group" aria-label=${label}>
  <b>${label}</b>
  <div class="seg">
    ${options.map(
      ([key, text]) => html`<button type="button" key=${key} aria-pressed=${value === key} onClick=${() => choose(key)}>${text}</button>`,
    )}
  </div>
</div>`;

/** Return what became of the last due date. @param {string} result */
const resultOf = (result) => (RESULTS.includes(result) ? t(`standing.result.${result}`) : words(new Problem(409, result, "")));

/** The session that is due: a tap downloads it. @param {{order: Standing}} props */
function Due({ order }) {
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState("");
  async function begin(/** @type {boolean} */ sure) {
    setProblem("");
    try {
      const wifi = sure || (await onWifi());
      if (wifi === null) return setAsking(true);
      const one = await carryOut("person", Boolean(wifi));
      SessionManager.showDownloadProgress(one.session_id);
    } catch (error) {
      setProblem(words(error));
      load().catch(() => {});
    }
  }
  return html`<section class="card">
    <h2>${t("standing.due", { size: sizeOf(order.offer_id) })}</h2>
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${asking && html`<${Note} icon="wifi" live>${t("choose.ask")}<//>`}
    <button class="btn wide" onClick=${() => begin(asking)}>
      <${Icon} name="down" />
      ${t(asking ? "choose.ask_yes" : "choose.button")}
    </button>
  </section>`;
}

export default function StandingOrder() {
  const order = standing.value;
  const rules = limits.value;
  const free = offers.value.filter((one) => one.price_kobo === 0);
  const [offer, setOffer] = useState("");
  const [by, setBy] = useState(/** @type {"" | "below_percent" | "days_before_end"} */ (""));
  const [at, setAt] = useState(0);
  const [problem, setProblem] = useState("");
  const [looked, setLooked] = useState(false);
  const sent = useRef({ what: "", key: "" });
  useEffect(() => {
    load().then(
      () => setLooked(true),
      (error) => setProblem(words(error)),
    );
  }, [asked.value, reachable.value]);
  const how = by || (order?.days_before_end ? "days_before_end" : "below_percent");
  const values = how === "below_percent" ? PERCENTS : DAYS;
  const most = how === "below_percent" ? (rules?.largest_percent ?? 50) : (rules?.largest_days ?? 7);
  const possible = values.filter((one) => one <= most);
  const value = possible.includes(at) ? at : (order?.[how] ?? possible[Math.min(2, possible.length - 1)] ?? most);
  const chosen = offer || order?.offer_id || (free[0]?.id ?? "");
  /** @param {string} method @param {object | undefined} body @param {string} done */
  async function send(method, body, done) {
    setProblem("");
    const what = method + JSON.stringify(body);
    // After a lost answer the same request keeps its key.
    if (sent.current.what !== what) sent.current = { what, key: newKey() };
    try {
      const next = await change("/api/v1/standing-order", body, { method, key: sent.current.key });
      sent.current = { what: "", key: "" };
      await keep(next).catch(() => {});
      setOffer("");
      setBy("");
      setAt(0);
      say(done, { about: "standing" });
    } catch (error) {
      if (error instanceof Problem && !error.passing) sent.current = { what: "", key: "" };
      setProblem(words(error));
    }
  }
  /** @param {boolean} paused */
  const put = (paused) =>
    send("PUT", { offer_id: chosen, [how]: value, paused }, t(paused ? "standing.is_paused" : "standing.is_on", { size: sizeOf(chosen) }));
  if (rules && !rules.enabled)
    return html`<${Heading} title=${t("standing.title")} back="#/settings" /><${Note}>${t("problem.standing_orders_off")}<//>`;
  return html`
    <${Heading} title=${t("standing.title")} lead=${t("standing.lead")} back="#/settings" />
    ${order?.due && html`<${Due} order=${order} />`}
    ${
      order &&
      !order.due &&
      html`<${Note} icon=${order.state === "on" ? "check" : order.state === "paused" ? "pause" : "clock"} live>
        <b>${t(`standing.state.${order.state}`)}</b>
        ${order.last_result && html`<br />${resultOf(order.last_result)}`}
      <//>`
    }
    <${Pick}
      label=${t("standing.what")}
      options=${free.map((one) => [one.id, sizeOf(one.id)])}
      value=${chosen}
      choose=${setOffer}
    />
    <${Pick}
      label=${t("standing.when")}
      options=${[["below_percent", t("standing.by_rest")], ["days_before_end", t("standing.by_days")]]}
      value=${how}
      choose=${setBy}
    />
    <${Pick}
      label=${t(how === "below_percent" ? "standing.rest" : "standing.days")}
      options=${possible.map((one) => [one, how === "below_percent" ? `${one} %` : String(one)])}
      value=${value}
      choose=${setAt}
    />
    <p class="small soft">${t("standing.rules")}</p>
    <div class="act stick">
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      <button class="btn wide" disabled=${!looked && !order} onClick=${() => put(false)}>
        ${t(!order ? "standing.make" : order.state === "paused" ? "standing.go_on" : "standing.save")}
      </button>
      ${
        order &&
        html`<div class="row">
          ${order.state !== "paused" && html`<button class="btn plain grow" onClick=${() => put(true)}>${t("standing.pause")}</button>`}
          <button class="btn plain grow" onClick=${() => send("DELETE", undefined, t("standing.ended"))}>${t("standing.end")}</button>
        </div>`
      }
    </div>
  `;
}
