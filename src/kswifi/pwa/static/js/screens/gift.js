// A gift from somebody, by the code in its link: look at it, also before signing up, and claim it.
import { change, newKey, Problem, read } from "../api.js";
import { Ask } from "../ask.js";
import { formatOctets, lastDay, when } from "../format.js";
import { add, t } from "../i18n.js";
import { SessionManager } from "../road.js";
import { go, wish } from "../router.js";
import { useEffect, useRef, useState } from "../state.js";
import { account, reachable, receive, words } from "../store.js";
import * as texts from "../text/gifts.js";
import { Heading, html, Icon, Note, Size } from "../ui.js";

add(texts);

/** @typedef {{octets: number, valid_until: string, expires_at: string, claimable: boolean}} Offered */

/** Ask for the code of a gift. */
const ByCode = () => html`
  <${Heading} title=${t("gift.have")} lead=${t("gift.code_lead")} back="#/gifts" />
  <${Ask}
    what="code"
    label=${t("gift.code")}
    hint=${t("gift.code_hint")}
    button=${t("gift.look")}
    input=${{ autocapitalize: "characters" }}
    send=${async (/** @type {string} */ code) => go(`gift/${encodeURIComponent(code)}`)}
  />
`;

/** Claim the gift, and begin to download its session. @param {{code: string}} props */
function Claim({ code }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  const key = useRef(newKey());
  async function claim() {
    setBusy(true);
    setProblem(null);
    try {
      const { session_id } = await change(`/api/v1/gifts/${encodeURIComponent(code)}/claim`, {}, { key: key.current });
      await receive(await read(`/api/v1/sessions/${session_id}`));
      await SessionManager.resumeDownload(session_id);
      go(`progress/${session_id}`, true);
    } catch (error) {
      // A refused request is another one when it is sent again; after a lost answer it is the same.
      if (error instanceof Problem && !error.passing) key.current = newKey();
      setProblem(error);
    }
    setBusy(false);
  }
  const { code: refusal, facts } = problem instanceof Problem ? problem : { code: "", facts: {} };
  return html`
    ${problem && html`<${Note} kind="error" live>${words(problem)}<//>`}
    ${/verify|redeem/.test(facts.do ?? "") && html`<a class="btn quiet wide" href="#/free">${t(`free.${facts.do}`)}</a>`}
    ${refusal === "gift_is_yours" && html`<a class="btn quiet wide" href="#/gifts">${t("gifts.title")}</a>`}
    <button class="btn wide" disabled=${busy} onClick=${claim}><${Icon} name="down" />${t("gift.claim")}</button>
  `;
}

/** @param {{code: string}} props */
function Found({ code }) {
  const [one, setOne] = useState(/** @type {Offered | null} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    // Signing up or in leads back to the gift.
    if (!account.value) wish.path = `gift/${encodeURIComponent(code)}`;
    /** @type {number | undefined} */
    let later;
    let turn = 0;
    const look = () =>
      read(`/api/v1/gifts/${encodeURIComponent(code)}`).then(
        (/** @type {Offered} */ found) => {
          setOne(found);
          setProblem("");
          // It can be claimed as soon as the network has taken it from the giver, in a moment.
          if (!found.claimable && turn++ < 5) later = setTimeout(look, 2000);
        },
        (error) => setProblem(words(error)),
      );
    look();
    return () => clearTimeout(later);
  }, [code, reachable.value]);
  if (!one)
    return html`
      <${Heading} title=${t("gift.title")} back=${account.value ? "#/gifts" : "#/home"} />
      ${problem && html`<${Note} kind="error" live>${problem}<//><a class="btn quiet wide" href="#/gift">${t("gift.other")}</a>`}
    `;
  return html`
    <${Heading} title=${t("gift.somebody", { size: formatOctets(one.octets) })} back=${account.value ? "#/gifts" : "#/home"} />
    <div class="pass">
      <${Size} octets=${one.octets} />
      <p class="small soft">${t("until", { day: lastDay(Date.parse(one.valid_until)) })}</p>
    </div>
    ${
      one.claimable
        ? html`<${Note} icon="clock">${t("gift.before", { at: when(Date.parse(one.expires_at)) })}<//>`
        : html`<${Note} icon="alert" live>${t("gift.not_claimable")}<//>`
    }
    <p class="soft">${t("gift.how")}</p>
    <div class="act stick">
      ${
        !one.claimable
          ? html`<a class="btn wide" href=${account.value ? "#/gifts" : "#/home"}>${t(account.value ? "gifts.title" : "nav.home")}</a>`
          : account.value
            ? html`<${Claim} code=${code} />`
            : html`
              <a class="btn wide" href="#/account/new">${t("account.sign_up")}</a>
              <a class="btn plain wide" href="#/account">${t("account.sign_in")}</a>
            `
      }
    </div>
  `;
}

/** @param {{id: string}} props the code of a gift, or nothing */
export default ({ id }) => (id ? html`<${Found} code=${id} />` : html`<${ByCode} />`);
