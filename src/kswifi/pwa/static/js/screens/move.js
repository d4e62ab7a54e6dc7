// A new, lost or broken phone, or a deleted eSIM: ask what happened, stop the old eSIM, and move its sessions to a new one.
import { change, newKey, Problem, readAll } from "../api.js";
import { Ask } from "../ask.js";
import { now } from "../clock.js";
import * as db from "../db.js";
import { lastDay, sizeName, when } from "../format.js";
import { add, t } from "../i18n.js";
import { startAnew } from "../install.js";
import { isChangeOfMind, passkeysHere, usePasskey } from "../passkeys.js";
import { Reauthenticated } from "../reauthenticated.js";
import { SessionManager } from "../road.js";
import { useEffect, useRef, useState } from "../state.js";
import { asked, isEnded, isUnderWay, preferences, reachable, say, sessions, words } from "../store.js";
import { Support } from "../support.js";
import * as texts from "../text/move.js";
import * as again from "../text/security.js";
import { Heading, html, Icon, Note } from "../ui.js";

add(again);
add(texts);

/** @import {InternetSession} from "../types.d.ts" */
/**
 * @typedef {{move_id: string, esim_id: string, new_esim_id: string | null, why: string, state: string, confirmed_by: string | null,
 *   created_at: string, due_at: string, ended_at: string | null}} Move
 */

const WHY = ["lost", "new_phone", "broken", "deleted"];
const MOVES = "/api/v1/moves";
/** How long an unconfirmed move waits, in milliseconds. */
const WAIT = 864e5;

/** @param {string} esim_id */
const liveOn = (esim_id) => sessions.value.filter((one) => one.esim_id === esim_id && !isEnded(one));

/** Confirm a move that waits: on a device that was signed in before, with a passkey, or with the recovery code. */
/** @param {{move: Move, take: (next: Move) => void, askedHere: boolean}} props */
function Confirm({ move, take, askedHere }) {
  const [problem, setProblem] = useState("");
  const path = `${MOVES}/${move.move_id}/confirm`;
  /** @param {() => Promise<unknown>} show */
  const confirm = async (show) => {
    setProblem("");
    try {
      take(await change(path, await show()));
    } catch (error) {
      setProblem(isChangeOfMind(error) ? t("passkey.not_used") : words(error));
    }
  };
  return html`<section class="stack">
    <h2>${t("move.confirm")}</h2>
    <p class="soft">${t("move.confirm_lead")}</p>
    ${
      !askedHere &&
      html`<button class="btn wide" onClick=${() => confirm(async () => ({}))}><${Icon} name="check" />${t("move.confirm_here")}</button>`
    }
    ${
      passkeysHere.value &&
      html`<button class="btn quiet wide" onClick=${() => confirm(async () => ({ passkey: await usePasskey() }))}>
        <${Icon} name="key" />
        ${t("move.confirm_passkey")}
      </button>`
    }
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    <${Ask}
      what="code"
      label=${t("field.recovery_code")}
      hint=${t("field.recovery_code.hint")}
      button=${t("move.confirm_code")}
      quiet=${!askedHere}
      input=${{ autocapitalize: "characters" }}
      send=${async (/** @type {string} */ recovery_code) => take(await change(path, { recovery_code }))}
    />
  </section>`;
}

