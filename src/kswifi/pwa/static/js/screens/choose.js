import { change, Problem, read } from "../api.js";
import { formatNaira, formatOctets, lastDay, sizeName } from "../format.js";
import { t } from "../i18n.js";
import { SessionManager } from "../road.js";
import { useEffect, useState } from "../state.js";
import { connection, free as freeAllowance, offers, pass, reachable, words } from "../store.js";
import { Heading, html, Icon, Insecure, Note, Size } from "../ui.js";

/** @import {FreeRefusal, Offer} from "../types.d.ts" */

/** @param {Offer} offer */
const untilOf = (offer) => lastDay(new Date(new Date().setHours(24, 0, 0, 0)).getTime() + offer.valid_days * 864e5);

/** Ours where there are better ones, else the server's. @param {FreeRefusal} refusal */
const whyNot = (refusal) => words(new Problem(409, refusal.code, refusal.words));

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

export default function Choose() {
  const allowance = freeAllowance.value;
  const left = allowance?.left_octets ?? Infinity;
  const under = Boolean(pass.value?.active); // a pass gives every offer, and takes nothing of the free data
  const [refusals, setRefusals] = useState(/** @type {Record<string, FreeRefusal>} */ ({}));
  const [waits, setWaits] = useState(false);
  const [part, setPart] = useState(0);
  const look = (/** @type {any} */ view) => {
    setWaits(view.waiting);
    setPart(view.tranche_octets);
    setRefusals(
      Object.fromEntries(
        view.offers.filter((/** @type {any} */ one) => one.refusal).map((/** @type {any} */ one) => [one.offer_id, one.refusal]),
      ),
    );
  };
  useEffect(() => void read("/api/v1/free-data").then(look, () => {}), []);
  /** Why an offer cannot be had now; "" where it can. @param {Offer} offer */
  const over = (offer) => {
    if (under || offer.price_kobo > 0) return "";
    const refusal = refusals[offer.id];
    return refusal ? whyNot(refusal) : (offer.allowance_octets ?? 0) > left ? t("choose.over") : "";
  };
  const fits = offers.value.filter((offer) => offer.price_kobo === 0 && !over(offer));
  const gone = Object.entries(refusals).find(([, one]) => one.do === "join_waiting_list");
  const helps = Object.values(refusals).find((one) => /verify|redeem/.test(one.do))?.do;
  const [picked, choose] = useState("");
  const chosen = picked || (fits.at(-1)?.id ?? "");
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const offer = offers.value.find((one) => one.id === chosen);
  const how = connection.value;
  const asks = how === "unknown" || how === "mobile";
  const buys = Boolean(offer && offer.price_kobo > 0 && !under);
  const may =
    Boolean(offer && !over(offer)) && reachable.value && how !== "line" && how !== "offline" && (!asks || sure) && !busy && isSecureContext;

  async function download() {
    if (!offer || !may) return;
    setBusy(true);
    setProblem("");
    try {
      const one = await SessionManager.startSessionDownload(offer.allowance_octets);
      SessionManager.showDownloadProgress(one.session_id);
    } catch (error) {
      setProblem(words(error));
      setBusy(false);
    }
  }
  const free = offers.value.filter((one) => one.price_kobo === 0);
  const paid = offers.value.filter((one) => one.price_kobo > 0);
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
    <${Group} title=${t("choose.free", { days: free[0]?.valid_days ?? 0 })} offers=${free} chosen=${chosen} choose=${choose} over=${over} />
    ${part > 0 && html`<p class="small soft">${t("choose.parts", { part: formatOctets(part) })}</p>`}
    <${Group} title=${t("choose.paid", { days: paid[0]?.valid_days ?? 0 })} offers=${paid} chosen=${chosen} choose=${choose} over=${over} />
    ${!helps && html`<a class="btn plain" style="justify-self:start" href="#/free">${t("free.have")}</a>`}
    ${
      gone &&
      html`
        <${Note} icon="clock" live>${t(waits ? "wait.joined" : "wait.lead")}<//>
        ${
          !waits &&
          html`<button
            class="btn quiet wide"
            disabled=${!reachable.value}
            onClick=${() => change("/api/v1/free-data/waiting", { offer_id: gone[0] }).then(look, (error) => setProblem(words(error)))}
          >
            ${t("wait.join")}
          </button>`
        }
      `
    }
    <${Insecure} />
    ${how === "line" && html`<${Note} kind="warning" icon="wifi" live>${t("choose.not_wifi")}<//>`}
    ${how === "offline" && html`<${Note} kind="warning" icon="noline" live>${t("choose.offline")}<//>`}
    ${
      asks &&
      !buys &&
      html`<label class="item card" style="display:flex">
        <input class="switch" type="checkbox" role="switch" checked=${sure} onChange=${() => setSure(!sure)} />
        <span class="grow">${t(how === "mobile" ? "choose.mobile" : "choose.ask")}</span>
      </label>`
    }
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    <div class="act stick">
      ${
        buys
          ? html`
            <a class="btn wide" href="#/pass">${t("pass.buy", { price: formatNaira(offer?.price_kobo ?? 0) })}</a>
            <p class="small soft centre">${t("pass.see")}</p>
          `
          : helps && !offer && !under
            ? html`<a class="btn wide" href="#/free">${t(`free.${helps}`)}</a>`
            : html`
              <button class="btn wide" disabled=${!may} onClick=${download}><${Icon} name="down" />${t("choose.button")}</button>
              <p class="small soft centre">${offer ? t("choose.tiny", { size: sizeName(offer.allowance_octets) }) : t("choose.pick")}</p>
            `
      }
    </div>
  `;
}
