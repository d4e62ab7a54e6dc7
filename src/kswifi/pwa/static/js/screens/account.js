import { change, Problem, setCsrf } from "../api.js";
import { t } from "../i18n.js";
import { useState } from "../state.js";
import "../alerts.js";
import { behindDoor, Door } from "../doors.js";
import { listen } from "../live.js";
import { isChangeOfMind, makePasskey, passkeysHere, usePasskey } from "../passkeys.js";
import { look } from "../phone.js";
import { resumeRoads } from "../road.js";
import { go, wish } from "../router.js";
import { account, environment, reachable, refresh, signedIn, words } from "../store.js";
import { Heading, html, Icon, Note } from "../ui.js";
import { RecoveryCode } from "./recovery_code.js";

/** Which form: its fields, and where it is sent. */
const FORMS = {
  "": { path: "/api/v1/logins", fields: ["identifier", "password"] },
  new: { path: "/api/v1/accounts", fields: ["identifier", "password"] },
  recover: { path: "/api/v1/recoveries", fields: ["identifier", "recovery_code", "new_password"] },
};
/** What browsers may fill in that is no password. @type {Record<string, string>} */
const OTHER = { identifier: "username", recovery_code: "off" };
const KINDS = { identifier: "text", password: "password", new_password: "password", recovery_code: "text" };

/** On to the screen that asked for an account. */
function goOn() {
  go(wish.path);
  wish.path = "home";
}

/** Take over a LoginSession; what cannot be loaded now is loaded when the network is back. @param {any} login */
async function enter(login) {
  await signedIn(login);
  listen();
  const load = async () => {
    if (environment.peek()?.lab_origin) await import("../carry.js");
    await refresh();
    await look();
    await resumeRoads();
  };
  await load().catch(() => {});
}

/**
 * Send a form. An answer can get lost after the server has done its work. Then the same form, sent again, is refused, because there
 * is the account, or because the recovery code was used up. So where the password opens the account, it is opened, and there is a new
 * recovery code in the place of the one that nobody has seen.
 * @param {"" | "new" | "recover"} which @param {Record<string, string>} values what was typed in
 * @returns {Promise<any>} the LoginSession, with a recovery code if there is a new one
 */
async function submitted(which, values) {
  const { path, fields } = FORMS[which];
  const password = values[fields.at(-1) ?? ""];
  const logIn = () => change("/api/v1/logins", { identifier: values.identifier, password });
  if (which === "") return logIn();
  /** @type {any} */
  let answer;
  try {
    answer = await change(path, values);
  } catch (error) {
    if (!(error instanceof Problem) || !["already_registered", "wrong_recovery_code"].includes(error.code)) throw error;
    const login = await logIn().catch((refused) => Promise.reject(refused.status ? error : refused));
    setCsrf(login.csrf_token);
    return { ...login, ...(await change("/api/v1/account/recovery-code", { password })) };
  }
  if (which === "new") return answer;
  // The code is shown even if the login that follows fails: it is shown this once.
  return { recovery_code: answer.recovery_code, ...(await logIn().catch(() => ({}))) };
}

/** @param {{id: string}} props */
export default function AccountScreen({ id }) {
  const which = /** @type {keyof typeof FORMS} */ (Object.hasOwn(FORMS, id) ? id : "");
  const { fields } = FORMS[which];
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
      // A code that is shown once is shown before anything that can fail.
      if (answer.recovery_code) setCode(answer.recovery_code);
      if (answer.csrf_token) await enter(answer);
      if (!answer.recovery_code) goOn();
    } catch (error) {
      setProblem(isChangeOfMind(error) ? t("passkey.not_used") : words(error));
      if (!(error instanceof Problem) && !(error instanceof DOMException)) throw error;
    } finally {
      setBusy(false);
    }
  }
  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
    return doing(() => submitted(which, /** @type {Record<string, string>} */ (values)));
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
  const leave = () => (account.peek() ? goOn() : go("account", true));
  if (behindDoor && which === "new") return html`<${Heading} title=${t("account.new")} back="#/home" /><${Door} />`;
  if (code) return html`<${RecoveryCode} code=${code} next=${leave} />`;
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
      <button class="btn wide" disabled=${busy}>${t(`account.${name}.button`)}</button>
      ${
        passkeysHere.value &&
        which !== "recover" &&
        html`<div class="stack tight">
          <button type="button" class="btn quiet wide" disabled=${busy} onClick=${withPasskey}>
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
