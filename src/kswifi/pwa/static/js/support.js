// The operator's WhatsApp, telephone and email. Each opens with the number of the session or payment.
import { t } from "./i18n.js";
import { environment } from "./store.js";
import { html, Icon } from "./ui.js";

/** @param {{about?: string}} props `about`: the session or payment that the question is about */
export function Support({ about = "" }) {
  const { whatsapp, phone, email } = environment.value?.support ?? {};
  if (!whatsapp && !phone && !email) return null;
  const text = encodeURIComponent(about ? t("support.about", { number: about }) : t("support.hello"));
  const ways = /** @type {[string, string | null | undefined][]} */ ([
    ["whatsapp", whatsapp && `https://wa.me/${whatsapp}?text=${text}`],
    ["phone", phone && `tel:${phone.replaceAll(" ", "")}`],
    ["email", email && `mailto:${email}?subject=${text}`],
  ]);
  return html`<section class="stack">
    <h2>${t("support.title")}</h2>
    ${about && html`<p class="small soft">${t("support.number", { number: about })}</p>`}
    <div class="list">
      ${ways.map(
        ([way, address]) =>
          address &&
          html`<a class="item" key=${way} href=${address} rel="noreferrer" target=${way === "whatsapp" ? "_blank" : undefined}>
            <span class="dot"><${Icon} name=${way === "email" ? "copy" : "phone"} /></span>
            <span class="grow">
              <b>${t(`support.${way}`)}</b>
              <span class="small soft">${way === "phone" ? phone : way === "email" ? email : ""}</span>
            </span>
            <${Icon} name="chevron" />
          </a>`,
      )}
    </div>
  </section>`;
}
