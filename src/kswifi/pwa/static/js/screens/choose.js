import { change, Problem, read } from "../api.js";
import { now } from "../clock.js";
import * as db from "../db.js";
import { formatNaira, formatOctets, lastDay, sizeName, when } from "../format.js";
import { t } from "../i18n.js";
import { SessionManager, trustedKeys } from "../road.js";
import { go } from "../router.js";
import { useEffect, useState } from "../state.js";
import { connection, free as freeAllowance, offers, ordering, pass, phone, reachable, words } from "../store.js";
import { Heading, html, Icon, Insecure, Note, Size } from "../ui.js";

/** @import {FreeRefusal, Offer} from "../types.d.ts" */

/** Return the last day of an offer: its own, or the pass's if that ends first. @param {Offer} offer */
function untilOf(offer) {
  const own = new Date(new Date(now()).setHours(24, 0, 0, 0)).getTime() + offer.valid_days * 864e5;
  const ends = pass.value?.active && pass.value.ends_at ? Date.parse(pass.value.ends_at) : Infinity;
  return lastDay(Math.min(own, ends));
}

/** @param {FreeRefusal} refusal */
const whyNot = (refusal) => words(new Problem(409, refusal.code, refusal.words, refusal.facts));

/** Return a calendar entry (RFC 5545) as a link: a reminder that needs no network. @param {number} at */
function reminder(at) {
  const instant = (/** @type {number} */ one) => `${new Date(one).toISOString().replace(/[-:]/g, "").slice(0, 15)}Z`;
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//KSWiFi//app//EN",
    "BEGIN:VEVENT",
    `UID:free-data-${at}@kswifi`,
    `DTSTAMP:${instant(now())}`,
    `DTSTART:${instant(at)}`,
    `SUMMARY:${t("remind.event")}`,
    `URL:${location.origin}/#/choose`,
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "TRIGGER:PT0S",
    `DESCRIPTION:${t("remind.event")}`,
    "END:VALARM",
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return `data:text/calendar,${encodeURIComponent(lines.join("\r\n"))}`;
}

/** @param {{offer: Offer, chosen: boolean, choose: () => void, over: string}} props */
function Choice({ offer, chosen, choose, over }) {
  const free = offer.price_kobo === 0;
  return html`<label class="pick">
    <input
      type="radio"
      name="offer"
      value=${offer.id}
      checked=${chosen}
      disabled=${Boolean(over)}
      onChange=${choose}
      aria-label=${offer.title}
      aria-describedby=${`about-${offer.id}`}
    />
    <span class="pass">
      <span class="row between">
        <span class="grow"><${Size} octets=${offer.allowance_octets} /></span>
        <span class=${`badge ${free ? "line" : ""}`}>${free ? t("badge.free") : t("badge.unlimited")}</span>
        <span class="tick"><${Icon} name="check" /></span>
      </span>
      <span class="small soft" id=${`about-${offer.id}`}>
        ${free ? "" : `${formatNaira(offer.price_kobo)} · `}
        ${over || t("until", { day: untilOf(offer) })}
      </span>
    </span>
  </label>`;
}

/** @param {{title: string, offers: Offer[], chosen: string, choose: (id: string) => void, over: (offer: Offer) => string}} props */
const Group = ({ title, offers: list, chosen, choose, over }) =>
  list.length > 0 &&
  html`<fieldset class="stack">
    <legend style="margin-bottom:.75rem"><h2>${title}</h2></legend>
    ${list.map(
      (offer) =>
        html`<${Choice}
          key=${offer.id}
          offer=${offer}
          chosen=${chosen === offer.id}
          choose=${() => choose(offer.id)}
          over=${over(offer)}
        />`,
    )}
  </fieldset>`;

/** Show that the next session goes onto a new eSIM, as the user chose after losing a phone. @param {{keep: () => void}} props */
const NewEsim = ({ keep }) => html`<${Note} icon="chip">
  ${t("new_esim.next")}
  <button class="btn plain inline" onClick=${() => db.remove("kv", "new_esim").then(keep)}>${t("new_esim.undo")}</button>
<//>`;

