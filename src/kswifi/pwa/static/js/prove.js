// Prove a phone number or email address with six digits that are sent to it. Fetched where the operator requires it,
// and where somebody changes their identifier.
import { change, read } from "./api.js";
import { Ask } from "./ask.js";
import { now } from "./clock.js";
import * as db from "./db.js";
import { when } from "./format.js";
import { add, t } from "./i18n.js";
import { useEffect, useState } from "./state.js";
import { environment } from "./store.js";
import * as texts from "./text/security.js";
import { html, Note } from "./ui.js";

add(texts);

/** A code that was requested. With `confirmed` it is a proof. */
/** @typedef {{proof_id: string, identifier: string, expires_at: string, confirmed?: boolean}} Proof */

const PATH = "/api/v1/identifier-proofs";
/** How long the server takes a confirmed proof after the end of its code, in milliseconds. */
const PROOF_LIFETIME = 18e5;

/** The proof on this device that can still be used, or null. @returns {Promise<Proof | null>} */
async function keptProof() {
  /** @type {Proof | undefined} */
  const kept = await db.get("kv", "proving");
  const until = kept ? Date.parse(kept.expires_at) + (kept.confirmed ? PROOF_LIFETIME : 0) : 0;
  return kept && now() < until ? kept : null;
}
/** Forget the proof: it was used, or the server no longer takes it. */
export const forgetProof = () => db.remove("kv", "proving");

/** The hint below the field: which kinds of identifiers codes are sent to. */
function hint() {
  const kinds = environment.value?.provable_identifiers ?? [];
  return kinds.length === 1 ? t(`prove.${kinds[0]}`) : t("prove.lead");
}

/**
 * Ask for an identifier, send a code to it and confirm the code. A reload in between loses nothing.
 * @param {{next: (proof: Proof) => void, identifier?: string}} props `next` receives the confirmed proof
 */
export function Prove({ next, identifier = "" }) {
  const [asked, setAsked] = useState(/** @type {Proof | null} */ (null));
  const [message, setMessage] = useState("");
  /** @param {Proof | null} proof */
  async function keep(proof) {
    setAsked(proof);
    if (proof) await db.put("kv", proof, "proving");
    else await forgetProof();
  }
  useEffect(() => void keptProof().then((kept) => kept && (kept.confirmed ? next(kept) : setAsked(kept))), []);
  useEffect(() => {
    setMessage("");
    if (!asked || !environment.peek()?.lab_origin) return;
    const later = setTimeout(
      () =>
        read(`${PATH}/${asked.proof_id}/lab-message`).then(
          (found) => setMessage(found.words),
          () => {},
        ),
      1000,
    );
    return () => clearTimeout(later);
  }, [asked]);
  if (!asked)
    return html`<${Ask}
      what="identifier"
      key="identifier"
      label=${t("field.identifier")}
      hint=${hint()}
      button=${t("prove.button")}
      input=${{ autocomplete: "username", autocapitalize: "none", maxlength: 254, defaultValue: identifier }}
      send=${async (/** @type {string} */ typed) => keep({ identifier: typed, ...(await change(PATH, { identifier: typed })) })}
    />`;
  return html`
    <${Ask}
      what="code"
      key="code"
      input=${{ inputmode: "numeric", pattern: "[0-9]{6}", maxlength: 6, autocomplete: "one-time-code" }}
      send=${async (/** @type {string} */ code) => {
        await change(`${PATH}/${asked.proof_id}/confirm`, { code });
        const proof = { ...asked, confirmed: true };
        await db.put("kv", proof, "proving");
        next(proof);
      }}
    >
      <${Note} icon="phone" live>
        ${t("prove.sent", { identifier: asked.identifier, until: when(Date.parse(asked.expires_at)) })}
      <//>
      ${message && html`<p class="small soft" role="status">${t("prove.lab", { words: message })}</p>`}
    <//>
    <button class="btn plain wide" onClick=${() => keep(null)}>${t("prove.other")}</button>
  `;
}
