// Show a request that the server has not answered: since when, until when it is sent again, and how to cancel it.
import { when } from "./format.js";
import { t } from "./i18n.js";
import { flush, KEEP, unwant } from "./outbox.js";
import { html, Note } from "./ui.js";

/** @import {Action} from "./types.d.ts" */

/** @param {{action: Action}} props */
export const Intent = ({ action }) => html`<${Note} icon="clock" live>
  <b>${t("intent.title")}</b> ${t("intent.lead", { since: when(action.since), until: when(action.since + KEEP) })}
  <div class="row wrap">
    <button class="btn plain inline" onClick=${() => flush()}>${t("intent.now")}</button>
    <button class="btn plain inline" onClick=${() => unwant(action.key)}>${t("intent.undo")}</button>
  </div>
<//>`;
