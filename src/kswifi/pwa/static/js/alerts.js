// Alerts while a page is open: at 50, 80, 95 and 100 % of a session, and on its last day. Each alert is shown once.

import { now } from "./clock.js";
import * as db from "./db.js";
import { lastDay, sizeName } from "./format.js";
import { language, t } from "./i18n.js";
import { effect } from "./state.js";
import { account, ENDED, onChange, preferences, STORED, say } from "./store.js";

/** @import {InternetSession} from "./types.d.ts" */

const SHARES = [50, 80, 95];
const LAST = 864e5;

/**
 * Return the alerts that a change causes: the highest threshold passed, and the coming end.
 * @param {InternetSession | undefined} before @param {InternetSession} after @param {number} [at] the instant now
 * @returns {{what: string, values: Record<string, string | number>}[]}
 */
export function alertsOf(before, after, at = now()) {
  const found = [];
  const size = sizeName(after.allowance_octets);
  const share = (/** @type {InternetSession | undefined} */ one) =>
    one?.allowance_octets ? (100 * one.used_octets) / one.allowance_octets : 0;
  const passed = SHARES.filter((percent) => share(before) < percent && share(after) >= percent).at(-1);
  if (before && after.state === "exhausted" && before.state !== "exhausted") found.push({ what: "finished", values: {} });
  else if (before && passed && !ENDED.includes(after.state)) found.push({ what: "share", values: { percent: passed, size } });
  if (STORED.includes(after.state) && after.valid_until - at < LAST)
    found.push({ what: "ends", values: { size, day: lastDay(after.valid_until) } });
  return found;
}

const ALERTS = "share ends finished security gift_received gift_claimed gift_returned move_asked session_due limit_reached".split(" ");
// Store the texts of alerts in the user's language for the service worker, which shows messages while no page is open.
effect(() => {
  if (!account.value) return; // signing out deletes the texts; signing in stores them again
  const locale = language.value === "pcm" ? "en-NG" : navigator.language;
  const texts = Object.fromEntries(ALERTS.map((what) => [what, t(`alert.${what}`)]));
  db.put("kv", { ...texts, locale, unlimited: t("size.unlimited") }, "alert_texts").catch(() => {});
});

/** @param {InternetSession} one @param {{what: string, values: Record<string, string | number>}} alert */
async function tell(one, { what, values }) {
  const key = `told ${one.session_id} ${what} ${values.percent ?? ""}`;
  if (await db.get("kv", key)) return;
  await db.put("kv", true, key);
  const text = t(`alert.${what}`, values);
  say(text, { about: one.session_id });
  if ("Notification" in window && Notification.permission === "granted" && document.hidden)
    (await navigator.serviceWorker?.ready)?.showNotification("KSWiFi", { body: text, icon: "/app/icons/icon-192.png", tag: key });
}

onChange.push((before, after) => {
  if (!preferences.peek().alerts) return;
  for (const one of after) {
    const earlier = before.find((other) => other.session_id === one.session_id);
    for (const alert of alertsOf(earlier, one)) tell(one, alert).catch(() => {});
  }
});
