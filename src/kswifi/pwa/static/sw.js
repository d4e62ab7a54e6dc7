// Keeps the app itself on the device, by the hash of each file: an update fetches only what changed. The API is
// never answered from here: what is known about sessions is in IndexedDB, with its age.
/// <reference lib="webworker" />
/** @typedef {{precache: [string, string][], parcel: string, onDemand: string[]}} Version */
// The server writes this version's files before the first line: each file's path and tag (the beginning of its hash),
// the tag of the parcel, and what is kept only once it was asked for (a second language).
const {
  precache: PRECACHE,
  parcel: PARCEL,
  onDemand: ON_DEMAND,
} = /** @type {{VERSION: Version}} */ (/** @type {unknown} */ (self)).VERSION;
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const NAME = `kswifi ${PRECACHE.map(([, hash]) => hash)
  .join("")
  .replace(/(.{3}).{7}/g, "$1")}`;

/** The tag of a response's file: its ETag without what it says of the compression. @param {Response | null | undefined} response */
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

/** Keep every file of this version. What is here already is not fetched again. */
async function fill() {
  const cache = await caches.open(NAME);
  const older = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
  // A first visit gets in one parcel what the page has not fetched already; an update only what changed.
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

/** What the app keeps for us in its database; undefined where there is none. @param {string} key @returns {Promise<any>} */
const kept = (key) =>
  new Promise((resolve) => {
    const request = indexedDB.open("kswifi");
    request.onupgradeneeded = () => request.transaction?.abort(); // never make an empty one in the app's place
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

/** Octets as the app writes them: cut off, never rounded up. @param {number | null} octets @param {string} unlimited */
function size(octets, unlimited) {
  if (octets === null) return unlimited;
  const [factor, unit] = octets >= 1e9 ? [1e9, "GB"] : [1e6, "MB"];
  return `${Math.floor((octets / factor) * 100) / 100}${unit}`;
}

/** Say an alert that came while no page was open (the server's words are facts, the words are ours). @param {any} told */
async function say(told) {
  // Signed out from elsewhere: whoever holds the device now is told nothing, and the push service says "gone" from here on.
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
    data: told.session_id ? `/#/session/${told.session_id}` : "/#/security",
  });
}

/** The browser let its subscription go, or made another: subscribe, and tell the server. The app settles the rest when it is opened. */
async function renew() {
  const told = await kept("push");
  if (!told) return;
  const own = await worker.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: told.key });
  const { csrf_token } = await (await fetch("/api/v1/account")).json();
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID(), "X-CSRF-Token": csrf_token };
  await fetch("/api/v1/push-subscriptions", { method: "POST", headers, body: JSON.stringify(own) });
}

worker.addEventListener("push", (event) => event.waitUntil(say(event.data?.json() ?? {})));
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
/** Paths that are not the app's page: the server answers them itself. */
const OTHER = /^\/(api|app|lab|healthz|readyz|metrics|\.well-known|sw\.js|manifest)\b/;
/** @type {Promise<Cache | null> | undefined} */
let opened;
/** @type {Promise<void> | undefined} */
let filling;

/**
 * Answer from the device. A browser can drop what was kept here: then the file is fetched and kept anew, and all others with it.
 * @param {string} path @param {Request} request
 */
async function answer(path, request) {
  // An open cache answers even after the browser has dropped it: look once for each visit whether it is still there.
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
  // Every address of the app is its one page, with any query.
  const path = mode === "navigate" && !OTHER.test(pathname) ? "/" : pathname;
  if (!TAGS.has(path)) return;
  event.respondWith(answer(path, event.request));
});
