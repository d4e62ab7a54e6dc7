import { change, Problem, setCsrf } from "../api.js";
import * as db from "../db.js";
import { t } from "../i18n.js";
import { useEffect, useRef, useState } from "../state.js";
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

/** @import {Proof} from "../prove.js" */

/** Each form by its name in the address: its fields, and where it is sent. */
const FORMS = {
  "": { path: "/api/v1/logins", fields: ["identifier", "password"] },
  new: { path: "/api/v1/accounts", fields: ["identifier", "password"] },
  recover: { path: "/api/v1/recoveries", fields: ["identifier", "recovery_code", "new_password"] },
};
/** The autocomplete tokens of fields that are no passwords. @type {Record<string, string>} */
const OTHER = { identifier: "username", recovery_code: "off" };
const KINDS = { identifier: "text", password: "password", new_password: "password", recovery_code: "text" };

/** Go to the screen that needed an account. */
function goOn() {
  go(wish.path);
  wish.path = "home";
}

/** Use a new login session. What cannot be loaded now is loaded when the network is back. @param {any} login */
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

/** The refusals that a form gets when it is sent again after its answer was lost. */
const DONE_BEFORE = ["already_registered", "wrong_recovery_code", "identifier_not_proved"];

/**
 * Send a form. An answer can be lost after the server has done the work. The same form, sent again, is then refused: the account
 * exists, the recovery code or the proof is used up. So if the password opens the account, sign in and replace the recovery code,
 * because nobody has seen the first one.
 * @param {"" | "new" | "recover"} which @param {Record<string, string>} values the fields of the form, and a `proof_id`
 * @returns {Promise<any>} the login session, with a recovery code if there is a new one
 */
async function submitted(which, values) {
  const { path, fields } = FORMS[which];
  const password = values[fields.at(-1) ?? ""];
  const logIn = () => change("/api/v1/logins", { identifier: values.identifier, password });
  if (which === "") return change(path, values);
  /** @type {any} */
  let answer;
  try {
    answer = await change(path, values);
  } catch (error) {
    if (!(error instanceof Problem) || !DONE_BEFORE.includes(error.code)) throw error;
    const login = await logIn().catch((refused) => Promise.reject(refused.status ? error : refused));
    setCsrf(login.csrf_token);
    return { ...login, ...(await change("/api/v1/account/recovery-code", { password })) };
  }
  if (which === "new") return answer;
  // The code is shown even if the login that follows fails: it is shown this once.
  return { recovery_code: answer.recovery_code, ...(await logIn().catch(() => ({}))) };
}

/** Whether the answer to the last attempt to make an account with a passkey was lost. */
let lost = false;

/**
 * Make an account with a passkey. If an earlier answer was lost, the account may exist: then sign in with the passkey and replace
 * the recovery code, because nobody has seen the first one.
 * @param {string} identifier @param {string | null} proof_id
 */
async function signUpWithPasskey(identifier, proof_id) {
  try {
    const made = await makePasskey("/api/v1/accounts/passkey-options", { identifier, proof_id });
    return await change("/api/v1/accounts/passkey", { ...made, proof_id });
  } catch (error) {
    const exists = lost && error instanceof Problem && DONE_BEFORE.includes(error.code);
    lost = error instanceof Problem && error.status === 0;
    if (!exists) throw error;
    const login = await change("/api/v1/logins/passkey", await usePasskey());
    setCsrf(login.csrf_token);
    return { ...login, ...(await change("/api/v1/account/recovery-code", { passkey: await usePasskey() })) };
  }
}

