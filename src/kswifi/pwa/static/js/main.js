// The frame around every screen, and the start of the app: show the stored data first, then ask the server.
import { render } from "preact";
import { onReach, read } from "./api.js";
import { trouble } from "./db.js";
import { t } from "./i18n.js";
import { look } from "./phone.js";
import { arrive, route, wish } from "./router.js";
import Home from "./screens/home.js";
import { SCREENS } from "./screens/index.js";
import { signal, useEffect, useState } from "./state.js";
import { account, connect, connection, environment, load, loadVenues, portal, reachable, ready, say, toasts } from "./store.js";
import { html, Icon, Note } from "./ui.js";

/** @type {import("./state.js").Signal<Record<string, any>>} */
const loaded = signal({ home: Home });

const TABS = /** @type {const} */ ([
  ["home", "home"],
  ["esim", "chip"],
  ["help", "help"],
  ["settings", "user"],
]);
/** @type {Record<string, string>} */
const TAB_OF = {
  choose: "home",
  free: "home",
  progress: "home",
  activate: "home",
  session: "home",
  pass: "home",
  account: "settings",
  security: "settings",
  gift: "settings",
  gifts: "settings",
  move: "settings",
  standing: "settings",
  usage: "settings",
  limits: "home",
  line: "home",
  device: "help",
  venues: "help",
};

function Connection() {
  const how = connection.value;
  const icon = how === "wifi" ? "wifi" : ["line", "control", "mobile"].includes(how) ? "line" : how === "offline" ? "noline" : "check";
  return html`<span class="pill" role="status"><${Icon} name=${icon} />${t(`connection.${how}`)}</span>`;
}

/** Return the name of the screen in the address; home if there is no such screen. */
const asked = () => (Object.hasOwn(SCREENS, route.value.name) ? route.value.name : "home");

function Tabs() {
  const here = Object.hasOwn(TAB_OF, asked()) ? TAB_OF[asked()] : asked();
  return html`<nav class="tabs" aria-label=${t("nav.label")}>
    <ul>
      ${TABS.map(
        ([name, icon]) =>
          html`<li>
            <a href=${`#/${name}`} aria-current=${here === name ? "page" : undefined}><${Icon} name=${icon} />${t(`nav.${name}`)}</a>
          </li>`,
      )}
    </ul>
  </nav>`;
}

const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">
  ${toasts.value.map(
    (one) => html`<div class="toast" key=${one.id}>
      <span class="grow">${one.text}</span>
      ${one.action && html`<button class="btn plain" onClick=${one.action.run}>${one.action.label}</button>`}
      <button class="iconbtn" aria-label=${t("close")} onClick=${() => (toasts.value = toasts.value.filter((other) => other !== one))}>
        <${Icon} name="cross" />
      </button>
    </div>`,
  )}
</div>`;

/** Show above every screen what keeps the app from working on this device, and what helps. */
const Trouble = () => html`
  ${trouble.value && html`<${Note} kind="warning" live>${t(`trouble.${trouble.value}`)}<//>`}
  ${portal.value && html`<${Note} kind="warning" icon="wifi" live><b>${t("trouble.portal")}</b> ${t("trouble.portal_lead")}<//>`}
`;

function App() {
  const name = asked();
  const { id } = route.value;
  const needsAccount = !account.value && !["help", "account", "settings", "device", "venues", "gift"].includes(name);
  const [failed, setFailed] = useState("");
  const shown = needsAccount ? (name === "home" ? "home" : "account") : name;
  useEffect(() => {
    scrollTo(0, 0);
    if (needsAccount && shown === "account") wish.path = `${name}/${encodeURIComponent(id)}`;
    if (!loaded.peek()[shown])
      SCREENS[shown]().then(
        (module) => (loaded.value = { ...loaded.peek(), [shown]: module.default }),
        () => setFailed(shown),
      );
  }, [shown, id]);
  const Screen = loaded.value[shown];
  const missing = !Screen && failed === shown;
  return html`
    <a
      class="btn quiet skip"
      href="#main"
      onClick=${(/** @type {Event} */ event) => {
        event.preventDefault();
        document.querySelector("h1")?.focus();
      }}
    >
      ${t("nav.skip")}
    </a>
    <div class="frame">
      <header class="top">
        <a class="brand" href="#/home"><img src="/app/icons/icon.svg" width="32" height="32" alt="" />KSWiFi</a>
        <${Connection} />
      </header>
      <${Trouble} />
      <main class="page" id="main">
        ${ready.value && Screen && html`<${Screen} key=${shown + id} id=${id} />`}
        ${missing && html`<p>${t("problem.offline")}</p><button class="btn wide" onClick=${() => location.reload()}>${t("again")}</button>`}
      </main>
    </div>
    <${Toasts} />
    <${Tabs} />
  `;
}

/** Mark the page as low if few lines of text fit its height. Nothing is sticky then. */
function fit() {
  const page = document.documentElement;
  page.classList.toggle("low", parseFloat(getComputedStyle(page).fontSize) * 34 > innerHeight);
}

/** Register the service worker, which stores the app on the device. */
async function install() {
  if (!("serviceWorker" in navigator)) return;
  const policy = /** @type {any} */ (window).trustedTypes?.createPolicy("kswifi", {
    createScriptURL: (/** @type {string} */ url) => {
      if (url === "/sw.js") return url;
      throw new TypeError(url);
    },
  });
  const registration = await navigator.serviceWorker.register(policy ? policy.createScriptURL("/sw.js") : "/sw.js");
  const offer = (/** @type {ServiceWorker | null} */ worker) =>
    worker &&
    navigator.serviceWorker.controller &&
    say(t("update.ready"), { action: { label: t("update.reload"), run: () => worker.postMessage("take over") } });
  if (registration.waiting) offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker?.addEventListener("statechange", () => worker.state === "installed" && offer(worker));
  });
  let had = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (had) location.reload();
    had = true;
  });
}

/** For a signed-in user: follow the events and resume what a reload interrupted. A first visit loads none of these modules. */
async function follow() {
  const [{ listen }, { resumeRoads }] = await Promise.all([
    import("./live.js"),
    import("./road.js"),
    import("./alerts.js"),
    environment.peek()?.lab_origin ? import("./carry.js") : null,
  ]);
  listen();
  loadVenues().catch(() => {});
  await resumeRoads();
}

/** Connect to the server. Try again every 5 seconds while it cannot be reached. */
async function reach() {
  try {
    await connect();
    await look();
    if (account.peek()) await follow();
  } catch {
    setTimeout(reach, 5000);
  }
}

onReach((how) => {
  reachable.value = how === "yes";
  portal.value = how === "portal";
});
/** While the server does not answer, ask it every 5 seconds: the browser's online event comes too early or not at all. */
setInterval(() => reachable.peek() || document.hidden || read("/healthz").catch(() => {}), 5000);

arrive();
await load();
ready.value = true;
fit();
addEventListener("resize", fit);
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
await reach();
setInterval(() => environment.peek()?.lab_origin && !document.hidden && look(), 3000);
install().catch(() => {});
