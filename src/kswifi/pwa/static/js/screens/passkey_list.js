import { change, readAll } from "../api.js";
import { age, when } from "../format.js";
import { t } from "../i18n.js";
import { isChangeOfMind, makePasskey, passkeysHere } from "../passkeys.js";
import { useEffect, useState } from "../state.js";
import { reachable, say, words } from "../store.js";
import { html, Icon, Note } from "../ui.js";

/** @typedef {{passkey_id: string, name: string, created_at: string, used_at: string | null}} Passkey */

/** What this device is called by default, so that its owner knows the passkey again. */
const deviceName = () => /Android|iPhone|iPad|Windows|Mac|Linux/.exec(navigator.userAgent)?.[0] ?? "";

/** @param {Passkey} one */
const lastUse = (one) =>
  one.used_at ? t("passkey.used", { age: age(Date.parse(one.used_at)) }) : t("passkey.made", { at: when(Date.parse(one.created_at)) });

/** The ways in without a password. @param {{found?: (any: boolean) => void}} props */
export function Passkeys({ found }) {
  const [list, setList] = useState(/** @type {Passkey[] | null} */ (null));
  const [problem, setProblem] = useState("");
  const load = () =>
    readAll("/api/v1/passkeys", "passkeys").then(
      ({ passkeys }) => {
        setList(passkeys);
        found?.(passkeys.length > 0);
      },
      () => {},
    );
  useEffect(() => void load(), [reachable.value]);
  /** @param {() => Promise<unknown>} work @param {string} done */
  const doing = async (work, done) => {
    setProblem("");
    try {
      await work();
      say(done);
    } catch (error) {
      const have = error instanceof DOMException && error.name === "InvalidStateError";
      setProblem(isChangeOfMind(error) ? t("passkey.not_used") : have ? t("passkey.have") : words(error));
    }
    await load();
  };
  const add = async () => change("/api/v1/passkeys", { ...(await makePasskey("/api/v1/passkeys/options")), name: deviceName() });
  /** @param {Passkey} one */
  const forget = (one) => change(`/api/v1/passkeys/${one.passkey_id}`, undefined, { method: "DELETE" });
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
              onClick=${() => doing(() => forget(one), t("passkey.removed"))}
            >
              <${Icon} name="cross" />
            </button>
          </li>`,
        )}
      </ul>`
    }
    ${problem && html`<${Note} kind="error" live>${problem}<//>`}
    ${
      passkeysHere.value &&
      html`<button class="btn quiet wide" onClick=${() => doing(add, t("passkey.added"))}>
        <${Icon} name="key" />
        ${t("passkey.add")}
      </button>`
    }
  </section>`;
}