export default function Choose() {
  const allowance = freeAllowance.value;
  const left = allowance?.left_octets ?? Infinity;
  const under = Boolean(pass.value?.active); // with a pass every offer is available, and no free data is used
  const [refusals, setRefusals] = useState(/** @type {Record<string, FreeRefusal>} */ ({}));
  const [listed, setListed] = useState(false);
  const [part, setPart] = useState(0);
  const look = (/** @type {any} */ view) => {
    setListed(view.waiting);
    setPart(view.tranche_octets);
    setRefusals(
      Object.fromEntries(
        view.offers.filter((/** @type {any} */ one) => one.refusal).map((/** @type {any} */ one) => [one.offer_id, one.refusal]),
      ),
    );
  };
  const [newEsim, setNewEsim] = useState(false);
  useEffect(() => {
    read("/api/v1/free-data").then(look, () => {});
    if (!phone.peek())
      read("/api/v1/connection").then(
        (seen) => setWifi(seen.wifi),
        () => {},
      );
    trustedKeys().catch(() => {}); // needed at the end of the download, so that it does not wait for them
    db.get("kv", "new_esim").then(setNewEsim);
  }, [reachable.value]);
  /** Return why an offer is not available now; "" if it is. @param {Offer} offer */
  const over = (offer) => {
    if (under || offer.price_kobo > 0) return "";
    const refusal = refusals[offer.id];
    return refusal ? whyNot(refusal) : (offer.allowance_octets ?? 0) > left ? t("choose.over") : "";
  };
  const fits = offers.value.filter((offer) => offer.price_kobo === 0 && !over(offer));
  const all = Object.entries(refusals);
  const gone = all.find(([, one]) => one.do === "join_waiting_list");
  const helps = all.find(([, one]) => /verify|redeem/.test(one.do))?.[1].do;
  const waits = all.map(([, one]) => Date.parse(String(one.facts.wait_until ?? ""))).filter((at) => at > now());
  const free_at = !fits.length && waits.length ? Math.min(...waits) : null;
  const [picked, choose] = useState("");
  const best = under ? offers.value.find((offer) => offer.price_kobo > 0) : undefined;
  const chosen = picked || ((best ?? fits[0])?.id ?? "");
  const [asking, setAsking] = useState(false);
  const [wifi, setWifi] = useState(/** @type {boolean | null} */ (null)); // as the server sees this device's address
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const offer = offers.value.find((one) => one.id === chosen);
  const how = connection.value;
  const waiting = ordering.value;
  const buys = Boolean(offer && offer.price_kobo > 0 && !under);

  const join = (/** @type {string} */ offer_id) =>
    change("/api/v1/free-data/waiting", { offer_id }).then(look, (error) => setProblem(words(error)));
  async function download() {
    if (!offer) return setProblem(t("choose.pick"));
    if (over(offer)) return setProblem(over(offer));
    // The lab phone knows for certain that it is not on WiFi. For other phones the server decides, and refuses the download.
    if (phone.value && how !== "wifi") return setProblem(t(how === "offline" ? "choose.offline" : "choose.not_wifi"));
    if (!asking && !wifi && (how === "unknown" || how === "mobile")) return setAsking(true);
    setAsking(false);
    setBusy(true);
    setProblem("");
    try {
      const one = await SessionManager.startSessionDownload(offer.allowance_octets);
      if (one) SessionManager.showDownloadProgress(one.session_id);
    } catch (error) {
      if (error instanceof Problem && error.code === "no_line_yet") go("line");
      setProblem(words(error));
    }
    setBusy(false);
  }
  const free = offers.value.filter((one) => one.price_kobo === 0);
  const paid = offers.value.filter((one) => one.price_kobo > 0);
  const paidTitle = t("choose.paid", { days: paid[0]?.valid_days ?? 0 });
  return html`
    <${Heading} title=${t("choose.title")} lead=${t("home.lead")} />
    ${
      allowance &&
      html`<div class="card">
        <div class="row between wrap">
          <b>${t("choose.allowance")}</b>
          <span class="num">${t("choose.left", { left: formatOctets(left), all: formatOctets(allowance.octets) })}</span>
        </div>
        <div class="gauge" aria-hidden="true"><i style=${{ width: `${(left / allowance.octets) * 100}%` }}></i></div>
      </div>`
    }
    ${newEsim && html`<${NewEsim} keep=${() => setNewEsim(false)} />`}
    ${under && html`<${Group} title=${paidTitle} offers=${paid} chosen=${chosen} choose=${choose} over=${over} />`}
    <${Group} title=${t("choose.free", { days: free[0]?.valid_days ?? 0 })} offers=${free} chosen=${chosen} choose=${choose} over=${over} />
    ${part > 0 && html`<p class="small soft">${t("choose.parts", { part: formatOctets(part) })}</p>`}
    ${!under && html`<${Group} title=${paidTitle} offers=${paid} chosen=${chosen} choose=${choose} over=${over} />`}
    ${!helps && html`<a class="btn plain" style="justify-self:start" href="#/free">${t("free.have")}</a>`}
    <${Insecure} />
    <div class="act stick">
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      ${free_at !== null && !offer && html`<${Note} icon="clock">${t("wait.until", { at: when(free_at) })}<//>`}
      ${
        waiting
          ? html`
            <${Note} icon="clock" live><b>${t("ordering.title")}</b> ${t("ordering.lead", { since: when(waiting.since) })}<//>
            <button class="btn plain wide" onClick=${() => SessionManager.takeBackOrder()}>${t("intent.undo")}</button>
          `
          : asking
            ? html`
              <${Note} icon="wifi" live>${t(how === "mobile" ? "choose.mobile" : "choose.ask")}<//>
              <button class="btn wide" onClick=${download}>
                <${Icon} name="down" />
                ${t(how === "mobile" ? "choose.mobile_yes" : "choose.ask_yes")}
              </button>
              <button class="btn plain wide" onClick=${() => setAsking(false)}>${t("choose.ask_no")}</button>
            `
            : buys
              ? html`
                <a class="btn wide" href="#/pass">${t("pass.buy", { price: formatNaira(offer?.price_kobo ?? 0) })}</a>
                <p class="small soft centre">${t("pass.see")}</p>
              `
              : helps && !offer && !under
                ? html`<a class="btn wide" href="#/free">${t(`free.${helps}`)}</a>`
                : gone && !offer
                  ? html`
                    <${Note} icon="clock" live>${t(listed ? "wait.joined" : "wait.lead")}<//>
                    ${
                      !listed &&
                      html`<button class="btn wide" onClick=${() => join(gone[0])}>
                        <${Icon} name="bell" />
                        ${t("wait.join")}
                      </button>`
                    }
                  `
                  : free_at !== null && !offer
                    ? html`<a class="btn wide" download="kswifi.ics" href=${reminder(free_at)}>
                      <${Icon} name="bell" />
                      ${t("remind.button")}
                    </a>`
                    : html`
                    <button class="btn wide" disabled=${busy || !isSecureContext} onClick=${download}>
                      <${Icon} name="down" />
                      ${t("choose.button")}
                    </button>
                    <p class="small soft centre">
                      ${offer ? t("choose.tiny", { size: sizeName(offer.allowance_octets) }) : t("choose.pick")}
                    </p>
                  `
      }
    </div>
  `;
}
