// The standing order: the next session is ordered and downloaded by itself when it is due, and only on WiFi that is certain. It is
// fetched once there is a standing order.
import { change, newKey, Problem, read } from "./api.js";
import * as db from "./db.js";
import { sizeName } from "./format.js";
import { add, t } from "./i18n.js";
import { SessionManager } from "./road.js";
import { go } from "./router.js";
import { effect, signal } from "./state.js";
import { account, connection, isUnderWay, offers, receive, say, sessionOf } from "./store.js";
import * as texts from "./text/standing.js";

add(texts);

/**
 * @typedef {{offer_id: string, below_percent: number | null, days_before_end: number | null, state: "on" | "waiting" | "paused" | "ended",
 *   due: boolean, due_number: number, last_result: string | null, session_id: string | null}} Standing
 * @typedef {{enabled: boolean, largest_percent: number, largest_days: number, ignored_limit: number}} Limits
 */

/** @type {import("./state.js").Signal<Standing | null>} */
export const standing = signal(null);
/** @type {import("./state.js").Signal<Limits | null>} */
export const limits = signal(null);
const PATH = "/api/v1/standing-order";

/** Return the size of the offer that a standing order asks for. @param {string} offer_id */
export const sizeOf = (offer_id) => sizeName(offers.peek().find((one) => one.id === offer_id)?.allowance_octets ?? null);

/** Keep the answer about the standing order, on the device too, and let the browser wake the app up for it. */
/** @param {Standing | null} next */
export async function keep(next) {
  standing.value = next?.state === "ended" ? null : next;
  await db.put("kv", standing.value, "standing");
  const registration = /** @type {any} */ (await navigator.serviceWorker?.getRegistration());
  // Only Chromium has this, for apps that are installed. Elsewhere the push message leads to the app.
  if (standing.value) await registration?.periodicSync?.register("standing", { minInterval: 432e5 });
  else await registration?.periodicSync?.unregister("standing");
}

/** Read the standing order. */
export async function load() {
  const found = await read(PATH);
  limits.value = found.limits;
  await keep(found.standing_order).catch(() => {});
}

/** Whether this device is on WiFi: as the browser or the server knows it; null where neither does. @returns {Promise<boolean | null>} */
export async function onWifi() {
  if (connection.peek() === "wifi") return true;
  if (["line", "control", "mobile", "offline"].includes(connection.peek())) return false;
  return (await read("/api/v1/connection")).wifi;
}

/**
 * Order the session that is due, and begin its download.
 * @param {"person" | "background"} by @param {boolean} on_wifi what the browser reports, or the person said
 */
export async function carryOut(by, on_wifi) {
  const { due_number = 0 } = standing.peek() ?? {};
  const { session, standing_order } = await change(`${PATH}/carry-out`, { due_number, by, on_wifi }, { key: newKey() });
  await keep(standing_order).catch(() => {});
  const one = await receive(session);
  await SessionManager.resumeDownload(one.session_id);
  return one;
}

let looking = false;
/** Carry out what is due if this device is on WiFi for certain; otherwise do nothing. Nobody is disturbed by a refusal. */
export async function look() {
  if (looking || !account.peek()) return;
  looking = true;
  try {
    await load();
    const order = standing.peek();
    const before = order?.session_id ? sessionOf(order.session_id) : null;
    // Ordered while the app was closed: the download is still to do.
    if (before && isUnderWay(before) && !(await db.get("roads", before.session_id))) await SessionManager.resumeDownload(before.session_id);
    if (!order?.due || !(await onWifi())) return;
    await carryOut("background", connection.peek() === "wifi");
    say(t("standing.begun", { size: sizeOf(order.offer_id) }), { about: "standing" });
  } catch (error) {
    if (error instanceof Problem && error.code === "standing_order_needs_tap")
      say(t("standing.tap", { size: sizeOf(standing.peek()?.offer_id ?? "") }), {
        about: "standing",
        action: { label: t("standing.open"), run: () => go("standing") },
      });
  } finally {
    looking = false;
  }
}

let before = "";
effect(() => {
  const how = connection.value;
  if (how === before) return;
  before = how;
  if (how === "wifi") look();
});
