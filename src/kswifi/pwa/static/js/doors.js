// Detect windows that delete their data when they are closed: the login window of a WiFi network, the browser within another app. The
// app offers no sign-up there, because the recovery code and the sessions would be lost. Also: installing the app.
import { t } from "./i18n.js";
import { useState } from "./state.js";
import { say } from "./store.js";
import { CopyButton, html, Note } from "./ui.js";

const agent = navigator.userAgent;
/** Facebook, Instagram, TikTok, Snapchat, X, WebView, and the login windows of Android and Apple. */
const DOORS = /FBA[NV]|FB_IAB|Instagram|musical_ly|Bytedance|TikTok|Snapchat|Twitter|; wv\)|CaptiveNetwork|CaptivePortal/i;
export const isApple = /iPhone|iPad|iPod/.test(agent);
export const isAndroid = /Android/.test(agent);
export const behindDoor = DOORS.test(agent);

const CHROME = "package=com.android.chrome;end";
/** Return the address that opens this page in the phone's own browser. */
const outside = () =>
  isApple
    ? location.href.replace(/^http/, "x-safari-http")
    : `intent://${location.host}${location.pathname}${location.search}#Intent;scheme=${location.protocol.slice(0, -1)};${CHROME}`;

/** Explain how to open the app in the phone's own browser. */
export const Door = () => html`<${Note} kind="warning" live>
    <b>${t("door.title")}</b> ${t("door.lead")}
  <//>
  <div class="row">
    <code class="code grow small">${location.origin}</code>
    <${CopyButton} text=${location.href} label=${t("copy", { what: t("door.link") })} onDone=${() => say(t("copied"))} />
  </div>
  <div class="act stick"><a class="btn wide" href=${outside()}>${t(isApple ? "door.safari" : "door.chrome")}</a></div>`;

/** @type {any} */
let prompt = null;
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  prompt = event;
});
const installed = matchMedia("(display-mode: standalone)").matches || /** @type {any} */ (navigator).standalone === true;

/** Offer to install the app on the home screen; nothing if it is installed or the browser cannot install it. */
export function InstallApp() {
  const [done, setDone] = useState(installed);
  if (done || (!prompt && !isApple)) return null;
  return html`<section class="card">
    <h2>${t("app.title")}</h2>
    <p class="soft">${t(prompt ? "app.lead" : "app.apple")}</p>
    ${
      prompt &&
      html`<button
        class="btn quiet wide"
        onClick=${async () => {
          prompt.prompt();
          const { outcome } = await prompt.userChoice;
          prompt = null;
          setDone(outcome === "accepted");
        }}
      >
        ${t("app.button")}
      </button>`
    }
  </section>`;
}
