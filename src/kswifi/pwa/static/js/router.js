// The part of the address after #: the name of a screen, and an id for it.
import { signal } from "./state.js";

/** @param {string} text a part of an address; its percent escapes can be damaged */
function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const parse = () => {
  const [name = "", id = ""] = location.hash.replace(/^#\/?/, "").split("/");
  return { name, id: unescaped(id) };
};

/** The screen to show after the sign-in that it needs. */
export const wish = { path: "home" };

export const route = signal(parse());
addEventListener("hashchange", () => (route.value = parse()));

/**
 * Rewrite each address of the app as /#/SCREEN/ID. A checkout sends its payer back to /?payment=REFERENCE. Links and shortcuts can
 * name a screen as a path, with any query.
 */
export function arrive() {
  const payment = new URLSearchParams(location.search).get("payment");
  const path = payment === null ? location.pathname.slice(1) : `pass/${encodeURIComponent(payment)}`;
  if (!path && !location.search) return;
  history.replaceState(null, "", `/${path ? `#/${path}` : location.hash}`);
  route.value = parse();
}

/** @param {string} path "choose", "session/018f…" @param {boolean} [replace] replace the present entry of the history */
export function go(path, replace = false) {
  if (replace) {
    history.replaceState(null, "", `#/${path}`);
    route.value = parse();
  } else location.hash = `#/${path}`;
}
