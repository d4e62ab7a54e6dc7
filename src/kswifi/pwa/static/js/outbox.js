// Requests that the server has not answered yet, called intents. They are stored on the device and sent in order, each with its own
// key: sent twice, it is done once. Only one tab sends. They are sent again when the server begins to answer, and by a timer. After
// a day an intent is dropped, because its user no longer expects it.
import { change, newKey, onReach, Problem } from "./api.js";
import { now } from "./clock.js";
import * as db from "./db.js";
import { t } from "./i18n.js";
import { account, actions, receive, refresh, say, words } from "./store.js";
import { onTabs, tellTabs } from "./tabs.js";

/** @import {Action} from "./types.d.ts" */

/** How long an intent is kept, in milliseconds. The server keeps its key for two days. */
export const KEEP = 864e5;
const [SOONEST, LATEST] = [2000, 30000];

/**
 * Store an intent and send it, at once or when the network is back.
 * @param {{kind: string, path: string, body?: unknown, session_id?: string | null}} wanted
 */
export async function want({ kind, path, body = {}, session_id = null }) {
  /** @type {Action} */
  const action = { key: newKey(), kind, path, body, session_id, since: now() };
  actions.value = [...actions.value, action];
  await db.put("outbox", action);
  tellTabs("outbox");
  await flush();
}

/** Cancel an intent that was not answered yet. @param {string} key */
export async function unwant(key) {
  actions.value = actions.value.filter((one) => one.key !== key);
  await db.remove("outbox", key);
  tellTabs("outbox");
}

const kept = async () => (await db.all("outbox")).sort((a, b) => a.since - b.since);

/** @type {number | undefined} */
let timer;
let failures = 0;
/** @param {number} [seconds] as the server's Retry-After says */
function later(seconds) {
  clearTimeout(timer);
  timer = setTimeout(flush, seconds ? 1000 * seconds : Math.min(LATEST, SOONEST * 2 ** failures++));
}

/** Send all intents. A refused one is dropped and its refusal shown. One that can succeed later is sent again later. */
export function flush() {
  if (!account.peek()) return Promise.resolve();
  return db
    .alone("outbox", async () => {
      clearTimeout(timer);
      actions.value = await kept();
      for (const action of actions.peek()) {
        if (!actions.peek().includes(action)) continue; // taken back meanwhile
        if (Math.abs(now() - action.since) > KEEP) {
          await unwant(action.key);
          say(t("intent.dropped"));
          continue;
        }
        try {
          const answer = await change(action.path, action.body, { key: action.key });
          await unwant(action.key);
          if (answer?.session_id && answer.state) await receive(answer);
          else refresh().catch(() => {});
          failures = 0;
        } catch (error) {
          if (error instanceof Problem && error.passing) return later(error.retry_after_seconds);
          if (error instanceof Problem && ["not_signed_in", "login_expired", "csrf_token_wrong"].includes(error.code)) return later();
          await unwant(action.key);
          say(words(error));
        }
      }
    })
    .catch(() => later());
}

onReach((reach) => reach === "yes" && actions.peek().length && flush());
onTabs("outbox", async () => (actions.value = await kept()));
