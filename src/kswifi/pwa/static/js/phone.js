// Control the lab phone, in embedded mode: its card, modem and switches, which a web page cannot reach on other phones.
import { change, Problem, read } from "./api.js";
import { alone } from "./db.js";
import { environment, phone } from "./store.js";

/** @param {string} path @param {any} [body] */
async function lab(path, body) {
  const origin = environment.peek()?.lab_origin;
  if (!origin) throw new Problem(0, "no_lab_phone", "");
  let response;
  try {
    response = await fetch(origin + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { "X-KSWiFi-Lab": "1", ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: JSON.stringify(body),
    });
  } catch {
    phone.value = null;
    throw new Problem(0, "no_lab_phone", "");
  }
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (!response.ok)
    throw new Problem(
      answer.code === "phone_busy" ? 429 : response.status,
      answer.code ?? "lab_refused",
      answer.detail ?? text,
      answer.facts,
    );
  return answer;
}

/** Read the state of the phone; null if there is none. */
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
export async function switchLine(on) {
  await lab("/phone/line", { on });
  return look();
}
/** @param {boolean} on */
export async function switchWifi(on) {
  await lab("/phone/wifi", { on });
  return look();
}

/**
 * Have the card download the profile with the session in it, and send the server the result that the card signed.
 * @param {import("./types.d.ts").InternetSession} one @param {string} activation_code
 */
export async function storeOnCard(one, activation_code) {
  await enableProfile(one, async () => {
    const { profile_state } = await read(`/api/v1/esims/${one.esim_id}`);
    if (profile_state === "installed") throw new Problem(409, "not_on_this_card", "");
    if (!/released|downloaded/.test(profile_state)) throw new Problem(503, "profile_not_ready", "");
    await lab("/phone/profiles/download", { activation_code });
  });
  const { waiting } = await lab("/phone/profiles/notifications", {});
  if (waiting.length) throw new Problem(503, "es9_unreachable", waiting[0]);
}

/**
 * Carry the server's secured packets to the card, on which the profile is enabled, and the card's answers back. One tab at a time does
 * this, because requesting a packet makes the one before it invalid.
 * @param {import("./types.d.ts").InternetSession} one
 */
export const carryPackets = (one) =>
  alone(`packets-${one.esim_id}`, async () => {
    const at = `/api/v1/esims/${one.esim_id}/packets`;
    for (let { packet } = await change(at); packet; { packet } = await change(at)) {
      const { answer } = await lab("/phone/card/packet", { iccid: packet.iccid, envelopes: packet.envelopes });
      const { result, status } = await change(`${at}/${packet.packet_id}`, { answer });
      if (result === "refused" || result === "not_understood") throw new Problem(503, "card_refused", status);
    }
  });

/**
 * Enable the profile of this session on the card. The line is off during the change.
 * @param {import("./types.d.ts").InternetSession} one @param {() => Promise<void>} [load] what to do if the card does not have it
 */
export async function enableProfile(one, load = () => Promise.reject(new Problem(409, "not_on_this_card", ""))) {
  const profile = (await look())?.profiles.find((other) => other.iccid === one.iccid);
  if (profile?.enabled) return;
  if (profile) return useProfile(profile.iccid);
  if (phone.peek()?.attached) await switchLine(false);
  await load();
}

/** Enable this profile on the card. @param {string} iccid */
export async function useProfile(iccid) {
  if (phone.peek()?.attached) await switchLine(false);
  await lab("/phone/card/enable", { iccid });
}

/** Switch on the line with the profile of this session. @param {import("./types.d.ts").InternetSession} one */
export async function switchOn(one) {
  await enableProfile(one);
  if (!phone.peek()?.attached) await switchLine(true);
}

/** Have the lab phone's browser subscribe to our messages. @param {string} application_server_key */
export const subscribeLabPhone = (application_server_key) => lab("/phone/push", { application_server_key });
/** @param {string} endpoint */
export const unsubscribeLabPhone = (endpoint) => lab(`/phone/push/${endpoint.split("/").at(-1)}`, {});
/** Return the push messages that the lab phone received, the newest first. */
export const labMessages = async () => (await lab("/phone/messages")).messages;

/**
 * Have the lab phone fetch something, through the gateway when its WiFi is off.
 * @param {{url?: string, octets?: number, show?: boolean}} what
 */
export const browse = (what) => lab("/phone/browse", what);
