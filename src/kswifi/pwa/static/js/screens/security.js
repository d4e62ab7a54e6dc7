// Sign-in and security: devices, password, identifier, recovery code, passkeys, and the data of the account.
import { change, Problem, read, readAll } from "../api.js";
import { age } from "../format.js";
import { t } from "../i18n.js";
import { listen } from "../live.js";
import { forgetProof, Prove } from "../prove.js";
import { Reauthenticated } from "../reauthenticated.js";
import { go } from "../router.js";
import { useEffect, useRef, useState } from "../state.js";
import { account, environment, forget, reachable, say, signedIn, words } from "../store.js";
import { Heading, html, Icon, Note } from "../ui.js";
import { Passkeys } from "./passkey_list.js";
import { Code } from "./recovery_code.js";

/** @import {Shown} from "../reauthenticated.js" */
/** @typedef {{login_id: string, seen_at: string, browser: string | null, network: string | null, current: boolean}} Device */

/** Whether the server refused for one of these reasons. @param {unknown} error @param {string[]} codes */
const refusedFor = (error, ...codes) => error instanceof Problem && codes.includes(error.code);

/** The signed-in devices. Each can be signed out, or all but this one. */
function Devices() {
  const [list, setList] = useState(/** @type {Device[] | null} */ (null));
  const [problem, setProblem] = useState("");
  const load = () =>
    readAll("/api/v1/logins", "logins").then(
      ({ logins }) => {
        setList(logins);
        setProblem("");
      },
      (error) => setProblem(words(error)),
    );
  useEffect(() => void load(), [reachable.value]);
  /** @param {() => Promise<unknown>} work @param {string} done */
  async function doing(work, done) {
    setProblem("");
    try {
      // After a lost answer the device is signed out already.
      await work().catch((error) => refusedFor(error, "unknown_login") || Promise.reject(error));
      say(done);
    } catch (error) {
      return setProblem(words(error));
    }
    await load();
  }
  const end = (/** @type {Device} */ one) => () => change(`/api/v1/logins/${one.login_id}`, undefined, { method: "DELETE" });
  const endOthers = () => change("/api/v1/logins/sign-out", { keep_current: true });
  const name = (/** @type {Device} */ one) => one.browser ?? t("devices.unknown");
  return html`<section class="card">
    <h2>${t("devices.title")}</h2>
    <p class="soft">${t(list?.length === 1 ? "devices.only" : "devices.lead")}</p>
    <ul class="stack">
      ${(list ?? []).map(
        (one) => html`<li class="row" key=${one.login_id}>
          <span class="dot"><${Icon} name="phone" /></span>
          <span class="grow">
            <b>${one.current ? t("devices.this") : name(one)}</b><br />
            <span class="small soft">
              ${one.current ? name(one) : t("devices.seen", { age: age(Date.parse(one.seen_at)) })}${one.network ? ` · ${one.network}` : ""}
            </span>
          </span>
          ${
            !one.current &&
            html`<button
              class="iconbtn"
              aria-label=${t("devices.end", { name: name(one) })}
              onClick=${() => doing(end(one), t("devices.ended"))}
            >
              <${Icon} name="cross" />
            </button>`
          }
        </li>`,
      )}
    </ul>
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${
      list &&
      list.length > 1 &&
      html`<button class="btn quiet wide" onClick=${() => doing(endOthers, t("devices.others_done"))}>${t("devices.others")}</button>`
    }
  </section>`;
}

/** Change the password, or set the first one of an account that was made with a passkey. @param {{passkeys: boolean}} props */
function NewPassword({ passkeys }) {
  const [turn, setTurn] = useState(0);
  const lost = useRef(false);
  /** @param {Shown} shown @param {Record<string, string>} values */
  async function send(shown, { new_password }) {
    const path = "/api/v1/account/password";
    try {
      await change(path, { ...shown, new_password });
    } catch (error) {
      // After a lost answer the new password is the present one already. Otherwise the refusal stands.
      const done = lost.current && refusedFor(error, "wrong_credentials");
      lost.current = error instanceof Problem && error.status === 0;
      if (!done) throw error;
      await change(path, { password: new_password, new_password }).catch(() => Promise.reject(error));
    }
    setTurn(turn + 1);
    say(t("password.done"));
  }
  return html`<details class="card" key=${turn}>
    <summary>${t("password.title")}<${Icon} name="chevron" /></summary>
    <p class="soft">${t("password.lead")}</p>
    <${Reauthenticated} id="old" label=${t("password.old")} button=${t("password.button")} passkeys=${passkeys} send=${send}>
      <div class="field">
        <label for="new_password">${t("field.new_password")}</label>
        <input id="new_password" name="new_password" type="password" required minlength="12" autocomplete="new-password"
          aria-describedby="new_password-hint" />
        <span class="small soft" id="new_password-hint">${t("field.new_password.hint")}</span>
      </div>
    <//>
  </details>`;
}

