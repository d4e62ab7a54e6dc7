// The server's REST API and the lab phone's control, as plain functions.

let csrfToken = "";

/** A problem document (RFC 9457), thrown. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || `The server answered ${status}.`);
    this.status = status;
    this.code = document.code || "";
  }
}

export function rememberLogin(login) {
  csrfToken = login.csrf_token;
  return login;
}

async function fetched(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Problem(0, { code: "unreachable", detail: `No answer from ${new URL(address, location.href).host}.` });
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

async function content(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** Do it again, a little later each time, while the server is unreachable or asks for patience. */
async function patiently(work) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (problem) {
      const again = [0, 503].includes(problem.status) || problem.code === "request_in_flight";
      if (!again || attempt === 5) throw problem;
      await new Promise((resume) => setTimeout(resume, 250 * 2 ** attempt));
    }
  }
}

/** Read something. */
export async function get(path) {
  return patiently(async () => content(await fetched(`/api/v1${path}`)));
}

/** Register, sign in or recover: sent once, for nobody is signed in whose key could be remembered. */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return content(await fetched(`/api/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** Change something, once: the key stays the same however often it is sent. */
export async function change(method, path, body) {
  const headers = { "X-CSRF-Token": csrfToken, "Idempotency-Key": crypto.randomUUID() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  return patiently(async () => content(await fetched(`/api/v1${path}`, options)));
}

/** Read octets; headers may ask for a part. */
export async function getOctets(path, headers = {}) {
  return patiently(() => fetched(`/api/v1${path}`, { headers }));
}

/** The lab phone: a body that is a Uint8Array is sent as it is. */
export async function lab(origin, method, path, body) {
  const headers = { "X-KSWiFi-Lab": "1" };
  const raw = body instanceof Uint8Array;
  if (body !== undefined) headers["Content-Type"] = raw ? "application/octet-stream" : "application/json";
  const options = { method, headers, body: raw || body === undefined ? body : JSON.stringify(body) };
  return content(await fetched(origin + path, options));
}
