// What the person asked for and the server has not answered yet. Kept on the device, sent in order, each with its
// own key: sent twice, it is done once. Only one tab sends.
import { change, newKey, Problem } from "./api.js";
import * as db from "./db.js";
import { account, actions, receive, refresh, say, words } from "./store.js";

/** @import {Action} from "./types.d.ts" */

/**
 * Want something; it is sent at once, or when the network is back.
 * @param {{kind: string, path: string, body?: unknown, session_id?: string | null}} wanted
 */
export async function want({ kind, path, body = {}, session_id = null }) {
  /** @type {Action} */
  const action = { key: newKey(), kind, path, body, session_id, since: Date.now() };
  await db.put("outbox", action);
  actions.value = [...actions.value, action];
  await flush();
}

/** Take back what was not sent yet. @param {string} key */
export async function unwant(key) {
  await db.remove("outbox", key);
  actions.value = actions.value.filter((one) => one.key !== key);
}

let waiting = 0;
/** Send what waits. A refusal is told and dropped; what may succeed later stays. */
export function flush() {
  if (!account.peek()) return Promise.resolve();
  return db.alone("outbox", async () => {
    for (const action of (await db.all("outbox")).sort((a, b) => a.since - b.since)) {
      try {
        const answer = await change(action.path, action.body, { key: action.key });
        await unwant(action.key);
        if (answer?.session_id && answer.state) await receive(answer);
        else await refresh();
      } catch (error) {
        if (error instanceof Problem && error.passing) {
          clearTimeout(waiting);
          if (error.status) waiting = setTimeout(flush, 5000);
          return;
        }
        await unwant(action.key);
        say(words(error));
      }
    }
  });
}

addEventListener("online", flush);
