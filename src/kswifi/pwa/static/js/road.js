// A session's road as far as this device walks it: order, download, verify, hand to the card, switch on.
// What is done is told by the server's state, so that a reload, a lost network or a closed app only pauses it.
import { change, newKey, Problem, read, send } from "./api.js";
import * as db from "./db.js";
import { sizeName } from "./format.js";
import { t } from "./i18n.js";
import { flush, want } from "./outbox.js";
import { PackageRefused, sha256, verifyPackage } from "./package.js";
import { carryPackets, enableProfile, look, storeOnCard, switchOn } from "./phone.js";
import { go } from "./router.js";
import { account, current, isStored, isUnderWay, offers, progress, receive, sessionOf, sessions, words } from "./store.js";

/** @import {InternetSession, Progress, StoredPackage, VerifiedPackage} from "./types.d.ts" */

/** @type {Map<string, AbortController>} */
const walking = new Map();
/** Refusals that only say "not yet". */
const SOON = ["package_not_ready", "profile_not_ready", "phone_busy"];
/** Refusals after which the server's state tells how to go on. */
const AGAIN = [...SOON, "illegal_transition", "es9_unreachable"];
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {string} id @param {Partial<Progress>} changed */
function show(id, changed) {
  const before = progress.peek()[id] ?? { stage: "prepare", received: 0, total: null, running: true, problem: null };
  progress.value = { ...progress.peek(), [id]: { ...before, ...changed } };
}

/** The keys that packages are signed with: the ones kept here, fetched anew when one is not among them. */
async function trustedKeys(fresh = false) {
  const kept = await db.get("kv", "jwks");
  if (kept && !fresh) return kept;
  const jwks = await read("/.well-known/jwks.json");
  await db.put("kv", jwks, "jwks");
  return jwks;
}

/** @param {InternetSession} one @param {Uint8Array<ArrayBuffer>} octets @returns {Promise<VerifiedPackage>} */
async function verify(one, octets) {
  const expected = { session_id: one.session_id, iccid: one.iccid };
  try {
    return await verifyPackage(octets, await trustedKeys(), expected);
  } catch (error) {
    if (!(error instanceof PackageRefused) || error.code !== "package_unknown_key" || !navigator.onLine) throw error;
    return verifyPackage(octets, await trustedKeys(true), expected);
  }
}

/**
 * The package on this device, verified anew each time; null if it is not here.
 * @param {InternetSession} one
 * @throws {PackageRefused}
 */
export async function storedPackage(one) {
  /** @type {StoredPackage | undefined} */
  const kept = await db.get("packages", one.session_id);
  return kept?.complete ? verify(one, kept.octets) : null;
}

/** @param {InternetSession} one @param {AbortSignal} signal */
async function download(one, signal) {
  const id = one.session_id;
  /** @type {StoredPackage} */
  let kept = (await db.get("packages", id)) ?? { session_id: id, octets: new Uint8Array(), etag: null, complete: false };
  if (kept.complete) return kept.octets;
  const path = `/api/v1/sessions/${id}/package`;
  const resume = kept.octets.length && kept.etag ? { Range: `bytes=${kept.octets.length}-`, "If-Range": kept.etag } : undefined;
  show(id, { stage: "download", received: kept.octets.length, total: one.package_octets });
  const response = await send({ path, headers: resume, signal });
  if (response.status !== 206) kept = { ...kept, octets: new Uint8Array() };
  if (response.status === 416) return download(one, signal);
  kept.etag = response.headers.get("ETag");
  const total = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? response.headers.get("Content-Length"));
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  for (;;) {
    // Each piece is on the device before the next is asked for: nothing is paid for twice.
    const { value, done } = await reader.read().catch((error) => {
      if (signal.aborted) throw error;
      throw new Problem(0, "offline", "");
    });
    if (done) break;
    const octets = new Uint8Array(kept.octets.length + value.length);
    octets.set(kept.octets);
    octets.set(value, kept.octets.length);
    kept = { ...kept, octets };
    await db.put("packages", kept);
    show(id, { received: octets.length, total: total || one.package_octets });
  }
  if (total && kept.octets.length < total) throw new Problem(0, "offline", "");
  return kept.octets;
}

