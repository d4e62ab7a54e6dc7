import { useState } from "preact/hooks";
import { formatNaira, formatOctets, lastDay, sizeName } from "../format.js";
import { t } from "../i18n.js";
import { SessionManager } from "../road.js";
import { connection, free as freeAllowance, offers, reachable, words } from "../store.js";
import { Heading, Icon, Note, Size, html } from "../ui.js";

/** @import {Offer} from "../types.d.ts" */

/** @param {Offer} offer */
const untilOf = (offer) => lastDay(new Date(new Date().setHours(24, 0, 0, 0)).getTime() + offer.valid_days * 864e5);

/** @param {{offer: Offer, chosen: boolean, choose: () => void, left: number}} props */
function Choice({ offer, chosen, choose, left }) {
  const free = offer.price_kobo === 0;
  const over = free && (offer.allowance_octets ?? 0) > left;
  return html`<label class="pick"><input type="radio" name="offer" value=${offer.id} checked=${chosen} disabled=${over} onChange=${choose} aria-label=${offer.title} aria-describedby=${`about-${offer.id}`} />
    <span class="pass"><span class="row between"><span class="grow"><${Size} octets=${offer.allowance_octets} /></span>
      <span class=${`badge ${free ? "line" : ""}`}>${free ? t("badge.free") : t("badge.unlimited")}</span><span class="tick"><${Icon} name="check" /></span></span>
      <span class="small soft" id=${`about-${offer.id}`}>${free ? "" : `${formatNaira(offer.price_kobo)} · `}${over ? t("choose.over") : t("until", { day: untilOf(offer) })}</span></span></label>`;
}

/** @param {{title: string, offers: Offer[], chosen: string, choose: (id: string) => void, left: number}} props */
const Group = ({ title, offers: list, chosen, choose, left }) =>
  list.length > 0 && html`<fieldset class="stack"><legend style="margin-bottom:.75rem"><h2>${title}</h2></legend>${list.map(
    (offer) => html`<${Choice} key=${offer.id} offer=${offer} chosen=${chosen === offer.id} choose=${() => choose(offer.id)} left=${left} />`)}</fieldset>`;

export default function Choose() {
  const allowance = freeAllowance.value;
  const left = allowance?.left_octets ?? Infinity;
  const fits = offers.value.filter((offer) => offer.price_kobo === 0 && (offer.allowance_octets ?? 0) <= left);
  const [chosen, choose] = useState(fits.at(-1)?.id ?? "");
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const offer = offers.value.find((one) => one.id === chosen);
  const how = connection.value;
  const asks = how === "unknown" || how === "mobile";
  const may = Boolean(offer) && reachable.value && how !== "line" && how !== "offline" && (!asks || sure) && !busy;

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
  return html`<${Heading} title=${t("choose.title")} lead=${t("home.lead")} />
    ${allowance && html`<div class="card"><div class="row between wrap"><b>${t("choose.allowance")}</b><span class="num">${t("choose.left", { left: formatOctets(left), all: formatOctets(allowance.octets) })}</span></div>
      <div class="gauge" aria-hidden="true"><i style=${{ width: `${(left / allowance.octets) * 100}%` }}></i></div></div>`}
    <${Group} title=${t("choose.free", { days: free[0]?.valid_days ?? 0 })} offers=${free} chosen=${chosen} choose=${choose} left=${left} />
    <${Group} title=${t("choose.paid", { days: paid[0]?.valid_days ?? 0 })} offers=${paid} chosen=${chosen} choose=${choose} left=${left} />
    ${how === "line" && html`<${Note} kind="warning" icon="wifi" live>${t("choose.not_wifi")}<//>`}
    ${how === "offline" && html`<${Note} kind="warning" icon="noline" live>${t("choose.offline")}<//>`}
    ${asks && html`<label class="item card" style="display:flex"><input class="switch" type="checkbox" role="switch" checked=${sure} onChange=${() => setSure(!sure)} /><span class="grow">${t(how === "mobile" ? "choose.mobile" : "choose.ask")}</span></label>`}
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    <div class="act stick"><button class="btn wide" disabled=${!may} onClick=${download}><${Icon} name="down" />${t("choose.button")}</button>
      <p class="small soft centre">${offer ? t("choose.tiny", { size: sizeName(offer.allowance_octets) }) : t("choose.pick")}</p></div>`;
}
