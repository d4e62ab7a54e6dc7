// Screens by the part of the address after #. Each but the first is fetched when it is first shown.
import { signal } from "./state.js";

/** @type {Record<string, () => Promise<{default: any}>>} */
export const SCREENS = {
  home: () => import("./screens/home.js"),
  free: () => import("./screens/free.js"),
  choose: () => import("./screens/choose.js"),
  progress: () => import("./screens/progress.js"),
  activate: () => import("./screens/activate.js"),
  session: () => import("./screens/session.js"),
  pass: () => import("./screens/pass.js"),
  esim: () => import("./screens/esim.js"),
  account: () => import("./screens/account.js"),
  settings: () => import("./screens/settings.js"),
  help: () => import("./screens/help.js"),
};

// Where a checkout sends its payer back: /?payment=REFERENCE.
const paid = new URLSearchParams(location.search).get("payment");
if (paid) history.replaceState(null, "", `/#/pass/${paid}`);

const parse = () => {
  const [name = "", id = ""] = location.hash.replace(/^#\/?/, "").split("/");
  return { name: name in SCREENS ? name : "home", id: decodeURIComponent(id) };
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
