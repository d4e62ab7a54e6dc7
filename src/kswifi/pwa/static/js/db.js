// What the device keeps: one IndexedDB. Every function is one transaction.

const STORES = /** @type {const} */ (["kv", "sessions", "packages", "roads", "outbox", "activity"]);
/** @typedef {typeof STORES[number]} Store */
const KEYS = { sessions: "session_id", packages: "session_id", roads: "session_id", outbox: "key", activity: "sequence" };

/** @type {Promise<IDBDatabase> | null} */
let opened = null;

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("kswifi", 1);
    request.onupgradeneeded = () => {
      for (const name of STORES) request.result.createObjectStore(name, name === "kv" ? {} : { keyPath: KEYS[name] });
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => {
        request.result.close();
        opened = null;
      };
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  return opened;
}

/**
 * @template T
 * @param {Store} store @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} work
 */
async function run(store, mode, work) {
  return done(work((await open()).transaction(store, mode).objectStore(store)));
}

/** @param {Store} store @param {string} key @returns {Promise<any>} */
export const get = (store, key) => run(store, "readonly", (s) => s.get(key));
/** @param {Store} store @returns {Promise<any[]>} */
export const all = (store) => run(store, "readonly", (s) => s.getAll());
/** @param {Store} store @param {unknown} value @param {string} [key] */
export const put = (store, value, key) => run(store, "readwrite", (s) => s.put(value, key));
/** @param {Store} store @param {string} key */
export const remove = (store, key) => run(store, "readwrite", (s) => s.delete(key));

/** Replace a whole store at once, so that a reload never finds half of it. @param {Store} store @param {unknown[]} values */
export async function replace(store, values) {
  const transaction = (await open()).transaction(store, "readwrite");
  transaction.objectStore(store).clear();
  for (const value of values) transaction.objectStore(store).put(value);
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(undefined);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/**
 * Have only one tab at a time do something under a name.
 * @template T @param {string} name @param {() => Promise<T>} work @returns {Promise<T>}
 */
export const alone = (name, work) => (navigator.locks ? navigator.locks.request(`kswifi-${name}`, work) : work());

/** Forget everything on this device. */
export async function wipe() {
  const transaction = (await open()).transaction(STORES, "readwrite");
  for (const name of STORES) transaction.objectStore(name).clear();
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(undefined);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}
