// What the operator has to tell now: a disturbance, a line that support has stopped, the code for a call to support.
import { render } from "preact";
import { t } from "./i18n.js";
import { html, Note } from "./ui.js";

/** @typedef {import("./types.d.ts").Notice} Notice */

/**
 * Show notices above every screen, instead of those before; say whether there are any.
 * @param {Notice[]} notices
 */
export function show(notices = []) {
  const main = document.getElementById("main");
  let place = document.getElementById("notices");
  if (!place && main) {
    place = document.createElement("div");
    place.id = "notices";
    main.before(place);
  }
  const link = html`<br /><a class="btn plain inline" href="#/move">${t("home.details")}</a>`;
  const shown = notices.map((one) => html`<${Note} kind="warning" live>${one.words}${one.kind === "move" && link}<//>`);
  if (place) render(html`<div>${shown}</div>`, place);
  return notices.length > 0;
}
