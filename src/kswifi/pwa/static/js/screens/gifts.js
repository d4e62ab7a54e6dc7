// Give octets of a session to somebody, or share them with another eSIM of one's own; and all gifts with their states.
import { change, newKey, Problem, read, readAll } from "../api.js";
import * as db from "../db.js";
import { formatOctets, lastDay, when } from "../format.js";
import { add, t } from "../i18n.js";
import { SessionManager } from "../road.js";
import { useEffect, useRef, useState } from "../state.js";
import { asked, isEnded, isStored, isUnderWay, preferences, reachable, refresh, say, sessionOf, sessions, words } from "../store.js";
import * as texts from "../text/gifts.js";
import { CopyButton, Heading, html, Icon, Note } from "../ui.js";

add(texts);

/** @import {InternetSession} from "../types.d.ts" */
/**
 * @typedef {{transfer_id: string, kind: "gift" | "share" | "move", role: "giver" | "receiver", state: string, reason: string | null,
 *   octets: number, code: string | null, link: string | null, qr_code_svg: string | null, session_id: string | null,
 *   valid_until: string, created_at: string, expires_at: string, ended_at: string | null}} Gift
 */

const CLAIMABLE = ["offered", "sent"];
/** States that change by themselves. */
const MOVING = ["offered", "claimed", "receiving", "returning"];
/** @param {Gift} one */ const isOpen = (one) => one.role === "giver" && Boolean(one.code) && CLAIMABLE.includes(one.state);

/** Return the step of the slider: a round number, so that no more than about twenty steps are needed. @param {number} octets */
const stepOf = (octets) => [1e6, 5e6, 10e6, 50e6, 100e6, 250e6, 500e6].find((step) => octets / step <= 20) ?? 1e9;

/** Show a gift that can be claimed: its code, QR code and link. @param {{one: Gift, take: (next: Gift) => void}} props */
function Open({ one, take }) {
  const [problem, setProblem] = useState("");
  const [sure, setSure] = useState(false);
  const link = one.link ?? "";
  const text = t("gifts.share_text", { size: formatOctets(one.octets) });
  const withdraw = () =>
    change(`/api/v1/gifts/${one.code}`, undefined, { method: "DELETE" }).then(take, (error) => setProblem(words(error)));
  return html`<section class="card">
    <h2>${t("gifts.yours", { size: formatOctets(one.octets) })}</h2>
    <p class="soft">${t(one.state === "offered" ? "gifts.preparing" : "gifts.waits", { at: when(Date.parse(one.expires_at)) })}</p>
    ${
      "share" in navigator
        ? html`<button class="btn wide" onClick=${() => navigator.share({ title: "KSWiFi", text, url: link }).catch(() => {})}>
          ${t("gifts.share")}
        </button>`
        : html`<a class="btn wide" target="_blank" rel="noreferrer" href=${`https://wa.me/?text=${encodeURIComponent(`${text} ${link}`)}`}>
          ${t("gifts.whatsapp")}
        </a>`
    }
    ${
      one.qr_code_svg &&
      html`<img class="qr" alt=${t("gifts.qr_alt")} src=${`data:image/svg+xml,${encodeURIComponent(one.qr_code_svg)}`} />`
    }
    <div class="row"><span class="code grow">${one.code}</span></div>
    <div class="row">
      <span class="grow mono small">${link}</span>
      <${CopyButton} text=${link} label=${t("copy", { what: t("gifts.link") })} onDone=${() => say(t("copied"))} />
    </div>
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${
      sure
        ? html`
          <${Note} kind="warning" live>${t("gifts.sure")}<//>
          <button class="btn danger wide" onClick=${withdraw}>${t("gifts.withdraw")}</button>
          <button class="btn plain wide" onClick=${() => setSure(false)}>${t("gifts.leave")}</button>
        `
        : html`<button class="btn plain wide" onClick=${() => setSure(true)}>${t("gifts.withdraw")}</button>`
    }
  </section>`;
}

/** Return what became of a gift. @param {Gift} one */
function storyOf(one) {
  if (one.role === "receiver") return t(`gifts.received.${one.state === "received" ? "done" : one.ended_at ? "over" : "claimed"}`);
  if (one.kind === "share") return t(`gifts.shared.${one.state === "received" ? "done" : one.ended_at ? "over" : "claimed"}`);
  if (/^return/.test(one.state)) return `${t(`gifts.state.${one.state}`)} ${one.reason ? t(`gifts.reason.${one.reason}`) : ""}`;
  return t(`gifts.state.${one.state}`);
}

