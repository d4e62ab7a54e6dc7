// What the app knows, as signals; a copy on the device makes a start without network show the same.

import * as api from "./api.js";
import * as db from "./db.js";
import { speak, t } from "./i18n.js";
import { computed, effect, signal } from "./state.js";

/** @import {Account, Action, Activity, Environment, FreeAllowance, InternetSession, Offer, Pass} from "./types.d.ts" */
/** @import {PhoneStatus, Preferences, Progress, Toast} from "./types.d.ts" */
/** @template T @typedef {import("./state.js").Signal<T>} Signal */

export const ready = signal(false);
/** @type {Signal<Account | null>} */ export const account = signal(null);
/** @type {Signal<InternetSession[]>} */ export const sessions = signal([]);
/** @type {Signal<number | null>} */ export const asOf = signal(null);
/** @type {Signal<Offer[]>} */ export const offers = signal([]);
/** @type {Signal<Environment | null>} */ export const environment = signal(null);
/** @type {Signal<Action[]>} */ export const actions = signal([]);
/** @type {Signal<Activity[]>} */ export const activity = signal([]);
/** @type {Signal<Record<string, Progress>>} */ export const progress = signal({});
/** @type {Signal<FreeAllowance | null>} */ export const free = signal(null);
/** @type {Signal<Pass | null>} */ export const pass = signal(null);
/** @type {Signal<PhoneStatus | null>} */ export const phone = signal(null);
/** Whether something waits for an eSIM that the card does not use. */
export const esimOff = signal(false);
/** @type {Signal<Toast[]>} */ export const toasts = signal([]);
export const reachable = signal(navigator.onLine);
/** @type {Signal<Preferences>} */
export const preferences = signal({ theme: "system", language: "", low_data: false, alerts: true });

const ENDED = ["exhausted", "expired", "revoked", "failed"];
const STORED = ["stored", "active", "paused"];
/** @param {InternetSession} one */ export const isEnded = (one) => ENDED.includes(one.state);
/** @param {InternetSession} one */ export const isStored = (one) => STORED.includes(one.state);
/** @param {InternetSession} one */ export const isUnderWay = (one) => !isEnded(one) && !isStored(one);
/** @param {string} id */ export const sessionOf = (id) => sessions.value.find((one) => one.session_id === id) ?? null;
/** The one to show first: the network says it is in use. */
export const current = computed(
  () => sessions.value.find((one) => one.state === "active") ?? sessions.value.find((one) => one.state === "paused") ?? null,
);

/**
 * How this device is connected, as far as a page can know.
 * @type {import("./state.js").ReadonlySignal<"offline" | "wifi" | "line" | "mobile" | "unknown">}
 */
export const connection = computed(() => {
  if (phone.value) return phone.value.wifi ? "wifi" : phone.value.line && phone.value.attached ? "line" : "offline";
  if (!reachable.value) return "offline";
  const type = /** @type {any} */ (navigator).connection?.type;
  return type === "wifi" || type === "ethernet" ? "wifi" : type === "cellular" ? "mobile" : "unknown";
});

let toastIds = 0;
/**
 * Say something in passing. Of one `about` only the newest stays.
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

/** Words for a refusal: ours where we have better ones, else the server's. @param {unknown} error */
export function words(error) {
  if (!(error instanceof api.Problem)) return t("problem.unexpected");
  const key = `problem.${error.code}`;
  try {
    return t(key, error.facts);
  } catch {
    return error.message;
  }
}

const instant = (/** @type {string | null | undefined} */ text) => (text ? Date.parse(text) : null);

/** @param {number | null} allowance @param {number} used */
const leftOf = (allowance, used) => (allowance === null ? null : Math.max(0, allowance - used));

/** @param {{available?: number, reserved?: number, withheld?: number}} balance */
const waitsForPart = ({ available = 0, reserved = 0, withheld = 0 }) => withheld > 0 && !(available + reserved);

/** One session as the server tells it, in the app's form. @param {any} raw @returns {InternetSession} */
export function fromServer(raw) {
  const known = sessions.peek().find((one) => one.session_id === raw.session_id);
  const used = raw.balance.used;
  const as_of = instant(raw.as_of);
  return {
    session_id: raw.session_id,
    esim_id: raw.esim_id,
    iccid: raw.iccid,
    offer_id: raw.offer_id,
    state: raw.state,
    reason: raw.state_reason,
    allowance_octets: raw.allowance_octets,
    used_octets: used,
    left_octets: leftOf(raw.allowance_octets, used),
    waits: waitsForPart(raw.balance),
    ordered_at: instant(raw.ordered_at) ?? 0,
    valid_until: instant(raw.valid_until) ?? 0,
    package_octets: raw.package_octets,
    package_sha256: raw.package_sha256,
    storage_proof: raw.storage_proof,
    hold: raw.hold,
    as_of,
    // The pace is counted from the first octet, where the network has told its instant.
    seen: raw.activated_at
      ? { at: Date.parse(raw.activated_at), used_octets: 0 }
      : (known?.seen ?? (used && as_of ? { at: as_of, used_octets: used } : null)),
  };
}