/** Show a move that waits: what has happened already, until when it waits and why. */
/** @param {{move: Move, take: (next: Move) => void, askedHere: boolean}} props */
function Waiting({ move, take, askedHere }) {
  const due = Date.parse(move.due_at);
  const changed = move.confirmed_by ? due > now() : due > Date.parse(move.created_at) + WAIT;
  const how = changed ? "changed" : move.confirmed_by ? "confirmed" : "waits";
  return html`
    <${Heading} title=${t("move.waiting")} back="#/home" />
    <ul class="list">
      <li class="item">
        <span class="dot"><${Icon} name="check" /></span>
        <span class="grow"><b>${t("move.frozen")}</b><span class="small soft">${t(`move.why.${move.why}`)}</span></span>
        <span class="small soft num">${when(Date.parse(move.created_at))}</span>
      </li>
      <li class="item">
        <span class="dot"><${Icon} name="clock" /></span>
        <span class="grow">
          <b>${t(how === "confirmed" ? "move.soon" : "move.from", { at: when(due) })}</b>
          <span class="small soft">${t(`move.because.${how}`)}</span>
        </span>
      </li>
      <li class="item">
        <span class="dot"><${Icon} name="chip" /></span>
        <span class="grow"><b>${t("move.then")}</b><span class="small soft">${t("move.then_lead")}</span></span>
      </li>
    </ul>
    ${!move.confirmed_by && html`<${Confirm} move=${move} take=${take} askedHere=${askedHere} />`}
    <details class="card">
      <summary>${t("move.cancel")}<${Icon} name="chevron" /></summary>
      <p class="soft">${t("move.cancel_lead")}</p>
      <${Reauthenticated}
        id="cancel"
        button=${t("move.cancel")}
        passkeys
        danger
        send=${async (/** @type {import("../reauthenticated.js").Shown} */ shown) => {
          take(await change(`${MOVES}/${move.move_id}`, shown, { method: "DELETE" }));
          say(t("move.cancelled"));
        }}
      />
    </details>
    <${Support} about=${move.move_id} />
  `;
}

