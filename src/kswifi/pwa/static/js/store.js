// The data of the app as signals. A copy in IndexedDB lets the app start without a network.

import * as api from "./api.js";
import { clockError, now, setClockError } from "./clock.js";
import * as db from "./db.js";
import { add, speak, t } from "./i18n.js";
import { computed, effect, signal } from "./state.js";
import { onTabs, tellTabs } from "./tabs.js";

/** @import {Account, Action, Activity, Environment, FreeAllowance, InternetSession, Offer, Pass} from "./types.d.ts" */
/** @import {PhoneStatus, Preferences, Progress, Toast} from "./types.d.ts" */
/** @template T @typedef {import("./state.js").Signal<T>} Signal */

export const ready = signal(false);
/** @import {Venue} from "./types.d.ts" */
/** @type {Signal<Account | null>} */ export const account = signal(null);
/** @type {Signal<InternetSession[]>} */ export const sessions = signal([]);
/** @type {Signal<number | null>} */ export const asOf = signal(null);
/** @type {Signal<Offer[]>} */ export const offers = signal([]);
/** Places with free WiFi, kept for when there is no data. @type {Signal<Venue[]>} */ export const venues = signal([]);
/** @type {Signal<Environment | null>} */ export const environment = signal(null);
/** @type {Signal<Action[]>} */ export const actions = signal([]);
/** @type {Signal<Activity[]>} */ export const activity = signal([]);
/** @type {Signal<Record<string, Progress>>} */ export const progress = signal({});
/** @type {Signal<FreeAllowance | null>} */ export const free = signal(null);
/** @type {Signal<Pass | null>} */ export const pass = signal(null);
/** @type {Signal<PhoneStatus | null>} */ export const phone = signal(null);
/** Whether packets wait for an eSIM that is not enabled on the card. */
export const esimOff = signal(false);
/** @type {Signal<Toast[]>} */ export const toasts = signal([]);
export const reachable = signal(navigator.onLine);
/** Whether the WiFi answers with its own login page instead of the server. */
export const portal = signal(false);
/** The number of packets that were carried to the lab phone's card. A change means that its contents have changed. */
export const carried = signal(0);
/** Whether events arrive as a stream; otherwise the app polls. */
export const streaming = signal(false);
/** An order that the server has not answered yet. @type {Signal<import("./types.d.ts").Ordering | null>} */
export const ordering = signal(null);
/** The sessions of each eSIM in the order of use, as far as this device knows it. @type {Signal<Record<string, string[]>>} */
export const cardOrder = signal({});
/** The state of a profile at the SM-DP+, by its eSIM. @type {Signal<Record<string, string>>} */
export const profiles = signal({});
/** @type {Signal<Preferences>} */
export const preferences = signal({ theme: "system", language: "", low_data: false, alerts: true });

export const ENDED = ["exhausted", "expired", "revoked", "failed"];
export const STORED = ["stored", "active", "paused"];
/** Return the state to show. After its last day a session is expired, also before the server has noted it. @param {InternetSession} one */
export const stateOf = (one) => (!ENDED.includes(one.state) && now() >= one.valid_until ? "expired" : one.state);
/** @param {InternetSession} one */ export const isEnded = (one) => ENDED.includes(stateOf(one));
/** @param {InternetSession} one */ export const isStored = (one) => STORED.includes(stateOf(one));
/** @param {InternetSession} one */ export const isUnderWay = (one) => !isEnded(one) && !isStored(one);
/** Whether a data provider delivers a session. @param {InternetSession} one */
export const isProvided = (one) => (one.line_kind ?? "card") !== "card";
/** @param {string} id */ export const sessionOf = (id) => sessions.value.find((one) => one.session_id === id) ?? null;
/** The session to show first: the active one, else a paused one. */
export const current = computed(
  () => sessions.value.find((one) => stateOf(one) === "active") ?? sessions.value.find((one) => stateOf(one) === "paused") ?? null,
);

