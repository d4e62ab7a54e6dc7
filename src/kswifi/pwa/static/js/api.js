// All HTTP requests to the server.
import { compareClock } from "./clock.js";

export class Problem extends Error {
  /**
   * @param {number} status 0: no answer of the server @param {string} code @param {string} detail @param {any} [facts]
   * @param {number} [retry_after_seconds]
   */
  constructor(status, code, detail, facts, retry_after_seconds) {
    super(detail);
    this.status = status;
    this.code = code;
    this.facts = facts ?? {};
    this.retry_after_seconds = retry_after_seconds;
  }
  /** Whether the same request can succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500 || this.code === "request_in_flight";
  }
}

let csrf = "";
/** @param {string} token */
export const setCsrf = (token) => {
  csrf = token;
};

/** How the server is reached: "portal" means that the WiFi answers with its own login page. @typedef {"yes" | "no" | "portal"} Reach */
/** @type {((reach: Reach) => void)[]} */
const listeners = [];
/** @type {Reach | ""} */
let reach = "";
/** Call a listener when the server begins or ceases to answer. @param {(reach: Reach) => void} listener */
export const onReach = (listener) => void listeners.push(listener);
/** @param {Reach} next */
export function tellReach(next) {
  if (next === reach) return;
  reach = next;
  for (const listener of listeners) listener(next);
}

/** How long an answer may take, in milliseconds. On a slow network the handshake alone takes seconds. */
const PATIENCE = 25000;
const offline = () => new Problem(0, "offline", "The network did not answer.");

/** Whether an answer is the login page of a WiFi network: HTML instead of JSON. An error page of a reverse proxy (5xx) is none. */
const isPortal = (/** @type {Response} */ { type, status, headers }) =>
  type === "opaqueredirect" || status === 511 || (status < 500 && /html/.test(headers.get("Content-Type") ?? ""));

/**
 * Send a request and pass the response to `take`, both within the time limit.
 * @template T
 * @param {RequestInit & {path: string}} request @param {(response: Response) => Promise<T> | T} take @returns {Promise<T>}
 */
async function exchange({ path, signal, ...init }, take) {
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  signal?.addEventListener("abort", abort);
  const timer = setTimeout(abort, PATIENCE);
  try {
    const response = await fetch(path, {
      credentials: "same-origin",
      cache: "no-store",
      redirect: "manual",
      ...init,
      signal: aborter.signal,
    });
    if (isPortal(response)) {
      tellReach("portal");
      throw new Problem(0, "captive_portal", "This WiFi wants a login first.");
    }
    compareClock(response.headers.get("Date"));
    tellReach("yes");
    if (response.ok || response.status === 416) return await take(response);
    const body = await response.json().catch(() => ({}));
    const retry = Number(response.headers.get("Retry-After")) || undefined;
    throw new Problem(response.status, body.code ?? "internal_error", body.detail ?? response.statusText, body.facts, retry);
  } catch (error) {
    if (error instanceof Problem || signal?.aborted) throw error;
    tellReach("no");
    throw offline();
  } finally {
    clearTimeout(timer); // the caller can still abort while it reads a stream
  }
}

/** Return the response with its body unread. @param {RequestInit & {path: string}} request */
export const send = (request) => exchange(request, (response) => response);

/** Return a new idempotency key. Without HTTPS there is no randomUUID. */
export const newKey = () => [...crypto.getRandomValues(new Uint32Array(4))].map((one) => one.toString(36)).join("-");

/** @param {Response} response @returns {Promise<any>} */
const json = async (response) => {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
};

/** @param {string} path @returns {Promise<any>} */
export const read = (path) => exchange({ path }, json);

/**
 * Read all pages of a list. `member` is the name of the list in the answer.
 * @param {string} path @param {string} member @returns {Promise<any>} the first page with the whole list
 */
export async function readAll(path, member) {
  const first = await read(`${path}?limit=1000`);
  for (let { next } = first; next; ) {
    const page = await read(`${path}?limit=1000&after=${next}`);
    first[member].push(...page[member]);
    next = page.next;
  }
  return first;
}

/**
 * Send a change. With the same key the server makes it once, however often it is sent.
 * @param {string} path @param {unknown} [body] @param {{key?: string, method?: string}} [how]
 * @returns {Promise<any>}
 */
export function change(path, body, { key = newKey(), method = "POST" } = {}) {
  const headers = { "Idempotency-Key": key, "X-CSRF-Token": csrf, "Content-Type": "application/json" };
  return exchange({ path, method, headers, body: body === undefined ? undefined : JSON.stringify(body) }, json);
}

/**
 * Wait until the server begins to answer again, or until so many milliseconds have passed.
 * @param {number} milliseconds
 */
export const untilReached = (milliseconds) =>
  new Promise((resolve) => {
    const wake = (/** @type {Reach} */ next) => next === "yes" && done();
    const done = () => {
      clearTimeout(timer);
      listeners.splice(listeners.indexOf(wake), 1);
      resolve(undefined);
    };
    const timer = setTimeout(done, milliseconds);
    listeners.push(wake);
  });
