// A form for a change that a stolen login session must not allow: its user shows the password or a passkey once more.
import { t } from "./i18n.js";
import { isChangeOfMind, passkeysHere, usePasskey } from "./passkeys.js";
import { useState } from "./state.js";
import { words } from "./store.js";
import { html, Icon, Note } from "./ui.js";

/** What the server takes as proof of the user's presence. @typedef {{password: string} | {passkey: unknown}} Shown */

/**
 * @param {{id: string, button: string, passkeys: boolean, label?: string, danger?: boolean, children?: any,
 *   send: (shown: Shown, values: Record<string, string>) => Promise<unknown>}} props
 *   `id` is unique on the page; `passkeys` says whether the account has any; `children` are further fields
 */
export function Reauthenticated({ id, button, passkeys, label = t("field.password"), danger, children, send }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  /** @param {HTMLFormElement} form @param {(values: Record<string, string>) => Promise<Shown>} show */
  async function doing(form, show) {
    const values = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
    setBusy(true);
    setProblem("");
    try {
      await send(await show(values), values);
    } catch (error) {
      setProblem(isChangeOfMind(error) ? t("passkey.not_used") : words(error));
    }
    setBusy(false);
  }
  /** @param {SubmitEvent} event */
  const withPassword = (event) => {
    event.preventDefault();
    return doing(/** @type {HTMLFormElement} */ (event.target), async ({ password }) => ({ password }));
  };
  /** @param {Event} event */
  const withPasskey = (event) => {
    const form = /** @type {HTMLFormElement} */ (/** @type {HTMLElement} */ (event.target).closest("form"));
    const others = /** @type {HTMLInputElement[]} */ ([...form.elements]).filter((one) => one.name && one.name !== "password");
    if (others.every((one) => one.reportValidity())) doing(form, async () => ({ passkey: await usePasskey() }));
  };
  const kind = danger ? "danger" : "quiet";
  return html`<form class="stack" onSubmit=${withPassword}>
    ${children}
    <div class="field">
      <label for=${`${id}-password`}>${label}</label>
      <input id=${`${id}-password`} name="password" type="password" required autocomplete="current-password" />
    </div>
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    <button class=${`btn wide ${kind}`} disabled=${busy}>${button}</button>
    ${
      passkeys &&
      passkeysHere.value &&
      html`<button type="button" class=${`btn wide ${kind}`} disabled=${busy} onClick=${withPasskey}>
        <${Icon} name="key" />
        ${t("again.passkey")}
      </button>`
    }
  </form>`;
}