/**
 * The connection of this device, as far as a page can know it.
 * @type {import("./state.js").ReadonlySignal<"offline" | "wifi" | "line" | "control" | "mobile" | "unknown">}
 */
export const connection = computed(() => {
  if (phone.value) {
    const { wifi, line, attached, access } = phone.value;
    // After a session is used up or paused, the line reaches only KSWiFi.
    return wifi ? "wifi" : !line || !attached ? "offline" : access === "full" ? "line" : "control";
  }
  if (!reachable.value) return "offline";
  const type = /** @type {any} */ (navigator).connection?.type;
  return type === "wifi" || type === "ethernet" ? "wifi" : type === "cellular" ? "mobile" : "unknown";
});

let toastIds = 0;
/**
 * Show a short message. A newer message with the same `about` replaces an older one.
 * @param {string} text @param {{action?: Toast["action"], about?: string}} [more]
 */
export function say(text, { action, about = text } = {}) {
  const id = ++toastIds;
  toasts.value = [
    ...toasts
      .peek()
      .filter((one) => one.about !== about)
      .slice(-1),
    { id, text, action, about },
  ];
  if (!action) setTimeout(() => (toasts.value = toasts.value.filter((one) => one.id !== id)), 7000);
}

/**
 * Return the text for a refusal. Each code of the server has a text of its own in both languages. A newer server can have a code
 * that this app does not know; the text then contains the code, for the support.
 * @param {unknown} error
 */
export function words(error) {
  if (!(error instanceof api.Problem)) return t("problem.unexpected");
  try {
    return t(`problem.${error.code}`, { tries_left: "", ...error.facts });
  } catch {
    return t("problem.other", { code: error.code });
  }
}

const instant = (/** @type {string | null | undefined} */ text) => (text ? Date.parse(text) : null);

/** @param {number | null} allowance @param {number} used */
const leftOf = (allowance, used) => (allowance === null ? null : Math.max(0, allowance - used));

/** @param {{available?: number, reserved?: number, withheld?: number}} balance */
const waitsForPart = ({ available = 0, reserved = 0, withheld = 0 }) => withheld > 0 && !(available + reserved);

/** Convert a session from the server's form to the app's. @param {any} raw @returns {InternetSession} */
export function fromServer(raw) {
  const known = sessions.peek().find((one) => one.session_id === raw.session_id);
  const used = raw.balance.used;
  const as_of = instant(raw.as_of);
  return {
    session_id: raw.session_id,
    esim_id: raw.esim_id,
    iccid: raw.iccid,
    line_kind: raw.line_kind,
    offer_id: raw.offer_id,
    state: raw.state,
    reason: raw.state_reason,
    allowance_octets: raw.allowance_octets,
    used_octets: used,
    sent_octets: raw.sent_octets,
    left_octets: leftOf(raw.allowance_octets, used + raw.sent_octets),
    waits: waitsForPart(raw.balance),
    ordered_at: instant(raw.ordered_at) ?? 0,
    valid_until: instant(raw.valid_until) ?? 0,
    package_octets: raw.package_octets,
    package_sha256: raw.package_sha256,
    storage_proof: raw.storage_proof,
    hold: raw.hold,
    as_of,
    // The pace is measured from the first octet, if the network has reported its instant.
    seen: raw.activated_at
      ? { at: Date.parse(raw.activated_at), used_octets: 0 }
      : (known?.seen ?? (used && as_of ? { at: as_of, used_octets: used } : null)),
  };
}

/** @type {((before: InternetSession[], after: InternetSession[]) => void)[]} */
export const onChange = [];
/** When an answer or an event last updated each session: an older list must not undo that. @type {Map<string, number>} */
const told = new Map();

/** @param {InternetSession[]} list */
async function keep(list) {
  const before = sessions.peek();
  sessions.value = list;
  asOf.value = now();
  for (const listener of onChange) listener(before, list);
  await db.replace("sessions", list);
  await db.put("kv", asOf.value, "as_of");
}

