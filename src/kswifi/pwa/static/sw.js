// Store the app on the device by the hash of each file: an update fetches only the changed files. Requests to the API are never
// answered from here: the data about sessions is in IndexedDB, with its age.
/// <reference lib="webworker" />
/** @typedef {{precache: [string, string][], parcel: string, onDemand: string[]}} Version */
// The server writes the files of this version before the first line: the path and tag (the beginning of the hash) of each file,
// the tag of the parcel, and the files that are stored only after they were requested (a second language).
const {
  precache: PRECACHE,
  parcel: PARCEL,
  onDemand: ON_DEMAND,
} = /** @type {{VERSION: Version}} */ (/** @type {unknown} */ (self)).VERSION;
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const NAME = `kswifi ${PRECACHE.map(([, hash]) => hash)
  .join("")
  .replace(/(.{3}).{7}/g, "$1")}`;

/** Return the tag of a response's file: its ETag without the content coding. @param {Response | null | undefined} response */
const tagOf = (response) => /[0-9a-f]{8}/.exec(response?.headers.get("etag") ?? "")?.[0];

/**
 * Fetch a file of this version. A WiFi's login page in its place, or another version's file, is refused.
 * @param {string} url @param {string} tag
 */
async function fetched(url, tag) {
  const response = await fetch(url, { cache: "no-cache" });
  if (!response.ok || tagOf(response) !== tag) throw new Error(`${url}: ${response.status}`);
  return response;
}

/** Store every file of this version. Files that are stored already are not fetched again. */
async function fill() {
  const cache = await caches.open(NAME);
  const older = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
  // A first visit fetches the scripts that the page has not fetched in one parcel, an update only the changed files.
  const first = older.length < 2 && !(await cache.match("/"));
  const parcel = first ? (await (await fetched("/app/parcel.txt", PARCEL)).text()).split("\0") : [""];
  await Promise.all(
    PRECACHE.map(async ([url, hash]) => {
      let wanted = !ON_DEMAND.includes(url);
      for (const one of older) {
        const kept = await one.match(url);
        if (kept && tagOf(kept) === hash) return cache.put(url, kept);
        wanted ||= Boolean(kept);
      }
      if (!wanted) return;
      const text = parcel[parcel.indexOf(url) + 1];
      if (text) return cache.put(url, new Response(text, { headers: { "Content-Type": "text/javascript", ETag: `"${hash}"` } }));
      return cache.put(url, await fetched(url, hash));
    }),
  );
}

worker.addEventListener("install", (event) => event.waitUntil(fill()));
worker.addEventListener("message", (event) => event.data === "take over" && worker.skipWaiting());
worker.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name);
      await worker.clients.claim();
    })(),
  ),
);

/** Return a value that the app has stored in its database; undefined if there is none. @param {string} key @returns {Promise<any>} */
const kept = (key) =>
  new Promise((resolve) => {
    const request = indexedDB.open("kswifi");
    request.onupgradeneeded = () => request.transaction?.abort(); // do not create an empty database before the app does
    request.onerror = () => resolve(undefined);
    request.onsuccess = () => {
      const read = request.result.transaction("kv").objectStore("kv").get(key);
      read.onsuccess = () => {
        request.result.close();
        resolve(read.result);
      };
      read.onerror = () => resolve(undefined);
    };
  });

/** Format octets as the app does: truncated, never rounded up. @param {number | null} octets @param {string} unlimited */
function size(octets, unlimited) {
  if (octets === null) return unlimited;
  const [factor, unit] = octets >= 1e9 ? [1e9, "GB"] : [1e6, "MB"];
  return `${Math.floor((octets / factor) * 100) / 100}${unit}`;
}

/** The screens of alerts that are about no session and not about the sign-in. @type {Record<string, string>} */
const PLACES = { move_asked: "move", session_due: "standing", limit_reached: "limits" };

