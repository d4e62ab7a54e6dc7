// htm bound to Preact, and the parts that all screens use.

import htm from "htm";
import { h } from "preact";
import { formatOctets, octetParts, sizeName } from "./format.js";
import { t } from "./i18n.js";
import { useEffect, useRef } from "./state.js";

export const html = htm.bind(h);

const PATHS = {
  alert: "M12 3 2.5 20h19L12 3ZM12 10v4M12 17.4v.1",
  bell: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15ZM10 21h4",
  check: "m5 12.5 4.5 4.5L19 7.5",
  chevron: "m9 5 7 7-7 7",
  back: "m15 5-7 7 7 7",
  chip: "M7 3h7l5 5v11a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2ZM8.5 11.5h7v6h-7zM12 11.5v6M8.5 14.5h7",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7v5l3.5 2",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  cross: "M6 6l12 12M18 6 6 18",
  down: "M12 3v13M6.5 11 12 16.5 17.5 11M4 21h16",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM9.5 9.5a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1 1-1.1 1.7M12 17v.1",
  home: "M4 11 12 4l8 7M6 9.5V20h12V9.5M10 20v-6h4v6",
  key: "M8 8.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM11.5 11.2 21 6M17 8.2l2 3.2",
  line: "M4 20v-4M9.3 20v-8M14.6 20V8M20 20V4",
  noline: "M4 20v-4M9.3 20v-8M14.6 20v-5M20 20v-9M3 3l18 18",
  pause: "M8 5v14M16 5v14",
  phone: "M8 2.5h8a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2ZM11 18.5h2",
  play: "M7 4.5v15l12-7.5-12-7.5Z",
  seal: "M12 2.8 19 6v5.5c0 4.4-2.9 7.9-7 9.7-4.1-1.8-7-5.3-7-9.7V6l7-3.2ZM8.8 12l2.3 2.3 4.2-4.4",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4.5 20.5c.8-4 3.7-6 7.5-6s6.7 2 7.5 6",
  wifi: "M2.5 9.5a14 14 0 0 1 19 0M5.8 13a9 9 0 0 1 12.4 0M9 16.4a4.5 4.5 0 0 1 6 0M12 20v.1",
};
/** @typedef {keyof typeof PATHS} IconName */