/**
 * Apply the figures of an event, without another request to the server.
 * @param {{session_id: string, used?: number, available?: number, reserved?: number, withheld?: number, as_of?: string,
 *   state?: any, reason?: string | null}} news
 * @returns {boolean} whether the session is known here
 */
export function apply(news) {
  const list = sessions.peek();
  const at = list.findIndex((one) => one.session_id === news.session_id);
  if (at < 0) return false;
  told.set(news.session_id, performance.now());
  const one = { ...list[at] };
  if (news.state) Object.assign(one, { state: news.state, reason: news.reason ?? null });
  if (news.used !== undefined) {
    one.used_octets = news.used;
    one.left_octets = leftOf(one.allowance_octets, news.used + (one.sent_octets ?? 0));
    one.waits = waitsForPart(news);
    one.as_of = instant(news.as_of);
    if (news.used && one.as_of) one.seen ??= { at: one.as_of, used_octets: news.used };
  }
  keep(list.map((other) => (other.session_id === one.session_id ? one : other))).catch(() => {});
  return true;
}

/** Apply the server's answer about one session. @param {any} raw */
export async function receive(raw) {
  const one = fromServer(raw);
  told.set(one.session_id, performance.now());
  const list = sessions.peek();
  const known = list.some((other) => other.session_id === one.session_id);
  await keep(known ? list.map((other) => (other.session_id === one.session_id ? one : other)) : [one, ...list]);
  return one;
}

/** @param {{session_id: string}} a @param {{session_id: string}} b */
const newestFirst = (a, b) => (a.session_id < b.session_id ? 1 : -1);

/** Return the stored sessions that are not in use, in the order of use. */
export const storedInOrder = () => {
  const place = (/** @type {InternetSession} */ one) => {
    const at = cardOrder.value[one.esim_id]?.indexOf(one.session_id) ?? -1;
    return at < 0 ? 99 : at;
  };
  return sessions.value
    .filter((one) => isStored(one) && one !== current.value)
    .sort((a, b) => place(a) - place(b) || a.valid_until - b.valid_until || a.ordered_at - b.ordered_at);
};

/** Load the order of use of every eSIM that holds several sessions. */
export async function loadOrders() {
  const stored = sessions.peek().filter(isStored);
  const several = new Set(stored.map((one) => one.esim_id).filter((id, at, all) => all.indexOf(id) !== at));
  for (const id of several) {
    const { order } = await api.read(`/api/v1/esims/${id}/sessions`);
    cardOrder.value = { ...cardOrder.peek(), [id]: order };
    await db.put("kv", cardOrder.value, "card_order");
  }
}

/** The number of times that the list of sessions was read from the server. */
export const asked = signal(0);
/** Whether the operator's notices are shown. */
let shown = false;
let refreshing = /** @type {Promise<void> | null} */ (null);
/** Read the sessions and the free allowance. Calls at the same time share one request. */
export const refresh = () =>
  (refreshing ??= (async () => {
    const began = performance.now();
    try {
      const { sessions: list, free: allowance, notices } = await api.read("/api/v1/sessions");
      if (notices?.[0] || shown) shown = (await import("./notices.js")).show(notices);
      free.value = allowance ?? null;
      const newer = (/** @type {InternetSession} */ one) => (told.get(one.session_id) ?? 0) > began;
      const kept = sessions.peek().filter(newer);
      const rest = list.map(fromServer).filter((/** @type {InternetSession} */ one) => !newer(one));
      await keep([...kept, ...rest].sort(newestFirst));
      asked.value += 1;
    } catch (error) {
      if (error instanceof api.Problem && error.status === 401) await signedOutElsewhere();
      throw error;
    } finally {
      refreshing = null;
    }
  })());

/** Read the list of places with free WiFi, at most once a day. */
export async function loadVenues() {
  const kept = await db.get("kv", "venues");
  if (kept && Math.abs(now() - kept.at) < 864e5) return;
  const { venues: list } = await api.readAll("/api/v1/venues", "venues");
  venues.value = list;
  await db.put("kv", { at: now(), list }, "venues");
}

