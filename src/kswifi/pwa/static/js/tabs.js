// Messages between the app's tabs on this device.

const channel = "BroadcastChannel" in self ? new BroadcastChannel("kswifi") : null;
/** @type {Record<string, (about: any) => void>} */
const listeners = {};
channel?.addEventListener("message", ({ data: [what, about] }) => listeners[what]?.(about));

/**
 * Send a message to the other tabs.
 * @param {"signed_out" | "outbox" | "road_paused"} what @param {unknown} [about]
 */
export const tellTabs = (what, about) => channel?.postMessage([what, about]);

/** @param {"signed_out" | "outbox" | "road_paused"} what @param {(about: any) => void} listener */
export const onTabs = (what, listener) => {
  listeners[what] = listener;
};
