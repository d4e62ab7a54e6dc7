import { read } from "../api.js";
import * as db from "../db.js";
import { formatOctets, lastDay, sizeName } from "../format.js";
import { t } from "../i18n.js";
import { Intent } from "../intent.js";
import { unwant, want } from "../outbox.js";
import { useEffect, useState } from "../state.js";
import { endOf } from "../steps.js";
import { actions, asked, cardOrder, carried, environment, isEnded, phone, reachable, sessions, stateOf } from "../store.js";
import { Chip, Heading, html, Icon, Note, Size, Switch } from "../ui.js";

/** @import {CardContents, InternetSession} from "../types.d.ts" */

/** @param {InternetSession} one */
const name = (one) => t("size.session", { size: sizeName(one.allowance_octets) });
const arrangements = (/** @type {string} */ path) => actions.value.filter((one) => one.kind === "arrange" && one.path === path);

/**
 * Request an order of use or the switch. It replaces an earlier request that was not sent yet.
 * @param {string} path @param {"order" | "continue_with_next"} what @param {any} value
 */
async function arrange(path, what, value) {
  for (const before of arrangements(path)) if (what in /** @type {any} */ (before.body)) await unwant(before.key);
  await want({ kind: "arrange", path, body: { [what]: value } });
}

/**
 * @param {{one: InternetSession, card: CardContents | null, move: (by: number) => void, at: number, last: boolean,
 *   intent: boolean}} props
 */