/** @param {{list: Gift[]}} props */
const Before = ({ list }) =>
  list.length > 0 &&
  html`<section class="stack">
    <h2>${t("gifts.before")}</h2>
    <ul class="list">
      ${list.slice(0, 30).map(
        (one) => html`<li class="item" key=${one.transfer_id}>
          <span class="dot"><${Icon} name=${one.role === "receiver" ? "down" : "wifi"} /></span>
          <span class="grow"><b>${formatOctets(one.octets)}</b><span class="small soft">${storyOf(one)}</span></span>
          <span class="small soft num">${when(Date.parse(one.ended_at ?? one.created_at))}</span>
        </li>`,
      )}
    </ul>
  </section>`;

/** All gifts, read again while one of them changes by itself. They are kept on the device for when there is no network. */
function useGifts() {
  const [list, setList] = useState(/** @type {Gift[] | null} */ (null));
  const keep = (/** @type {Gift[]} */ next) => {
    setList(next);
    db.put("kv", next, "gifts").catch(() => {});
  };
  useEffect(() => {
    db.get("kv", "gifts").then((kept) => setList((now) => now ?? kept ?? null));
  }, []);
  const moving = (list ?? []).some((one) => MOVING.includes(one.state));
  useEffect(() => {
    const look = () =>
      readAll("/api/v1/gifts", "gifts").then(
        ({ gifts }) => keep(gifts.filter((/** @type {Gift} */ one) => one.kind !== "move")),
        () => {},
      );
    look();
    const again = moving && setInterval(look, preferences.peek().low_data ? 15000 : 3000);
    return () => clearInterval(again || undefined);
  }, [asked.value, reachable.value, moving]);
  const take = (/** @type {Gift} */ next) => keep([next, ...(list ?? []).filter((one) => one.transfer_id !== next.transfer_id)]);
  return { list: list ?? [], take };
}

/** Begin to download what was shared onto the other eSIM. @param {string} esim_id */
async function downloadThere(esim_id) {
  await refresh();
  const next = sessions.peek().find((it) => it.esim_id === esim_id && isUnderWay(it));
  if (!next) return;
  await SessionManager.resumeDownload(next.session_id);
  SessionManager.showDownloadProgress(next.session_id);
}

