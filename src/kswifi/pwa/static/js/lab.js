// The page of the lab phone, in embedded mode. It shows what the card, the modem and the sockets report.
import { render } from "preact";
import { read } from "./api.js";
import * as db from "./db.js";
import { Facts } from "./facts.js";
import { formatOctets, lastDay, octetParts, sizeName, when } from "./format.js";
import { add, t } from "./i18n.js";
import { listen } from "./live.js";
import { Meter } from "./meter.js";
import { browse, labMessages, look, switchLine, switchWifi, useProfile } from "./phone.js";
import { signal, useEffect, useState } from "./state.js";
import { account, connect, current, environment, load, phone, sessions, words } from "./store.js";
import * as texts from "./text/lab.js";
import { Chip, html, Icon, Note } from "./ui.js";

const PIECE = 5_000_000;
/** @type {import("./state.js").Signal<{speed: number, cut: boolean}[]>} */
const pieces = signal([]);
const total = signal(0);
const running = signal(false);
const result = signal("");
const problem = signal("");
const busy = signal(false);

/** @param {() => Promise<unknown>} work */
async function doing(work) {
  busy.value = true;
  problem.value = "";
  await work().catch((error) => (problem.value = words(error)));
  busy.value = false;
  await look();
}

/** Fetch data through the gateway until the line is cut off or the user stops. @param {number} octets */
async function spend(octets) {
  running.value = true;
  problem.value = "";
  pieces.value = [];
  total.value = 0;
  while (running.value && total.value < octets) {
    const began = performance.now();
    const asked = Math.min(Math.max(PIECE, total.value / 8), octets - total.value);
    try {
      const { octets: came, cut_off } = await browse({ octets: Math.ceil(asked) });
      total.value += came;
      pieces.value = [...pieces.value, { speed: (came * 8) / (performance.now() - began) / 1000, cut: cut_off }].slice(-40);
      if (cut_off) break;
    } catch (error) {
      problem.value = words(error);
      break;
    }
  }
  running.value = false;
  await look();
}

/** Decode a session record of the card (docs/session-record.md). @param {string} hex */
function parseRecord(hex) {
  const octets = Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
  if (octets[0] !== 1 || octets.length < 123) return null;
  const view = new DataView(octets.buffer);
  const id = hex.slice(2, 34).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  const allowance = view.getBigUint64(27);
  return {
    id,
    allowance: allowance === 2n ** 64n - 1n ? null : Number(allowance),
    until: Number(view.getBigUint64(43)) * 1000,
    signed: octets.slice(0, 59),
    signature: octets.slice(59, 123),
    place: octets[123] === 1 ? octets[125] : 0,
    next: octets[126] === 1,
  };
}

/** @param {ReturnType<typeof parseRecord>} record */
async function isSigned(record) {
  if (!record) return false;
  for (const { kty, crv, x, y } of (await read("/.well-known/jwks.json")).keys) {
    const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
    if (await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, record.signature, record.signed)) return true;
  }
  return false;
}

/** @param {{hex: string}} props */
function CardRecord({ hex }) {
  const record = parseRecord(hex);
  const [signed, setSigned] = useState(false);
  useEffect(() => void isSigned(record).then(setSigned, () => {}), [hex]);
  if (!record) return null;
  return html`<li class="pass">
    <div class="row between">
      <div class="grow">
        <b>${t("size.session", { size: sizeName(record.allowance) })}</b>
        <p class="small soft">${t("until", { day: lastDay(record.until) })}</p>
      </div>
      <${Chip} />
    </div>
    ${record.place > 0 && html`<p class="small">${t("lab.place", { n: record.place })}${record.next && html` · ${t("esim.next")}`}</p>`}
    ${signed && html`<p class="small row" style="gap:.4rem"><span class="mark"><${Icon} name="seal" /></span>${t("seal.ok")}</p>`}
    <details>
      <summary class="small">${t("lab.octets", { n: hex.length / 2 })}<${Icon} name="chevron" /></summary>
      <p class="hex" tabindex="0">${hex.match(/.{1,8}/g)?.join(" ")}</p>
    </details>
  </li>`;
}

