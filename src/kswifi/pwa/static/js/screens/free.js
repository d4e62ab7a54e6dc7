// What the operator can require before free data: a voucher of a WiFi venue, or a verified phone number.
import { change, read } from "../api.js";
import { Ask } from "../ask.js";
import { now } from "../clock.js";
import * as db from "../db.js";
import { t } from "../i18n.js";
import { go } from "../router.js";
import { useEffect, useState } from "../state.js";
import { account, environment, reachable, say, signedIn } from "../store.js";
import { Heading, html, Icon, Note } from "../ui.js";

/** @typedef {{verification_id: string, state: string, expires_at: string, phone_number: string}} Verification */

const CODES = "/api/v1/phone-verifications";

/** @param {string} text @param {string} [next] */
function done(text, next = "choose") {
  say(text);
  go(next, true);
}

/** @param {string} code */
async function redeem(code) {
  const { venue } = await change("/api/v1/vouchers/redeem", { code });
  return done(t("voucher.good", { venue }));
}

/** @param {{typed: string, quiet: boolean}} props `typed`: the code came in the address */
const Voucher = ({
  typed,
  quiet,
}) => html`<${Ask} what="voucher" quiet=${quiet} input=${{ defaultValue: typed, autocapitalize: "characters" }} send=${redeem}>
  <h2>${t("voucher.title")}</h2>
<//>`;

/** Verify a phone number: ask for it, then for the code that was sent to it. A reload in between loses nothing. */
/** @param {{next: string}} props the screen to show then */
function Phone({ next: then }) {
  const [asked, setAsked] = useState(/** @type {Verification | null} */ (null));
  /** @param {Verification | null} next */
  const keep = (next) => {
    setAsked(next);
    return next ? db.put("kv", next, "verifying") : db.remove("kv", "verifying");
  };
  useEffect(() => {
    db.get("kv", "verifying").then((kept) => kept && Date.parse(kept.expires_at) > now() && setAsked(kept));
  }, []);
  useEffect(() => {
    if (!asked || !/waiting|sending/.test(asked.state)) return;
    const later = setTimeout(
      () =>
        read(`${CODES}/${asked.verification_id}`).then(
          (found) => keep({ ...asked, ...found }),
          () => setAsked({ ...asked }),
        ),
      1000,
    );
    return () => clearTimeout(later);
  }, [asked]);
  if (account.value?.phone_verified) return html`<${Note}>${t("phone.verified")}<//>`;
  if (!asked || asked.state === "refused")
    return html`<${Ask}
      what="number"
      key="number"
      input=${{ type: "tel", autocomplete: "tel", defaultValue: account.value?.phone_number ?? "" }}
      send=${async (/** @type {string} */ phone_number) => keep({ ...(await change(CODES, { phone_number })), phone_number })}
    >
      <h2>${t("phone.title")}</h2>
      ${asked && html`<${Note} kind="error" live>${t("phone.refused")}<//>`}
    <//>`;
  const how = asked.state === "unknown" ? "phone.unknown" : asked.state === "sent" ? "phone.sent" : "phone.sending";
  return html`
    <${Ask}
      what="code"
      key="code"
      input=${{ inputmode: "numeric", pattern: "[0-9]{6}", maxlength: 6, autocomplete: "one-time-code" }}
      send=${async (/** @type {string} */ code) => {
        await change(`${CODES}/${asked.verification_id}/confirm`, { code });
        await keep(null);
        await signedIn(await read("/api/v1/account"));
        done(t("phone.verified"), then);
      }}
    >
      <h2>${t("phone.title")}</h2>
      <${Note} icon="phone" live>${t(how, { number: asked.phone_number })}<//>
    <//>
    <div class="stack tight">
      ${environment.value?.lab_origin && html`<a class="btn quiet wide" href="/lab"><${Icon} name="phone" />${t("esim.lab")}</a>`}
      <button class="btn plain wide" onClick=${() => keep(null)}>${t("phone.again")}</button>
    </div>
  `;
}

/** @param {{id: string}} props the code of a voucher, "phone" for somebody who wants to give data away, or nothing */
export default function Free({ id }) {
  const [required, setRequired] = useState("");
  useEffect(
    () =>
      void read("/api/v1/free-data").then(
        (view) => setRequired(view.required),
        () => setRequired("nothing"),
      ),
    [reachable.value],
  );
  const gives = id === "phone";
  const phone = gives || /phone/.test(required);
  return html`
    <${Heading} title=${t("choose.allowance")} lead=${required && !gives && t(`free.${required}`)} back=${gives ? "#/gifts" : "#/choose"} />
    ${!reachable.value && html`<${Note} icon="noline" live>${t("account.offline")}<//>`}
    ${phone && (gives || !id) && html`<${Phone} next=${gives ? "gifts" : "choose"} />`}
    ${required && required !== "phone" && !gives && html`<${Voucher} typed=${id} quiet=${phone && !id} />`}
  `;
}
