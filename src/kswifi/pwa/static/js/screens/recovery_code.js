// The recovery code, which is shown once.
import { t } from "../i18n.js";
import { say } from "../store.js";
import { CopyButton, Heading, html, Note } from "../ui.js";

/** @param {{code: string}} props */
export const Code = ({ code }) => html`<div class="row">
  <output class="code grow" aria-label=${code}>
    ${code.split("-").map((group, at) => html`${at ? "-" : ""}<wbr /><span style="white-space:nowrap">${group}</span>`)}
  </output>
  <${CopyButton} text=${code} label=${t("copy", { what: t("field.recovery_code") })} onDone=${() => say(t("copied"))} />
</div>`;

/** @param {{code: string, next: () => void}} props */
export const RecoveryCode = ({ code, next }) => html`
  <${Heading} title=${t("recovery.title")} lead=${t("recovery.lead")} />
  <${Code} code=${code} />
  <${Note} kind="warning">${t("recovery.once")}<//>
  <div class="act stick"><button class="btn wide" onClick=${next}>${t("recovery.done")}</button></div>
`;