/** Change the phone number or email address that opens the account. @param {{passkeys: boolean}} props */
function NewIdentifier({ passkeys }) {
  const [proof, setProof] = useState(/** @type {import("../prove.js").Proof | null} */ (null));
  const present = account.value?.phone_number ?? account.value?.email ?? "";
  if (!environment.value?.provable_identifiers.length) return null;
  const again = () => forgetProof().then(() => setProof(null));
  /** @param {Shown} shown */
  async function send(shown) {
    if (!proof) return;
    try {
      await change("/api/v1/account/identifier", { ...shown, identifier: proof.identifier, proof_id: proof.proof_id }, { method: "PUT" });
    } catch (error) {
      if (!refusedFor(error, "identifier_not_proved")) throw error;
      // A proof is used once. After a lost answer the account has the new identifier already.
      await signedIn(await read("/api/v1/account"));
      const changed = account.peek();
      if ((changed?.phone_number ?? changed?.email ?? "") === present) return again().then(() => Promise.reject(error));
    }
    await signedIn(await read("/api/v1/account"));
    await again();
    const { phone_number, email } = /** @type {import("../types.d.ts").Account} */ (account.peek());
    say(t("identifier.done", { next: phone_number ?? email ?? "" }));
  }
  return html`<details class="card">
    <summary>${t("identifier.title")}<${Icon} name="chevron" /></summary>
    ${
      proof
        ? html`
          <p class="soft">${t("identifier.confirm", { next: proof.identifier })}</p>
          <${Reauthenticated} id="identifier" button=${t("identifier.button")} passkeys=${passkeys} send=${send} />
          <button class="btn plain wide" onClick=${again}>${t("identifier.other")}</button>
        `
        : html`<p class="soft">${t("identifier.lead", { now: present })}</p><${Prove} next=${setProof} />`
    }
  </details>`;
}

/** Replace the recovery code. The new one is shown once. @param {{passkeys: boolean}} props */
function NewRecoveryCode({ passkeys }) {
  const [code, setCode] = useState("");
  const send = async (/** @type {Shown} */ shown) => setCode((await change("/api/v1/account/recovery-code", shown)).recovery_code);
  return html`<details class="card">
    <summary>${t("recovery.new")}<${Icon} name="chevron" /></summary>
    <p class="soft">${t("recovery.new_lead")}</p>
    ${
      code
        ? html`<${Code} code=${code} /><${Note} kind="warning" live>${t("recovery.once")}<//>`
        : html`<${Reauthenticated} id="renew" button=${t("recovery.new_button")} passkeys=${passkeys} send=${send} />`
    }
  </details>`;
}

/** Save all data of the account as a file, or delete the account. @param {{passkeys: boolean}} props */
function YourData({ passkeys }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  /** @param {Shown} shown */
  async function end(shown) {
    try {
      await change("/api/v1/account", shown, { method: "DELETE" });
    } catch (error) {
      // After a lost answer the account is deleted already, and nobody is signed in.
      if (!refusedFor(error, "not_signed_in", "login_expired")) throw error;
    }
    await forget();
    listen();
    go("home");
    say(t("data.gone"));
  }
  return html`<section class="card">
    <h2>${t("data.title")}</h2>
    <p class="soft">${t("data.lead")}</p>
    <a class="btn quiet wide" href="/api/v1/account/export" download="kswifi.json"><${Icon} name="down" />${t("data.save")}</a>
    <button class="btn plain wide" onClick=${() => dialog.current?.showModal()}>${t("data.delete")}</button>
    <dialog ref=${dialog} aria-labelledby="end">
      <div class="stack">
        <h2 id="end">${t("data.sure")}</h2>
        <p class="soft">${t("data.sure_lead")}</p>
        <${Reauthenticated} id="end" button=${t("data.delete")} passkeys=${passkeys} danger send=${end} />
        <button type="button" class="btn plain wide" onClick=${() => dialog.current?.close()}>${t("data.keep")}</button>
      </div>
    </dialog>
  </section>`;
}

export default function Security() {
  const [passkeys, setPasskeys] = useState(false);
  return html`
    <${Heading} title=${t("security.title")} back="#/settings" />
    <${Devices} />
    <div class="stack">
      <${NewPassword} passkeys=${passkeys} />
      <${NewIdentifier} passkeys=${passkeys} />
      <${NewRecoveryCode} passkeys=${passkeys} />
    </div>
    <${Passkeys} found=${setPasskeys} />
    <${YourData} passkeys=${passkeys} />
  `;
}