/** The package, on this device and verified; fetched if it is not here. @param {InternetSession} one @param {AbortSignal} signal */
async function fetchPackage(one, signal) {
  const octets = await download(one, signal);
  show(one.session_id, { stage: "verify" });
  try {
    const { activation } = await verify(one, octets);
    await db.put("packages", { session_id: one.session_id, octets, etag: null, complete: true });
    return { octets, activation };
  } catch (error) {
    await db.remove("packages", one.session_id);
    throw error;
  }
}

/** @param {InternetSession} one @param {AbortSignal} signal */
async function fetchAndConfirm(one, signal) {
  const { octets } = await fetchPackage(one, signal);
  return change(`/api/v1/sessions/${one.session_id}/downloaded`, { sha256: await sha256(octets) });
}

/** The profile comes by the activation code in the package. @param {InternetSession} one @param {AbortSignal} signal */
async function storeWithLabPhone(one, signal) {
  const { activation } = await fetchPackage(one, signal);
  show(one.session_id, { stage: "transfer" });
  // A profile is installed once; what comes later goes to it by secured packets.
  const { profile_state } = await read(`/api/v1/esims/${one.esim_id}`);
  if (profile_state === "installed") await enableProfile(one).then(() => carryPackets(one));
  else await storeOnCard(one, activation.activation_code);
  await pause(100);
  return read(`/api/v1/sessions/${one.session_id}`);
}

/** @param {string} path @param {number} milliseconds */
async function readLater(path, milliseconds) {
  await pause(milliseconds);
  return read(path);
}

/** @param {InternetSession} one @param {AbortSignal} signal @returns {Promise<any>} the session as the server tells it next */
async function step(one, signal) {
  const at = `/api/v1/sessions/${one.session_id}`;
  switch (one.state) {
    case "packaged":
    case "downloading":
      return fetchAndConfirm(one, signal);
    case "downloaded":
      show(one.session_id, { stage: "transfer" });
      return change(`${at}/transfer`, {});
    case "transferring":
      show(one.session_id, { stage: "transfer" });
      if (await look()) return storeWithLabPhone(one, signal);
      // On a phone of one's own the person installs it (Activate says how), and the server tells when.
      return readLater(at, 3000);
    default:
      return readLater(at, one.state === "ordered" ? 400 : 3000);
  }
}

/** Walk the road of a session until it is stored, paused or refused; only one tab walks it. @param {string} id */
async function walk(id) {
  if (walking.has(id)) return;
  const aborter = new AbortController();
  walking.set(id, aborter);
  show(id, { running: true, problem: null });
  let failures = 0;
  try {
    for (let one = sessionOf(id); one && isUnderWay(one) && !aborter.signal.aborted; one = sessionOf(id)) {
      try {
        await receive(await step(one, aborter.signal));
        failures = 0;
      } catch (error) {
        if (aborter.signal.aborted) break;
        if (!(error instanceof Problem) || (!error.passing && !AGAIN.includes(error.code)) || failures > 20) throw error;
        failures += 1;
        if (!SOON.includes(error.code)) show(id, { problem: words(error) });
        await pause(SOON.includes(error.code) ? 400 : Math.min(15000, 500 * 2 ** failures));
        if (error.status) await receive(await read(`/api/v1/sessions/${id}`)).catch(() => {});
        show(id, { problem: null });
      }
    }
    const one = sessionOf(id);
    if (one && isStored(one)) {
      show(id, { stage: "ready", problem: null });
      await db.remove("roads", id);
    }
  } catch (error) {
    show(id, { problem: error instanceof PackageRefused ? t(`problem.${error.code}`) : words(error) });
  } finally {
    walking.delete(id);
    show(id, { running: false });
  }
}

/** @param {string} id */
const alone = (id) =>
  navigator.locks ? navigator.locks.request(`kswifi-road-${id}`, { ifAvailable: true }, (lock) => (lock ? walk(id) : undefined)) : walk(id);