/** @type {((before: InternetSession[], after: InternetSession[]) => void)[]} */
export const onChange = [];

/** @param {InternetSession[]} list */
async function keep(list) {
  const before = sessions.peek();
  sessions.value = list;
  asOf.value = Date.now();
  for (const listener of onChange) listener(before, list);
  await db.replace("sessions", list);
  await db.put("kv", asOf.value, "as_of");
}

/**
 * Put the figures of an event in their place: no further question to the server is needed.
 * @param {{session_id: string, used?: number, available?: number, reserved?: number, withheld?: number, as_of?: string,
 *   state?: any, reason?: string | null}} news
 * @returns {boolean} whether the session is known here
 */
export function apply(news) {
  const list = sessions.peek();
  const at = list.findIndex((one) => one.session_id === news.session_id);
  if (at < 0) return false;
  const one = { ...list[at] };
  if (news.state) Object.assign(one, { state: news.state, reason: news.reason ?? null });
  if (news.used !== undefined) {
    one.used_octets = news.used;
    one.left_octets = leftOf(one.allowance_octets, news.used);
    one.waits = waitsForPart(news);
    one.as_of = instant(news.as_of);
    if (news.used && one.as_of) one.seen ??= { at: one.as_of, used_octets: news.used };
  }
  keep(list.with(at, one)).catch(() => {});
  return true;
}

/** Put one session's news in its place. @param {any} raw */
export async function receive(raw) {
  const one = fromServer(raw);
  const list = sessions.peek();
  const at = list.findIndex((other) => other.session_id === one.session_id);
  await keep(at < 0 ? [one, ...list] : list.with(at, one));
  return one;
}

/** Counts the looks at the server. */
export const asked = signal(0);
let refreshing = /** @type {Promise<void> | null} */ (null);
/** Load everything that can have changed. Calls at the same time share one. */
export const refresh = () =>
  (refreshing ??= (async () => {
    try {
      const { sessions: list, free: allowance } = await api.read("/api/v1/sessions");
      free.value = allowance ?? null;
      await keep(list.map(fromServer));
      asked.value += 1;
    } finally {
      refreshing = null;
    }
  })());

/** Ask which pass there is. */
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

/** Forget this person: nothing of theirs stays on the device. */
export async function forget() {
  await db.wipe();
  api.setCsrf("");
  account.value = asOf.value = pass.value = null;
  sessions.value = actions.value = activity.value = [];
  progress.value = {};
  esimOff.value = false;
  await db.put("kv", preferences.value, "preferences");
}

/** Read what the device keeps. */
export async function load() {
  const kv = (/** @type {string} */ key) => db.get("kv", key);
  preferences.value = { ...preferences.value, ...(await kv("preferences")) };
  account.value = (await kv("account")) ?? null;
  offers.value = (await kv("offers")) ?? [];
  environment.value = (await kv("environment")) ?? null;
  asOf.value = (await kv("as_of")) ?? null;
  pass.value = (await kv("pass")) ?? null;
  sessions.value = (await db.all("sessions")).sort((a, b) => (a.session_id < b.session_id ? 1 : -1));
  actions.value = (await db.all("outbox")).sort((a, b) => a.since - b.since);
  activity.value = (await db.all("activity")).sort((a, b) => b.at - a.at);
  await speak(preferences.value.language);
}

/** Ask the server who we are and what there is. */
export async function connect() {
  const [{ offers: list }, surroundings] = await Promise.all([api.read("/api/v1/offers"), api.read("/api/v1/environment")]);
  offers.value = list;
  environment.value = surroundings;
  await Promise.all([db.put("kv", list, "offers"), db.put("kv", surroundings, "environment")]);
  try {
    await signedIn(await api.read("/api/v1/account"));
  } catch (error) {
    if (!(error instanceof api.Problem) || error.status !== 401) throw error;
    if (account.peek()) await forget();
    return;
  }
  await Promise.all([refresh(), loadPass()]);
}

effect(() => {
  const { theme } = preferences.value;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
});