/** Show an alert that came while no page was open. The server sends figures; the app has stored the texts. @param {any} told */
async function say(told) {
  // If another device has signed this one out, show nothing and unsubscribe: the push service then answers 410.
  if (!(await kept("push"))) return void (await (await worker.registration.pushManager.getSubscription())?.unsubscribe());
  const texts = (await kept("alert_texts")) ?? {};
  const day =
    told.valid_until &&
    new Intl.DateTimeFormat(texts.locale, { weekday: "short", day: "numeric", month: "long" }).format(told.valid_until * 1000 - 1);
  const values = /** @type {Record<string, any>} */ ({ percent: told.percent, size: size(told.allowance_octets, texts.unlimited), day });
  const body = (texts[told.what] ?? "").replace(/\{(\w+)\}/g, (/** @type {string} */ _, /** @type {string} */ name) =>
    String(values[name]),
  );
  await worker.registration.showNotification("KSWiFi", {
    body,
    icon: "/app/icons/icon-192.png",
    tag: `told ${told.session_id ?? told.change} ${told.what} ${told.percent ?? ""}`,
    data: `/#/${PLACES[told.what] ?? (told.session_id ? `session/${told.session_id}` : "security")}`,
  });
}

/** Read something from the API. @param {string} path */
const read = async (path) => (await fetch(`/api/v1/${path}`)).json();
/** @param {string} path @param {object} body */
async function post(path, body) {
  const { csrf_token } = await read("account");
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID(), "X-CSRF-Token": csrf_token };
  await fetch(`/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Subscribe again after the browser dropped or replaced the subscription, and tell the server. The app checks it when it is opened. */
async function renew() {
  const told = await kept("push");
  if (!told) return;
  await post(
    "push-subscriptions",
    await worker.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: told.key }),
  );
}

/** Order what the standing order has due. The server refuses if it is not certain that this is WiFi. The app then downloads it. */
async function orderDue() {
  const { standing_order } = await read("standing-order");
  if (!standing_order?.due) return;
  const on_wifi = /wifi|ethernet/.test(/** @type {any} */ (navigator).connection?.type);
  await post("standing-order/carry-out", { due_number: standing_order.due_number, by: "background", on_wifi });
}

worker.addEventListener("push", (event) => event.waitUntil(say(event.data?.json() ?? {})));
worker.addEventListener("periodicsync", (event) => /** @type {ExtendableEvent} */ (event).waitUntil(orderDue()));
worker.addEventListener("pushsubscriptionchange", (event) => /** @type {ExtendableEvent} */ (event).waitUntil(renew()));
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    (async () => {
      const [page] = await worker.clients.matchAll({ type: "window" });
      if (!page) return void (await worker.clients.openWindow(event.notification.data));
      await page.focus();
      await page.navigate(event.notification.data);
    })(),
  );
});

const TAGS = new Map(PRECACHE);
/** Paths that are not the app's page: the server answers them. */
const OTHER = /^\/(api|app|lab|healthz|readyz|metrics|\.well-known|sw\.js|manifest)\b/;
/** @type {Promise<Cache | null> | undefined} */
let opened;
/** @type {Promise<void> | undefined} */
let filling;

/**
 * Answer from the device. A browser can delete stored files: then this file and all others are fetched and stored again.
 * @param {string} path @param {Request} request
 */
async function answer(path, request) {
  // An open cache answers even after the browser has deleted it: check once for each visit whether it still exists.
  if (path === "/" && !(await caches.has(NAME).catch(() => false))) opened = undefined;
  opened ??= caches.open(NAME).catch(() => null);
  const cache = await opened;
  const kept = await cache?.match(path).catch(() => undefined);
  if (kept) return kept;
  const response = await fetch(path === "/" ? path : request);
  if (cache && response.ok && tagOf(response) === TAGS.get(path)) {
    await cache.put(path, response.clone()).catch(() => {});
    if (!ON_DEMAND.includes(path))
      filling ??= fill()
        .catch(() => {})
        .finally(() => (filling = undefined));
  }
  return response;
}

worker.addEventListener("fetch", (event) => {
  const { url, method, mode } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  // Every address of the app leads to its one page, with any query.
  const path = mode === "navigate" && !OTHER.test(pathname) ? "/" : pathname;
  if (!TAGS.has(path)) return;
  event.respondWith(answer(path, event.request));
});
