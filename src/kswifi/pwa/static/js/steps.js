// The history of a session in the steps that its owner saw. The server has more states than that.
import { t } from "./i18n.js";
import { stateOf } from "./store.js";

/** @import {Activity, InternetSession} from "./types.d.ts" */

/** The step that a state belongs to. States that are not here are not shown. @type {Record<string, string>} */
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
/** The step for an end that the owner asked for, by the server's reason. @type {Record<string, string>} */
const REASONS = { cancelled: "cancelled", "the pass was given back": "refunded" };
/** @param {string} state @param {string | null | undefined} reason */
const wish = (state, reason) => (state === "revoked" && reason && Object.hasOwn(REASONS, reason) ? REASONS[reason] : "");

/** Return the text for the state of a session, or for how it ended. @param {InternetSession} one */
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
      // After a failed transfer the state is "downloaded" again, with the reason.
      const step = what === "downloaded" && reason ? "refused" : wished || STEPS[what];
      const bad = ["failed", "expired", "refused"].includes(step) || (what === "revoked" && !wished);
      return { sequence, session_id, at, text: t(`step.${step}`), bad, what };
    });