/** Read the user's pass. */
export async function loadPass() {
  pass.value = await api.read("/api/v1/pass");
  await db.put("kv", pass.value, "pass");
}

/** @param {Activity} entry */
export async function remember(entry) {
  if (activity.peek().some((one) => one.sequence === entry.sequence)) return;
  activity.value = [entry, ...activity.peek()].slice(0, 40);
  await db.replace("activity", activity.value);
}

/** @param {Partial<Preferences>} changed */
export async function prefer(changed) {
  preferences.value = { ...preferences.value, ...changed };
  await db.put("kv", preferences.value, "preferences");
  if (changed.language !== undefined) await speak(changed.language);
}

/** @param {{account: Account, csrf_token: string}} login */
export async function signedIn(login) {
  api.setCsrf(login.csrf_token);
  account.value = login.account;
  await db.put("kv", login.account, "account");
}

/** Clear the user's data in this tab. */
function clear() {
  api.setCsrf("");
  account.value = asOf.value = pass.value = free.value = ordering.value = null;
  sessions.value = actions.value = activity.value = [];
  progress.value = profiles.value = cardOrder.value = {};
  esimOff.value = false;
}

/** Delete all data of the user from this device. */
export async function forget() {
  clear();
  await db.wipe();
  await db.put("kv", preferences.value, "preferences");
  tellTabs("signed_out");
}
onTabs("signed_out", clear);

/** Clear the data after the login session was ended by another device or by its lifetime. */
async function signedOutElsewhere() {
  if (!account.peek()) return;
  await forget();
  say(t("account.signed_out"));
}

/** Load the data that is stored on the device. */
export async function load() {
  const kv = (/** @type {string} */ key) => db.get("kv", key);
  preferences.value = { ...preferences.value, ...(await kv("preferences")) };
  account.value = (await kv("account")) ?? null;
  offers.value = (await kv("offers")) ?? [];
  environment.value = (await kv("environment")) ?? null;
  setClockError((await kv("clock_error")) ?? 0);
  ordering.value = (await kv("ordering")) ?? null;
  cardOrder.value = (await kv("card_order")) ?? {};
  asOf.value = (await kv("as_of")) ?? null;
  pass.value = (await kv("pass")) ?? null;
  venues.value = (await kv("venues"))?.list ?? [];
  sessions.value = (await db.all("sessions")).sort(newestFirst);
  actions.value = (await db.all("outbox")).sort((a, b) => a.since - b.since);
  activity.value = (await db.all("activity")).sort((a, b) => b.at - a.at);
  await speak(preferences.value.language);
}

/**
 * Read the catalogue, the environment, the account and its sessions. On a slow network no request waits for another, except that a
 * device without an account asks for one only if the browser sent a login cookie.
 */
export async function connect() {
  const catalogue = Promise.all([api.readAll("/api/v1/offers", "offers"), api.read("/api/v1/environment")]);
  const mine = account.peek() ? Promise.all([refresh(), loadPass()]) : null;
  const who = () => api.read("/api/v1/account");
  const login = account.peek() ? who() : catalogue.then(([, { login_cookie }]) => (login_cookie ? who() : null));
  const all = await Promise.allSettled([catalogue, login, mine]);
  if (all[0].status === "rejected") throw all[0].reason;
  const [{ offers: list }, surroundings] = all[0].value;
  offers.value = list;
  environment.value = surroundings;
  await db.put("kv", list, "offers");
  await db.put("kv", surroundings, "environment");
  await db.put("kv", clockError(), "clock_error");
  if (all[1].status === "rejected") {
    if (!(all[1].reason instanceof api.Problem) || all[1].reason.status !== 401) throw all[1].reason;
    return signedOutElsewhere();
  }
  if (!all[1].value) return;
  await signedIn(all[1].value);
  if (all[2].status === "rejected") throw all[2].reason;
  if (!mine) await Promise.all([refresh(), loadPass()]);
}

effect(() => {
  if (environment.value?.mode === "resold") import("./text/line.js").then(add, () => {});
});
effect(() => {
  const { theme } = preferences.value;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
});
