// Follow the server's events: Server-Sent Events, read with fetch so that Last-Event-ID survives a reload. Where a stream
// does not get through, and in low-data mode, the app polls instead.
import { Problem, send, tellReach } from "./api.js";
import * as db from "./db.js";
import { account, apply, preferences, refresh, remember, streaming } from "./store.js";

const POLL = { usual: 15000, low_data: 60000 };
/** How long a stream may be silent, in milliseconds. */
const SILENCE = 45000;
let stop = () => {};
let failures = 0;

/**
 * Split the text of a stream into events (HTML Standard, 9.2.6). Returns the complete ones and keeps the rest.
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
/** Read the sessions once for a burst of events. */
const refreshSoon = () => {
  if (due) return;
  due = setTimeout(() => {
    due = undefined;
    refresh().catch(() => {});
  }, 250);
};

/** Order what a standing order has due, on WiFi alone. The module is fetched where there is a standing order. */
const orderDue = () => import("./standing.js").then((module) => module.look()).catch(() => {});

/** @param {{event: string, id: string, data: string}} news */
async function take({ event, id, data }) {
  const facts = JSON.parse(data);
  const known = event.startsWith("session_") && apply(facts);
  // An event of a balance contains the figures. A change of state can change more (a package, a proof, a hold), so read the session.
  if (event !== "hello" && !(known && event === "session_balance_changed")) refreshSoon();
  if (event === "standing_order_changed") orderDue();
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
    // The server sends a comment every 15 seconds. A longer silence means that the connection is broken.
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

/** Start to follow, or start again after the user, the network or the preferences changed. */
export function listen() {
  stop();
  if (!account.peek()) return;
  db.get("kv", "standing").then((kept) => kept && orderDue());
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
        // Streams often break on mobile networks: wait longer each time, and poll in the meantime.
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
