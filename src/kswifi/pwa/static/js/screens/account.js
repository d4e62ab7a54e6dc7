import { useState } from "preact/hooks";
import { Problem, change } from "../api.js";
import { t } from "../i18n.js";
import "../alerts.js";
import { listen } from "../live.js";
import { look } from "../phone.js";
import { resumeRoads } from "../road.js";
import { go } from "../router.js";
import { reachable, refresh, say, signedIn, words } from "../store.js";
import { CopyButton, Heading, Note, html } from "../ui.js";

/** Which form: its fields, and where it is sent. */
const FORMS = {
  "": { path: "/api/v1/logins", fields: ["identifier", "password"] },
  new: { path: "/api/v1/accounts", fields: ["identifier", "password"] },
  recover: { path: "/api/v1/recoveries", fields: ["identifier", "recovery_code", "new_password"] },
};
const KINDS = { identifier: "text", password: "password", new_password: "password", recovery_code: "text" };

/** @param {any} login */
async function enter(login) {
  await signedIn(login);
  await refresh();
  listen();
  await look();
  await resumeRoads();
}

/** @param {{code: string, next: () => void}} props */
const RecoveryCode = ({ code, next }) => html`<${Heading} title=${t("recovery.title")} lead=${t("recovery.lead")} />
  <div class="row"><output class="code grow" aria-label=${code}>${code.split("-").map((group, at) => html`${at ? "-" : ""}<wbr /><span style="white-space:nowrap">${group}</span>`)}</output><${CopyButton} text=${code} label=${t("copy", { what: t("field.recovery_code") })} onDone=${() => say(t("copied"))} /></div>
  <${Note} kind="warning">${t("recovery.once")}<//>
  <div class="act stick"><button class="btn wide" onClick=${next}>${t("recovery.done")}</button></div>`;

/** @param {{id: string}} props */
export default function AccountScreen({ id }) {
  const which = /** @type {keyof typeof FORMS} */ (id in FORMS ? id : "");
  const { path, fields } = FORMS[which];
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [code, setCode] = useState("");
  const [seen, setSeen] = useState(false);

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
    setBusy(true);
    setProblem("");
    try {
      const answer = await change(path, values);
      if (which === "recover") await enter(await change("/api/v1/logins", { identifier: values.identifier, password: values.new_password }));
      else await enter(answer);
      if (answer.recovery_code) setCode(answer.recovery_code);
      else go("home");
    } catch (error) {
      setProblem(words(error));
      setBusy(false);
      if (!(error instanceof Problem)) throw error;
    }
  }
  if (code) return html`<${RecoveryCode} code=${code} next=${() => go("home")} />`;
  const name = which || "in";
  return html`<${Heading} title=${t(`account.${name}`)} lead=${t(`account.${name}.lead`)} />
    <form class="stack" style="gap:1.25rem" onSubmit=${submit}>
      ${fields.map((field) => {
        const kind = /** @type {Record<string, string>} */ (KINDS)[field];
        const fresh = field === "new_password" || which === "new";
        return html`<div class="field" key=${field}><label for=${field}>${t(`field.${field}`)}</label>
          <input id=${field} name=${field} required type=${kind === "password" && seen ? "text" : kind} autocapitalize="none" spellcheck=${false}
            autocomplete=${field === "identifier" ? "username" : kind === "password" ? (fresh ? "new-password" : "current-password") : "off"}
            minlength=${kind === "password" && fresh ? 8 : undefined} aria-describedby=${`${field}-hint`} />
          <span class="small soft" id=${`${field}-hint`}>${t(`field.${field}.${fresh && field === "password" ? "new" : "hint"}`)}</span></div>`;
      })}
      <label class="item" style="padding:0;min-height:3rem"><input class="switch" type="checkbox" role="switch" checked=${seen} onChange=${() => setSeen(!seen)} /><span>${t("account.show")}</span></label>
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      ${!reachable.value && html`<${Note} icon="noline" live>${t("account.offline")}<//>`}
      <button class="btn wide" disabled=${busy || !reachable.value}>${t(`account.${name}.button`)}</button>
    </form>
    <div class="stack tight">${which !== "" && html`<a class="btn plain wide" href="#/account">${t("account.sign_in")}</a>`}
      ${which !== "new" && html`<a class="btn plain wide" href="#/account/new">${t("account.sign_up")}</a>`}
      ${which !== "recover" && html`<a class="btn plain wide" href="#/account/recover">${t("account.forgot")}</a>`}</div>`;
}
