// The seven-day pass: what it gives, its payment, and the state of each payment. It is fetched when it is first opened, because
// nothing of it works without a network.

import { change, newKey, Problem, read } from "../api.js";
import * as db from "../db.js";
import { formatNaira, formatOctets, lastDay, when } from "../format.js";
import { add, t } from "../i18n.js";
import { go } from "../router.js";
import { useEffect, useState } from "../state.js";
import { loadPass, offers, pass, reachable, words } from "../store.js";
import { Support } from "../support.js";
import * as texts from "../text/pass.js";
import { Heading, html, Icon, Note } from "../ui.js";

add(texts);

/**
 * @typedef {{reference: string, offer_id: string, title: string, amount_kobo: number, state: string, reason: string | null,
 *   checkout_url: string | null, sandbox: boolean, created_at: string, settled_at: string | null, refunded_at: string | null,
 *   refund_kobo: number | null, gateway: string}} Payment
 */

const WAITING = ["intended", "pending", "refund_asked", "refunding"];
/** Whether a payment can still change by itself. After a declined attempt its checkout stays open for another. @param {Payment} one */
const isOpen = (one) => WAITING.includes(one.state) || (one.state === "failed" && Boolean(one.checkout_url));
const PAID = ["settled", "refund_asked", "refunding", "refunded", "refund_refused"];

const Sandbox = () => html`<${Note} kind="warning"><b>${t("pay.sandbox")}</b> ${t("pay.sandbox_lead")}<//>`;

/** The lines of a receipt. @param {Payment} one @returns {[string, string][]} */
const receiptOf = (one) => [
  ["receipt.for", one.title],
  ["receipt.paid", formatNaira(one.amount_kobo)],
  ...(one.settled_at ? [/** @type {[string, string]} */ (["receipt.paid_at", when(Date.parse(one.settled_at))])] : []),
  ...(one.refunded_at && one.refund_kobo
    ? [/** @type {[string, string]} */ (["receipt.back", `${formatNaira(one.refund_kobo)}, ${when(Date.parse(one.refunded_at))}`])]
    : []),
  ["receipt.by", one.sandbox ? t("pay.sandbox") : one.gateway],
  ["receipt.id", one.reference],
];

