// The recovery code, shown once, and how to get another while signed in.
import { change } from "../api.js";
import { t } from "../i18n.js";
import { isChangeOfMind, passkeysHere, usePasskey } from "../passkeys.js";
import { useState } from "../state.js";
import { say, words } from "../store.js";
import { CopyButton, Heading, html, Icon, Note } from "../ui.js";

/** @param {{code: string}} props */
const Code = ({ code }) => html`<div class="row">
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

/** A new recovery code in the place of one that is lost; the person shows who they are once more. @param {{passkeys: boolean}} props */
export function NewRecoveryCode({ passkeys }) {
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  /** @param {() => Promise<unknown>} proof */
  async function renew(proof) {
    setBusy(true);
    setProblem("");
    try {
      setCode((await change("/api/v1/account/recovery-code", await proof())).recovery_code);
    } catch (error) {
      setProblem(isChangeOfMind(error) ? t("passkey.not_used") : words(error));
    }
    setBusy(false);
  }
  /** @param {SubmitEvent} event */
  const withPassword = (event) => {
    event.preventDefault();
    const { password } = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
    return renew(async () => ({ password }));
  };
  return html`<details class="card">
    <summary>${t("recovery.new")}<${Icon} name="chevron" /></summary>
    <p class="soft">${t("recovery.new_lead")}</p>
    ${
      code
        ? html`<${Code} code=${code} /><${Note} kind="warning" live>${t("recovery.once")}<//>`
        : html`<form class="stack" onSubmit=${withPassword}>
          <div class="field">
            <label for="renew-password">${t("field.password")}</label>
            <input id="renew-password" name="password" type="password" required autocomplete="current-password" />
          </div>
          ${problem && html`<${Note} kind="error" live>${problem}<//>`}
          <button class="btn quiet wide" disabled=${busy}>${t("recovery.new_button")}</button>
          ${
            passkeys &&
            passkeysHere.value &&
            html`<button
              type="button"
              class="btn quiet wide"
              disabled=${busy}
              onClick=${() => renew(async () => ({ passkey: await usePasskey() }))}
            >
              <${Icon} name="key" />
              ${t("recovery.new_passkey")}
            </button>`
          }
        </form>`
    }
  </details>`;
}
