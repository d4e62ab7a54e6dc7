// The one place that speaks HTTP with the server.

export class Problem extends Error {
  /** @param {number} status 0: the network, not the server @param {string} code @param {string} detail @param {any} [facts] */
  constructor(status, code, detail, facts) {
    super(detail);
    this.status = status;
    this.code = code;
    this.facts = facts ?? {};
  }
  /** Whether the same request may well succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500 || this.code === "request_in_flight";
  }
}

let csrf = "";
/** @param {string} token */
export const setCsrf = (token) => {
  csrf = token;
};

/** @type {(reachable: boolean) => void} */
let tell = () => {};
/** Be told with each request whether the server can be reached. @param {(reachable: boolean) => void} listener */
export const onReach = (listener) => {
  tell = listener;
};

/** @param {RequestInit & {path: string}} request */
export async function send({ path, ...init }) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    tell(false);
    throw new Problem(0, "offline", "The network did not answer.");
  }
  tell(true);
  if (response.ok || response.status === 416) return response;
  const body = await response.json().catch(() => ({}));
  throw new Problem(response.status, body.code ?? "internal_error", body.detail ?? response.statusText, body.facts);
}

/** A name for something to be done once. Also without HTTPS, where there is no randomUUID. */
export const newKey = () => [...crypto.getRandomValues(new Uint32Array(4))].map((one) => one.toString(36)).join("-");

/** @param {string} path @returns {Promise<any>} */
export const read = async (path) => (await send({ path })).json();

/**
 * Change something. With the same key the server does it once, however often it is sent.
 * @param {string} path @param {unknown} [body] @param {{key?: string, method?: string}} [how]
 * @returns {Promise<any>}
 */
export async function change(path, body, { key = newKey(), method = "POST" } = {}) {
  const headers = { "Idempotency-Key": key, "X-CSRF-Token": csrf, "Content-Type": "application/json" };
  const response = await send({ path, method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}