/** @param {{id: string}} props */
export default function AccountScreen({ id }) {
  const which = /** @type {keyof typeof FORMS} */ (Object.hasOwn(FORMS, id) ? id : "");
  const { fields } = FORMS[which];
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [code, setCode] = useState("");
  const [seen, setSeen] = useState(false);
  const [proof, setProof] = useState(/** @type {Proof | null} */ (null));
  const [prove, setProve] = useState(/** @type {any} */ (null)); // the module, where a proof is needed; false: not fetched
  const [locked, setLocked] = useState(false);
  const typed = useRef("");
  const proves = which === "new" && Boolean(environment.value?.identifier_proof);
  const loadProve = () =>
    import("../prove.js").then(
      (module) => setProve(module),
      () => setProve(false),
    );
  useEffect(() => void (proves && !prove && loadProve()), [proves, reachable.value]);

  /** @param {() => Promise<any>} work gives the login, with a recovery code if there is a new one */
  async function doing(work) {
    setBusy(true);
    setProblem("");
    try {
      const answer = await work();
      // A code that is shown once is shown before anything that can fail.
      if (answer.recovery_code) setCode(answer.recovery_code);
      if (proof) await db.remove("kv", "proving");
      if (answer.csrf_token) await enter(answer);
      if (!answer.recovery_code) goOn();
    } catch (error) {
      setProblem(isChangeOfMind(error) ? t("passkey.not_used") : words(error));
      if (!(error instanceof Problem) && !(error instanceof DOMException)) throw error;
      const refused = error instanceof Problem ? error.code : "";
      // With a code that was sent to the owner, other people's wrong passwords do not count.
      setLocked(which === "" && refused === "too_many_attempts" && Boolean(environment.peek()?.provable_identifiers.length));
      if (proof && refused === "identifier_not_proved") await db.remove("kv", "proving").then(() => setProof(null));
    } finally {
      setBusy(false);
    }
  }
  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
    typed.current = String(values.identifier);
    const proved = proof ? { proof_id: proof.proof_id } : {};
    return doing(() => submitted(which, /** @type {Record<string, string>} */ ({ ...values, ...proved })));
  }
  /** @param {Event} event */
  function withPasskey(event) {
    const { identifier } = /** @type {any} */ (/** @type {HTMLElement} */ (event.target).closest("form")).elements;
    if (which === "new" && !identifier.reportValidity()) return;
    return doing(async () =>
      which === "new" ? signUpWithPasskey(identifier.value, proof?.proof_id ?? null) : change("/api/v1/logins/passkey", await usePasskey()),
    );
  }
  const leave = () => (account.peek() ? goOn() : go("account", true));
  if (behindDoor && which === "new") return html`<${Heading} title=${t("account.new")} back="#/home" /><${Door} />`;
  if (code) return html`<${RecoveryCode} code=${code} next=${leave} />`;
  const name = which || "in";
  // Until it is known whether a proof is needed, no form is shown: what is typed into one would be lost with it.
  const pending = which === "new" && !environment.value ? reachable.value : proves && !prove;
  if (pending)
    return html`
      <${Heading} title=${t(`account.${name}`)} lead=${t(`account.${name}.lead`)} />
      ${
        prove === false &&
        html`<${Note} kind="error" live>${t("problem.offline")}<//><button class="btn wide" onClick=${loadProve}>${t("again")}</button>`
      }
    `;
  if ((proves || locked) && !proof && prove)
    return html`
      <${Heading} title=${t(`account.${name}`)} lead=${t(`account.${name}.lead`)} />
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      <${prove.Prove} next=${setProof} identifier=${typed.current} />
      <a class="btn plain wide" href=${which ? "#/account" : "#/account/new"}>${t(which ? "account.sign_in" : "account.sign_up")}</a>
    `;
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
            readonly=${Boolean(proof) && field === "identifier"}
            defaultValue=${field === "identifier" ? proof?.identifier : undefined}
            type=${kind === "password" && seen ? "text" : kind}
            autocapitalize="none"
            spellcheck=${false}
            autocomplete=${kind === "password" ? (fresh ? "new-password" : "current-password") : OTHER[field]}
            minlength=${kind === "password" && fresh ? 12 : undefined}
            aria-describedby=${`${field}-hint`}
          />
          <span class="small soft" id=${`${field}-hint`}>${t(`field.${field}.${fresh && field === "password" ? "new" : "hint"}`)}</span>
        </div>`;
      })}
      <label class="item" style="padding:0;min-height:3rem">
        <input class="switch" type="checkbox" role="switch" checked=${seen} onChange=${() => setSeen(!seen)} />
        <span>${t("account.show")}</span>
      </label>
      <div class="act stick">
      ${problem && html`<${Note} kind="error" live>${problem}<//>`}
      ${!reachable.value && html`<${Note} icon="noline" live>${t("account.offline")}<//>`}
      ${prove === false && locked && html`<${Note} kind="error" live>${t("problem.offline")}<//>`}
      ${locked && !proof && html`<button type="button" class="btn quiet wide" onClick=${loadProve}>${t("account.code")}</button>`}
      <button class="btn wide" disabled=${busy || (proves && !proof)}>${t(`account.${name}.button`)}</button>
      </div>
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
