import { change, readAll } from "../api.js";
import { age, when } from "../format.js";
import { t } from "../i18n.js";
import { makePasskey, passkeysHere } from "../passkeys.js";
import { Reauthenticated } from "../reauthenticated.js";
import { useEffect, useState } from "../state.js";
import { reachable, say } from "../store.js";
import { html, Icon, Note } from "../ui.js";

/** @import {Shown} from "../reauthenticated.js" */
/** A change that its user has asked for, to be done once the user has shown the password or a passkey. */
/** @typedef {{button: string, done: string, work: (shown: Shown) => Promise<unknown>}} Asked */
/** @typedef {{passkey_id: string, name: string, created_at: string, used_at: string | null}} Passkey */

/** Return the default name of a passkey of this device. */
const deviceName = () => /Android|iPhone|iPad|Windows|Mac|Linux/.exec(navigator.userAgent)?.[0] ?? "";

/** @param {Passkey} one */
const lastUse = (one) =>
  one.used_at ? t("passkey.used", { age: age(Date.parse(one.used_at)) }) : t("passkey.made", { at: when(Date.parse(one.created_at)) });

/** List, add and remove passkeys. @param {{found?: (any: boolean) => void}} props */
export function Passkeys({ found }) {
  const [list, setList] = useState(/** @type {Passkey[] | null} */ (null));
  const [problem, setProblem] = useState("");
  const [asked, setAsked] = useState(/** @type {Asked | null} */ (null));
  const load = () =>
    readAll("/api/v1/passkeys", "passkeys").then(
      ({ passkeys }) => {
        setList(passkeys);
        found?.(passkeys.length > 0);
      },
      () => {},
    );
  useEffect(() => void load(), [reachable.value]);
  /** @param {Asked} asked */
  const doing = (asked) => async (/** @type {Shown} */ shown) => {
    setProblem("");
    try {
      await asked.work(shown);
      say(asked.done);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "InvalidStateError")) throw error;
      setProblem(t("passkey.have"));
    }
    setAsked(null);
    await load();
  };
  const add = async (/** @type {Shown} */ shown) =>
    change("/api/v1/passkeys", { ...(await makePasskey("/api/v1/passkeys/options", shown)), name: deviceName() });
  const askToAdd = () => setAsked({ button: t("passkey.add"), done: t("passkey.added"), work: add });
  const askToRemove = (/** @type {Passkey} */ one) => () =>
    setAsked({
      button: t("passkey.remove", { name: one.name }),
      done: t("passkey.removed"),
      work: (shown) => change(`/api/v1/passkeys/${one.passkey_id}`, shown, { method: "DELETE" }),
    });
  if (!list?.length && !passkeysHere.value) return null;
  return html`<section class="card">
    <h2>${t("passkey.title")}</h2>
    <p class="soft">${t("passkey.lead")}</p>
    ${
      list &&
      list.length > 0 &&
      html`<ul class="stack">
        ${list.map(
          (one) => html`<li class="row" key=${one.passkey_id}>
            <span class="dot"><${Icon} name="key" /></span>
            <span class="grow"><b>${one.name || t("passkey.one")}</b><br /><span class="small soft">${lastUse(one)}</span></span>
            <button
              class="iconbtn"
              aria-label=${t("passkey.remove", { name: one.name })}
              onClick=${askToRemove(one)}
            >
              <${Icon} name="cross" />
            </button>
          </li>`,
        )}
      </ul>`
    }
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${asked && html`<${Reauthenticated} id="passkey" button=${asked.button} passkeys=${Boolean(list?.length)} send=${doing(asked)} />`}
    ${
      passkeysHere.value &&
      !asked &&
      html`<button class="btn quiet wide" onClick=${askToAdd}>
        <${Icon} name="key" />
        ${t("passkey.add")}
      </button>`
    }
  </section>`;
}
