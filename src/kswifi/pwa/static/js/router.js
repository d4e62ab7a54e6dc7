// The part of the address after #: the name of a screen, and an id for it.
import { signal } from "./state.js";

// Where a checkout sends its payer back: /?payment=REFERENCE.
const paid = new URLSearchParams(location.search).get("payment");
if (paid) history.replaceState(null, "", `/#/pass/${paid}`);

const parse = () => {
  const [name = "", id = ""] = location.hash.replace(/^#\/?/, "").split("/");
  return { name, id: decodeURIComponent(id) };
};

/** Where somebody was going who has to sign in first. */
export const wish = { path: "home" };

export const route = signal(parse());
addEventListener("hashchange", () => (route.value = parse()));

/** @param {string} path "choose", "session/018f…" @param {boolean} [replace] leave no step back */
export function go(path, replace = false) {
  if (replace) {
    history.replaceState(null, "", `#/${path}`);
    route.value = parse();
  } else location.hash = `#/${path}`;
}
