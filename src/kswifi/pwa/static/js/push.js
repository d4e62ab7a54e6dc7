// Being told when no page is open: Web Push, by this browser's push service; in embedded mode by the lab phone's too.

import { change, read } from "./api.js";
import * as db from "./db.js";
import { subscribeLabPhone, unsubscribeLabPhone } from "./phone.js";
import { signal } from "./state.js";
import { environment } from "./store.js";

/**
 * Where the server keeps this device's subscriptions, the browser's own first.
 * @typedef {{ids: string[], key: string, own?: string, lab?: string}} Told
 */

export const pushHere = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
/** Whether this device is told; null before it is known. @type {import("./state.js").Signal<boolean | null>} */
export const pushOn = signal(null);

/** @type {Promise<any>} */
let turn = Promise.resolve();
/**
 * One change after another: a look at what stands must not undo what its owner said meanwhile.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
const inTurn = (work) => (turn = turn.then(work, work));

/** What this browser itself has subscribed to. */
const ownSubscription = async () => (await navigator.serviceWorker.getRegistration())?.pushManager.getSubscription();

/**
 * What is kept here, at the server and by the browser can part: the permission is taken back, a push service or the
 * server lets a subscription go, the server has another key, somebody is signed out from elsewhere.
 */
async function settle() {
  /** @type {Told | undefined} */
  const kept = await db.get("kv", "push");
  pushOn.value = Boolean(kept);
  if (!pushHere) return;
  if (!kept || Notification.permission !== "granted") return off();
  const { application_server_key: key, subscriptions } = await read("/api/v1/notifications");
  const mine = subscriptions.find((/** @type {any} */ one) => one.subscription_id === kept.ids[0]);
  if (mine?.refused_since) return off(); // its push service refuses the server: "on" would be a false promise
  const known = Boolean(mine);
  if (known && kept.key === key && kept.own === (await ownSubscription())?.endpoint) return;
  await off();
  await on();
}
inTurn(settle).catch(() => {});

/**
 * Ask the person, and be told from now on.
 * @returns {Promise<boolean>} whether it worked
 */
export const beTold = async () => (await Notification.requestPermission()) === "granted" && inTurn(on);
async function on() {
  const { application_server_key: key } = await read("/api/v1/notifications");
  const wanted = [];
  /** @type {Told} */
  const kept = { ids: [], key };
  const manager = (await navigator.serviceWorker.ready).pushManager;
  // Not every browser has a push service that can be reached: Chromium without its maker's keys has none.
  const own = await manager.subscribe({ userVisibleOnly: true, applicationServerKey: key }).catch(() => null);
  kept.own = own?.endpoint;
  if (own) wanted.push(own.toJSON());
  if (environment.peek()?.lab_origin) {
    const lab = await subscribeLabPhone(key);
    kept.lab = lab.endpoint;
    wanted.push(lab);
  }
  for (const one of wanted) kept.ids.push((await change("/api/v1/push-subscriptions", one)).subscription_id);
  if (!kept.ids.length) return false;
  await db.put("kv", kept, "push");
  pushOn.value = true;
  return true;
}

/** Be told no more on this device; what the server does not learn now, its next message to us tells it. */
export const beToldNoMore = () => inTurn(off);
async function off() {
  /** @type {Told | undefined} */
  const kept = await db.get("kv", "push");
  await db.remove("kv", "push");
  pushOn.value = false;
  if (pushHere) await (await ownSubscription())?.unsubscribe();
  if (kept?.lab) await unsubscribeLabPhone(kept.lab).catch(() => {});
  for (const id of kept?.ids ?? []) await change(`/api/v1/push-subscriptions/${id}`, undefined, { method: "DELETE" }).catch(() => {});
}