/** Show one payment, and read it again until it is decided. @param {{reference: string}} props */
function PaymentOf({ reference }) {
  const at = `/api/v1/payments/${encodeURIComponent(reference)}`;
  const [one, setOne] = useState(/** @type {Payment | null} */ (null));
  const [lost, setLost] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    /** @type {number | undefined} */
    let later;
    let gone = false;
    let turn = 0;
    const ask = async () => {
      try {
        const found = await read(at);
        if (gone) return;
        setOne(found);
        setProblem("");
        if (PAID.includes(found.state)) await loadPass();
        if (!isOpen(found)) return;
      } catch (error) {
        if (gone) return;
        setProblem(words(error));
        if (!(error instanceof Problem) || !error.passing) return setLost(true);
      }
      // The payer is at the checkout, away from this page. The longer it takes, the less often the server is asked.
      if (!gone) later = setTimeout(ask, Math.min(15000, 1500 + 250 * turn++));
    };
    ask();
    return () => {
      gone = true;
      clearTimeout(later);
    };
  }, [at, one?.state]);
  const refund = () => change(`${at}/refund`, {}).then(setOne, (error) => setProblem(words(error)));
  if (!one)
    return html`
      <${Heading} title=${t(lost ? "pay.unknown" : "pay.looking")} back="#/pass" />
      ${problem && html`<${Note} kind=${lost ? "error" : ""} icon="clock" live>${problem}<//>`}
      ${lost && html`<${Support} about=${reference} />`}
      <a class="btn quiet wide" href="#/pass">${t("pass.title")}</a>
    `;
  const paid = PAID.includes(one.state);
  return html`
    <${Heading} title=${t(`pay.state.${one.state}`)} back="#/pass" />
    ${one.sandbox && html`<${Sandbox} />`}
    <div class="pass">
      <div class="row between">
        <div class="grow">
          <b>${one.title}</b>
          <p class="small soft num">${formatNaira(one.amount_kobo)} · ${when(Date.parse(one.created_at))}</p>
        </div>
        ${one.state === "settled" && html`<span class="mark"><${Icon} name="seal" /></span>`}
      </div>
      ${
        one.state === "settled" &&
        pass.value?.ends_at &&
        html`<p class="small"><b>${t("pass.until", { day: lastDay(Date.parse(pass.value.ends_at)) })}</b></p>`
      }
    </div>
    ${one.state === "failed" && html`<${Note} icon="alert" live>${t("pay.failed_lead")}<//>`}
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${one.state === "pending" && html`<${Note} icon="clock" live>${t("pay.waits")}<//>`}
    ${
      paid &&
      html`<section class="card">
        <h2>${t("pay.receipt")}</h2>
        <table class="table">
          <tbody>
            ${receiptOf(one).map(
              ([name, value]) => html`<tr key=${name}><th scope="row" class="soft">${t(name)}</th><td>${value}</td></tr>`,
            )}
          </tbody>
        </table>
        <a class="btn quiet wide" href=${`${at}/receipt.pdf`} download><${Icon} name="down" />${t("pay.pdf")}</a>
      </section>`
    }
    <p class="small soft">${t("pay.reference", { reference: one.reference })}</p>
    ${(paid || ["failed", "lapsed"].includes(one.state)) && html`<${Support} about=${one.reference} />`}
    <div class="act stick">
      ${
        one.state === "settled" &&
        html`
          <a class="btn wide" href="#/choose"><${Icon} name="down" />${t("home.download")}</a>
          <button class="btn plain wide" onClick=${refund}>${t("pay.refund")}</button>
          <p class="small soft centre">${t("pay.refund_lead")}</p>
        `
      }
      ${
        !paid &&
        one.checkout_url &&
        html`<a class="btn wide" href=${one.checkout_url}>${t("pay.go", { price: formatNaira(one.amount_kobo) })}</a>`
      }
      ${["failed", "lapsed"].includes(one.state) && html`<a class="btn plain wide" href="#/pass">${t("pay.again")}</a>`}
    </div>
  `;
}

/** Show what the pass gives, the running pass, and all payments. */
function Passes() {
  const mine = pass.value;
  const offer = offers.value.find((one) => one.price_kobo > 0);
  const [paid, setPaid] = useState(/** @type {Payment[]} */ ([]));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    loadPass().catch(() => {});
    read("/api/v1/payments").then(
      ({ payments }) => setPaid(payments),
      () => {},
    );
  }, [reachable.value]);
  if (!offer) return html`<${Heading} title=${t("pass.title")} back="#/home" /><${Note}>${t("problem.payments_not_set_up")}<//>`;
  const limit = mine?.rules.fair_use_octets ?? null;
  /** Return the payment that can still be paid. A second one would be charged too. */
  const open = (/** @type {Payment[]} */ list) =>
    list.find((one) => one.state === "pending" && one.checkout_url && one.offer_id === offer.id);
  const begun = open(paid);
  async function buy() {
    setBusy(true);
    setProblem("");
    try {
      const { payments } = await read("/api/v1/payments");
      const before = open(payments);
      if (before) return go(`pass/${before.reference}`);
      // A request that is sent again after a lost answer keeps its key, so that one payment is made.
      const key = (await db.get("kv", "paying")) ?? newKey();
      await db.put("kv", key, "paying");
      const one = await change("/api/v1/payments", { offer_id: offer?.id }, { key });
      await db.remove("kv", "paying");
      if (one.checkout_url) location.assign(one.checkout_url);
      else go(`pass/${one.reference}`);
    } catch (error) {
      if (error instanceof Problem && !error.passing) await db.remove("kv", "paying");
      setProblem(words(error));
    }
    setBusy(false);
  }
  const points = /** @type {[import("../ui.js").IconName, string][]} */ ([
    ["down", t("pass.point.sessions", { days: offer.valid_days })],
    ["line", limit === null ? t("pass.point.no_limit") : t("pass.point.fair_use", { size: formatOctets(limit) })],
    ["clock", t("pass.point.end")],
    ["seal", t("pass.point.refund")],
  ]);
  return html`
    <${Heading} title=${t("pass.title")} lead=${t("pass.lead")} back="#/home" />
    ${mine?.rules.payments === "sandbox" && html`<${Sandbox} />`}
    <div class="pass">
      <div class="row between">
        <div class="grow">
          <span class="size">${formatNaira(offer.price_kobo)}</span>
          <p class="small soft">${t("pass.days", { days: offer.valid_days })}</p>
        </div>
        <span class="badge">${t("badge.unlimited")}</span>
      </div>
      ${mine?.active && mine.ends_at && html`<p class="small"><b>${t("pass.until", { day: lastDay(Date.parse(mine.ends_at)) })}</b></p>`}
    </div>
    <ul class="list">
      ${points.map(
        ([icon, text]) => html`<li class="item" key=${text}>
          <span class="dot"><${Icon} name=${icon} /></span>
          <span class="grow">${text}</span>
        </li>`,
      )}
    </ul>
    ${
      paid.length > 0 &&
      html`<section class="stack">
        <h2>${t("pay.list")}</h2>
        <div class="list">
          ${paid.slice(0, 10).map(
            (one) => html`<a class="item" key=${one.reference} href=${`#/pass/${one.reference}`}>
              <span class="grow">
                <b class="num">${formatNaira(one.amount_kobo)}</b>
                <span class="small soft">${t(`pay.state.${one.state}`)}${one.sandbox ? ` · ${t("pay.sandbox")}` : ""}</span>
              </span>
              <span class="small soft num">${when(Date.parse(one.created_at))}</span>
              <${Icon} name="chevron" />
            </a>`,
          )}
        </div>
      </section>`
    }
    <div class="act stick">
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      ${begun && html`<${Note} icon="clock">${t("pay.begun", { at: when(Date.parse(begun.created_at)) })}<//>`}
      ${mine?.active && html`<a class="btn wide" href="#/choose"><${Icon} name="down" />${t("home.download")}</a>`}
      ${
        mine?.rules.payments === "off"
          ? html`<${Note}>${t("problem.payments_not_set_up")}<//>`
          : html`<button class=${`btn wide ${mine?.active ? "quiet" : ""}`} disabled=${busy} onClick=${buy}>
            ${t(begun ? "pay.go_on" : mine?.active ? "pass.extend" : "pass.buy", { price: formatNaira(offer.price_kobo) })}
          </button>`
      }
    </div>
  `;
}

/** @param {{id: string}} props */
export default ({ id }) => (id ? html`<${PaymentOf} reference=${id} />` : html`<${Passes} />`);