/** Choose how much, and for whom. @param {{one: InternetSession, made: (next: Gift) => void}} props */
function Give({ one, made }) {
  const [most, setMost] = useState(one.left_octets ?? 0);
  const [lines, setLines] = useState(/** @type {{esim_id: string, iccid: string | null}[]} */ ([]));
  const [line, setLine] = useState("");
  const [at, setAt] = useState(0);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  const sent = useRef({ what: "", key: "" });
  const look = () =>
    Promise.all([read(`/api/v1/sessions/${one.session_id}`), readAll("/api/v1/esims", "esims")]).then(
      ([{ balance }, { esims }]) => {
        setMost(Math.min(balance.available, one.left_octets ?? 0));
        setLines(
          esims.filter(
            (/** @type {any} */ it) => it.kind === "card" && !it.frozen && it.profile_state === "installed" && it.esim_id !== one.esim_id,
          ),
        );
      },
      () => {},
    );
  useEffect(() => void look(), [one.session_id, reachable.value]);
  const step = stepOf(most);
  const steps = Math.floor(most / step);
  const chosen = Math.min(at || Math.ceil(steps / 2), steps);
  const octets = chosen === steps ? most : chosen * step;
  async function give() {
    setBusy(true);
    setProblem(null);
    const body = { session_id: one.session_id, octets, ...(line ? { esim_id: line } : {}) };
    const what = JSON.stringify(body);
    // After a lost answer the same request keeps its key, so that it is given once.
    if (sent.current.what !== what) sent.current = { what, key: newKey() };
    try {
      const gift = await change("/api/v1/gifts", body, { key: sent.current.key });
      sent.current = { what: "", key: "" };
      made(gift);
      if (line) await downloadThere(line);
      return;
    } catch (error) {
      if (error instanceof Problem && !error.passing) sent.current = { what: "", key: "" };
      if (error instanceof Problem && error.code === "gift_too_large") setMost(error.facts.available_octets ?? 0);
      setProblem(error);
    }
    setBusy(false);
  }
  if (steps < 1) return html`<${Note} icon="alert">${t("gifts.nothing")}<//>`;
  const facts = problem instanceof Problem ? problem.facts : {};
  return html`<section class="card">
    <div class="field">
      <label for="octets">${t("gifts.how_much")}</label>
      <output class="num" for="octets" style="font-size:1.75rem;font-weight:740">${formatOctets(octets)}</output>
      <input
        id="octets"
        type="range"
        min="1"
        max=${steps}
        value=${chosen}
        aria-valuetext=${formatOctets(octets)}
        style="padding:0;border:0;background:none;accent-color:var(--mark)"
        onInput=${(/** @type {any} */ event) => setAt(Number(event.target.value))}
      />
      <span class="small soft">${t("gifts.keep", { size: formatOctets(Math.max(0, most - octets)), day: lastDay(one.valid_until) })}</span>
    </div>
    ${
      lines.length > 0 &&
      html`<div class="stack tight" role="group" aria-label=${t("gifts.for_whom")}>
        <b>${t("gifts.for_whom")}</b>
        <div class="seg">
          <button type="button" aria-pressed=${!line} onClick=${() => setLine("")}>${t("gifts.somebody")}</button>
          ${lines.map(
            (it) => html`<button type="button" key=${it.esim_id} aria-pressed=${line === it.esim_id} onClick=${() => setLine(it.esim_id)}>
              ${t("gifts.my_esim", { number: (it.iccid ?? it.esim_id).slice(-4) })}
            </button>`,
          )}
        </div>
      </div>`
    }
    <p class="small soft">${t(line ? "gifts.share_lead" : "gifts.give_lead")}</p>
    ${problem && html`<${Note} kind="error" live>${words(problem)}${facts.wait_until ? ` ${when(Date.parse(facts.wait_until))}` : ""}<//>`}
    ${facts.do === "verify_phone" && html`<a class="btn quiet wide" href="#/free/phone">${t("free.verify_phone")}</a>`}
    ${!reachable.value && html`<${Note} icon="noline" live>${t("account.offline")}<//>`}
    <button class="btn wide" disabled=${busy} onClick=${give}>${t(line ? "gifts.share_button" : "gifts.give_button")}</button>
  </section>`;
}

/** @param {{id: string}} props the session to give from, or nothing */
export default function Gifts({ id }) {
  const { list, take } = useGifts();
  const one = id ? sessionOf(id) : null;
  const [made, setMade] = useState(/** @type {Gift | null} */ (null));
  const done = (/** @type {Gift} */ next) => {
    take(next);
    setMade(next);
    scrollTo(0, 0);
  };
  const givable = sessions.value.filter((it) => isStored(it) && it.left_octets);
  const open = list.filter(isOpen);
  return html`
    <${Heading}
      title=${t(one ? "gifts.give" : "gifts.title")}
      lead=${!one && t("gifts.lead")}
      back=${one ? `#/session/${id}` : "#/settings"}
    />
    ${made && html`<${Note} icon="check" live>${t(made.kind === "share" ? "gifts.shared.claimed" : "gifts.given")}<//>`}
    ${one && !isEnded(one) && !made && html`<${Give} one=${one} made=${done} key=${one.session_id} />`}
    ${open.map((it) => html`<${Open} one=${it} take=${take} key=${it.transfer_id} />`)}
    ${made && html`<button class="btn quiet wide" onClick=${() => setMade(null)}>${t("gifts.more")}</button>`}
    ${
      !one &&
      html`<div class="list">
        ${givable.map(
          (it) => html`<a class="item" key=${it.session_id} href=${`#/gifts/${it.session_id}`}>
            <span class="dot"><${Icon} name="wifi" /></span>
            <span class="grow">
              <b>${t("gifts.give")}</b>
              <span class="small soft">
                ${t("gifts.of", { left: formatOctets(it.left_octets ?? 0), day: lastDay(it.valid_until) })}
              </span>
            </span>
            <${Icon} name="chevron" />
          </a>`,
        )}
        <a class="item" href="#/gift">
          <span class="dot"><${Icon} name="down" /></span>
          <span class="grow"><b>${t("gift.have")}</b></span>
          <${Icon} name="chevron" />
        </a>
      </div>`
    }
    <${Before} list=${list.filter((it) => !isOpen(it))} />
    ${!one && !list.length && html`<p class="soft">${t("gifts.none")}</p>`}
  `;
}
