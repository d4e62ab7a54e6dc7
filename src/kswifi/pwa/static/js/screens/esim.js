import { formatOctets, lastDay } from "../format.js";
import { t } from "../i18n.js";
import { environment, isEnded, phone, sessions } from "../store.js";
import { Chip, Heading, Icon, Size, html } from "../ui.js";

/** @import {InternetSession} from "../types.d.ts" */

/** @param {{one: InternetSession}} props */
const Row = ({ one }) => html`<a class="pass" href=${`#/session/${one.session_id}`}>
  <div class="row between"><div class="grow"><${Size} octets=${one.left_octets ?? one.allowance_octets} />
    <p class="small soft">${one.left_octets === null ? t("meter.used", { size: formatOctets(one.used_octets) }) : t("of", { size: formatOctets(one.allowance_octets ?? 0) })} · ${t("until", { day: lastDay(one.valid_until) })}</p></div><${Chip} /></div>
  <p class="small"><span class=${`badge ${one.state === "active" ? "" : "line"}`}>${t(`state.${one.state}`).toUpperCase()}</span></p></a>`;

export default function Esim() {
  const lab = phone.value;
  const live = sessions.value.filter((one) => !isEnded(one));
  const ended = sessions.value.filter(isEnded);
  return html`<${Heading} title=${t("esim.title")} lead=${t("esim.lead")} />
    ${live.map((one) => html`<${Row} one=${one} key=${one.session_id} />`)}
    ${!live.length && html`<div class="card centre"><${Chip} /><p>${t("esim.empty")}</p></div>`}
    ${lab && html`<section class="card"><h2>${t("esim.phone")}</h2><div class="row wrap"><span class="pill"><${Icon} name="wifi" />${t(lab.wifi ? "esim.wifi_on" : "esim.wifi_off")}</span><span class="pill"><${Icon} name="line" />${t(lab.line ? "esim.line_on" : "esim.line_off")}</span></div>
      <p class="small soft">${t("esim.profiles", { n: lab.profiles.length })}</p></section>`}
    ${environment.value?.lab_origin && html`<a class="btn quiet wide" href="/lab"><${Icon} name="phone" />${t("esim.lab")}</a>`}
    ${ended.length > 0 && html`<section class="stack"><h2>${t("esim.ended")}</h2><div class="list">${ended.map((one) => html`<a class="item" key=${one.session_id} href=${`#/session/${one.session_id}`}><span class="grow"><b>${one.allowance_octets === null ? t("size.unlimited") : formatOctets(one.allowance_octets)}</b><span class="small soft">${t(`state.${one.state}`)}</span></span><${Icon} name="chevron" /></a>`)}</div></section>`}
    ${!live.length && html`<div class="act stick"><a class="btn wide" href="#/choose"><${Icon} name="down" />${t("home.download")}</a></div>`}`;
}
