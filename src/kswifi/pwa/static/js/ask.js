// A form with one field: a voucher, a phone number, or a code that was sent.
import { t } from "./i18n.js";
import { useState } from "./state.js";
import { words } from "./store.js";
import { html, Note } from "./ui.js";

/**
 * A form with one field. It shows the text of a refusal below the field.
 * @param {{what: "voucher" | "number" | "code", label?: string, hint?: string, button?: string, quiet?: boolean,
 *   send: (typed: string) => Promise<unknown>, input?: object, children?: any}} props
 *   `what` names the field and its texts; `label`, `hint` and `button` replace these texts
 */
export function Ask({ what, label, hint, button, quiet, send, input = {}, children }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    const typed = /** @type {string} */ (new FormData(/** @type {HTMLFormElement} */ (event.target)).get(what));
    await send(typed.trim()).catch((error) => setProblem(words(error)));
    setBusy(false);
  }
  return html`<form class="card" onSubmit=${submit}>
    ${children}
    <div class="field">
      <label for=${what}>${label ?? t(`ask.${what}`)}</label>
      <input
        id=${what}
        name=${what}
        required
        maxlength="40"
        autocomplete="off"
        spellcheck=${false}
        aria-describedby=${`${what}-hint`}
        ...${input}
      />
      <span class="small soft" id=${`${what}-hint`}>${hint ?? t(`ask.${what}.hint`)}</span>
    </div>
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    <button class=${`btn wide ${quiet ? "quiet" : ""}`} disabled=${busy}>${button ?? t(`ask.${what}.button`)}</button>
  </form>`;
}
