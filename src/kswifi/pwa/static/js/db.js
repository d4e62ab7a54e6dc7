// The data that the app keeps on the device, in one IndexedDB database. Each function is one transaction.
// A browser can refuse the database, close it under an open page, or have no space left for it. Then the data stays in
// memory until the page is closed, `trouble` names the fault, and the app goes on. No function here fails.
import { signal } from "./state.js";

const STORES = /** @type {const} */ (["kv", "sessions", "packages", "roads", "outbox", "activity"]);
/** @typedef {typeof STORES[number]} Store */
/** @type {Record<string, string>} */
const KEYS = { sessions: "session_id", packages: "session_id", roads: "session_id", outbox: "key", activity: "sequence" };

/** Why the data is not kept when the page is closed; "" while it is kept. @type {import("./state.js").Signal<"" | "closed" | "full">} */
export const trouble = signal("");

/**
 * What could not be written to one store: `entries` by key (undefined: removed); with `cleared`, nothing else counts.
 * @typedef {{cleared: boolean, entries: Map<string, any>}} Held
 */
const nothing = () => /** @type {Held} */ ({ cleared: false, entries: new Map() });
const held = /** @type {Record<Store, Held>} */ (Object.fromEntries(STORES.map((name) => [name, nothing()])));

/** How long to wait for a database that does not open, and how long to leave one alone that did not, in milliseconds. */
const PATIENCE = 5000;
/** @type {Promise<IDBDatabase> | null} */
let opened = null;
let shut_until = 0;

function open() {
  if (Date.now() < shut_until) return Promise.reject(new DOMException("closed", "UnknownError"));
  opened ??= new Promise((/** @type {(database: IDBDatabase) => void} */ resolve, reject) => {
    setTimeout(() => reject(new DOMException("no answer", "TimeoutError")), PATIENCE);
    const request = indexedDB.open("kswifi", 1);
    request.onupgradeneeded = () => {
      for (const name of STORES) request.result.createObjectStore(name, name === "kv" ? {} : { keyPath: KEYS[name] });
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      request.result.onclose = () => (opened = null);
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  }).catch((error) => {
    opened = null;
    shut_until = Date.now() + PATIENCE;
    throw error;
  });
  return opened;
}

/**
 * Run one transaction and return the result of the request that `work` gives; a database that was closed is opened once more.
 * @param {readonly Store[]} stores @param {IDBTransactionMode} mode
 * @param {(transaction: IDBTransaction) => IDBRequest | void} work
 * @returns {Promise<any>}
 */
async function transact(stores, mode, work, again = true) {
  try {
    const transaction = (await open()).transaction(stores, mode);
    const request = work(transaction);
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } catch (error) {
    if (!again || /** @type {any} */ (error)?.name === "QuotaExceededError") throw error;
    opened = null;
    return transact(stores, mode, work, false);
  }
}

/**
 * Write to a store; what was held in memory before goes with it.
 * @param {Store} name @param {(store: IDBObjectStore) => void} work @param {(held: Held) => void} hold what to do where it fails
 */
async function write(name, work, hold) {
  const before = held[name];
  try {
    await transact([name], "readwrite", (transaction) => {
      const store = transaction.objectStore(name);
      if (before.cleared) store.clear();
      for (const [key, value] of before.entries)
        if (value === undefined) store.delete(key);
        else store.put(value, name === "kv" ? key : undefined);
      work(store);
    });
    if (held[name] === before) held[name] = nothing();
    if (STORES.every((one) => !held[one].cleared && !held[one].entries.size)) trouble.value = "";
  } catch (error) {
    held[name] = { cleared: held[name].cleared, entries: new Map(held[name].entries) };
    hold(held[name]);
    trouble.value = /** @type {any} */ (error)?.name === "QuotaExceededError" ? "full" : "closed";
  }
}

/** @param {Store} name @param {(store: IDBObjectStore) => IDBRequest} work @param {any} otherwise */
const read = (name, work, otherwise) =>
  transact([name], "readonly", (transaction) => work(transaction.objectStore(name))).catch(() => {
    trouble.value ||= "closed";
    return otherwise;
  });

/** @param {Store} name @param {string} key @returns {Promise<any>} */
export const get = async (name, key) =>
  held[name].entries.has(key) || held[name].cleared ? held[name].entries.get(key) : read(name, (store) => store.get(key), undefined);

/** @param {Store} name every store but "kv" @returns {Promise<any[]>} */
export async function all(name) {
  const { cleared, entries } = held[name];
  const kept = cleared ? [] : await read(name, (store) => store.getAll(), []);
  const newer = [...entries.values()].filter((value) => value !== undefined);
  return kept.filter((/** @type {any} */ one) => !entries.has(one[KEYS[name]])).concat(newer);
}

/** @param {Store} name @param {any} value @param {string} [key] the key, in "kv" */
export const put = (name, value, key) =>
  write(
    name,
    (store) => store.put(value, key),
    (memory) => memory.entries.set(key ?? value[KEYS[name]], value),
  );

/** @param {Store} name @param {string} key */
export const remove = (name, key) =>
  write(
    name,
    (store) => store.delete(key),
    (memory) => memory.entries.set(key, undefined),
  );

/** Replace a whole store at once, so that a reload never finds half of it. @param {Store} name @param {any[]} values */
export const replace = (name, values) =>
  write(
    name,
    (store) => {
      store.clear();
      for (const value of values) store.put(value);
    },
    (memory) => {
      memory.cleared = true;
      memory.entries = new Map(values.map((value) => [value[KEYS[name]], value]));
    },
  );

/**
 * Have only one tab at a time do something under a name.
 * @template T @param {string} name @param {() => Promise<T>} work @returns {Promise<T>}
 */
export const alone = (name, work) => (navigator.locks ? navigator.locks.request(`kswifi-${name}`, work) : work());

/** Forget everything on this device. */
export async function wipe() {
  for (const name of STORES) await replace(name, []);
}