function Row({ one, card, move, at, last, intent }) {
  const record = card?.records.find((other) => other.session_id === one.session_id);
  const off = phone.value?.profiles.some((other) => other.iccid === one.iccid && !other.enabled);
  const active = card?.active_session_id === one.session_id;
  /** @param {number} by @param {Event} event */
  const moved = (by, event) => {
    const button = /** @type {HTMLElement} */ (event.currentTarget);
    move(by);
    // An element that is moved on the page loses the focus.
    setTimeout(() => button.focus());
  };
  /** @param {"up" | "down"} way @param {number} by @param {boolean} end */
  const button = (way, by, end) => html`<button
    class="iconbtn"
    aria-label=${t(`esim.${way}`, { what: `${name(one)}, ${at + 1}` })}
    aria-disabled=${end}
    style=${`transform:rotate(${90 * by}deg);opacity:${end ? 0.4 : 1}`}
    onClick=${(/** @type {Event} */ event) => end || moved(by, event)}
  >
    <${Icon} name="chevron" />
  </button>`;
  const left =
    one.left_octets === null
      ? t("meter.used", { size: formatOctets(one.used_octets) })
      : t("of", { size: formatOctets(one.allowance_octets ?? 0) });
  return html`<li class="pass">
    <div class="row between">
      <a class="grow" style="color:inherit;text-decoration:none" href=${`#/session/${one.session_id}`}>
        <${Size} octets=${one.left_octets ?? one.allowance_octets} />
        <p class="small soft">${left} · ${t("until", { day: lastDay(one.valid_until) })}</p>
      </a>
      ${record && !(at === 0 && last) ? html`${button("up", -1, at === 0)}${button("down", 1, last)}` : html`<${Chip} />`}
    </div>
    <p class="small">
      <span class=${`badge ${active ? "" : "line"}`}>${t(`state.${stateOf(one)}`).toUpperCase()}</span>
      ${record && html` ${t("esim.place", { n: at + 1 })}`}
      ${intent && html` <span class="badge grey">${t("intent.badge")}</span>`}
    </p>
    ${
      record &&
      !record.proved &&
      one.state !== "active" &&
      html`<p class="small soft">${t(record.failure ? "problem.card_refused" : off ? "esim.off" : "esim.waits")}</p>`
    }
  </li>`;
}

/**
 * One eSIM: its sessions in the requested order of use. A change that the ledger has not confirmed is shown as waiting.
 * @param {{id: string, live: InternetSession[]}} props
 */
function Card({ id, live }) {
  const path = `/api/v1/esims/${id}/sessions`;
  const [card, setCard] = useState(/** @type {CardContents | null} */ (null));
  const [said, say] = useState("");
  const asks = arrangements(path).at(-1);
  const wish = Object.assign({}, ...arrangements(path).map((one) => one.body));
  const onCard = (/** @type {string[]} */ list) => list.filter((one) => card?.order.includes(one));
  const wanted = onCard(wish.order ?? card?.wants_order ?? []);
  const order = wanted.concat(onCard(card?.order ?? []).filter((one) => !wanted.includes(one)));
  const next = wish.continue_with_next ?? card?.wants_next ?? false;
  const moving = order.join() !== card?.order.join();
  const intent = Boolean(card) && (moving || next !== card?.continue_with_next);
  useEffect(() => {
    db.get("kv", path).then((kept) => setCard((now) => now ?? kept ?? null));
  }, []);
  useEffect(() => {
    let gone = false;
    const look = async () => {
      /** @type {CardContents} */
      const fresh = await read(path);
      if (gone) return;
      setCard(fresh);
      cardOrder.value = { ...cardOrder.peek(), [id]: fresh.order };
      await db.put("kv", fresh, path);
    };
    look().catch(() => {});
    const again = setInterval(() => intent && reachable.peek() && look().catch(() => {}), 2000);
    return () => {
      gone = true;
      clearInterval(again);
    };
  }, [asked.value, actions.value.length, intent, carried.value]);

  const rows = [...live].sort((a, b) => ((order.indexOf(a.session_id) + 9) % 9) - ((order.indexOf(b.session_id) + 9) % 9));
  /** @param {InternetSession} one @param {number} by */
  function move(one, by) {
    const at = order.indexOf(one.session_id);
    const changed = order.filter((other) => other !== one.session_id);
    changed.splice(at + by, 0, one.session_id);
    say(`${name(one)}: ${at + by + 1}`);
    return arrange(path, "order", changed);
  }
  return html`
    <ol class="stack">
      ${rows.map((one) => {
        const at = order.indexOf(one.session_id);
        return html`<${Row}
          one=${one}
          card=${card}
          at=${at}
          last=${at === order.length - 1}
          intent=${moving && card?.order.indexOf(one.session_id) !== at}
          move=${(/** @type {number} */ by) => move(one, by)}
          key=${one.session_id}
        />`;
      })}
    </ol>
    <p class="vh" role="status">${said}</p>
    ${
      order.length > 0 &&
      html`<div class="list">
        <${Switch}
          label=${t("esim.next")}
          hint=${t("esim.next_hint")}
          on=${next}
          change=${(/** @type {boolean} */ on) => arrange(path, "continue_with_next", on)}
        />
      </div>`
    }
    ${asks ? html`<${Intent} action=${asks} />` : intent && html`<${Note} icon="clock" live>${t("intent.sent")}<//>`}
  `;
}

export default function Esim() {
  const live = sessions.value.filter((one) => !isEnded(one));
  const ended = sessions.value.filter(isEnded);
  const cards = [...new Set(live.map((one) => one.esim_id))];
  return html`
    <${Heading} title=${t("esim.title")} lead=${t("esim.lead")} />
    ${cards.map((id) => html`<${Card} id=${id} live=${live.filter((one) => one.esim_id === id)} key=${id} />`)}
    ${!live.length && html`<div class="card centre"><${Chip} /><p>${t("esim.empty")}</p></div>`}
    ${environment.value?.lab_origin && html`<a class="btn quiet wide" href="/lab"><${Icon} name="phone" />${t("esim.lab")}</a>`}
    ${
      ended.length > 0 &&
      html`<section class="stack">
        <h2>${t("esim.ended")}</h2>
        <div class="list">
          ${ended.map(
            (one) => html`<a class="item" key=${one.session_id} href=${`#/session/${one.session_id}`}>
              <span class="grow">
                <b>${one.allowance_octets === null ? t("size.unlimited") : formatOctets(one.allowance_octets)}</b>
                <span class="small soft">${endOf(one)}</span>
              </span>
              <${Icon} name="chevron" />
            </a>`,
          )}
        </div>
      </section>`
    }
    ${
      !live.length &&
      html`<div class="act stick"><a class="btn wide" href="#/choose"><${Icon} name="down" />${t("home.download")}</a></div>`
    }
  `;
}
