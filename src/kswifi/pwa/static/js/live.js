// News as it happens: Server-Sent Events read with fetch, so that Last-Event-ID survives a reload; where a stream
// does not get through, or data is dear, the app asks now and then instead.
import { Problem, send, tellReach } from "./api.js";
import * as db from "./db.js";
import { account, apply, preferences, refresh, remember, streaming } from "./store.js";

const POLL = { usual: 15000, low_data: 60000 };
/** How long a stream may be silent, in milliseconds. */
const SILENCE = 45000;
let stop = () => {};
let failures = 0;

/**
 * Cut a stream's text into events (HTML Standard, 9.2.6). Gives what is complete and keeps the rest.
 * @param {string} text
 * @returns {{events: {event: string, id: string, data: string}[], rest: string}}
 */
export function parseEvents(text) {
  const blocks = text.replace(/\r\n?/g, "\n").split("\n\n");
  const rest = blocks.pop() ?? "";
  const events = blocks
    .map((block) => {
      /** @type {Record<string, string>} */
      const fields = { event: "message", id: "", data: "" };
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":");
        const name = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (name === "data") fields.data += fields.data ? `\n${value}` : value;
        else if (name === "event" || name === "id") fields[name] = value;
      }
      return /** @type {{event: string, id: string, data: string}} */ (/** @type {unknown} */ (fields));
    })
    .filter((one) => one.data);
  return { events, rest };
}

/** @type {number | undefined} */
let due;
/** Many events in a burst become one look at the server. */
const refreshSoon = () => {
  if (due) return;
  due = setTimeout(() => {
    due = undefined;
    refresh().catch(() => {});
  }, 250);
};

/** @param {{event: string, id: string, data: string}} news */
async function take({ event, id, data }) {
  const facts = JSON.parse(data);
  const known = event.startsWith("session_") && apply(facts);
  // The figures of a balance are in its event; a change of state may bring more with it (a package, a proof, a hold).
  if (event !== "hello" && !(known && event === "session_balance_changed")) refreshSoon();
  if (event === "session_state_changed")
    await remember({ at: Date.parse(facts.at), session_id: facts.session_id, what: facts.state, reason: facts.reason, sequence: id });
  if (id) await db.put("kv", id, "last_event_id");
}

/** @param {AbortSignal} signal */
async function follow(signal) {
  const last = await db.get("kv", "last_event_id");
  const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
  const response = await send({ path: "/api/v1/events", headers, signal });
  if (!response.body) throw new Problem(0, "no_stream", "");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    // The server sends a comment each 15 seconds: silence for longer is a connection that nobody has closed.
    const silent = setTimeout(() => reader.cancel().catch(() => {}), SILENCE);
    const { value, done } = await reader.read();
    clearTimeout(silent);
    if (done) return;
    failures = 0;
    streaming.value = true;
    const { events, rest } = parseEvents(text + value);
    text = rest;
    for (const one of events) await take(one);
  }
}

/** Begin to follow, or begin anew after the person, the network or the preferences changed. */
export function listen() {
  stop();
  if (!account.peek()) return;
  const aborter = new AbortController();
  const low = preferences.peek().low_data;
  const poll = setInterval(() => document.hidden || ((low || failures > 2) && refresh().catch(() => {})), low ? POLL.low_data : POLL.usual);
  stop = () => {
    aborter.abort();
    clearInterval(poll);
  };
  if (low) return;
  (async () => {
    while (!aborter.signal.aborted) {
      try {
        await follow(aborter.signal);
      } catch {
        // A broken stream is everyday weather here: wait a little longer each time, and look by asking meanwhile.
        failures += 1;
      }
      streaming.value = false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(30000, 500 * 2 ** failures)));
    }
  })();
}

addEventListener("online", () => {
  failures = 0;
  refresh().catch(() => {});
  listen();
});
addEventListener("offline", () => tellReach("no"));
document.addEventListener("visibilitychange", () => document.hidden || (account.peek() && refresh().catch(() => {})));