/** @param {{name: IconName}} props */
export const Icon = ({ name }) => html`<svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

/** The contacts of a SIM: the sign for "on the eSIM". */
export const Chip =
  () => html`<svg class="chip" viewBox="0 0 44 34" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8">
    <rect x="1" y="1" width="42" height="32" rx="8" />
    <path d="M1 12h13v10H1M43 12H30v10h13M14 12c0-5 3-4 3-11M30 12c0-5-3-4-3-11M14 22c0 5 3 4 3 11M30 22c0 5-3 4-3 11M14 12v10M30 12v10" />
  </svg>`;

const R = 104;
const ROUND = 2 * Math.PI * R;

/**
 * A ring that empties. `share` is the rest, from 0 to 1; null draws a full, dotted ring.
 * @param {{share: number | null, label: string, small?: boolean, children?: any}} props
 */
export function Ring({ share, label, small, children }) {
  const full = share ?? 1;
  return html`<div class=${`ring ${small ? "small" : ""}`} role="img" aria-label=${label}>
    <svg viewBox="0 0 240 240" aria-hidden="true" fill="none">
      <defs>
        <linearGradient id="g" x1="1" y1="0" x2="0" y2="1">
          <stop offset="0" stop-color="var(--mark-end)" />
          <stop offset=".7" stop-color="var(--mark)" />
        </linearGradient>
      </defs>
      <circle cx="120" cy="120" r=${R} stroke="var(--track)" stroke-width="17" />
      <circle cx="120" cy="120" r="86" stroke="var(--line)" stroke-width="5" stroke-dasharray="1.5 7.506" />
      <g transform="rotate(-90 120 120)">
        ${
          full > 0 &&
          html`<circle
            class="bar"
            cx="120"
            cy="120"
            r=${R}
            stroke="url(#g)"
            stroke-width="17"
            stroke-linecap="round"
            stroke-dasharray=${share === null ? "2 22" : ROUND}
            stroke-dashoffset=${ROUND * (1 - full)}
          />`
        }
      </g>
    </svg>
    <div class="ring-in" aria-hidden="true">${children}</div>
  </div>`;
}

/** Big figure of a ring. @param {{octets: number | null, of: number | null, word: string}} props */
export function RingFigure({ octets, of, word }) {
  const [figure, unit] = octets === null ? ["∞", ""] : octets ? octetParts(octets) : ["0", "MB"];
  return html`
    <strong>${figure}</strong>
    <span class="unit">${unit} ${word}</span>
    ${of !== null && html`<span class="small soft">${t("of", { size: formatOctets(of) })}</span>`}
  `;
}

/** @param {{octets: number | null}} props */
export function Size({ octets }) {
  if (octets === null) return html`<span class="size word">${sizeName(null)}</span>`;
  const [figure, unit] = octetParts(octets);
  return html`<span class="size">${figure}<small> ${unit}</small></span>`;
}

/** @param {{kind?: "" | "warning" | "error", icon?: IconName, children?: any, live?: boolean}} props */
export const Note = ({ kind = "", icon = kind ? "alert" : "seal", children, live = false }) =>
  html`<div class=${`note ${kind}`} role=${live ? "status" : undefined}><${Icon} name=${icon} /><div class="grow">${children}</div></div>`;

/** Explain what the page cannot do without HTTPS; nothing with HTTPS. */
export const Insecure = () => !isSecureContext && html`<${Note} kind="warning">${t("settings.insecure")}<//>`;

/** A screen's heading takes the focus when the screen is shown, so that a screen reader begins there. */
/** @param {{title: string, lead?: any, hidden?: boolean, back?: string}} props */
export function Heading({ title, lead, hidden, back }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    document.title = `${title} · KSWiFi`;
    if (Heading.focus) ref.current?.focus({ preventScroll: true });
    Heading.focus = true;
  }, []);
  return html`<header class="stack tight">
    ${
      back && html`<a class="btn plain" style="justify-self:start;margin-left:-.75rem" href=${back}><${Icon} name="back" />${t("back")}</a>`
    }
    <h1 ref=${ref} tabindex="-1" class=${hidden ? "vh" : ""}>${title}</h1>
    ${lead && html`<p class="soft">${lead}</p>`}
  </header>`;
}
/** Not on the very first screen: the page has just been opened there. */
Heading.focus = false;

/** Copy a text. @param {{text: string, label: string, onDone: () => void}} props */
export const CopyButton = ({ text, label, onDone }) =>
  html`<button type="button" class="iconbtn" aria-label=${label} onClick=${() => navigator.clipboard?.writeText(text).then(onDone)}>
    <${Icon} name="copy" />
  </button>`;

/** A line of a list that leads to another screen. @param {{icon: IconName, to: string, name: string, hint?: string}} props */
export const Row = ({ icon, to, name, hint }) => html`<a class="item" href=${`#/${to}`}>
  <span class="dot"><${Icon} name=${icon} /></span>
  <span class="grow"><b>${name}</b>${hint && html`<span class="small soft">${hint}</span>`}</span>
  <${Icon} name="chevron" />
</a>`;

/** @param {{label: string, hint?: string, on: boolean, change: (on: boolean) => void}} props */
export const Switch = ({ label, hint, on, change: set }) => html`<label class="item">
  <span class="grow"><b>${label}</b>${hint && html`<span class="small soft">${hint}</span>`}</span>
  <input class="switch" type="checkbox" role="switch" checked=${on} onChange=${() => set(!on)} />
</label>`;