/** Show the sessions that wait for their download onto the new eSIM. @param {{move: Move}} props */
function Moving({ move }) {
  const onNew = sessions.value.filter((one) => one.esim_id === move.new_esim_id && !isEnded(one));
  const next = onNew.find(isUnderWay);
  const go_on = (/** @type {InternetSession} */ one) =>
    SessionManager.resumeDownload(one.session_id).then(() => SessionManager.showDownloadProgress(one.session_id));
  return html`
    <${Heading} title=${t("move.moving")} lead=${t("move.moving_lead")} back="#/home" />
    <ul class="list">
      ${onNew.map(
        (one) => html`<li class="item" key=${one.session_id}>
          <span class="dot"><${Icon} name=${isUnderWay(one) ? "down" : "check"} /></span>
          <span class="grow">
            <b>${t("size.session", { size: sizeName(one.allowance_octets) })}</b>
            <span class="small soft">${t(`state.${one.state}`)} · ${t("until", { day: lastDay(one.valid_until) })}</span>
          </span>
        </li>`,
      )}
    </ul>
    <${Support} about=${move.move_id} />
    <div class="act stick">
      ${
        next
          ? html`<button class="btn wide" onClick=${() => go_on(next)}><${Icon} name="down" />${t("move.download")}</button>`
          : html`<${Note} icon="clock" live>${t("move.arriving")}<//>`
      }
    </div>
  `;
}

/** Ask what happened, and to which eSIM. @param {{id: string, take: (next: Move) => void, last: Move | undefined}} props */
function What({ id, take, last }) {
  const cards = [...new Set(sessions.value.filter((one) => !isEnded(one)).map((one) => one.esim_id))];
  const [why, setWhy] = useState("");
  const [picked, pick] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  const sent = useRef({ what: "", key: "" });
  const esim_id = picked || (id && cards.includes(id) ? id : (cards[0] ?? ""));
  const live = liveOn(esim_id);
  const unused = why && why !== "lost" && live.length === 1 && live[0].state === "stored" && !live[0].used_octets ? live[0] : null;
  const choose = (/** @type {string} */ one) => {
    setWhy(one);
    setProblem(null);
  };
  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    if (!why) return setProblem(t("move.pick"));
    setBusy(true);
    setProblem(null);
    // After a lost answer the same request keeps its key.
    if (sent.current.what !== esim_id + why) sent.current = { what: esim_id + why, key: newKey() };
    try {
      const move = await change(MOVES, { esim_id, why }, { key: sent.current.key });
      await db.put("kv", move.move_id, "asked_move");
      take(move);
    } catch (error) {
      if (error instanceof Problem && !error.passing) sent.current = { what: "", key: "" };
      setProblem(error);
    }
    setBusy(false);
  }
  const name = (/** @type {string} */ one) =>
    liveOn(one)
      .map((it) => sizeName(it.allowance_octets))
      .join(" + ");
  if (!cards.length)
    return html`
      <${Heading} title=${t("move.title")} back="#/settings" />
      ${last && html`<${Note} icon="check">${t(`move.last.${last.state}`, { at: when(Date.parse(last.ended_at ?? last.created_at)) })}<//>`}
      <${Note}>${t("move.nothing")}<//>
      <div class="act stick"><a class="btn wide" href="#/choose"><${Icon} name="down" />${t("home.download")}</a></div>
    `;
  return html`
    <${Heading} title=${t("move.title")} back=${id ? "#/home" : "#/settings"} />
    ${last && html`<${Note} icon="check">${t(`move.last.${last.state}`, { at: when(Date.parse(last.ended_at ?? last.created_at)) })}<//>`}
    <form class="stack" style="gap:1.25rem;flex:1" onSubmit=${send}>
      <fieldset class="stack">
        <legend style="margin-bottom:.5rem"><h2>${t("move.what")}</h2></legend>
        ${WHY.map(
          (one) => html`<label class="pick" key=${one}>
            <input type="radio" name="why" value=${one} checked=${why === one} onChange=${() => choose(one)} />
            <span class="pass">
              <span class="row between">
                <b class="grow">${t(`move.why.${one}`)}</b>
                <span class="tick"><${Icon} name="check" /></span>
              </span>
              <span class="small soft">${t(`move.why.${one}_lead`)}</span>
            </span>
          </label>`,
        )}
      </fieldset>
      ${
        cards.length > 1 &&
        html`<div class="field">
          <label for="esim">${t("move.which")}</label>
          <select id="esim" onChange=${(/** @type {any} */ event) => pick(event.target.value)}>
            ${cards.map((one) => html`<option key=${one} value=${one} selected=${one === esim_id}>${name(one)}</option>`)}
          </select>
        </div>`
      }
      ${
        unused &&
        html`<${Note} icon="chip">
          ${t("move.unused")}
          <button type="button" class="btn plain inline" onClick=${() => startAnew(unused)}>${t("new_esim.button")}</button>
        <//>`
      }
      <p class="small soft">${t("move.rules")}</p>
      <div class="act stick">
        ${problem && html`<${Note} kind="error" live>${typeof problem === "string" ? problem : words(problem)}<//>`}
        ${problem instanceof Problem && /movable|many_moves/.test(problem.code) && html`<${Support} about=${esim_id} />`}
        ${!reachable.value && html`<${Note} icon="noline" live>${t("account.offline")}<//>`}
        <button class="btn wide" disabled=${busy}>${t("move.button")}</button>
      </div>
    </form>
  `;
}

/** @param {{id: string}} props the eSIM, or nothing */
export default function MoveScreen({ id }) {
  const [moves, setMoves] = useState(/** @type {Move[]} */ ([]));
  const [askedHere, setAskedHere] = useState("");
  const keep = (/** @type {Move[]} */ next) => {
    setMoves(next);
    db.put("kv", next, "moves").catch(() => {});
  };
  const take = (/** @type {Move} */ next) => {
    keep([next, ...moves.filter((one) => one.move_id !== next.move_id)]);
    db.get("kv", "asked_move").then((kept) => setAskedHere(kept ?? ""));
  };
  const open = moves.find((one) => ["waiting", "moving"].includes(one.state));
  useEffect(() => {
    db.get("kv", "moves").then((kept) => kept && setMoves((now) => (now.length ? now : kept)));
    db.get("kv", "asked_move").then((kept) => setAskedHere(kept ?? ""));
  }, []);
  useEffect(() => {
    const look = () =>
      readAll(MOVES, "moves").then(
        (found) => keep(found.moves),
        () => {},
      );
    look();
    const soon = open && (open.confirmed_by || open.state === "moving");
    const later = soon && setInterval(look, preferences.peek().low_data ? 15000 : 3000);
    return () => clearInterval(later || undefined);
  }, [asked.value, reachable.value, open?.state, open?.confirmed_by]);
  if (open?.state === "waiting")
    return html`<${Waiting} move=${open} take=${take} askedHere=${askedHere === open.move_id} key=${open.move_id} />`;
  if (open) return html`<${Moving} move=${open} />`;
  const last = moves.find((one) => one.ended_at && now() - Date.parse(one.ended_at) < 7 * WAIT);
  return html`<${What} id=${id} take=${take} last=${last} />`;
}
