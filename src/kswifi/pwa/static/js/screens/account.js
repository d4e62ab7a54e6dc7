import { change, Problem } from "../api.js";
import { t } from "../i18n.js";
import { useState } from "../state.js";
import "../alerts.js";
import "../carry.js";
import { listen } from "../live.js";
import { isChangeOfMind, makePasskey, passkeysHere, usePasskey } from "../passkeys.js";
import { look } from "../phone.js";
import { resumeRoads } from "../road.js";
import { go, wish } from "../router.js";
import { reachable, refresh, say, signedIn, words } from "../store.js";
import { CopyButton, Heading, html, Icon, Note } from "../ui.js";

/** Which form: its fields, and where it is sent. */
const FORMS = {
  "": { path: "/api/v1/logins", fields: ["identifier", "password"] },
  new: { path: "/api/v1/accounts", fields: ["identifier", "password"] },
  recover: { path: "/api/v1/recoveries", fields: ["identifier", "recovery_code", "new_password"] },
};
/** What browsers may fill in that is no password. @type {Record<string, string>} */
const OTHER = { identifier: "username", recovery_code: "off" };
const KINDS = { identifier: "text", password: "password", new_password: "password", recovery_code: "text" };

/** On to where they were going. */
function goOn() {
  go(wish.path);
  wish.path = "home";
}

/** @param {any} login */
async function enter(login) {
  await signedIn(login);
  await refresh();
  listen();
  await look();
  await resumeRoads();
}

/** @param {{code: string, next: () => void}} props */
const RecoveryCode = ({ code, next }) => html`
  <${Heading} title=${t("recovery.title")} lead=${t("recovery.lead")} />
  <div class="row">
    <output class="code grow" aria-label=${code}>
      ${code.split("-").map((group, at) => html`${at ? "-" : ""}<wbr /><span style="white-space:nowrap">${group}</span>`)}
    </output>
    <${CopyButton} text=${code} label=${t("copy", { what: t("field.recovery_code") })} onDone=${() => say(t("copied"))} />
  </div>
  <${Note} kind="warning">${t("recovery.once")}<//>
  <div class="act stick"><button class="btn wide" onClick=${next}>${t("recovery.done")}</button></div>
`;

/** @param {{id: string}} props */
export default function AccountScreen({ id }) {
  const which = /** @type {keyof typeof FORMS} */ (id in FORMS ? id : "");
  const { path, fields } = FORMS[which];
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [code, setCode] = useState("");
  const [seen, setSeen] = useState(false);

  /** @param {() => Promise<any>} work gives the login, with a recovery code if there is a new one */
  async function doing(work) {
    setBusy(true);
    setProblem("");
    try {
      const answer = await work();
      await enter(answer);
      if (answer.recovery_code) setCode(answer.recovery_code);
      else goOn();
    } catch (error) {
      setBusy(false);
      if (isChangeOfMind(error)) return;
      setProblem(words(error));
      if (!(error instanceof Problem)) throw error;
    }
  }
  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
    return doing(async () => {
      const answer = await change(path, values);
      if (which !== "recover") return answer;
      return { ...answer, ...(await change("/api/v1/logins", { identifier: values.identifier, password: values.new_password })) };
    });
  }
  /** @param {Event} event */
  function withPasskey(event) {
    const { identifier } = /** @type {any} */ (/** @type {HTMLElement} */ (event.target).closest("form")).elements;
    if (which === "new" && !identifier.reportValidity()) return;
    return doing(async () =>
      which === "new"
        ? change("/api/v1/accounts/passkey", await makePasskey("/api/v1/accounts/passkey-options", { identifier: identifier.value }))
        : change("/api/v1/logins/passkey", await usePasskey()),
    );
  }
  if (code) return html`<${RecoveryCode} code=${code} next=${goOn} />`;
  const name = which || "in";
  return html`
    <${Heading} title=${t(`account.${name}`)} lead=${t(`account.${name}.lead`)} />
    <form class="stack" style="gap:1.25rem" onSubmit=${submit}>
      ${fields.map((field) => {
        const kind = /** @type {Record<string, string>} */ (KINDS)[field];
        const fresh = field === "new_password" || which === "new";
        return html`<div class="field" key=${field}>
          <label for=${field}>${t(`field.${field}`)}</label>
          <input
            id=${field}
            name=${field}
            required
            type=${kind === "password" && seen ? "text" : kind}
            autocapitalize="none"
            spellcheck=${false}
            autocomplete=${kind === "password" ? (fresh ? "new-password" : "current-password") : OTHER[field]}
            minlength=${kind === "password" && fresh ? 8 : undefined}
            aria-describedby=${`${field}-hint`}
          />
          <span class="small soft" id=${`${field}-hint`}>${t(`field.${field}.${fresh && field === "password" ? "new" : "hint"}`)}</span>
        </div>`;
      })}
      <label class="item" style="padding:0;min-height:3rem">
        <input class="switch" type="checkbox" role="switch" checked=${seen} onChange=${() => setSeen(!seen)} />
        <span>${t("account.show")}</span>
      </label>
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      ${!reachable.value && html`<${Note} icon="noline" live>${t("account.offline")}<//>`}
      <button class="btn wide" disabled=${busy || !reachable.value}>${t(`account.${name}.button`)}</button>
      ${
        passkeysHere.value &&
        which !== "recover" &&
        html`<div class="stack tight">
          <button type="button" class="btn quiet wide" disabled=${busy || !reachable.value} onClick=${withPasskey}>
            <${Icon} name="key" />
            ${t(`account.${name}.passkey`)}
          </button>
          ${which === "new" && html`<p class="small soft centre">${t("passkey.why")}</p>`}
        </div>`
      }
    </form>
    <div class="stack tight">
      ${which !== "" && html`<a class="btn plain wide" href="#/account">${t("account.sign_in")}</a>`}
      ${which !== "new" && html`<a class="btn plain wide" href="#/account/new">${t("account.sign_up")}</a>`}
      ${which !== "recover" && html`<a class="btn plain wide" href="#/account/recover">${t("account.forgot")}</a>`}
    </div>
  `;
}
