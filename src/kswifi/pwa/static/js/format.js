// Format figures for people. Octets are truncated, never rounded up, so that the app does not promise more than there is.
import { now } from "./clock.js";
import { language, t } from "./i18n.js";

const UNITS = /** @type {const} */ ([
  ["GB", 1e9],
  ["MB", 1e6],
  ["KB", 1e3],
]);

/** @param {number} octets @returns {[string, string]} figure and unit */
export function octetParts(octets) {
  for (const [unit, factor] of UNITS) {
    if (octets >= factor) {
      const places = octets >= 100 * factor ? 1 : 10 ** (octets >= 10 * factor ? 1 : 2);
      return [String(Math.floor((octets / factor) * places) / places), unit];
    }
  }
  return [String(octets), "B"];
}

/** @param {number} octets */
export const formatOctets = (octets) => octetParts(octets).join(" ");

/** @param {number} kobo */
export const formatNaira = (kobo) =>
  `₦${Math.floor(kobo / 100).toLocaleString("en")}${kobo % 100 ? `.${String(kobo % 100).padStart(2, "0")}` : ""}`;

/** @param {number | null} octets */
export const sizeName = (octets) => (octets === null ? t("size.unlimited") : formatOctets(octets).replace(" ", ""));

const locale = () => (language.value === "pcm" ? "en-NG" : navigator.language);
/** @param {Intl.DateTimeFormatOptions} options */
const dates = (options) => (/** @type {number} */ at) => new Intl.DateTimeFormat(locale(), options).format(at);

const day = dates({ weekday: "short", day: "numeric", month: "long" });
const dayAndTime = dates({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = dates({ hour: "2-digit", minute: "2-digit" });

export const formatDay = day;
export const formatMonth = dates({ month: "long", year: "numeric" });
export const formatHour = dayAndTime;

/** Return the last day of a validity: `until` is the midnight after it. @param {number} until */
export const lastDay = (until) => day(until - 1);

/** @param {number} at */
export const when = (at) => (new Date(at).toDateString() === new Date(now()).toDateString() ? clock(at) : dayAndTime(at));

/** @param {number} milliseconds */
export function duration(milliseconds) {
  const minutes = Math.max(0, Math.floor(milliseconds / 60000));
  if (minutes < 1) return t("time.moment");
  if (minutes < 120) return t("time.minutes", { n: minutes });
  if (minutes < 48 * 60) return t("time.hours", { n: Math.floor(minutes / 60) });
  return t("time.days", { n: Math.floor(minutes / 1440) });
}

/** @param {number} at */
export function age(at) {
  const past = now() - at;
  return past < 60000 ? t("time.now") : t("time.ago", { time: duration(past) });
}

/**
 * Return when the rest will be used up at the present pace; null while there are too few figures.
 * @param {import("./types.d.ts").InternetSession} session
 */
export function runsOutAt({ left_octets, used_octets, seen, as_of }) {
  if (left_octets === null || !seen || !as_of || used_octets <= seen.used_octets || as_of - seen.at < 10000) return null;
  return as_of + (left_octets / (used_octets - seen.used_octets)) * (as_of - seen.at);
}
