// Show the rest of a session as a ring.
import { formatOctets } from "./format.js";
import { t } from "./i18n.js";
import { html, Ring, RingFigure } from "./ui.js";

/** @import {InternetSession} from "./types.d.ts" */

/** @param {{one: InternetSession, small?: boolean}} props `small`: next to other things on a screen */
export function Meter({ one, small }) {
  const share = one.left_octets === null || one.allowance_octets === null ? null : one.left_octets / one.allowance_octets;
  const left = one.left_octets;
  const label =
    left === null
      ? t("meter.used", { size: formatOctets(one.used_octets) })
      : t("meter.label", { left: formatOctets(left), all: formatOctets(one.allowance_octets ?? 0) });
  return html`<${Ring} share=${share} label=${label} small=${small}>
    <${RingFigure} octets=${left ?? one.used_octets} of=${one.allowance_octets} word=${t(left === null ? "used" : "left")} />
  <//>`;
}
