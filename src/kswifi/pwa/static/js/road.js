// The steps of a session on this device: order, download, verify, store on the eSIM, switch on. The server's state of the session
// decides the next step, so that a reload, a lost network or a closed app only interrupts them. This sequence is called a road.
import { change, newKey, onReach, Problem, read, send, untilReached } from "./api.js";
import { now } from "./clock.js";
import * as db from "./db.js";
import { sizeName } from "./format.js";
import { t } from "./i18n.js";
import { unwant as drop, flush, want } from "./outbox.js";
import { PackageRefused, sha256, verifyPackage } from "./package.js";
import { carryPackets, enableProfile, look, storeOnCard, switchOn } from "./phone.js";
import { go } from "./router.js";
import {
  account,
  actions,
  current,
  isStored,
  isUnderWay,
  offers,
  onChange,
  ordering,
  phone,
  preferences,
  profiles,
  progress,
  receive,
  refresh,
  say,
  sessionOf,
  sessions,
  stateOf,
  streaming,
  words,
} from "./store.js";
import { onTabs, tellTabs } from "./tabs.js";

/** @import {InternetSession, Ordering, Progress, StoredPackage, VerifiedPackage} from "./types.d.ts" */

/** @type {Map<string, AbortController>} */
const walking = new Map();
/** Refusals that only say "not yet". */
const SOON = ["package_not_ready", "profile_not_ready", "phone_busy"];
/** Refusals after which the state of the session at the server decides the next step. */
const AGAIN = [...SOON, "illegal_transition", "es9_unreachable"];
/** How long a download may stand still, in milliseconds. */
const STALL = 25000;
/** How long one order is sent again, in milliseconds. The server stores its key for two days. */
const ORDER_KEEP = 864e5;
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Wait until an event or an answer has changed the state of a session, or so many milliseconds.
 * @param {InternetSession} one @param {number} milliseconds
 */
const untilMoved = (one, milliseconds) =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      onChange.splice(onChange.indexOf(check), 1);
      resolve(undefined);
    };
    const check = () => sessionOf(one.session_id)?.state !== one.state && done();
    const timer = setTimeout(done, milliseconds);
    onChange.push(check);
    check();
  });

/** @param {string} id @param {Partial<Progress>} changed */
function show(id, changed) {
  const before = progress.peek()[id] ?? { stage: "prepare", received: 0, total: null, running: true, problem: null };
  progress.value = { ...progress.peek(), [id]: { ...before, ...changed } };
}

/** Return the keys that packages are signed with: the stored ones, or with `fresh` those of the server. */
export async function trustedKeys(fresh = false) {
  const kept = await db.get("kv", "jwks");
  if (kept && !fresh) return kept;
  const jwks = await read("/.well-known/jwks.json");
  await db.put("kv", jwks, "jwks");
  return jwks;
}

/** @param {InternetSession} one @param {Uint8Array<ArrayBuffer>} octets @returns {Promise<VerifiedPackage>} */
async function verify(one, octets) {
  const expected = { session_id: one.session_id, iccid: one.iccid, now: now() };
  try {
    return await verifyPackage(octets, await trustedKeys(), expected);
  } catch (error) {
    if (!(error instanceof PackageRefused) || error.code !== "package_unknown_key") throw error;
    return verifyPackage(octets, await trustedKeys(true), expected);
  }
}

/**
 * Return the package of a session, verified again each time. If it is not on this device (another device made the download, or the
 * browser deleted its data) it is fetched.
 * @param {InternetSession} one
 * @param {AbortSignal} [signal]
 * @throws {PackageRefused} it cannot be trusted
 * @throws {Problem} it is not here, and cannot be fetched now
 */