/** @param {{icon: "wifi" | "line", name: string, state: string, on: boolean, change: (on: boolean) => Promise<unknown>}} props */
const Tile = ({
  icon,
  name,
  state,
  on,
  change,
}) => html`<button class="tile" role="switch" aria-checked=${on} disabled=${busy.value} onClick=${() => doing(() => change(!on))}>
  <${Icon} name=${icon} />
  ${name}
  <small>${state}</small>
</button>`;

function Device() {
  const lab = phone.value;
  const [typed, setUrl] = useState(/** @type {string | null} */ (null));
  const [page, setPage] = useState("");
  if (!lab) return html`<div class="device"><div class="glass"><${Note} kind="error" live>${t("problem.no_lab_phone")}<//></div></div>`;
  const url = typed ?? lab.home;
  /** @param {SubmitEvent} event */
  const visit = (event) => {
    event.preventDefault();
    result.value = "";
    setPage("");
    doing(async () => {
      const { status, octets, cut_off, page: path } = await browse({ url, show: true });
      setPage(environment.peek()?.lab_origin + path);
      result.value = t(cut_off ? "lab.visited_cut" : "lab.visited", {
        status,
        size: formatOctets(octets),
        way: t(lab.wifi ? "lab.over_wifi" : "lab.over_line"),
      });
    });
  };
  const [figure, unit] = octetParts(total.value);
  const speed = pieces.value.at(-1)?.speed ?? 0;
  const most = Math.max(1, ...pieces.value.map((one) => one.speed));
  return html`<div class="device">
    <div class="glass">
      <div class="status">
        <span class="num">${new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }).format(new Date())}</span>
        <span class="row" style="gap:.4rem">
          ${lab.attached && html`<${Icon} name="line" />`}
          ${lab.wifi && html`<${Icon} name="wifi" />`}
          ${!lab.wifi && !lab.attached && html`<${Icon} name="noline" />`}
        </span>
      </div>
      <div class="tiles">
        <${Tile} icon="wifi" name="WiFi" state=${t(lab.wifi ? "lab.on" : "lab.off")} on=${lab.wifi} change=${switchWifi} />
        <${Tile}
          icon="line"
          name=${t("lab.line")}
          state=${lab.attached ? t(`lab.access.${lab.access}`) : t("lab.off")}
          on=${lab.line}
          change=${switchLine}
        />
      </div>
      <form class="address" onSubmit=${visit}>
        <label class="vh" for="url">${t("lab.address")}</label>
        <input
          id="url"
          type="url"
          required
          placeholder="http://"
          value=${url}
          onInput=${(/** @type {any} */ event) => setUrl(event.target.value)}
        />
        <button class="btn quiet" disabled=${busy.value}>${t("lab.visit")}</button>
      </form>
      ${page && html`<iframe class="pane" title=${t("lab.pane")} src=${page} sandbox=""></iframe>`}
      ${result.value && html`<p class="small soft" role="status">${result.value}</p>`}
      <div class="speed">
        <p class="soft small">${t("lab.speed")}</p>
        <p><strong>${Math.round(speed)}</strong> Mbit/s</p>
        <p class="small soft num">${t("lab.fetched", { size: `${figure} ${unit}` })}</p>
      </div>
      <div class="spark" aria-hidden="true">
        ${pieces.value.map((one) => html`<i class=${one.cut ? "cut" : ""} style=${{ height: `${(100 * one.speed) / most}%` }}></i>`)}
      </div>
      ${pieces.value.at(-1)?.cut && html`<${Note} kind="warning" live>${t("lab.cut")}<//>`}
      ${problem.value && html`<${Note} kind="error" live>${problem.value}<//>`}
      ${
        running.value
          ? html`<button class="btn quiet wide" onClick=${() => (running.value = false)}>${t("lab.stop")}</button>`
          : html`<div class="row">
            <button class="btn quiet grow" onClick=${() => spend(1e8)}>100 MB</button>
            <button class="btn grow" onClick=${() => spend(1e12)}>${t("lab.all")}</button>
          </div>`
      }
    </div>
  </div>`;
}

/** @type {import("./state.js").Signal<{at: string, message: any}[]>} */
const told = signal([]);
/** @type {import("./state.js").Signal<{to: string, words: string, at: string} | null>} */
const texted = signal(null);
async function hear() {
  told.value = await labMessages();
  const verifying = await db.get("kv", "verifying");
  texted.value = verifying ? await read(`/api/v1/phone-verifications/${verifying.verification_id}/lab-message`).catch(() => null) : null;
}

/** Show the message with the code from the lab's outbox. No network carries it. */
const Texted = () =>
  texted.value &&
  html`<section class="stack">
    <h2>${t("lab.texts")}</h2>
    <ul class="list">
      <li class="item">
        <span class="dot"><${Icon} name="phone" /></span>
        <span class="grow"><b>${texted.value.words}</b><span class="small soft">${texted.value.to} · ${t("lab.texts_lead")}</span></span>
        <span class="small soft num">${when(Date.parse(texted.value.at))}</span>
      </li>
    </ul>
  </section>`;

/** @param {any} message */
const alertText = ({ what, percent, allowance_octets, valid_until }) =>
  t(`alert.${what}`, { percent, size: sizeName(allowance_octets), day: lastDay(valid_until * 1000) });

/** Show the messages that came over the phone's push service. */
const Told = () =>
  told.value.length > 0 &&
  html`<section class="stack">
    <h2>${t("lab.told")}</h2>
    <ul class="list">
      ${told.value.slice(0, 5).map(
        ({ at, message }) => html`<li class="item" key=${at}>
          <span class="dot"><${Icon} name="bell" /></span>
          <span class="grow">${alertText(message)}</span>
          <span class="small soft num">${when(Date.parse(at))}</span>
        </li>`,
      )}
    </ul>
  </section>`;

function Bench() {
  const lab = phone.value;
  const one = current.value ?? sessions.value.find((other) => other.state === "exhausted") ?? null;
  return html`
    <header class="top">
      <a class="brand" href="/"><img src="/app/icons/icon.svg" width="32" height="32" alt="" />KSWiFi</a>
      <a class="btn plain" href="/">${t("lab.to_app")}</a>
    </header>
    <main class="page">
      <header class="stack tight"><h1>${t("lab.title")}</h1><p class="soft">${t("lab.lead")}</p></header>
      <div class="bench">
        <${Device} />
        <div class="stack" style="gap:1.25rem">
          ${
            one &&
            html`<section class="card centre" style="justify-items:stretch">
              <h2>${t("lab.session")}</h2>
              <div class="hero">
                <${Meter} one=${one} />
                <span class=${`badge ${one.state === "active" ? "" : "grey"}`} role="status">${t(`state.${one.state}`).toUpperCase()}</span>
              </div>
              <${Facts} one=${one} />
            </section>`
          }
          ${!account.value && html`<${Note}>${t("lab.sign_in")} <a href="/#/account">${t("account.sign_in")}</a><//>`}
          <${Texted} />
          <${Told} />
          ${
            lab &&
            html`<section class="stack">
              <h2>${t("lab.card")}</h2>
              <p class="small soft">EID <span class="mono">${lab.eid}</span></p>
              <ul class="list">
                ${lab.profiles
                  .toSorted((a, b) => Number(b.enabled) - Number(a.enabled))
                  .map(
                    (profile) => html`<li class="item" key=${profile.iccid}>
                    <span class="dot"><${Icon} name="chip" /></span>
                    <span class="grow"><b>${profile.name || "KSWiFi"}</b><span class="mono soft">${profile.iccid}</span></span>
                    ${
                      profile.enabled
                        ? html`<span class="badge line">${t("lab.enabled")}</span>`
                        : html`<button class="btn quiet" disabled=${busy.value} onClick=${() => doing(() => useProfile(profile.iccid))}>
                          ${t("lab.enable")}
                        </button>`
                    }
                  </li>`,
                  )}
              </ul>
              ${!lab.profiles.length && html`<p class="soft">${t("lab.empty")}</p>`}
              <ul class="stack">${lab.records.map((record) => html`<${CardRecord} hex=${record} key=${record} />`)}</ul>
            </section>`
          }
        </div>
      </div>
    </main>
  `;
}

await load();
add(texts);
render(html`<div class="frame"><${Bench} /></div>`, /** @type {HTMLElement} */ (document.getElementById("app")));
await connect().catch((error) => (problem.value = words(error)));
listen();
await look();
setInterval(() => {
  if (document.hidden || busy.value) return;
  look();
  hear().catch(() => {});
}, 1500);
