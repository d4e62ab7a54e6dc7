// The lab phone, in embedded mode: the card, the modem and the switches that a web page alone can never reach.
import { Problem, change, read, send } from "./api.js";
import { environment, phone } from "./store.js";

/** @param {string} path @param {any} [body] */
async function lab(path, body) {
  const origin = environment.peek()?.lab_origin;
  if (!origin) throw new Problem(0, "no_lab_phone", "");
  const binary = body instanceof ArrayBuffer;
  let response;
  try {
    response = await fetch(origin + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { "X-KSWiFi-Lab": "1", ...(body === undefined ? {} : { "Content-Type": binary ? "application/octet-stream" : "application/json" }) },
      body: body === undefined || binary ? body : JSON.stringify(body),
    });
  } catch {
    phone.value = null;
    throw new Problem(0, "no_lab_phone", "");
  }
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (!response.ok) throw new Problem(answer.code === "phone_busy" ? 429 : response.status, answer.code ?? "lab_refused", answer.detail ?? text, answer.facts);
  return answer;
}

/** Look at the phone; null where there is none. */
export async function look() {
  if (!environment.peek()?.lab_origin) return null;
  try {
    phone.value = await lab("/phone");
  } catch {
    phone.value = null;
  }
  return phone.value;
}

/** @param {boolean} on */
export const switchLine = async (on) => (await lab("/phone/line", { on }), look());
/** @param {boolean} on */
export const switchWifi = async (on) => (await lab("/phone/wifi", { on }), look());

/**
 * Bring a session onto the card: its profile, then the proof that the record is there.
 * @param {import("./types.d.ts").InternetSession} one
 */
export async function storeOnCard(one) {
  await enableProfile(one, async () => {
    const profile = await send({ path: `/api/v1/esims/${one.esim_id}/profile-package` });
    await lab("/phone/card/profiles", await profile.arrayBuffer());
  });
  const { challenge_id, apdus } = await read(`/api/v1/sessions/${one.session_id}/storage-proof`);
  const { responses } = await lab("/phone/card/apdu", { apdus });
  return change(`/api/v1/sessions/${one.session_id}/storage-proof`, { responses, challenge_id });
}

/**
 * Have the card use this session's profile; the line is off while the card changes.
 * @param {import("./types.d.ts").InternetSession} one @param {() => Promise<void>} load what to do if the card has it not
 */
async function enableProfile(one, load) {
  const profile = (await look())?.profiles.find((other) => other.iccid === one.iccid);
  if (profile?.enabled) return;
  if (phone.peek()?.attached) await switchLine(false);
  if (profile) await lab("/phone/card/enable", { iccid: one.iccid });
  else await load();
}

/** Leave the WiFi to itself and go online over this session. @param {import("./types.d.ts").InternetSession} one */
export async function switchOn(one) {
  await enableProfile(one, () => Promise.reject(new Problem(409, "not_on_this_card", "")));
  if (!phone.peek()?.attached) await switchLine(true);
}

/** Have the lab phone fetch something, through the gateway when its WiFi is off. @param {{url?: string, octets?: number, show?: boolean}} what */
export const browse = (what) => lab("/phone/browse", what);