export async function packageOf(one, signal = new AbortController().signal) {
  /** @type {StoredPackage | undefined} */
  const kept = await db.get("packages", one.session_id);
  if (kept?.complete) return verify(one, kept.octets);
  if (walking.has(one.session_id)) return null; // its download shows how far it is
  const octets = await download(one, signal);
  const verified = await verify(one, octets);
  await db.put("packages", { session_id: one.session_id, octets, etag: null, complete: true });
  return verified;
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
  if (response.status === 416) {
    // RFC 9110, 15.5.17: the Content-Range holds the length. If all octets are here, only the verification was interrupted.
    if (response.headers.get("Content-Range") === `bytes */${kept.octets.length}`) return kept.octets;
    await db.remove("packages", id);
    return download(one, signal);
  }
  if (response.status !== 206) kept = { ...kept, octets: new Uint8Array() };
  kept.etag = response.headers.get("ETag");
  const total = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? response.headers.get("Content-Length"));
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  for (;;) {
    // Store each piece before reading the next, so that no octet is paid for twice.
    const stalled = setTimeout(() => reader.cancel().catch(() => {}), STALL);
    const { value, done } = await reader.read().catch((error) => {
      if (signal.aborted) throw error;
      throw new Problem(0, "offline", "");
    });
    clearTimeout(stalled);
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

/** Return the package, stored and verified; fetch it if it is not here. @param {InternetSession} one @param {AbortSignal} signal */
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

/**
 * Fetch the package, confirm it and ask for the transfer. Both requests are sent together, because each answer takes seconds on a
 * slow network. If the second overtakes the first, it is refused and sent again in the next step.
 * @param {InternetSession} one @param {AbortSignal} signal
 */
async function fetchAndConfirm(one, signal) {
  const at = `/api/v1/sessions/${one.session_id}`;
  const { octets } = await fetchPackage(one, signal);
  const confirmed = change(`${at}/downloaded`, { sha256: await sha256(octets) });
  const transferring = pause(100).then(() => change(`${at}/transfer`, {}));
  const [first, second] = await Promise.allSettled([confirmed, transferring]);
  if (first.status === "rejected") throw first.reason;
  return second.status === "fulfilled" ? second.value : first.value;
}

/** Install the profile with the activation code in the package. @param {InternetSession} one @param {AbortSignal} signal */
async function storeWithLabPhone(one, signal) {
  const { activation } = await fetchPackage(one, signal);
  if (!activation) return waitForPhone(one, 0);
  show(one.session_id, { stage: "transfer" });
  // A profile is installed once. Later sessions are written to it by secured packets.
  if (phone.peek()?.profiles.some((other) => other.iccid === one.iccid)) await enableProfile(one).then(() => carryPackets(one));
  else await storeOnCard(one, activation.activation_code);
  await untilMoved(one, streaming.peek() ? 3000 : 100);
  return stateOf(one) === sessionOf(one.session_id)?.state ? read(`/api/v1/sessions/${one.session_id}`) : null;
}

/**
 * Wait until the user has installed the profile on their phone. The server knows the progress: first the profile's state at the
 * SM-DP+, then the session's. The longer it takes, the less often the server is asked.
 * @param {InternetSession} one @param {number} turn
 */
async function waitForPhone(one, turn) {
  show(one.session_id, { stage: "install" });
  const { profile_state } = await read(`/api/v1/esims/${one.esim_id}`);
  profiles.value = { ...profiles.peek(), [one.esim_id]: profile_state };
  await untilMoved(one, preferences.peek().low_data ? 15000 : Math.min(15000, 2000 + 500 * turn));
  return read(`/api/v1/sessions/${one.session_id}`);
}

/**
 * @param {InternetSession} one @param {AbortSignal} signal @param {number} turn
 * @returns {Promise<any>} the new state of the session; null if an event has delivered it already
 */
async function step(one, signal, turn) {
  const at = `/api/v1/sessions/${one.session_id}`;
  switch (one.state) {
    case "ordered":
      // Signing takes a moment. On a slow network it is done before the request for the package arrives.
      await untilMoved(one, 300);
      return fetchAndConfirm(one, signal);
    case "packaged":
    case "downloading":
      return fetchAndConfirm(one, signal);
    case "downloaded":
      show(one.session_id, { stage: "transfer" });
      return change(`${at}/transfer`, {});
    default:
      return (await look()) ? storeWithLabPhone(one, signal) : waitForPhone(one, turn);
  }
}

/** Whether the user's phone has refused the profile. Then the user decides how to continue. @param {InternetSession} one */
export const wasRefused = (one) => one.state === "downloaded" && Boolean(one.reason) && !phone.peek();

/** Take the steps of a session until it is stored, paused or refused. @param {string} id @param {boolean} again after a refusal */
async function walk(id, again) {
  if (walking.has(id)) return;
  const aborter = new AbortController();
  walking.set(id, aborter);
  show(id, { running: true, elsewhere: false, problem: null });
  let failures = 0;
  let turn = 0;
  try {
    for (let one = sessionOf(id); one && isUnderWay(one) && !aborter.signal.aborted; one = sessionOf(id)) {
      if (wasRefused(one) && !again) break;
      again = false;
      try {
        const told = await step(one, aborter.signal, turn++);
        if (told) await receive(told);
        failures = 0;
      } catch (error) {
        if (aborter.signal.aborted) break;
        if (!(error instanceof Problem) || (!error.passing && !AGAIN.includes(error.code))) throw error;
        failures += 1;
        if (SOON.includes(error.code)) await untilMoved(one, 400);
        else {
          show(id, { problem: words(error) });
          await untilReached(Math.min(15000, 500 * 2 ** failures));
        }
        if (error.status && !SOON.includes(error.code)) await receive(await read(`/api/v1/sessions/${id}`)).catch(() => {});
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

/**
 * Take the steps of a session in one tab only. A second tab waits, and continues when the first is closed.
 * @param {string} id @param {boolean} [again]
 */
async function alone(id, again = false) {
  if (!navigator.locks) return walk(id, again);
  const name = `kswifi-road-${id}`;
  const here = await navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await walk(id, again);
    return Boolean(lock);
  });
  if (here || walking.has(id)) return;
  show(id, { running: true, elsewhere: true });
  await navigator.locks.request(name, async () => (await db.get("roads", id))?.paused || walk(id, again));
  show(id, { running: false, elsewhere: false });
}
onTabs("road_paused", (id) => walking.get(id)?.abort());

/** Wait up to 3 seconds until this session is the next in the ledger's order. @param {InternetSession} one */
async function chosen(one) {
  for (let tries = 0; tries < 20; tries += 1) {
    const contents = await read(`/api/v1/esims/${one.esim_id}/sessions`).catch(() => null);
    if (!contents || contents.order[0] === one.session_id) return;
    await pause(150);
  }
}

/** Replace the unanswered requests for a session by this one. */
/** @param {"activate" | "deactivate"} kind @param {InternetSession} one */
async function wantInstead(kind, { session_id }) {
  for (const before of actions.peek()) if (before.session_id === session_id) await drop(before.key);
  await want({ kind, path: `/api/v1/sessions/${session_id}/${kind}`, session_id });
}

/**
 * Send an order until it is answered, always with the same key, so that one session is made. It survives a reload.
 * @param {Ordering} order
 * @returns {Promise<InternetSession | null>} null if it was cancelled in the meantime
 * @throws {Problem} the server refused it, or there was no answer for a day
 */
const place = (order) =>
  db.alone("ordering", async () => {
    const wanted = () => ordering.peek()?.key === order.key;
    try {
      for (let failures = 0; wanted(); failures += 1) {
        try {
          const { offer_id, new_esim, key } = order;
          const one = await receive(await change("/api/v1/sessions", { offer_id, ...(new_esim ? { new_esim } : {}) }, { key }));
          await db.put("roads", { session_id: one.session_id, paused: false });
          if (new_esim) await db.remove("kv", "new_esim");
          return one;
        } catch (error) {
          if (!(error instanceof Problem) || !error.passing || now() - order.since > ORDER_KEEP) throw error;
          await untilReached(error.retry_after_seconds ? 1000 * error.retry_after_seconds : Math.min(30000, 1000 * 2 ** failures));
        }
      }
      return null;
    } finally {
      if (wanted()) await SessionManager.takeBackOrder();
    }
  });

/** The actions on sessions, for the screens and for scripts on the page. */
export const SessionManager = {
  /**
   * Order a session of this size and start its download. While there is no answer, `ordering` holds the order.
   * @param {number | null} sessionSize octets of an offer; null is uncapped
   * @returns {Promise<InternetSession | null>} null if the order was cancelled before it was answered
   */
  async startSessionDownload(sessionSize) {
    const offer = offers.peek().find((one) => one.allowance_octets === sessionSize);
    if (!offer) throw new Problem(404, "unknown_offer", "");
    const before = ordering.peek();
    const new_esim = Boolean(await db.get("kv", "new_esim"));
    const same = before?.offer_id === offer.id && before.new_esim === new_esim;
    const order = same ? before : { offer_id: offer.id, new_esim, key: newKey(), since: now() };
    ordering.value = order;
    await db.put("kv", order, "ordering");
    const one = await place(order);
    if (!one) return null;
    navigator.storage?.persist?.().catch(() => false);
    alone(one.session_id).catch(() => {});
    return one;
  },

  /** Cancel an order that was not answered. If the server has received it, its session is in the list of sessions. */
  async takeBackOrder() {
    ordering.value = null;
    await db.remove("kv", "ordering");
  },

  /** Show the progress of a download. @param {string} session_id */
  showDownloadProgress(session_id) {
    go(`progress/${session_id}`);
  },

  /** @param {string} session_id */
  async pauseDownload(session_id) {
    await db.put("roads", { session_id, paused: true });
    walking.get(session_id)?.abort();
    tellTabs("road_paused", session_id);
  },

  /** @param {string} session_id */
  async resumeDownload(session_id) {
    await db.put("roads", { session_id, paused: false });
    alone(session_id, true).catch(() => {});
  },

  /** @param {string} session_id */
  async cancel(session_id) {
    walking.get(session_id)?.abort();
    await Promise.all([db.remove("roads", session_id), db.remove("packages", session_id)]);
    for (const before of actions.peek()) if (before.session_id === session_id) await drop(before.key);
    await want({ kind: "cancel", path: `/api/v1/sessions/${session_id}/cancel`, session_id });
  },

  /**
   * Activate a stored session. On the lab phone this switches the line on, which needs no network. The request to lift a hold is
   * stored and sent when there is a network.
   * @param {InternetSession} one
   */
  async activateDownloadedSession(one) {
    const wish = () => wantInstead("activate", one);
    // If the eSIM holds several sessions, the network must know which one is next before the line is on.
    const chooses = sessions
      .peek()
      .some((other) => other.session_id !== one.session_id && other.esim_id === one.esim_id && isStored(other));
    if (chooses) await wish().then(() => chosen(one));
    if (await look()) await switchOn(one);
    if (!chooses) await wish();
  },

  /** @param {InternetSession} one */
  pauseSession: (one) => wantInstead("deactivate", one),

  /** Show the session in use, or the given one, and return its state as text. @param {string} [session_id] */
  displaySessionStatus(session_id = current.peek()?.session_id) {
    const one = session_id ? sessionOf(session_id) : null;
    if (!one) return t("home.empty");
    go(`session/${one.session_id}`);
    return `${sizeName(one.allowance_octets)}: ${t(`state.${stateOf(one)}`)}`;
  },
};

Object.assign(window, { SessionManager });

/** Resume what a reload or a lost network interrupted. */
export async function resumeRoads() {
  if (!account.peek()) return;
  if (ordering.peek()) {
    const { value } = ordering;
    place(/** @type {Ordering} */ (value)).then(
      (one) => one && alone(one.session_id),
      (error) => say(words(error)),
    );
  }
  await flush();
  const roads = await db.all("roads");
  for (const { session_id, paused } of roads) {
    const one = sessionOf(session_id);
    if (one && isUnderWay(one) && !paused) alone(session_id).catch(() => {});
    else if (one && !isUnderWay(one)) await db.remove("roads", session_id);
  }
  const gone = (await db.all("packages")).filter((kept) => !sessions.peek().some((one) => one.session_id === kept.session_id));
  for (const { session_id } of gone) await db.remove("packages", session_id);
}

onReach((reach) => {
  if (reach !== "yes" || !account.peek()) return;
  refresh()
    .then(resumeRoads)
    .catch(() => {});
});
