// What happened to a session, in the steps that its owner has seen: the server has more states than people have steps.
import { t } from "./i18n.js";
import { stateOf } from "./store.js";

/** @import {Activity, InternetSession} from "./types.d.ts" */

/** The step that a state belongs to; what is not here happens by itself and is not told. @type {Record<string, string>} */
const STEPS = {
  packaged: "ordered",
  downloaded: "downloaded",
  stored: "stored",
  active: "active",
  paused: "paused",
  exhausted: "exhausted",
  expired: "expired",
  revoked: "revoked",
  failed: "failed",
};
/** Reasons of the server that name the end better: its owner wished it. @type {Record<string, string>} */
const REASONS = { cancelled: "cancelled", "the pass was given back": "refunded" };
/** @param {string} state @param {string | null | undefined} reason */
const wish = (state, reason) => (state === "revoked" && reason && Object.hasOwn(REASONS, reason) ? REASONS[reason] : "");

/** How a session stands, or how it came to its end. @param {InternetSession} one */
export function endOf(one) {
  const state = stateOf(one);
  const wished = wish(state, one.reason);
  return t(wished ? `step.${wished}` : `state.${state}`);
}

/**
 * @param {Activity[]} entries
 * @returns {{sequence: string, session_id: string, at: number, text: string, bad: boolean, what: string}[]}
 */
export const stepsOf = (entries) =>
  entries
    .filter((one) => Object.hasOwn(STEPS, one.what))
    .map(({ sequence, session_id, at, what, reason }) => {
      const wished = wish(what, reason);
      // A transfer that failed goes back to "downloaded", with the reason.
      const step = what === "downloaded" && reason ? "refused" : wished || STEPS[what];
      const bad = ["failed", "expired", "refused"].includes(step) || (what === "revoked" && !wished);
      return { sequence, session_id, at, text: t(`step.${step}`), bad, what };
    });