/** Wait, but not for long, until the ledger uses this session next. @param {InternetSession} one */
async function chosen(one) {
  for (let tries = 0; tries < 20; tries += 1) {
    const contents = await read(`/api/v1/esims/${one.esim_id}/sessions`).catch(() => null);
    if (!contents || contents.order[0] === one.session_id) return;
    await pause(150);
  }
}

/** What the app does with sessions, by name. */
export const SessionManager = {
  /**
   * Order the session of this size and begin to bring it here.
   * @param {number | null} sessionSize octets of an offer; null is uncapped
   * @returns {Promise<InternetSession>}
   */
  async startSessionDownload(sessionSize) {
    const offer = offers.peek().find((one) => one.allowance_octets === sessionSize);
    if (!offer) throw new Problem(404, "unknown_offer", "");
    // The same wish, sent again after a lost answer, keeps its key: one session, not two.
    const wish = (await db.get("kv", "ordering")) ?? {};
    const key = wish.offer_id === offer.id ? wish.key : newKey();
    await db.put("kv", { offer_id: offer.id, key }, "ordering");
    let one;
    try {
      one = await receive(await change("/api/v1/sessions", { offer_id: offer.id }, { key }));
    } catch (error) {
      if (error instanceof Problem && !error.passing) await db.remove("kv", "ordering");
      throw error;
    }
    await db.remove("kv", "ordering");
    await db.put("roads", { session_id: one.session_id, paused: false });
    navigator.storage?.persist?.().catch(() => false);
    alone(one.session_id);
    return one;
  },

  /** Show how far it is. @param {string} session_id */
  showDownloadProgress(session_id) {
    go(`progress/${session_id}`);
  },

  /** @param {string} session_id */
  async pauseDownload(session_id) {
    await db.put("roads", { session_id, paused: true });
    walking.get(session_id)?.abort();
  },

  /** @param {string} session_id */
  async resumeDownload(session_id) {
    await db.put("roads", { session_id, paused: false });
    alone(session_id);
  },

  /** @param {string} session_id */
  async cancel(session_id) {
    walking.get(session_id)?.abort();
    await Promise.all([db.remove("roads", session_id), db.remove("packages", session_id)]);
    await want({ kind: "cancel", path: `/api/v1/sessions/${session_id}/cancel`, session_id });
  },

  /**
   * Switch on the line of the stored session: on the lab phone by its own switch, which needs no network. The wish
   * to lift a hold is kept and sent when the network is there.
   * @param {InternetSession} one
   */
  async activateDownloadedSession(one) {
    const wish = () => want({ kind: "activate", path: `/api/v1/sessions/${one.session_id}/activate`, session_id: one.session_id });
    // Of several on the eSIM the network has to know which comes next before the line is on.
    const chooses = sessions
      .peek()
      .some((other) => other.session_id !== one.session_id && other.esim_id === one.esim_id && isStored(other));
    if (chooses) await wish().then(() => chosen(one));
    if (await look()) await switchOn(one);
    if (!chooses) await wish();
  },

  /** @param {InternetSession} one */
  pauseSession: (one) => want({ kind: "deactivate", path: `/api/v1/sessions/${one.session_id}/deactivate`, session_id: one.session_id }),

  /** Show the session in use, or the one given; return its state in words. @param {string} [session_id] */
  displaySessionStatus(session_id = current.peek()?.session_id) {
    const one = session_id ? sessionOf(session_id) : null;
    if (!one) return t("home.empty");
    go(`session/${one.session_id}`);
    return `${sizeName(one.allowance_octets)}: ${t(`state.${one.state}`)}`;
  },
};

Object.assign(window, { SessionManager });

/** Take up what a reload or a lost network interrupted. */
export async function resumeRoads() {
  if (!account.peek()) return;
  await flush();
  const roads = await db.all("roads");
  for (const { session_id, paused } of roads) {
    const one = sessionOf(session_id);
    if (one && isUnderWay(one) && !paused) alone(session_id);
    else if (one && !isUnderWay(one)) await db.remove("roads", session_id);
  }
  const gone = (await db.all("packages")).filter((kept) => !sessions.peek().some((one) => one.session_id === kept.session_id));
  for (const { session_id } of gone) await db.remove("packages", session_id);
}

addEventListener("online", () => resumeRoads().catch(() => {}));
