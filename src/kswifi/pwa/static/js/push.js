// Messages while no page is open: Web Push, over this browser's push service, and in embedded mode also over the lab phone's.

import { change, read } from "./api.js";
import * as db from "./db.js";
import { subscribeLabPhone, unsubscribeLabPhone } from "./phone.js";
import { signal } from "./state.js";
import { environment } from "./store.js";

/**
 * The subscriptions of this device at the server, the browser's first.
 * @typedef {{ids: string[], key: string, own?: string, lab?: string}} Told
 */

export const pushHere = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
/** Whether this device receives messages; null before it is known. @type {import("./state.js").Signal<boolean | null>} */
export const pushOn = signal(null);

/** @type {Promise<any>} */
let turn = Promise.resolve();
/**
 * Make one change after another. Otherwise the comparison at the start could undo what the user has just chosen.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
const inTurn = (work) => (turn = turn.then(work, work));

/** Return the subscription of this browser. */
const ownSubscription = async () => (await navigator.serviceWorker.getRegistration())?.pushManager.getSubscription();

/**
 * Restore the subscription if device, server and browser disagree: the permission was withdrawn, a push service or the server
 * dropped the subscription, the server has a new key, or another device signed this one out.
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
 * Ask for the permission, and receive messages from now on.
 * @returns {Promise<boolean>} whether it worked
 */
export const beTold = async () => (await Notification.requestPermission()) === "granted" && inTurn(on);
async function on() {
  const { application_server_key: key } = await read("/api/v1/notifications");
  const wanted = [];
  /** @type {Told} */
  const kept = { ids: [], key };
  const manager = (await navigator.serviceWorker.ready).pushManager;
  // Some browsers have no push service: Chromium without Google's keys has none.
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

/** Receive no more messages on this device. If the server cannot be reached now, its next message fails and it drops the subscription. */
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
