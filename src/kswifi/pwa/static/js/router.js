// The part of the address after #: the name of a screen, and an id for it.
import { signal } from "./state.js";

/** @param {string} text of an address; nobody promises that its escapes are whole */
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

/** Where somebody was going who has to sign in first. */
export const wish = { path: "home" };

export const route = signal(parse());
addEventListener("hashchange", () => (route.value = parse()));

/**
 * Bring every address that leads to the app into one form, /#/SCREEN/ID. A checkout sends its payer back to
 * /?payment=REFERENCE; links and shortcuts can name a screen as a path, and carry any query.
 */
export function arrive() {
  const payment = new URLSearchParams(location.search).get("payment");
  const path = payment === null ? location.pathname.slice(1) : `pass/${encodeURIComponent(payment)}`;
  if (!path && !location.search) return;
  history.replaceState(null, "", `/${path ? `#/${path}` : location.hash}`);
  route.value = parse();
}

/** @param {string} path "choose", "session/018f…" @param {boolean} [replace] leave no step back */
export function go(path, replace = false) {
  if (replace) {
    history.replaceState(null, "", `#/${path}`);
    route.value = parse();
  } else location.hash = `#/${path}`;
}
